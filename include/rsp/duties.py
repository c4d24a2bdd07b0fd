"""Duties: what a policy asks besides deciding. Deadlines, documents, notices, publication, records.

An overlay (a law, a code of practice) holds nothing but duties and may be laid over any policy.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from include.rsp.canonical import Document, Identifier
from include.rsp.clause import CENTURY_DAYS, NamedClause, refuse_doubles, refuse_unknown
from include.rsp.vocabulary import OccasionKind


class Event(StrEnum):
    """What starts a clock. A deadline names one of these, or it could never be late."""

    ASSESSMENT_DUE = "assessment_due"
    VERDICT = "verdict"
    DETERMINATION = "determination"
    HOLD = "hold"
    STANDARD_REQUIRED = "standard_required"
    SAFEGUARDS_APPROVED = "safeguards_approved"
    DEPLOYMENT = "deployment"
    MATERIAL_CHANGE = "material_change"
    INTERNAL_MODEL_EXCEEDS = "internal_model_exceeds"
    COVERAGE_DATE = "coverage_date"
    REPORT_SUBMITTED = "report_submitted"
    REPORT_SHARED = "report_shared"
    INCIDENT_KNOWN = "incident_known"
    INCIDENT_RESOLVED = "incident_resolved"
    NONCOMPLIANCE_SUBSTANTIATED = "noncompliance_substantiated"
    POLICY_CHANGED = "policy_changed"
    FRAMEWORK_REVIEWED = "framework_reviewed"
    REGULATOR_NOTIFIED = "regulator_notified"
    MODEL_NEEDS_NOTIFICATION = "model_needs_notification"
    QUARTER_END = "quarter_end"


class Within(Document):
    """A length of time."""

    amount: float = Field(gt=0)
    unit: Literal["hours", "days", "business_days", "weeks", "months", "years"]

    @property
    def days(self) -> float:
        """Calendar days at most: a business day may take 7/5 of one, a month 31, a year 366."""
        each = {
            "hours": 1 / 24,
            "days": 1.0,
            "business_days": 1.4,
            "weeks": 7.0,
            "months": 31.0,
            "years": 366.0,
        }
        return self.amount * each[self.unit]


class Deadline(NamedClause):
    """Something has to be done within a time after (or before) an event."""

    text: str = Field(min_length=1)
    event: Event = Field(description="what starts the clock")
    within: Within
    before: bool = Field(default=False, description="counted back from the event")
    on_miss: Literal["deviation", "block"] = Field(
        default="deviation", description="block: nothing new is permitted until it is done"
    )


class TimeTrigger(NamedClause):
    """An assessment is due after so many months.

    `elicitation` months are counted as calendar months: Redline has no record of how much
    finetuning was done, so it takes it that work never paused.
    """

    kind: Literal[OccasionKind.CALENDAR, OccasionKind.ELICITATION]
    months: int = Field(gt=0, le=1200)


class Section(Document):
    """A part that a document must have."""

    id: Identifier
    text: str = Field(min_length=1)


class DocumentRule(NamedClause):
    """A document that the policy demands."""

    text: str = Field(min_length=1)
    required: Literal["assessment", "red_line", "safeguards", "deployment", "periodic"]
    sections: list[Section] = Field(default_factory=list)
    max_age_days: float | None = Field(default=None, gt=0, le=CENTURY_DAYS)
    every: list[Within] = Field(default_factory=list, max_length=2, description="at most every")
    audience: list[Identifier] = Field(default_factory=list)


class Notice(NamedClause):
    """Somebody has to be told, or to approve."""

    to: list[Identifier] = Field(min_length=1)
    event: Event
    before_permit: bool = Field(description="no permit before the receipt")
    approval: bool = Field(default=False, description="being told is not enough")
    condition: str | None = Field(default=None, description="null: always")

    @property
    def waivable(self) -> bool:
        """Whether officers may say that its condition is not met. That a standard is required is
        read off the verdict, so nobody has a say in it.
        """
        return self.condition is not None and self.event is not Event.STANDARD_REQUIRED


class Publication(NamedClause):
    """Something has to be published."""

    what: str = Field(min_length=1)
    event: Event
    audience: list[Identifier] = Field(min_length=1)
    redactions: str | None = None


class Retention(NamedClause):
    """Something has to be kept."""

    what: str = Field(min_length=1)
    keep: Within


class Duties(Document):
    """All duties of a policy or an overlay."""

    time_triggers: list[TimeTrigger] = Field(default_factory=list)
    deadlines: list[Deadline] = Field(default_factory=list)
    documents: list[DocumentRule] = Field(default_factory=list)
    notices: list[Notice] = Field(default_factory=list)
    publications: list[Publication] = Field(default_factory=list)
    retention: list[Retention] = Field(default_factory=list)

    def check(self, roles: set[str]) -> None:
        """Raise ValueError on doubled ids and on notices to roles that are not defined."""
        for name in DUTY_LISTS:
            refuse_doubles(name, [one.id for one in getattr(self, name)])
        for notice in self.notices:
            refuse_unknown(f"notice {notice.id!r}", list(notice.to), roles)


DUTY_LISTS = tuple(Duties.model_fields)
