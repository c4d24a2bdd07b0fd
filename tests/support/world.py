"""A whole Redline in one process, without Airflow: store, keys, notary, desk and a trainer's gate.

The notary is the real one; only its loop is ours: it takes a pass whenever somebody waits for it.
The evaluation jobs are replaced by finished ones whose files a test writes (`finish_jobs`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from client.envelopes import Sealer, TrustedKeys
from client.gate import TrainingGate
from client.publish import Declared, publish
from include.adapters import bootstrap
from include.adapters import ledger as ledger_module
from include.adapters.evaluation import JobOutcome
from include.adapters.evidence_store import add_evidence, signer_of
from include.adapters.ledger import LedgerReader
from include.adapters.policy_files import read_policy
from include.adapters.process_evaluator import ProcessEvaluator
from include.adapters.proposal_files import ProposalFile, ProposedFiles
from include.adapters.signing import KeyFile
from include.adapters.store import DirectoryStore, Store, put_blob
from include.notary.notary import Notary
from include.rsp import records as r
from include.rsp.adoption import offices_of
from include.rsp.adoption_records import ApprovalPart
from include.rsp.approvals import wanted
from include.rsp.canonical import canonical_bytes, iso
from include.rsp.reading import parse_record
from include.rsp.results import Conditions, SampleTable
from include.rsp.safeguard_evidence import SafeguardEvidence
from include.rsp.state import LedgerState
from include.rsp.vocabulary import ResultStatus
from include.wiring import adopting, assessment, evaluating, registration, screening
from include.wiring.desk import Desk
from tests.support.eval_logs import eval_log
from tests.support.evaluated import record_result
from tests.support.factories import (
    ADDITION,
    POLICY_BYTES,
    START,
    SUITE_BYTES,
    X,
    make_samples,
)
from tests.support.fitting import elicited, fit
from tests.support.safeguards import whole_evidence

RUN = "run-1"
OFFICE_USERS = {"rso": "rso", "ceo": "ceo", "second-line": "secondline", "board": "board"}


class SteppingReader(LedgerReader):
    """A reader before whose every look the notary takes a pass."""

    notary: Notary

    def refresh(self) -> LedgerState:
        """Let the notary work, then read."""
        self.notary.step()
        return LedgerReader.refresh(self)


@dataclass(slots=True)
class World:
    """Everything of one test."""

    notary_type: ClassVar[type[Notary]] = Notary
    root: Path
    policy: bytes = POLICY_BYTES
    suite: bytes = SUITE_BYTES
    store: Store = field(init=False)
    now: datetime = START
    folders: bootstrap.KeyFolders = field(init=False)
    notary: Notary = field(init=False)
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        (self.root / "store").mkdir(parents=True, exist_ok=True)
        self.store = DirectoryStore(self.root / "store", durable=False)
        self.folders = bootstrap.KeyFolders(self.root / "keys")
        offices = offices_of(read_policy(self.policy, where="the world's policy"))
        trust = bootstrap.make_trust_root(
            self.folders, offices, simulated=True, at=self.now, users=OFFICE_USERS
        )
        bootstrap.adopt(self.store, self.folders, self.policy, self.suite, at=self.now)
        self._start(trust)

    def _start(self, trust: r.TrustRoot | None = None) -> None:
        """The notary and the desk, on what is stored."""
        self.start_notary(trust)
        self.desk = Desk(
            store=self.store,
            checkpoints=self.root / "checkpoints",
            jobs=ProcessEvaluator(self.root / "jobs"),
            clock=lambda: self.now,
            notary_seconds=5,
            author="test",
        )
        reader = SteppingReader(self.store)
        reader.notary = self.notary
        self.desk.reader = reader

    def copied(self, root: Path) -> World:
        """The same in another folder, with a notary that was started there; this one stays as it
        is.
        """
        there = list(root.iterdir()) if root.exists() else []
        assert not there, f"{root} has something in it already: {there}"
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        made = copy(self)
        made.root, made.folders = root, bootstrap.KeyFolders(root / "keys")
        made.store = DirectoryStore(root / "store", durable=False)
        del made.desk
        made._start()
        return made

    def start_notary(self, trust: r.TrustRoot | None = None) -> None:
        """A fresh notary process, as after a kill: it knows only what is stored."""
        root = trust or parse_record(self.folders.trust_root.read_bytes(), where="root")
        keys = {
            role: KeyFile(self.folders.notary / f"{role.value}.pem")
            for role in bootstrap.NOTARY_KEYS
        }
        self.notary = self.notary_type(store=self.store, keys=keys, clock=lambda: self.now)
        assert isinstance(root, r.TrustRoot)
        self.notary.open(root)
        self.notary.step()
        if hasattr(self, "desk") and isinstance(self.desk.reader, SteppingReader):
            self.desk.reader.notary = self.notary

    @property
    def state(self) -> LedgerState:
        """What the ledger says."""
        return self.desk.state

    def pass_time(self, **duration: float) -> None:
        """Move the clock and let the notary look at it."""
        self.now += timedelta(**duration)
        self.notary.step()

    def gate(self, run_id: str = RUN) -> TrainingGate:
        """A trainer's gate, announced."""
        gate = TrainingGate(
            store=self.root / "store",
            run_id=run_id,
            keys=TrustedKeys.read(self.folders.trust_root),
            sealer=Sealer(self.folders.trainer),
            clock=self.desk.clock,
        )
        gate.announce()
        self.notary.step()
        return gate

    def publish(
        self,
        multiple: float,
        *,
        run_id: str = RUN,
        weights: bytes = b"abc",
        variants: Sequence[str] = ("final",),
    ) -> Path:
        """A checkpoint in the folder, as a trainer publishes it."""
        folder = self.root / "checkpoints" / run_id / f"x{multiple:g}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "weights.npz").write_bytes(weights)
        declared = Declared(
            run_id=run_id,
            checkpoint_id=folder.name,
            parent=None,
            step=int(16 * multiple),
            training_flop=X * multiple,
            algorithmic_efficiency=1.0,
            created_at=self.now,
        )
        publish(folder, declared, ["weights.npz"], variants=dict.fromkeys(variants, "weights.npz"))
        return folder

    def due(self) -> str:
        """Register what is there and return the one assessment that is due."""
        registration.register_new(self.desk)
        (key,) = registration.raise_due_occasions(self.desk)
        return key

    def finish_jobs(
        self,
        key: str,
        right: dict[str, int],
        *,
        errors: int = 0,
        again: bool = False,
        **changes: Any,
    ) -> None:
        """Write the outcome of every evaluation's job, as its process would have.

        Args:
            right: by evaluation, samples that it got right.
            errors: samples of each that ended in an error.
            again: the second job of each, after invalid results.
            changes: fields of the outcome or of its conditions.
        """
        planned = assessment.plan(self.desk, key).runs
        conditions = {one: changes.pop(one) for one in Conditions.model_fields if one in changes}
        for run in [one for one in planned if one.evaluation in right]:
            request = evaluating.job_request(self.desk, key, run.name, again=again)
            folder = self.desk.jobs.folder / request.job
            folder.mkdir(parents=True, exist_ok=True)
            rule = request.evaluation
            samples = make_samples(right[rule.id], rule.dataset_samples, errors=errors)
            (folder / "log.eval").write_bytes(
                eval_log(samples, model="toylab/checkpoint", at=iso(self.now))
            )
            plain = {
                "status": ResultStatus.COMPLETE,
                "problem": None,
                "started_at": iso(self.now),
                "finished_at": iso(self.now),
                "elicitation": elicited(rule),
                "conditions": dict(fit(rule)) | conditions,
                "log": "log.eval",
            } | changes
            outcome = JobOutcome.model_validate(plain)
            (folder / "outcome.json").write_bytes(canonical_bytes(outcome))

    def evaluate(self, key: str, *, addition: int = 5, maximum: int = 10, **changes: Any) -> None:
        """Plan, pre-flight, and results for all evaluations that are asked for, validated."""
        self.finish_jobs(key, {ADDITION: addition, "maximum": maximum, "copying": 100}, **changes)
        assessment.pre_flight(self.desk, key)
        for name in assessment.plan(self.desk, key).evaluations:
            record_result(self.desk, key, name)
        if screening.is_preliminary(self.desk, key):
            for name in screening.answer_preliminary(self.desk, key).evaluations:
                record_result(self.desk, key, name)
        self.validate(key)

    def validate(self, key: str, *, valid: bool = True) -> None:
        """A validation record as Great Expectations' result would make it, without importing GX."""
        counted = self.state.assessments[key].result_sets
        blob = ledger_blob(self.store)
        self.desk.submit(
            r.Validation(
                at=self.now,
                by="test",
                stamp=self.desk.stamp,
                assessment_id=key,
                plan=self.desk.plan_of(key),
                result_sets={name: r.RecordRef(record=one) for name, one in counted.items()},
                valid=dict.fromkeys(counted, valid),
                problems={name: [] for name in counted},
                report=blob,
            )
        )

    def assess(self, multiple: float, **results: Any) -> str:
        """Publish, register, evaluate and decide one checkpoint; the verdict's digest."""
        self.publish(multiple)
        key = self.due()
        self.evaluate(key, **results)
        return assessment.reach_verdict(self.desk, key)[0]

    def add_evidence(self, *, leave_out: str | None = None, **changes: Any) -> list[str]:
        """Evidence for every requirement on every surface, signed by the second line."""
        rules = self.desk.rulebook.in_force(self.state)
        assert rules is not None
        at = changes.pop("collected_at", self.now)
        pieces = whole_evidence(rules, at=at, **changes)
        return [self.add_piece(one) for one in pieces if one.criterion != leave_out]

    def add_piece(self, piece: SafeguardEvidence, *, key: Path | None = None) -> str:
        """One piece of evidence, signed by the second line or with another key."""
        rules = self.desk.rulebook.in_force(self.state)
        assert rules is not None
        office = rules.policy.sign_off.second_line.office
        signer = signer_of(self.state.trust, KeyFile(key or self.folders.officer(office)))
        said = piece.model_copy(update={"collector": signer.entry.holder})
        digest = add_evidence(self.store, said, by="test", at=self.now, signer=signer)
        return ledger_module.wait_for(self.desk.reader, digest, seconds=5)

    def propose(self, policy: bytes, suite: bytes | None = None, **changes: Any) -> str:
        """A reviewed proposal, effective at once; the review's digest."""
        plain = {
            "policy": "policy.yaml",
            "suite": "suite.yaml",
            "reason": "a test wants it",
            "changelog": "What changed, for a test.",
            "effective_at": self.now,
        } | changes
        file = ProposalFile.model_validate(plain)
        files = ProposedFiles("test", file, policy, suite or self.suite)
        return adopting.review(self.desk, adopting.propose_files(self.desk, files)[0])[0]

    def approve(
        self,
        review: str,
        office: str,
        part: str,
        *,
        decision: str = "agree",
        key: str | None = None,
    ) -> str:
        """An office speaks; the record's digest."""
        trust = self.state.trust
        assert trust is not None
        record = bootstrap.approval(
            trust, KeyFile(self.folders.officer(key or office)), review,
            part=ApprovalPart(part), decision=decision, reason="in a test", at=self.now,
        )  # fmt: skip
        return self.desk.submit(record)

    def approve_all(self, review: str) -> None:
        """Every office speaks, in order."""
        rules = self.desk.rulebook.in_force(self.state)
        assert rules is not None
        for part, office in wanted(rules.policy):
            self.approve(review, office, part.value)

    def adopt(self, policy: bytes, suite: bytes | None = None, **changes: Any) -> r.Adoption:
        """Another version, all the way into force."""
        review = self.propose(policy, suite, **changes)
        self.approve_all(review)
        adopting.publish(self.desk, review, self.root / "public")
        self.pass_time(seconds=1)
        return adopting.put_into_force(self.desk, review)[1]

    def report_incident(self, run_id: str | None = RUN, **changes: Any) -> str:
        """An incident that somebody knows of now."""
        plain = {"run_id": run_id, "category": "jailbreak", "what": "a jailbreak was published"}
        written = {"at": self.now, "by": "test", "stamp": self.desk.stamp, "known_at": self.now}
        return self.desk.submit(r.Incident.model_validate(plain | written | changes))

    def restate(self, samples: int | bytes) -> str:
        """Another account of the first assessment's red-line result: so many right, or bytes."""
        counted = next(iter(self.state.assessments.values())).result_sets[ADDITION]
        if isinstance(samples, int):
            samples = canonical_bytes(SampleTable(samples=make_samples(samples)))
        return self.desk.submit(
            r.Restatement(
                at=self.now,
                by="test",
                stamp=self.desk.stamp,
                result_set=r.RecordRef(record=counted),
                samples=put_blob(self.store, samples, name="samples.json"),
                reason="graded with the wrong key",
            )
        )


def ledger_blob(store: Store) -> r.BlobRef:
    """Some stored file."""
    return put_blob(store, b"{}", name="great-expectations.json")


@contextmanager
def unanswered(world: World) -> Iterator[None]:
    """A desk whose notary is gone: nothing is chained any more."""
    reader = world.desk.reader
    world.desk.reader = LedgerReader(world.store)
    world.desk.notary_seconds = 0.05
    try:
        yield
    finally:
        world.desk.reader, world.desk.notary_seconds = reader, 5


Change = Callable[[dict[str, Any]], None]
__all__ = ["RUN", "Change", "World", "ledger_module", "unanswered"]
