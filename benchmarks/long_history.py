"""A store with a long history for `backtest.py`, built in seconds rather than by assessments.

Every record is of the kind and form that production writes, and every ledger entry is signed with
a ledger key, so that the store is read as any other. What is left out is the notary's checks.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from include.adapters import bootstrap
from include.adapters.ledger import entry_key, write_record
from include.adapters.policy_files import (
    POLICIES,
    SUITES,
    named_file,
    read_policy,
    read_suite,
)
from include.adapters.rederivation import stored_evidence
from include.adapters.signing import KeyFile
from include.adapters.stamp import code_stamp
from include.adapters.store import DirectoryStore, put_blob
from include.rsp import records as r
from include.rsp.adoption import offices_of
from include.rsp.attestation import LedgerEntry, Predicate, statement
from include.rsp.canonical import Digest, canonical_bytes, digest_bytes
from include.rsp.checkpoint import CheckpointManifest
from include.rsp.decision import decide
from include.rsp.reading import parse_record
from include.rsp.results import BlobRef, ControlResult, EvaluationRun
from include.rsp.rules import Rules
from include.rsp.state import LedgerState
from include.rsp.suite import Evaluation
from include.rsp.vocabulary import KeyRole, OccasionKind, Outcome, ResultStatus

START = datetime(2026, 1, 1, tzinfo=UTC)
CHECKPOINTS_A_RUN = 20
FLOP = 2.6e9
POLICY = named_file(POLICIES, "toylab").read_bytes()
SUITE = named_file(SUITES, "toylab").read_bytes()
RULES = Rules(policy=read_policy(POLICY, where="policy"), suite=read_suite(SUITE, where="suite"))


@dataclass(slots=True)
class History:
    """A growing store; `state` is what its ledger says."""

    root: Path
    store: DirectoryStore = field(init=False)
    state: LedgerState = field(default_factory=LedgerState)
    now: datetime = START
    key: KeyFile = field(init=False)
    trainer: KeyFile = field(init=False)
    chance: random.Random = field(default_factory=lambda: random.Random(20260101))  # noqa: S311

    def __post_init__(self) -> None:
        self.store = DirectoryStore(self.root / "store", durable=False)
        folders = bootstrap.KeyFolders(self.root / "keys")
        offices = offices_of(RULES.policy)
        trust = bootstrap.make_trust_root(folders, offices, simulated=True, at=self.now)
        self.key = KeyFile(folders.notary / f"{KeyRole.LEDGER.value}.pem")
        self.trainer = KeyFile(folders.trainer)
        self.chain(trust)
        adopted = bootstrap.adopt(self.store, folders, POLICY, SUITE, at=self.now)
        content = next((self.root / "store" / "records" / "adoption").iterdir()).read_bytes()
        assert digest_bytes(content) == adopted
        self.chain(parse_record(content, where="adoption"))

    def chain(self, record: r.Record) -> Digest:
        """Write a record and its signed ledger entry, as the notary does."""
        digest, state = write_record(self.store, record), self.state
        entry = LedgerEntry(index=state.length, previous=state.head, kind=record.kind, at=self.now)
        envelope = self.key.sign(statement(Predicate.LEDGER_ENTRY, digest, entry))
        content = canonical_bytes(envelope)
        self.store.put_new(entry_key(state.length), content)
        state.apply(digest, record, entry=digest_bytes(content), at=self.now)
        return digest

    def add(self, kind: type[r.Record], **fields: Any) -> r.RecordRef:
        """Chain a record that is written now."""
        own = {"at": self.now, "by": "benchmark", "stamp": code_stamp()}
        return r.RecordRef(record=self.chain(kind.model_validate(own | fields)))


def build(root: Path, count: int) -> History:
    """A store with so many counted verdicts, twenty to a run, each followed by a permit or hold."""
    history = History(root)
    for number in range(count):
        run, place = divmod(number, CHECKPOINTS_A_RUN)
        if place == 0:
            announce(history, f"run-{run}")
        assess(history, f"run-{run}", place)
        history.now += timedelta(minutes=10)
    return history


def announce(history: History, run_id: str) -> None:
    """A run, announced with the trainer's key."""
    payload = statement(Predicate.TRAINING_RUN, digest_bytes(run_id.encode()), {"run_id": run_id})
    history.add(r.TrainingRun, run_id=run_id, envelope=history.trainer.sign(payload))


