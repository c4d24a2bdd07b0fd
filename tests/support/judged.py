"""A small lab whose safeguards are judged, with a ledger to read the judgement from.

Two standards of one level with a catalogue, one that is not written, a document without a
catalogue. Everything is met unless a test says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from include.rsp import records as r
from include.rsp.canonical import Digest, digest_of
from include.rsp.catalogue import Catalogue
from include.rsp.decision import Decision
from include.rsp.interim import INTERIM, InterimMeasures
from include.rsp.judged_safeguards import Judged, judged_of
from include.rsp.judgement import verified_by
from include.rsp.policy import Policy
from include.rsp.results import BlobRef
from include.rsp.rules import Rules
from include.rsp.safeguard_basis import Basis
from include.rsp.safeguard_evidence import Exemption, SafeguardEvidence, Shown
from include.rsp.safeguard_plan import ORGANISATION, SafeguardPlan
from include.rsp.safeguards import StandardJudgement, judge_standard, surfaces_of
from include.rsp.state import LedgerState
from include.rsp.vocabulary import KeyRole, OccasionKind, Outcome
from tests.support.factories import START, make_manifest, toy_policy, toy_suite

DEPLOYMENT, SECURITY, NEXT = "toy-asl-3", "toy-asl-3-security", "toy-asl-4"
PAPER = "safety-case"
FILE = digest_of({"file": "catalogue"})
POLICY, SUITE = digest_of({"file": "policy"}), digest_of({"file": "suite"})
STAMP = r.CodeStamp(domain=FILE, lock=FILE)
OUTSIDER, INSIDER = "auditor", "api-team"


def catalogue() -> Catalogue:
    """How the two standards are shown."""
    common = {"clause": "toylab 2", "max_age_days": 30, "verifier": "independent"}
    return Catalogue.model_validate(
        {
            "id": "toy-safeguards",
            "version": "1.0",
            "title": "The toy laboratory's safeguards",
            "source": "this test",
            "standards": [
                {
                    "standard": DEPLOYMENT,
                    "defined": True,
                    "actors": [
                        {"id": "passers-by", "text": "who tries a prompt", "in_scope": True},
                        {"id": "states", "text": "a state's service", "in_scope": False},
                    ],
                    "requirements": [
                        common
                        | {
                            "id": "answers-monitored",
                            "criterion": "answers-monitored",
                            "shown": "A planted answer was caught.\nOn every surface.",
                            "evidence": ["monitoring-drill", "heartbeat"],
                            "surfaces": ["api", "first_party_app"],
                            "max_age_days": 7,
                            "probe": "monitoring-heartbeat",
                            "nist": ["SI-4", "AU-6(3)"],
                        },
                        common
                        | {
                            "id": "drill-held",
                            "criterion": "answers-monitored",
                            "shown": "A drill was held.",
                            "evidence": ["drill"],
                            "verifier": "self",
                        },
                    ],
                },
                {
                    "standard": SECURITY,
                    "defined": True,
                    "families": {"inventory": "Software inventory"},
                    "requirements": [
                        common
                        | {
                            "id": "weights-listed",
                            "criterion": "weights-listed",
                            "shown": "Every copy is listed.",
                            "evidence": ["weight-inventory"],
                            "surfaces": ["weight_storage"],
                            "family": "inventory",
                            "nist": ["CM-8"],
                        }
                    ],
                },
                {"standard": NEXT, "defined": False, "because": "the policy has not written it"},
            ],
        }
    )


PLAN = {
    "surfaces": [
        {"id": "public-api", "kind": "api", "owner": INSIDER, "text": "The API."},
        {"id": "app", "kind": "first_party_app", "owner": "product", "text": "The app."},
        {"id": "vault", "kind": "weight_storage", "owner": "infra", "text": "The weights."},
    ],
    "absent": [{"kind": "cloud_partner", "because": "none sells it"}],
    "owners": {"drill-held": "safety"},
}


def law() -> Policy:
    """The policy: the toy laboratory's, with these standards."""

    def change(plain: dict[str, Any]) -> None:
        (old,) = plain["standards"]
        criteria = {one["id"]: one for one in old["criteria"]}
        named = {"name": "toy-safeguards", "sha256": FILE}
        base = {"clause": "toylab 2", "text": "stand-in", "catalogue": named}
        plain["levels"] = ["TOY-2", "TOY-3", "TOY-4"]
        plain["standards"] = [
            base
            | {"id": DEPLOYMENT, "level": "TOY-3", "criteria": [criteria["answers-monitored"]]},
            base | {"id": SECURITY, "level": "TOY-3", "criteria": [criteria["weights-listed"]]},
            base | {"id": NEXT, "level": "TOY-4", "criteria": [], "catalogue": named},
        ]
        plain["documents"] = [
            {
                "id": PAPER, "clause": "toylab 5", "text": "why it is safe", "max_age_days": 60,
                "required": "red_line", "sections": [{"id": "argument", "text": "the argument"}],
            }
        ]  # fmt: skip
        plain["interim_measures"] = {
            "clause": "toylab 6", "allowed": ["block_responses", "isolate_weights"],
            "approvers": ["ceo"], "notify": ["board"], "longest_days": 30,
        }  # fmt: skip

    return toy_policy(change)


