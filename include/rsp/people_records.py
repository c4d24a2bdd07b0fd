"""What people said: opinions, determinations, receipts, answers. All bound to what they were shown.

One shape for all of them (DESIGN I5): a person in an office says something about one record, named
by its digest. Either the person's own signature shows who it was, or Airflow attests it, and then
that is said.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from include.rsp.canonical import Document, Identifier, Moment
from include.rsp.record_parts import Envelope, RecordBase, RecordRef
from include.rsp.results import BlobRef
from include.rsp.review_parts import DrawnTrial
from include.rsp.vocabulary import Choice, Identification, Impression, Scope, View

InvalidTrial = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}: \S.{2,}$", max_length=500)]


class AirflowAnswer(Document):
    """Where in Airflow somebody answered. Read again by the notary, never believed as it stands."""

    dag_id: str
    dag_run_id: str
    task_id: str
    user: str = Field(min_length=1, description="the responder's name in Airflow")
    options: list[str] = Field(min_length=1)
    params: dict[str, str | float | list[str] | None]
    map_index: int = Field(default=-1, ge=-1, description="of a mapped task; -1: it is none")


class Answer(RecordBase):
    """What one person said in an office about one record."""

    SAID: ClassVar[tuple[str, ...]] = ()
    """The fields that are signed beside office, choice, reason and time."""

    kind: str
    about: RecordRef
    office: Identifier
    choice: str
    reason: str = Field(min_length=1, max_length=4000)
    signed_at: Moment
    simulated: bool
    identification: Literal[Identification.SIGNED, Identification.ATTESTED]
    envelope: Envelope | None
    attested: AirflowAnswer | None

    @model_validator(mode="after")
    def _is_identified(self) -> Self:
        signed = self.identification is Identification.SIGNED
        if (self.envelope is not None, self.attested is not None) != (signed, not signed):
            raise ValueError(
                f"an answer that is {self.identification} has exactly one of envelope (SIGNED) and "
                "attested (ATTESTED_BY_AIRFLOW)"
            )
        return self

    def said(self) -> dict[str, object]:
        """What the person signs, as plain JSON data."""
        plain = self.model_dump(mode="json")
        return {one: plain[one] for one in ("office", "choice", "reason", "signed_at", *self.SAID)}


class Opinion(Answer):
    """The second line on a Capability Report. Without one nothing is signed."""

    kind: Literal["opinion"] = "opinion"
    choice: View


class Determination(Answer):
    """An officer's decision on a packet, beside the recommendation."""

    SAID = ("cap_ratio", "response", "not_applicable")

    kind: Literal["determination"] = "determination"
    choice: Choice
    cap_ratio: float | None = Field(
        default=None, gt=1, description="of effective compute: stop there until assessed again"
    )
    response: Identifier | None = Field(
        default=None, description="the policy's response that is to be carried out"
    )
    not_applicable: list[Identifier] = Field(
        default_factory=list,
        description="notices whose condition is not met, in the officer's word",
    )


class Receipt(Answer):
    """Somebody who has to be told was told; or approves, where the policy asks for that."""

    SAID = ("notice",)

    kind: Literal["receipt"] = "receipt"
    choice: Literal["received", "approved", "rejected"]
    notice: Identifier


class DeletionAnswer(Answer):
    """Whether the weights are to be deleted (RSP 1.0, response 2c; RSP 2.2 §6.2)."""

    kind: Literal["deletion_answer"] = "deletion_answer"
    choice: Literal["delete", "keep"]


class Revocation(Answer):
    """An officer ends a permit before its time."""

    kind: Literal["revocation"] = "revocation"
    choice: Literal["revoke"]


class ReviewRequest(RecordBase):
    """Which transcripts of a run people have to read; all that a reviewer is shown."""

    kind: Literal["review_request"] = "review_request"
    assessment_id: Identifier
    plan: RecordRef
    validation: RecordRef
    result_set: RecordRef
    run: Identifier = Field(description="name of the planned run")
    office: Identifier = Field(description="who is asked; any reviewer of the suite may answer")
    trials: list[DrawnTrial] = Field(min_length=1)
    unread: int = Field(ge=0, description="what else had to be read, and is too much for one")
    alerts: list[str]
    due: Moment
    document: BlobRef = Field(description="Markdown: the transcripts")


class TranscriptReviewed(Answer):
    """What somebody who read the transcripts says of them. Trials that are not named are valid."""

    SAID = ("invalid",)

    kind: Literal["transcript_review"] = "transcript_review"
    choice: Impression
    invalid: list[InvalidTrial] = Field(
        default_factory=list, description="`number: reason`, by the numbers that were shown"
    )

    @property
    def reasons(self) -> dict[int, str]:
        """By number, why a trial is none."""
        parted = (one.partition(": ") for one in self.invalid)
        return {int(number): why for number, _, why in parted}


class SafeguardsApproval(Answer):
    """An officer on a Safeguards Report (lifecycle steps 23 and 34)."""

    kind: Literal["safeguards_approval"] = "safeguards_approval"
    choice: Literal["approve", "reject"]


AnyAnswer = (
    Opinion
    | Determination
    | Receipt
    | DeletionAnswer
    | Revocation
    | TranscriptReviewed
    | SafeguardsApproval
)


class CapabilityReport(RecordBase):
    """All that is known of a checkpoint, written only from records (lifecycle step 13)."""

    kind: Literal["capability_report"] = "capability_report"
    purpose: Literal[Scope.TRAINING, Scope.DEPLOYMENT]
    verdict: RecordRef
    judgement: RecordRef | None
    hold: RecordRef | None = Field(description="the newest hold of that purpose in force")
    document: BlobRef = Field(description="Markdown")
    page: BlobRef = Field(description="the same as HTML")
    asked_by: str = Field(min_length=1, description="who or what started the DAG run")
    asked_because: str | None


class Packet(RecordBase):
    """All that a signer is shown, closed at `at`: the report with the second line's opinion."""

    kind: Literal["packet"] = "packet"
    report: RecordRef
    opinion: RecordRef
    document: BlobRef
    page: BlobRef


class Delivery(Document):
    """How a message went out on one channel."""

    channel: Literal["email", "slack", "webhook", "none"]
    address: str = Field(description="the name of the connection; never a secret")
    delivered: bool
    problem: str | None


class Notification(RecordBase):
    """Somebody was sent word. That they read it, only their receipt shows."""

    kind: Literal["notification"] = "notification"
    run_id: Identifier
    about: RecordRef
    notice: str = Field(min_length=1, description="the policy's notice, or what the message is")
    to: Identifier
    deliveries: list[Delivery] = Field(min_length=1)
