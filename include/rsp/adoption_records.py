"""The records by which a policy and a suite come into force (lifecycle step 25; DESIGN I7).

A proposal is reviewed, signed for by the offices that the policy in force names, published, and
put into force by an adoption. The first adoption of a ledger is signed by the officers alone.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from include.rsp.backtest import Backtest
from include.rsp.canonical import Document, Identifier, Moment
from include.rsp.difference import Change
from include.rsp.record_parts import Envelope, RecordBase, RecordRef
from include.rsp.results import BlobRef


class Fate(StrEnum):
    """What becomes of a permit or hold that lives when a version comes into force."""

    KEEP = "keep"
    REASSESS = "reassess"
    REVOKE = "revoke"
    STAYS = "stays"


class Disposition(Document):
    """The fate of one permit or hold. `until` is null for what gets no more leases, and for holds,
    which only people end.
    """

    record: RecordRef
    run_id: Identifier
    fate: Fate
    until: Moment | None
    because: str


class ReviewFindings(Document):
    """What a proposed version would change; everything in it can be derived again."""

    policy: str = Field(description="id and version that is proposed")
    supersedes: str = Field(description="id and version in force")
    policy_changes: list[Change]
    suite_changes: list[Change]
    looser: list[str] = Field(description="in which ways the new policy is looser")
    suite_looser: list[str] = Field(description="in which ways the new suite is looser")
    backtest: Backtest
    next_level: list[str] = Field(description="standards after which no red line is published")
    next_level_binds: bool = Field(description="whether the policy forbids work before they are")
    live: list[Disposition]
    open_assessments: list[Identifier] = Field(description="they stay on the version they began on")
    blockers: list[str] = Field(description="why it cannot be put into force as it is")
    answers: list[str] = Field(description="who has to answer, in this order")


class Proposal(RecordBase):
    """Somebody asks for another version. The open assessments are flagged (R19)."""

    kind: Literal["proposal"] = "proposal"
    policy: BlobRef
    suite: BlobRef
    supersedes: RecordRef = Field(description="the adoption in force")
    reason: str = Field(min_length=1)
    changelog: str = Field(min_length=1)
    effective_at: Moment
    open_assessments: list[Identifier]


class PolicyReview(RecordBase):
    """What the proposal would change, as data and as the text that people sign for."""

    kind: Literal["policy_review"] = "policy_review"
    proposal: RecordRef
    findings: ReviewFindings
    document: BlobRef


class ApprovalPart(StrEnum):
    """In which of its rights an office speaks, in the order in which they speak."""

    PROPOSE = "propose"
    CONSULT = "consult"
    APPROVE = "approve"


class Approval(RecordBase):
    """What an office says of a reviewed proposal, signed with the person's own key."""

    kind: Literal["approval"] = "approval"
    review: RecordRef
    office: Identifier
    part: ApprovalPart
    decision: Literal["agree", "object"]
    reason: str = Field(min_length=1)
    signed_at: Moment
    simulated: bool
    envelope: Envelope


class PolicyPublication(RecordBase):
    """The version and its changelog were put where the public finds them."""

    kind: Literal["policy_publication"] = "policy_publication"
    review: RecordRef
    place: str = Field(min_length=1)
    policy: BlobRef
    changelog: BlobRef


class Adoption(RecordBase):
    """A policy and a suite come into force.

    The first one is signed by the officers that the policy names; each later one rests on a
    reviewed proposal, whose approvals are records of their own.
    """

    kind: Literal["adoption"] = "adoption"
    policy: BlobRef
    suite: BlobRef
    signatures: list[Envelope]
    review: RecordRef | None = None
    dispositions: list[Disposition] = Field(default_factory=list)