def rules(plan: dict[str, Any] | None = None) -> Rules:
    """The rules of the lab."""
    suite = toy_suite().model_copy(
        update={"safeguards": SafeguardPlan.model_validate(plan or PLAN)}
    )
    return Rules(law(), suite, {FILE: catalogue()})


Change = Callable[[dict[str, Any]], dict[str, Any] | None]


@dataclass(slots=True)
class Lab:
    """A ledger in which safeguards are judged."""

    rules: Rules = field(default_factory=rules)
    state: LedgerState = field(default_factory=LedgerState)
    simulated: bool = False

    def __post_init__(self) -> None:
        keys = [
            r.KeyEntry(
                keyid=name, role=KeyRole.OFFICER, holder=name, office=None, public="-",
                simulated=False,
            )
            for name in (OUTSIDER, INSIDER)
        ]  # fmt: skip
        base = {"at": START, "by": "test", "stamp": STAMP}
        self.chain(r.TrustRoot(**base, keys=keys))
        manifest = make_manifest(1)
        made = self.chain(
            r.Checkpoint(
                **base, digest=digest_of(manifest), manifest=manifest, location="run-1/x1",
                manifest_file=BlobRef(blob=FILE, bytes=1, name="manifest.json"),
            )
        )  # fmt: skip
        self.chain(
            r.Occasion(
                **base, assessment_id="one", occasion=OccasionKind.OFFICER, reason="a test",
                run_id="run-1", checkpoint=r.RecordRef(record=made), policy=POLICY, suite=SUITE,
            )
        )  # fmt: skip
        decision = Decision(
            findings=[], red_lines=[], early_warning=False, due_ratio=2, ceiling_ratio=3,
            recommendation=Outcome.VERIFY_SAFEGUARDS,
        )  # fmt: skip
        self.verdict = self.chain(
            r.Verdict(
                **base, assessment_id="one", plan=r.RecordRef(record=made), validation=None,
                checkpoint=r.RecordRef(record=made), decision=decision, forecasts=[],
            )
        )  # fmt: skip
        self.made = made

    verdict: Digest = field(init=False)
    made: Digest = field(init=False)

    def chain(self, record: r.Record) -> Digest:
        """One more record in the ledger."""
        digest = digest_of(record)
        self.state.apply(digest, record, entry=digest, at=record.at)
        return digest

    def add(self, change: Change = lambda plain: plain, standards: set[str] | None = None) -> None:
        """Signed evidence for everything, each piece changed, or left out, as a test wants it."""
        for plain in self._wanted(standards or {DEPLOYMENT, SECURITY}):
            changed = change(plain)
            if changed is None:
                continue
            signer = changed.pop("signer", OUTSIDER)
            piece = SafeguardEvidence.model_validate(changed)
            signed = [{"keyid": signer}] if signer else []
            envelope = r.Envelope(payload="", payloadType="", signatures=signed)
            self.chain(
                r.Evidence(
                    at=START, by="test", stamp=STAMP, evidence=piece,
                    envelope=envelope if signer else None,
                )
            )  # fmt: skip

    def _wanted(self, standards: set[str]) -> Iterator[dict[str, Any]]:
        for standard in sorted(standards):
            said = self.rules.requirements_of(standard)
            for asked in said.requirements if said else []:
                for surface, problem in surfaces_of(asked, self.rules.suite.safeguards):
                    if problem is None:
                        yield {
                            "standard": standard,
                            "criterion": asked.id,
                            "type": asked.evidence[0],
                            "shows": True,
                            "statement": f"seen on {surface}",
                            "collected_at": START,
                            "collector": "somebody",
                            "surfaces": [] if surface == ORGANISATION else [surface],
                            "attachments": [{"blob": FILE, "bytes": 3, "name": "a b.json"}],
                            "simulated": self.simulated,
                        }

    def add_measure(self, measure: str, kind: str, *, at: datetime = START) -> None:
        """Signed evidence that an interim measure is taken."""
        piece = SafeguardEvidence(
            standard=INTERIM, criterion=measure, type=kind, shows=True, statement="it is taken",
            collected_at=at, collector="somebody", simulated=False,
        )  # fmt: skip
        envelope = r.Envelope(payload="", payloadType="", signatures=[{"keyid": OUTSIDER}])
        self.chain(
            r.Evidence(at=START, by="test", stamp=STAMP, evidence=piece, envelope=envelope)
        )  # fmt: skip

    def exempt(self, standard: str, requirement: str, surface: str) -> None:
        """An accepted exemption."""
        envelope = r.Envelope(payload="", payloadType="", signatures=[])
        exemption = Exemption(
            standard=standard, criterion=requirement, surface=surface, because="it is not there",
            claimed_at=START, until=START + timedelta(days=90),
        )  # fmt: skip
        self.chain(
            r.Exempted(
                at=START, by="test", stamp=STAMP, exemption=exemption, claimed=envelope,
                accepted=envelope,
            )
        )  # fmt: skip

    def judge(
        self,
        *standards: str,
        days: float = 1,
        papers: bool = False,
        interim: InterimMeasures | None = None,
    ) -> Digest:
        """Judge standards so many days on; the judgement's digest."""
        at = START + timedelta(days=days)
        basis = Basis(
            plan=self.rules.suite.safeguards,
            evidence={
                digest: Shown(piece, verified_by(self.state, digest))
                for digest, piece in self.state.evidence.items()
            },
            exemptions=[one.exemption for one in self.state.exemptions.values()],
            at=at,
        )
        policy = self.rules.policy
        judged = [
            judge_standard(policy.standard(one), self.rules.requirements_of(one), basis)
            for one in standards or (DEPLOYMENT, SECURITY)
        ]
        if papers:
            judged.append(judge_standard(policy.document(PAPER), None, basis))
        plan, measured = None, list[StandardJudgement]()
        if interim is not None:
            plan = self.chain(
                r.InterimPlan(
                    at=START, by="test", stamp=STAMP, verdict=r.RecordRef(record=self.verdict),
                    plan=interim,
                )
            )  # fmt: skip
            standard, said = interim.as_standard("toylab 6", policy.levels[-1])
            measured = [judge_standard(standard, said, basis)]
        holds = all(one.holds for one in (measured or judged))
        return self.chain(
            r.SafeguardsJudgement(
                at=at, by="test", stamp=STAMP, verdict=r.RecordRef(record=self.verdict),
                ledger_index=self.state.length, standards=[*judged, *measured],
                interim=r.RecordRef(record=plan) if plan else None, holds=holds,
            )
        )  # fmt: skip

    def judged(self, *standards: str, **how: Any) -> Judged:
        """Judge, and read it for an export."""
        return judged_of(self.state, self.rules, self.judge(*standards, **how))


