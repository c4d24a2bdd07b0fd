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
from include.rsp.order_records import (
    Acknowledgement,
    Deviation,
    DeviationKind,
    Escalation,
    Hold,
    Permit,
    PermitRequest,
    StopCheck,
    StopFinding,
)
from include.rsp.people_records import (
    AirflowAnswer,
    Answer,
    AnyAnswer,
    CapabilityReport,
    DeletionAnswer,
    Delivery,
    Determination,
    Notification,
    Opinion,
    Packet,
    Receipt,
    ReviewRequest,
    Revocation,
    SafeguardsApproval,
    TranscriptReviewed,
)
from include.rsp.record_parts import (
    AccountEntry,
    CodeStamp,
    Envelope,
    KeyEntry,
    RecordBase,
    RecordRef,
)
from include.rsp.results import BlobRef
from include.rsp.safeguard_records import (
    Drill,
    DrillStep,
    Evidence,
    Exempted,
    InterimPlan,
    SafeguardsJudgement,
    SafeguardsReport,
)


class TrustRoot(RecordBase):
    """Whom the ledger believes. Always the first record."""

    kind: Literal["trust_root"] = "trust_root"
    keys: list[KeyEntry] = Field(min_length=1)
    accounts: list[AccountEntry] = Field(
        default_factory=list, description="whose answers Airflow may attest"
    )


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

    @property
    def variants(self) -> list[str]:
        """The names of the forms of the model that can be evaluated."""
        return [one.name for one in self.manifest.variants]


class Incident(RecordBase):
    """Something happened that calls for an assessment."""

    kind: Literal["incident"] = "incident"
    run_id: Identifier | None = Field(description="null: it concerns every run")
    category: Identifier = Field(description="for example jailbreak, under-elicitation, theft")
    what: str = Field(min_length=1)
    known_at: Moment
    assessment_id: Identifier | None = Field(
        default=None,
        description="whose instrument it is about: that assessment rules nothing out by it, and "
        "no other is raised because of it",
    )


class Restatement(RecordBase):
    """A counted result is said again, differently. The old one stays what it was (DESIGN I3)."""

    kind: Literal["restatement"] = "restatement"
    result_set: RecordRef
    samples: BlobRef = Field(description="the sample table as it should have been")
    reason: str = Field(min_length=1)


class Refusal(RecordBase):
    """What was asked for was refused; `code` names the rule."""

    kind: Literal["refusal"] = "refusal"
    subject: str
    code: str
    message: str
    reply_to: RecordRef | None
    run_id: str | None


# fmt: off
Record = Annotated[
    TrustRoot | Adoption | TrainingRun | Checkpoint | Occasion | Plan | Preflight | Preliminary
    | ResultSet | Validation | ReviewRequest | TranscriptReviewed | Verdict | Evidence | Incident
    | Restatement | Exempted | InterimPlan | SafeguardsJudgement | SafeguardsReport
    | SafeguardsApproval | Drill
    | CapabilityReport | Opinion | Packet | Determination | Receipt | DeletionAnswer | Revocation
    | Notification | PermitRequest | Permit | Hold | Acknowledgement | StopCheck | Escalation
    | Refusal | Deviation | Proposal | PolicyReview | Approval | PolicyPublication,
    Field(discriminator="kind"),
]

NOTARY_ONLY = frozenset(
    {"trust_root", "permit", "hold", "deviation", "escalation", "training_run", "acknowledgement"}
)
WRITTEN_BY_WORK = (
    "proposal", "policy_review", "approval", "policy_publication", "adoption", "evidence",
    "exemption", "drill",
    "checkpoint", "occasion", "plan", "preflight", "result_set", "preliminary", "validation",
    "review_request", "transcript_review",
    "verdict", "incident", "restatement", "interim_plan", "safeguards_judgement",
    "safeguards_report", "safeguards_approval", "capability_report", "opinion",
    "packet", "determination", "notification", "receipt", "deletion_answer", "revocation",
    "permit_request", "stop_check", "refusal",
)  # in the order in which they can depend on each other
# fmt: on

__all__ = [
    "AccountEntry", "Acknowledgement", "Adoption", "AirflowAnswer", "Answer", "AnyAnswer",
    "Approval", "BlobRef", "CapabilityReport", "Checkpoint", "CodeStamp", "DeletionAnswer",
    "Delivery", "Determination", "Deviation", "DeviationKind", "Drill", "DrillStep", "Envelope",
    "Escalation", "Evidence", "Exempted", "Hold", "Incident", "InterimPlan", "KeyEntry",
    "Notification", "Occasion", "Opinion", "Packet", "Permit", "PermitRequest", "Plan",
    "PolicyPublication", "PolicyReview", "Preflight", "Preliminary", "Proposal", "Receipt",
    "Record", "RecordBase", "RecordRef", "Refusal", "Restatement", "ResultSet", "ReviewRequest",
    "Revocation", "SafeguardsApproval", "SafeguardsJudgement", "SafeguardsReport", "StopCheck",
    "StopFinding", "TrainingRun", "TranscriptReviewed", "TrustRoot", "Validation", "Verdict",
]  # fmt: skip
