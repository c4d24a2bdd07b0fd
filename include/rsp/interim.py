"""Interim measures: what stands in for a safeguard that does not hold in time (RSP 2.2 §6.2).

A plan names, for every requirement that is not met, a measure that gives the same assurance. Each
measure is shown by evidence like a safeguard, and the plan ends by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from include.rsp.canonical import Document, Identifier, Moment
from include.rsp.catalogue import CatalogueStandard, Requirement
from include.rsp.clause import CENTURY_DAYS, refuse_doubles
from include.rsp.policy_parts import Criterion, InterimRule, Standard
from include.rsp.safeguard_plan import SafeguardPlan
from include.rsp.safeguards import WHOLE, StandardJudgement, unmet
from include.rsp.vocabulary import Measure

INTERIM = "interim-measures"
"""The standard that evidence for measures is about."""
PART_OF = {
    Measure.BLOCK_RESPONSES: "deployment",
    Measure.DOWNGRADE_DOMAIN: "deployment",
    Measure.RAISE_SENSITIVITY: "deployment",
    Measure.ISOLATE_WEIGHTS: "security",
}


class Replaced(Document):
    """One requirement on one surface that a measure stands in for."""

    standard: Identifier
    requirement: Identifier
    surface: Identifier


class InterimMeasure(Document):
    """One measure, shown by evidence of its own."""

    id: Identifier
    kind: Measure
    text: str = Field(min_length=1)
    replaces: list[Replaced] = Field(min_length=1)
    evidence: Identifier = Field(description="the type of evidence that shows it")
    max_age_days: float = Field(gt=0, le=CENTURY_DAYS)


class InterimMeasures(Document):
    """A plan of measures."""

    because: str = Field(min_length=3, description="why it gives the same assurance")
    until: Moment
    measures: list[InterimMeasure] = Field(min_length=1)

    @model_validator(mode="after")
    def _measures_are_distinct(self) -> Self:
        refuse_doubles("measures", [one.id for one in self.measures])
        return self

    def as_standard(self, clause: str, level: str) -> tuple[Standard, CatalogueStandard]:
        """The plan as a standard whose criteria are its measures, each shown once."""
        criteria = [
            Criterion(
                id=one.id,
                clause=clause,
                part="security" if PART_OF[one.kind] == "security" else "deployment",
                text=one.text,
                evidence=one.evidence,
                max_age_days=one.max_age_days,
            )
            for one in self.measures
        ]
        required = [
            Requirement(
                id=one.id,
                criterion=one.id,
                clause=clause,
                shown=one.text,
                evidence=[one.evidence],
                max_age_days=one.max_age_days,
                verifier="self",  # who may show it, the judgement of the plan says
            )
            for one in self.measures
        ]
        return (
            Standard(id=INTERIM, clause=clause, level=level, text=self.because, criteria=criteria),
            CatalogueStandard(standard=INTERIM, defined=True, requirements=required),
        )


def problems_with_plan(
    plan: InterimMeasures, rule: InterimRule | None, judged: Sequence[StandardJudgement],
    surfaces: SafeguardPlan,
) -> list[str]:  # fmt: skip
    """What keeps a plan from standing in for the standards as they are judged; empty: nothing."""
    if rule is None:
        return ["the policy knows no interim measures"]
    known = {one.id for one in surfaces.surfaces}
    found = [
        f"measure {one.id}: {one.kind} is not allowed (expected one of {rule.allowed}; "
        f"{rule.clause})"
        for one in plan.measures
        if one.kind not in rule.allowed
    ]
    covered = {
        (where.standard, where.requirement, where.surface): one.kind
        for one in plan.measures
        for where in one.replaces
    }
    for standard, row in unmet(judged):
        kind = covered.get((standard, row.requirement, row.surface))
        where = f"{standard}: {row.requirement} on {row.surface} is {row.outcome}"
        if row.part == WHOLE:
            found.append(f"standard {standard}: {row.because}; nothing gives the same assurance")
        elif kind is None:
            found.append(f"{where}, and no measure stands in for it")
        elif PART_OF[kind] != row.part:
            found.append(f"{where}: {kind} is no measure for {row.part}")
    strange = {where.surface for one in plan.measures for where in one.replaces}
    seen = {row.surface for one in judged for row in one.criteria}
    found += [f"surface {one!r} is not known" for one in sorted(strange - known - seen)]
    return found
