"""Catalogues: how the criteria of a safeguards standard are shown to hold (`include/safeguards`).

A policy says what a standard demands. A catalogue says, for each of its criteria, what has to be
shown, by what evidence, on which surfaces, how fresh and by whom. A policy names its catalogues by
digest, so whoever adopts the policy adopts them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from include.rsp.canonical import Document, Identifier
from include.rsp.clause import (
    CENTURY_DAYS,
    NamedClause,
    Version,
    refuse_doubles,
    refuse_unknown,
)
from include.rsp.policy_parts import Criterion, Standard
from include.rsp.vocabulary import SurfaceKind

Control = Annotated[str, Field(pattern=r"^[A-Z]{2}-[1-9][0-9]?(\([1-9][0-9]?\))?$")]
"""A control of NIST SP 800-53 Rev. 5, for example `AC-3(2)`."""
YEAR_DAYS = 365


class Requirement(NamedClause):
    """One thing that has to be shown for a criterion, on each surface that it applies to."""

    criterion: Identifier = Field(description="of the policy's standard")
    shown: str = Field(min_length=1, description="what must be shown")
    evidence: list[Identifier] = Field(min_length=1, description="types accepted; one suffices")
    surfaces: list[SurfaceKind] = Field(
        default_factory=list,
        description="shown on each surface of these kinds; none: once, for the organisation",
    )
    max_age_days: float | None = Field(
        gt=0, le=CENTURY_DAYS, description="null: the text gives none, so any age is stale"
    )
    verifier: Literal["independent", "self"] = Field(
        description="independent: not whoever owns what is shown"
    )
    probe: Identifier | None = Field(
        default=None, description="the probe that can show it (docs/probes.md)"
    )
    family: Identifier | None = Field(default=None, description="control family, if it is of one")
    nist: list[Control] = Field(default_factory=list, description="NIST SP 800-53 Rev. 5")


class Actor(Document):
    """Whom the standard is meant to withstand, or is not."""

    id: Identifier
    text: str = Field(min_length=1)
    in_scope: bool


class CatalogueStandard(Document):
    """The requirements of one standard. One that is not defined can never be shown to hold."""

    standard: Identifier
    defined: bool
    because: str | None = Field(default=None, description="why it is not defined")
    reapproval_days: float = Field(
        default=YEAR_DAYS,
        gt=0,
        le=CENTURY_DAYS,
        description="how long officers' approval of it is good for",
    )
    warn_days: float = Field(
        default=14, ge=0, le=CENTURY_DAYS, description="looked at again so long before it lapses"
    )
    requirements: list[Requirement] = Field(default_factory=list)
    families: dict[Identifier, str] = Field(
        default_factory=dict, description="control families, by id"
    )
    actors: list[Actor] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        where = f"standard {self.standard!r}"
        refuse_doubles(f"{where}: requirements", [one.id for one in self.requirements])
        named = [one.family for one in self.requirements if one.family]
        refuse_unknown(f"{where}: requirements", named, set(self.families))
        unused = sorted(set(self.families) - set(named))
        if unused:
            raise ValueError(f"{where}: nothing is required of the families {unused}")
        if self.defined is not bool(self.requirements):
            raise ValueError(
                f"{where}: defined is {self.defined} and there are {len(self.requirements)} "
                "requirements (expected some exactly if it is defined)"
            )
        if not self.defined and not self.because:
            raise ValueError(f"{where} is not defined, and `because` does not say why")
        return self


class Catalogue(Document):
    """One version of how some standards are shown to hold."""

    id: Identifier
    version: Version
    title: str = Field(min_length=1)
    source: str = Field(min_length=1)
    standards: list[CatalogueStandard] = Field(min_length=1)

    @model_validator(mode="after")
    def _standards_are_distinct(self) -> Self:
        refuse_doubles("standards", [one.standard for one in self.standards])
        return self

    def of(self, standard_id: str) -> CatalogueStandard | None:
        """What it says of one standard."""
        return {one.standard: one for one in self.standards}.get(standard_id)


def problems_with(catalogue: Catalogue, standards: Iterable[Standard]) -> list[str]:
    """What keeps a catalogue from saying how a policy's standards are shown; empty: nothing."""
    found = []
    for standard in standards:
        said = catalogue.of(standard.id)
        if said is None:
            found.append(f"catalogue {catalogue.id!r} says nothing of standard {standard.id!r}")
            continue
        criteria = {one.id for one in standard.criteria}
        covered = {one.criterion for one in said.requirements}
        if criteria != covered:
            found.append(
                f"catalogue {catalogue.id!r} covers {sorted(covered)} of standard "
                f"{standard.id!r} (expected just {sorted(criteria)})"
            )
    return found


def default_requirement(criterion: Criterion) -> Requirement:
    """What the policy itself says of a criterion, where it names no catalogue."""
    return Requirement(
        id=criterion.id,
        criterion=criterion.id,
        clause=criterion.clause,
        shown=criterion.text,
        evidence=[criterion.evidence],
        surfaces=[],
        max_age_days=criterion.max_age_days,
        verifier="self",
    )
