"""The parts that a policy is made of. Every rule cites the clause it encodes."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from include.rsp.canonical import Digest, Document, Identifier
from include.rsp.clause import (
    CENTURY_DAYS,
    CENTURY_SECONDS,
    Clause,
    NamedClause,
    refuse_doubles,
)
from include.rsp.vocabulary import Measure, Outcome, RedLineStatus


class RedLine(NamedClause):
    """A capability threshold that needs a higher standard than the present one.

    Other kinds than `red_line` inform: a `checkpoint` or `alert` comes before a red line and may
    rule it out, a `tracked` one is only reported. They never decide by themselves.
    """

    kind: Literal["red_line", "checkpoint", "alert", "tracked"] = "red_line"
    domain: Identifier
    text: str = Field(min_length=1)
    baseline: str | None = Field(description="what the capability is compared with")
    required_standards: list[Identifier] = Field(default_factory=list)
    required_documents: list[Identifier] = Field(default_factory=list)
    next: Identifier | None = Field(
        default=None, description="the next red line, asked for in the follow-up assessment"
    )
    ruled_out_by: list[Identifier] = Field(
        default_factory=list, description="ruling out any of these rules this one out as well"
    )
    combine: Literal["all_load_bearing", "judgement", "withheld"]

    @model_validator(mode="after")
    def _demands_something(self) -> Self:
        if self.decides and not self.required_standards and not self.required_documents:
            raise ValueError(f"red line {self.id!r} requires neither a standard nor a document")
        return self

    @property
    def decides(self) -> bool:
        """Whether its status leads to an outcome."""
        return self.kind == "red_line"


class Criterion(NamedClause):
    """One thing that a safeguards standard demands, shown by dated evidence."""

    part: Literal["deployment", "security", "document"]
    text: str = Field(min_length=1)
    evidence: Identifier = Field(description="the type of evidence that shows it")
    max_age_days: float | None = Field(
        gt=0,
        le=CENTURY_DAYS,
        description="how old evidence may be; null where the text gives none: any age is stale",
    )


class CatalogueRef(Document):
    """A catalogue of how a standard is shown to hold, named by the digest of its file."""

    name: Identifier = Field(description="of its file in include/safeguards, without the ending")
    sha256: Digest


class Standard(NamedClause):
    """A safeguards standard. One without criteria is not yet written and can never hold."""

    level: str = Field(min_length=1, description="one of the policy's levels")
    text: str
    catalogue: CatalogueRef | None = Field(
        default=None, description="null: each criterion is shown once, by its own evidence"
    )
    criteria: list[Criterion]

    @model_validator(mode="after")
    def _criteria_are_distinct(self) -> Self:
        refuse_doubles(f"standard {self.id!r}", [criterion.id for criterion in self.criteria])
        return self


class InterimRule(Clause):
    """That a policy lets measures of equal assurance stand in for a standard, and by whom."""

    allowed: list[Measure] = Field(min_length=1)
    approvers: list[Identifier] = Field(min_length=1)
    notify: list[Identifier] = Field(description="who is told before anything goes on by it")
    longest_days: float = Field(gt=0, le=CENTURY_DAYS, description="then a new plan is needed")


class Spacing(Document):
    """When the next assessment is due, and how far training may go, as effective-compute ratios.

    The distance between the two is the policy's safety buffer.
    """

    due_ratio: float | None = Field(gt=1, description="null: the text gives none, the suite must")
    ceiling_ratio: float | None = Field(
        gt=1, description="null: the text gives none, the suite must"
    )

    @model_validator(mode="after")
    def _ceiling_is_not_below_due(self) -> Self:
        if self.ceiling_ratio and self.due_ratio and self.ceiling_ratio < self.due_ratio:
            raise ValueError(
                f"ceiling_ratio {self.ceiling_ratio} is below due_ratio {self.due_ratio}: "
                "training would have to stop before an assessment is due"
            )
        return self


class ComputeTrigger(Clause):
    """Assessments by effective compute relative to the last assessed checkpoint."""

    default: Spacing
    early_warning: Spacing | None = Field(
        description="after a trigger evaluation fired or could not be read; null: no such rule"
    )
    with_safeguards: Spacing | None = Field(
        description="after a red line was crossed and its standard was determined to hold"
    )


class OutcomeRule(Clause):
    """What a red line's status leads to. The first rule that fits a line counts."""

    status: RedLineStatus
    lines: list[Identifier] | None = Field(
        default=None, min_length=1, description="null: every red line"
    )
    then: Outcome

    @model_validator(mode="after")
    def _only_ruled_out_continues(self) -> Self:
        if self.then is Outcome.CONTINUE and self.status is not RedLineStatus.RULED_OUT:
            raise ValueError(
                f"status {self.status.value!r} may not lead to 'continue': only a red line that "
                "is ruled out lets training go on without safeguards"
            )
        return self

    def fits(self, status: RedLineStatus, red_line: str) -> bool:
        """Whether it speaks about this status of this line."""
        return self.status is status and (self.lines is None or red_line in self.lines)


class Preliminary(Clause):
    """Is the model notably more capable than the last one assessed comprehensively?

    "No" needs every ground to be answered no; whatever cannot be answered is a doubt, and a doubt
    leads to the comprehensive assessment.
    """

    compute_ratio: float = Field(gt=1, description="from this ratio on it is")
    months: float = Field(gt=0, le=1200, description="after so many months of elicitation it is")


class PretrainingMonitor(Clause):
    """Training pauses at a ratio of the effective compute of a model that needs a standard."""

    ratio: float = Field(gt=0)
    standard: Identifier


class Governance(Clause):
    """Who changes the policy."""

    roles: list[Identifier] = Field(min_length=1)
    propose: list[Identifier] = Field(default_factory=list)
    approve: list[Identifier] = Field(default_factory=list)
    consult: list[Identifier] = Field(default_factory=list)
    published: Literal["before", "on_or_before"] | None = Field(
        description="when the public version appears, relative to the effective date"
    )
    next_level: Clause | None = Field(
        default=None,
        description="no work under a standard before the red lines after it are published",
    )


class Authority(Clause):
    """How long what the notary signs is good for."""

    permit_days: float = Field(gt=0, le=CENTURY_DAYS)
    lease_seconds: float = Field(gt=0, le=CENTURY_SECONDS)
    reassess_days: float = Field(
        default=1,
        gt=0,
        le=CENTURY_DAYS,
        description="how long a permit of the version before lives on when this one tightens "
        "something; Redline's operational default",
    )


class MachineDetermination(Clause):
    """What may be determined without a person. Empty: nothing."""

    outcomes: list[Literal["continue", "genesis"]]
