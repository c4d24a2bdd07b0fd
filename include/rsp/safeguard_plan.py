"""What a lab adds to a safeguards standard: its surfaces, who owns what, and which probes it runs.

Part of the suite. What is not listed here cannot be shown to be safe: a kind of surface that a
requirement names is either there, or said not to exist, with a reason that the adopters sign.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from include.rsp.canonical import Document, Identifier
from include.rsp.clause import refuse_doubles, refuse_unknown
from include.rsp.vocabulary import Scenario, SurfaceKind

ORGANISATION = "organisation"
"""The surface of what is shown once for all."""
LONGEST_PROBE_SECONDS = 3600
MOST_GROUPS = 50
Setting = str | float | bool | list[str]


class Surface(Document):
    """One place where the model can be reached, or its weights."""

    id: Identifier
    kind: SurfaceKind
    owner: Identifier = Field(description="the person or team that runs it")
    text: str = Field(min_length=1)


class AbsentSurface(Document):
    """A kind of surface that this lab does not have."""

    kind: SurfaceKind
    because: str = Field(min_length=1)


class PlannedProbe(Document):
    """One probe, with what it looks at. Its credentials are the machine's, never in here."""

    id: Identifier
    probe: Identifier = Field(description="the kind of probe (docs/probes.md)")
    standard: Identifier
    requirement: Identifier
    type: Identifier = Field(description="the type of the evidence that it writes")
    surfaces: list[Identifier] = Field(
        default_factory=list, description="what it says something of; none: the organisation"
    )
    group: Identifier = Field(default="probes", description="probes of a group share one task")
    timeout_seconds: float = Field(gt=0, le=LONGEST_PROBE_SECONDS)
    settings: dict[str, Setting] = Field(default_factory=dict)


class PlannedDrill(Document):
    """How a readiness drill is carried out in this lab."""

    scenario: Scenario
    run: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="`module:function` of the drill (docs/drills.md)",
    )
    timeout_seconds: float = Field(gt=0, le=LONGEST_PROBE_SECONDS)
    settings: dict[str, Setting] = Field(default_factory=dict)


class SafeguardPlan(Document):
    """The safeguards part of a suite."""

    surfaces: list[Surface] = Field(default_factory=list)
    absent: list[AbsentSurface] = Field(default_factory=list)
    owners: dict[Identifier, Identifier] = Field(
        default_factory=dict, description="by requirement or standard, who has to see to it"
    )
    members: dict[Identifier, list[Identifier]] = Field(
        default_factory=dict,
        description="by team, the holders of keys who belong to it: none of them verifies what "
        "their team owns",
    )
    probes: list[PlannedProbe] = Field(default_factory=list)
    drills: list[PlannedDrill] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        ids = [one.id for one in self.surfaces]
        refuse_doubles("safeguards.surfaces", [*ids, ORGANISATION])
        refuse_doubles("safeguards.absent", [one.kind for one in self.absent])
        refuse_doubles("safeguards.probes", [one.id for one in self.probes])
        refuse_doubles("safeguards.drills", [one.scenario for one in self.drills])
        for probe in self.probes:
            refuse_unknown(f"probe {probe.id!r}: surfaces", list(probe.surfaces), set(ids))
        groups = {one.group for one in self.probes}
        if len(groups) > MOST_GROUPS:
            raise ValueError(
                f"safeguards.probes: {len(groups)} groups (expected at most {MOST_GROUPS}: each is "
                "a task)"
            )
        both = {one.kind for one in self.surfaces} & {one.kind for one in self.absent}
        if both:
            raise ValueError(f"safeguards: {sorted(both)} are both there and absent")
        return self

    def owner_of(self, standard: str, requirement: str, surface: str) -> str | None:
        """Who has to see to a requirement on a surface; None: nobody is named."""
        named = self.owners.get(requirement) or self.owners.get(standard)
        return named or {one.id: one.owner for one in self.surfaces}.get(surface)

    def owners_of(self, standard: str, requirement: str, surface: str) -> frozenset[str]:
        """Everybody who owns something of it, and so cannot verify it."""
        of_surface = {one.id: one.owner for one in self.surfaces}.get(surface)
        named = (self.owners.get(requirement), self.owners.get(standard), of_surface)
        owners = {one for one in named if one}
        return frozenset(owners | {one for team in owners for one in self.members.get(team, [])})
