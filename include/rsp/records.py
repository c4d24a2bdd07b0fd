"""The records: what was done, by whom, when, from what. Content-addressed and never edited.

A record names others by `RecordRef` and files by `BlobRef`; it counts once the notary has
chained it into the ledger.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from include.rsp.canonical import Digest, Identifier, Moment
from include.rsp.checkpoint import CheckpointManifest
from include.rsp.decision import Decision
from include.rsp.forecast import Forecast
from include.rsp.record_parts import (  # noqa: F401 - users of records find all of them here
    CodeStamp,
    Envelope,
    KeyEntry,
    RecordBase,
    RecordRef,
)
from include.rsp.results import BlobRef, EvaluationRun
from include.rsp.safeguards import SafeguardEvidence, StandardJudgement
from include.rsp.vocabulary import OccasionKind

DeviationKind = Literal["not_acknowledged", "trained_while_held", "ceiling_exceeded"]


class TrustRoot(RecordBase):
    """Whom the ledger believes. Always the first record."""

    kind: Literal["trust_root"] = "trust_root"
    keys: list[KeyEntry] = Field(min_length=1)


class Adoption(RecordBase):
    """A policy and a suite come into force, signed by the officers that the policy names."""

    kind: Literal["adoption"] = "adoption"
    policy: BlobRef
    suite: BlobRef
    signatures: list[Envelope]


class TrainingRun(RecordBase):
    """A trainer announces a run and asks for its first permit."""

    kind: Literal["training_run"] = "training_run"
    run_id: Identifier
    envelope: Envelope


class Checkpoint(RecordBase):
    """A checkpoint whose files were found to be what its manifest declares."""

    kind: Literal["checkpoint"] = "checkpoint"
    digest: Digest
    manifest: CheckpointManifest
    manifest_file: BlobRef
    location: str


class Occasion(RecordBase):
    """An assessment is due. Its id names checkpoint, policy, suite and reason."""

    kind: Literal["occasion"] = "occasion"
    assessment_id: Identifier
    occasion: OccasionKind
    reason: str
    run_id: Identifier
    checkpoint: RecordRef
    policy: Digest
    suite: Digest


class Plan(RecordBase):
    """Everything that depends on "now", resolved once. The first one chained is the claim."""

    kind: Literal["plan"] = "plan"
    assessment_id: Identifier
    occasion: RecordRef
    ledger_index: int = Field(ge=0)
    evaluations: list[Identifier] = Field(min_length=1)


class Preflight(RecordBase):
    """What was checked before anything was evaluated."""

    kind: Literal["preflight"] = "preflight"
    assessment_id: Identifier
    plan: RecordRef
    checks: dict[str, str]


class ResultSet(RecordBase):
    """The counted run of one evaluation."""

    kind: Literal["result_set"] = "result_set"
    assessment_id: Identifier
    plan: RecordRef
    run: EvaluationRun


class Validation(RecordBase):
    """What Great Expectations found in the result sets of one assessment."""

    kind: Literal["validation"] = "validation"
    assessment_id: Identifier
    plan: RecordRef
    result_sets: dict[Identifier, RecordRef]
    valid: dict[Identifier, bool]
    problems: dict[Identifier, list[str]]
    report: BlobRef


class Verdict(RecordBase):
    """Statuses and recommendation of one assessment; re-derived by the notary before it counts."""

    kind: Literal["verdict"] = "verdict"
    assessment_id: Identifier
    plan: RecordRef
    validation: RecordRef | None
    checkpoint: RecordRef
    decision: Decision
    forecasts: list[Forecast]


class Evidence(RecordBase):
    """Evidence for a safeguard."""

    kind: Literal["evidence"] = "evidence"
    evidence: SafeguardEvidence


class Incident(RecordBase):
    """Something happened that calls for an assessment."""

    kind: Literal["incident"] = "incident"
    run_id: Identifier | None = Field(description="null: it concerns every run")
    category: Identifier = Field(description="for example jailbreak, under-elicitation, theft")
    what: str = Field(min_length=1)
    known_at: Moment


class Restatement(RecordBase):
    """A counted result is said again, differently. The old one stays what it was (DESIGN I3)."""

    kind: Literal["restatement"] = "restatement"
    result_set: RecordRef
    samples: BlobRef = Field(description="the sample table as it should have been")
    reason: str = Field(min_length=1)


class SafeguardsJudgement(RecordBase):
    """Whether the standards that a verdict requires hold."""

    kind: Literal["safeguards_judgement"] = "safeguards_judgement"
    verdict: RecordRef
    ledger_index: int = Field(ge=0, description="evidence up to this index was judged")
    standards: list[StandardJudgement]
    holds: bool


class Packet(RecordBase):
    """All that a signer is shown, closed at `at`."""

    kind: Literal["packet"] = "packet"
    verdict: RecordRef
    judgement: RecordRef | None
    hold: RecordRef | None
    document: BlobRef
    author: str


class Determination(RecordBase):
    """An officer's signed decision on a packet."""

    kind: Literal["determination"] = "determination"
    packet: RecordRef
    office: Identifier
    decision: Literal["proceed", "hold"]
    reason: str
    signed_at: Moment
    simulated: bool
    envelope: Envelope