def assess(history: History, run_id: str, place: int) -> None:
    """One checkpoint with its whole assessment; the model gets better along the run."""
    manifest = make_manifest(history, run_id, place)
    digest = digest_bytes(canonical_bytes(manifest))
    checkpoint = history.add(
        r.Checkpoint, digest=digest, manifest=manifest,
        manifest_file=put_blob(history.store, canonical_bytes(manifest), name="manifest.json"),
        location=f"{run_id}/{manifest.checkpoint_id}",
    )  # fmt: skip
    adoption = history.state.adoption
    assert adoption is not None
    key = f"{run_id}-{place}-milestone"
    of_key = {"assessment_id": key}
    occasion = history.add(
        r.Occasion, **of_key, occasion=OccasionKind.COMPUTE_MILESTONE, reason="compute",
        run_id=run_id, checkpoint=checkpoint,
        policy=adoption[1].policy.blob, suite=adoption[1].suite.blob,
    )  # fmt: skip
    suite = RULES.suite
    plan = history.add(
        r.Plan, **of_key, occasion=occasion, ledger_index=history.state.length - 1,
        evaluations=[one.id for one in suite.evaluations],
    )  # fmt: skip
    history.add(r.Preflight, **of_key, plan=plan, checks={"checkpoint": "as declared"})
    results = {
        one.id: history.add(
            r.ResultSet, **of_key, plan=plan, run=make_run(history, one, digest, place)
        )
        for one in suite.evaluations
    }
    validation = history.add(
        r.Validation, **of_key, plan=plan, result_sets=results,
        valid=dict.fromkeys(results, True), problems={name: [] for name in results},
        report=put_blob(history.store, b"{}", name="great-expectations.json"),
    )  # fmt: skip
    decision = decide(
        RULES.policy, suite, stored_evidence(history.store, history.state, RULES, key),
        checkpoint=digest, checkpoint_at=manifest.created_at, at=history.now,
    )  # fmt: skip
    verdict = history.add(
        r.Verdict, **of_key, plan=plan, validation=validation, checkpoint=checkpoint,
        decision=decision, forecasts=[],
    )  # fmt: skip
    answer(history, run_id, digest, verdict)


def answer(history: History, run_id: str, checkpoint: Digest, verdict: r.RecordRef) -> None:
    """What the notary makes of a verdict: a permit, or a hold."""
    state = history.state
    decision = state.expect(verdict.record, r.Verdict).decision
    if decision.recommendation is not Outcome.CONTINUE:
        history.add(
            r.Hold, run_id=run_id, reply_to=verdict, reason=decision.red_lines[0].because,
            epoch=len(state.runs[run_id].holds) + 1, acknowledge_by=history.now,
        )  # fmt: skip
        return
    manifest = next(reversed(state.runs[run_id].checkpoints.values())).manifest
    assert state.adoption is not None
    history.add(
        r.Permit, run_id=run_id, reply_to=verdict, checkpoint=checkpoint,
        policy=state.adoption[1].policy.blob, suite=state.adoption[1].suite.blob, basis=[verdict],
        releases=None, ledger_index=state.length, ledger_head=state.head,
        due_flop=manifest.effective_compute * decision.due_ratio,
        ceiling_flop=manifest.effective_compute * decision.ceiling_ratio,
        expires_at=history.now + timedelta(days=7), simulated=True,
    )  # fmt: skip


def make_manifest(history: History, run_id: str, place: int) -> CheckpointManifest:
    """A checkpoint that was made just now."""
    flop = FLOP * 2**place
    return CheckpointManifest.model_validate(
        {
            "format": "redline/checkpoint-manifest@1", "run_id": run_id,
            "checkpoint_id": f"x{place:03d}", "parent": None, "step": 16 * 2**place,
            "training_flop": flop, "algorithmic_efficiency": 1.0, "effective_compute": flop,
            "created_at": history.now, "variants": [{"name": "final", "file": "weights.npz"}],
            "files": [
                {"path": "weights.npz", "sha256": digest_bytes(f"{run_id}/{place}".encode()),
                 "bytes": 3}
            ],
        }
    )  # fmt: skip


def make_run(
    history: History, evaluation: Evaluation, checkpoint: Digest, place: int
) -> EvaluationRun:
    """A complete, well-controlled run with samples of its own."""
    samples = make_samples(history, evaluation, place)
    begun = history.now + timedelta(minutes=1)
    history.now = begun + timedelta(minutes=1)
    plus, null = evaluation.positive_control, evaluation.null_control
    log = f"{evaluation.id} of {checkpoint}"
    return EvaluationRun(
        job=f"{evaluation.id}-{checkpoint[7:19]}", evaluation=evaluation.id,
        evaluation_version=evaluation.version, checkpoint=checkpoint, variant="final",
        status=ResultStatus.COMPLETE, problem=None, started_at=begun, finished_at=history.now,
        attempts=1, elicitation={"variant": "final"}, environment={"python": "3.11"},
        positive_control=ControlResult(model=plus.model, samples=plus.samples, score=1.0),
        null_control=ControlResult(model=null.model, samples=null.samples, score=0.0),
        samples=samples, log=put_blob(history.store, log.encode(), name="log.eval"),
    )  # fmt: skip


def make_samples(history: History, evaluation: Evaluation, place: int) -> BlobRef:
    """A table in its canonical bytes: a share that grows along the run, one or two errors."""
    chance = history.chance
    ability = (place + 1 + chance.random()) / (CHECKPOINTS_A_RUN + 2)
    broken = set(chance.sample(range(evaluation.dataset_samples), chance.randrange(3)))
    plain = {
        "format": "redline/samples@1",
        "samples": [
            {
                "baseline": None, "cluster": None, "epoch": 1, "group": None,
                "error": "stopped by the time limit" if index in broken else None,
                "sample_id": f"{evaluation.id}-{index:04d}",
                "score": None if index in broken else int(chance.random() < ability),
            }
            for index in range(evaluation.dataset_samples)
        ],
    }  # fmt: skip
    content = json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()
    return put_blob(history.store, content, name=f"{evaluation.id}.samples.json")