def whole(**changes: Any) -> Lab:
    """A lab in which everything is met."""
    lab = Lab(**changes)
    lab.add()
    return lab


def troubled() -> Lab:
    """One of each outcome, and evidence of a probe.

    After eight days: met on the app (a probe looked anew), stale on the API, not met in the vault,
    not applicable for the organisation; missing is the document, which nobody filed.
    """
    lab = Lab()

    def change(plain: dict[str, Any]) -> dict[str, Any] | None:
        if plain["surfaces"] == ["app"]:
            probe = {"id": "heartbeat-app", "probe": "heartbeat", "seconds": 1,
                     "started_at": START}  # fmt: skip
            return plain | {
                "collected_at": START + timedelta(days=7), "probe": probe, "signer": None,
            }  # fmt: skip
        if plain["surfaces"] == ["vault"]:
            return plain | {"shows": False, "statement": "a copy is not listed\n", "signer": None}
        if not plain["surfaces"]:
            return None
        return plain

    lab.add(change)
    lab.exempt(DEPLOYMENT, "drill-held", ORGANISATION)
    return lab


def measures(days: float = 20) -> InterimMeasures:
    """A plan that stands in for the list of weights in the vault."""
    return InterimMeasures.model_validate(
        {
            "because": "as good for now",
            "until": START + timedelta(days=days),
            "measures": [
                {
                    "id": "isolate",
                    "kind": "isolate_weights",
                    "text": "The weights lie in a network of their own.",
                    "evidence": "network-review",
                    "max_age_days": 10,
                    "replaces": [
                        {"standard": SECURITY, "requirement": "weights-listed", "surface": "vault"}
                    ],
                }
            ],
        }
    )


def interim_lab(*, shown: bool = True) -> Lab:
    """All is met but one thing, for which a measure stands in."""
    lab = Lab()
    lab.add(lambda plain: None if plain["surfaces"] == ["vault"] else plain)
    if shown:
        lab.add_measure("isolate", "network-review")
    return lab
