"""The records: what was done, by whom, when, from what. Content-addressed and never edited.

A record names others by `RecordRef` and files by `BlobRef`; it counts once the notary has
chained it into the ledger.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from include.rsp.adoption_records import (
    Adoption,
    Approval,
    PolicyPublication,
    PolicyReview,
    Proposal,
)
from include.rsp.assessment_records import (
    Occasion,
    Plan,
    Preflight,
    Preliminary,
    ResultSet,
    Validation,
    Verdict,
)
from include.rsp.canonical import Digest, Identifier, Moment
from include.rsp.checkpoint import CheckpointManifest
from include.rsp.record_parts import (  # noqa: F401 - users of records find all of them here
    CodeStamp,
    Envelope,
    KeyEntry,
    RecordBase,
    RecordRef,
)
from include.rsp.results import BlobRef
from include.rsp.safeguards import SafeguardEvidence, StandardJudgement

DeviationKind = Literal["not_acknowledged", "trained_while_held", "ceiling_exceeded"]


class TrustRoot(RecordBase):
    """Whom the ledger believes. Always the first record."""

    kind: Literal["trust_root"] = "trust_root"
    keys: list[KeyEntry] = Field(min_length=1)


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
    TrustRoot | Adoption | TrainingRun | Checkpoint | Occasion | Plan | Preflight | Preliminary
    | ResultSet | Validation | Verdict | Evidence | Incident | Restatement | SafeguardsJudgement
    | Packet | Determination | PermitRequest | Permit | Hold | Acknowledgement | Refusal | Deviation
    | Proposal | PolicyReview | Approval | PolicyPublication,
    Field(discriminator="kind"),
]

NOTARY_ONLY = frozenset(
    {"trust_root", "permit", "hold", "deviation", "training_run", "acknowledgement"}
)
WRITTEN_BY_WORK = (
    "proposal", "policy_review", "approval", "policy_publication", "adoption", "evidence",
    "checkpoint", "occasion", "plan", "preflight", "result_set", "preliminary", "validation",
    "verdict", "incident", "restatement", "safeguards_judgement", "packet", "determination",
    "permit_request", "refusal",
)  # in the order in which they can depend on each other
# fmt: on