class PermitRequest(RecordBase):
    """Somebody asks the notary to let training go on."""

    kind: Literal["permit_request"] = "permit_request"
    run_id: Identifier
    verdict: RecordRef
    packet: RecordRef | None
    determinations: list[RecordRef]
    hold: RecordRef | None = Field(description="the hold to be released, if there is one")
    seen_index: int = Field(ge=0, description="the newest ledger index that the asker had read")


class Permit(RecordBase):
    """Training may go on below a ceiling. Only the notary writes it."""

    kind: Literal["permit"] = "permit"
    run_id: Identifier
    reply_to: RecordRef
    checkpoint: Digest | None = Field(description="None: the genesis permit")
    policy: Digest
    suite: Digest
    basis: list[RecordRef]
    releases: RecordRef | None = Field(
        description="the hold that this permit ends, with all older ones of the run"
    )
    ledger_index: int
    ledger_head: Digest
    due_flop: float = Field(gt=0)
    ceiling_flop: float = Field(gt=0)
    expires_at: Moment
    simulated: bool


class Hold(RecordBase):
    """Training must stop. Only the notary writes it; only a signed-for permit ends it."""

    kind: Literal["hold"] = "hold"
    run_id: Identifier
    reply_to: RecordRef
    reason: str
    epoch: int = Field(ge=1, description="the how-manieth hold of the run")
    acknowledge_by: Moment


class Acknowledgement(RecordBase):
    """The trainer's signed answer to a hold."""

    kind: Literal["acknowledgement"] = "acknowledgement"
    run_id: Identifier
    hold: RecordRef
    state: str
    last_step: int = Field(ge=0)
    last_flop: float = Field(ge=0)
    last_checkpoint: Digest | None
    envelope: Envelope


class Refusal(RecordBase):
    """What was asked for was refused; `code` names the rule."""

    kind: Literal["refusal"] = "refusal"
    subject: str
    code: str
    message: str
    reply_to: RecordRef | None
    run_id: str | None


class Deviation(RecordBase):
    """Something that was asked for did not happen."""

    kind: Literal["deviation"] = "deviation"
    run_id: Identifier
    about: RecordRef
    finding: DeviationKind
    message: str


# fmt: off
Record = Annotated[
    TrustRoot | Adoption | TrainingRun | Checkpoint | Occasion | Plan | Preflight | ResultSet
    | Validation | Verdict | Evidence | Incident | Restatement | SafeguardsJudgement | Packet
    | Determination | PermitRequest | Permit | Hold | Acknowledgement | Refusal | Deviation,
    Field(discriminator="kind"),
]

NOTARY_ONLY = frozenset(
    {"trust_root", "permit", "hold", "deviation", "training_run", "acknowledgement"}
)
WRITTEN_BY_WORK = (
    "adoption", "evidence", "checkpoint", "occasion", "plan", "preflight", "result_set",
    "validation", "verdict", "incident", "restatement", "safeguards_judgement", "packet",
    "determination", "permit_request", "refusal",
)  # in the order in which they can depend on each other
# fmt: on
