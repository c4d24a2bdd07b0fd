"""A policy: what its publisher wrote, as data. Every rule cites the clause it encodes.

Only fields that something reads; unknown fields are refused. The bytes of the file are what
people sign, so the digest of a policy is the digest of its file.
"""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from include.rsp.canonical import Document, Identifier
from include.rsp.vocabulary import Outcome, RedLineStatus


class Clause(Document):
    """Where the publisher says it."""

    clause: str = Field(min_length=1, description="section of the published text")


class RedLine(Clause):
    """A capability threshold that needs a higher standard than the present one."""

    id: Identifier
    text: str = Field(min_length=1)
    required_standards: list[Identifier] = Field(min_length=1)
    combine: Literal["all_load_bearing", "judgement"]


class Criterion(Clause):
    """One thing that a safeguards standard demands, shown by dated evidence."""

    id: Identifier
    part: Literal["deployment", "security"]
    text: str = Field(min_length=1)
    evidence: Identifier = Field(description="the type of evidence that shows it")
    max_age_days: float | None = Field(
        gt=0,
        description="how old evidence may be; null where the text gives none: any age is stale",
    )


class Standard(Clause):
    """A safeguards standard. One without criteria is not yet written and can never hold."""

    id: Identifier
    text: str
    criteria: list[Criterion]

    @model_validator(mode="after")
    def _criteria_are_distinct(self) -> Self:
        refuse_doubles(f"standard {self.id!r}", [criterion.id for criterion in self.criteria])
        return self


class Spacing(Document):
    """When the next assessment is due, and how far training may go, as effective-compute ratios.

    The distance between the two is the policy's safety buffer.
    """

    due_ratio: float = Field(gt=1)
    ceiling_ratio: float | None = Field(
        gt=1, description="null: the text gives none, the suite must"
    )

    @model_validator(mode="after")
    def _ceiling_is_not_below_due(self) -> Self:
        if self.ceiling_ratio is not None and self.ceiling_ratio < self.due_ratio:
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
    """What a red line's status leads to."""

    status: RedLineStatus
    then: Outcome

    @model_validator(mode="after")
    def _only_ruled_out_continues(self) -> Self:
        if self.then is Outcome.CONTINUE and self.status is not RedLineStatus.RULED_OUT:
            raise ValueError(
                f"status {self.status.value!r} may not lead to 'continue': only a red line that "
                "is ruled out lets training go on without safeguards"
            )
        return self


class SignOff(Clause):
    """Who determines. All the roles sign, in this order, each another person."""

    roles: list[Identifier] = Field(min_length=1)
    answer_within_hours: float = Field(gt=0)


class HoldRule(Clause):
    """What a hold asks of the trainer. It ends by a permit that the officers signed for."""

    acknowledge_within_seconds: float = Field(gt=0)


class Authority(Clause):
    """How long what the notary signs is good for."""

    permit_days: float = Field(gt=0)
    lease_seconds: float = Field(gt=0)


class MachineDetermination(Clause):
    """What may be determined without a person. Empty: nothing."""

    outcomes: list[Literal["continue", "genesis"]]


class Policy(Document):
    """One version of one publisher's policy."""

    id: Identifier
    version: str = Field(min_length=1)
    effective: date
    publisher: str
    source: str
    red_lines: list[RedLine] = Field(min_length=1)
    standards: list[Standard] = Field(min_length=1)
    compute_trigger: ComputeTrigger
    outcomes: list[OutcomeRule]
    machine_determination: MachineDetermination
    sign_off: SignOff
    hold: HoldRule
    authority: Authority

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        refuse_doubles("red_lines", [line.id for line in self.red_lines])
        refuse_doubles("standards", [standard.id for standard in self.standards])
        refuse_doubles("outcomes", [rule.status for rule in self.outcomes])
        refuse_doubles("sign_off.roles", self.sign_off.roles)
        known = {standard.id for standard in self.standards}
        for line in self.red_lines:
            unknown = sorted(set(line.required_standards) - known)
            if unknown:
                raise ValueError(
                    f"red line {line.id!r} requires standards that are not defined: {unknown} "
                    f"(expected some of {sorted(known)})"
                )
        missing = sorted(set(RedLineStatus) - {rule.status for rule in self.outcomes})
        if missing:
            raise ValueError(f"outcomes: no rule for the statuses {missing}")
        return self

    def red_line(self, red_line_id: str) -> RedLine:
        """The red line of that id; KeyError when the policy has none."""
        return {line.id: line for line in self.red_lines}[red_line_id]

    def standard(self, standard_id: str) -> Standard:
        """The standard of that id; KeyError when the policy has none."""
        return {standard.id: standard for standard in self.standards}[standard_id]

    def rule_for(self, status: RedLineStatus) -> OutcomeRule:
        """The outcome rule for a status (there is always exactly one)."""
        return {rule.status: rule for rule in self.outcomes}[status]


def refuse_doubles(where: str, ids: list[str]) -> None:
    doubles = sorted({one for one in ids if ids.count(one) > 1})
    if doubles:
        raise ValueError(f"{where}: {doubles} stand there more than once (expected distinct)")
