"""Whether a safeguards standard is shown to hold (lifecycle steps 20 and 23)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from include.rsp.canonical import Digest, Document, Identifier, Moment
from include.rsp.catalogue import CatalogueStandard, Requirement, default_requirement
from include.rsp.policy_parts import Criterion, Standard
from include.rsp.safeguard_basis import (
    Basis,
    deciding,
    doubt_about,
    exempted,
    is_about,
    nothing_here,
)
from include.rsp.safeguard_evidence import (
    SafeguardEvidence,
)
from include.rsp.safeguard_plan import ORGANISATION, SafeguardPlan
from include.rsp.vocabulary import CriterionOutcome

UNDEFINED = "it is not defined: no criterion is written that could be shown to be met"
ONLY_EXEMPT = "nothing of it is met, it is only accepted as not applicable"
WHOLE = "whole"
"""The part of a row that is about a standard itself."""
SATISFIED = (CriterionOutcome.MET, CriterionOutcome.NOT_APPLICABLE)


class CriterionJudgement(Document):
    """What is known of one requirement on one surface, and the record that decided it."""

    criterion: Identifier = Field(description="of the policy's standard")
    requirement: Identifier
    part: str
    surface: Identifier
    owner: Identifier | None = Field(description="who has to see to it; null: nobody is named")
    outcome: CriterionOutcome
    clause: str
    evidence: Digest | None
    because: str
    good_until: Moment | None


class StandardJudgement(Document):
    """What is known of one standard. It holds only if it has criteria and all are met."""

    standard: Identifier
    level: str
    holds: bool
    criteria: list[CriterionJudgement]


def judge_standard(
    standard: Standard, said: CatalogueStandard | None, basis: Basis
) -> StandardJudgement:
    """Judge every requirement on each of its surfaces.

    A standard without criteria never holds: nothing has been written that could be shown. Nor does
    one of which nothing is met, only accepted as not applicable.

    Args:
        said: the catalogue's requirements; None: the policy's own criteria, for the organisation.
    """
    required = _requirements(standard, said)
    rows = []
    for criterion, requirement in required:
        places = list(surfaces_of(requirement, basis.plan))
        known = frozenset(surface for surface, _ in places)
        for surface, problem in places:
            where = Place(standard.id, surface, known, problem)
            rows.append(_judge(criterion, requirement, where, basis))
    outcomes = {row.outcome for row in rows}
    holds = CriterionOutcome.MET in outcomes and outcomes <= set(SATISFIED)
    return StandardJudgement(standard=standard.id, level=standard.level, holds=holds, criteria=rows)


@dataclass(frozen=True, slots=True)
class Place:
    """A surface on which a requirement is judged.

    Args:
        known: all surfaces of the requirement.
        problem: why it cannot be shown there at all; None: it can.
    """

    standard: str
    surface: str
    known: frozenset[str]
    problem: str | None


def _requirements(
    standard: Standard, said: CatalogueStandard | None
) -> list[tuple[Criterion, Requirement]]:
    """In the order of the policy's criteria. A policy's shorter age wins over the catalogue's."""
    if said is None:
        return [(one, default_requirement(one)) for one in standard.criteria]
    return [
        (criterion, requirement)
        for criterion in standard.criteria
        for requirement in said.requirements
        if requirement.criterion == criterion.id
    ]


def surfaces_of(requirement: Requirement, plan: SafeguardPlan) -> Iterator[tuple[str, str | None]]:
    """(surface, why it cannot be shown there at all) for each surface that must be looked at."""
    if not requirement.surfaces:
        yield ORGANISATION, None
        return
    absent = {one.kind for one in plan.absent}
    for kind in requirement.surfaces:
        there = [one.id for one in plan.surfaces if one.kind is kind]
        yield from ((one, None) for one in there)
        if not there and kind not in absent:
            yield (
                kind.value,
                (
                    f"the suite lists no surface of the kind {kind.value!r}, nor says that there "
                    "is none; list it under safeguards.surfaces or safeguards.absent"
                ),
            )
    if set(requirement.surfaces) <= absent:
        yield (
            ORGANISATION,
            (
                "the suite says that there is none of its surfaces; have it accepted as not "
                "applicable (`rsp evidence exempt`)"
            ),
        )


def _judge(
    criterion: Criterion, requirement: Requirement, where: Place, basis: Basis
) -> CriterionJudgement:
    """The newest evidence that counts decides; a tie, within what clocks may differ, is decided
    against the requirement.
    """
    standard, surface = where.standard, where.surface

    def row(
        outcome: CriterionOutcome,
        because: str,
        evidence: Digest | None = None,
        until: datetime | None = None,
    ) -> CriterionJudgement:
        return CriterionJudgement(
            criterion=criterion.id,
            requirement=requirement.id,
            part=criterion.part,
            surface=surface,
            owner=basis.plan.owner_of(standard, requirement.id, surface),
            outcome=outcome,
            clause=requirement.clause,
            evidence=evidence,
            because=because,
            good_until=until,
        )

    exempt = exempted(standard, requirement.id, surface, basis)
    if exempt is not None:
        return row(CriterionOutcome.NOT_APPLICABLE, exempt.because, until=exempt.until)
    if where.problem is not None:
        return row(CriterionOutcome.MISSING, where.problem)
    owners = basis.plan.owners_of(standard, requirement.id, surface)
    seen = basis.index.get((standard, requirement.id), [])
    here = [(digest, one) for digest, one in seen if is_about(one, surface, where.known)]
    doubts = {digest: doubt_about(requirement, owners, one, basis) for digest, one in here}
    usable = {digest: one.piece for digest, one in here if doubts[digest] is None}
    if not usable:
        said = sorted({one for one in doubts.values() if one}) or [nothing_here(requirement, seen)]
        return row(CriterionOutcome.MISSING, "; ".join(said[:3]))
    digest = deciding(usable)
    piece = usable[digest]
    if not piece.shows:
        return row(CriterionOutcome.NOT_MET, piece.statement, digest)
    until = _good_until(criterion, requirement, piece)
    if until is None or basis.at > until:
        return row(CriterionOutcome.STALE, _too_old(criterion, requirement, piece), digest, until)
    return row(CriterionOutcome.MET, piece.statement, digest, until)


def _good_until(
    criterion: Criterion, requirement: Requirement, piece: SafeguardEvidence
) -> datetime | None:
    """How long it counts; None: no age is given, so it never does."""
    days = _longest(criterion, requirement)
    if days is None:
        return None
    until = piece.collected_at + timedelta(days=days)
    return min(until, piece.expires_at) if piece.expires_at else until


def _longest(criterion: Criterion, requirement: Requirement) -> float | None:
    ages = [one for one in (criterion.max_age_days, requirement.max_age_days) if one is not None]
    return min(ages) if len(ages) == 2 else None


def _too_old(criterion: Criterion, requirement: Requirement, piece: SafeguardEvidence) -> str:
    days = _longest(criterion, requirement)
    limit = "the policy gives no age" if days is None else f"{days:g} days"
    ended = f"; it expired {piece.expires_at:%Y-%m-%d %H:%M:%S}" if piece.expires_at else ""
    return f"collected {piece.collected_at:%Y-%m-%d %H:%M} (allowed age: {limit}){ended}"


def unmet(judged: Sequence[StandardJudgement]) -> list[tuple[str, CriterionJudgement]]:
    """(standard, row) of whatever keeps standards from holding, in order.

    A standard that does not hold although no row of it is open has a row of its own: it is not
    written, or nothing of it is met. So none of them is ever silent about it.
    """
    return [(one.standard, row) for one in judged for row in _open(one)]


def _open(one: StandardJudgement) -> list[CriterionJudgement]:
    rows = [row for row in one.criteria if row.outcome not in SATISFIED]
    if rows or one.holds:
        return rows
    return [
        CriterionJudgement(
            criterion=one.standard,
            requirement=one.standard,
            part=WHOLE,
            surface=ORGANISATION,
            owner=None,
            outcome=CriterionOutcome.MISSING,
            clause="the standard itself",
            evidence=None,
            because=ONLY_EXEMPT if one.criteria else UNDEFINED,
            good_until=None,
        )
    ]


def name_of(standard: str, row: CriterionJudgement) -> str:
    """One row for people: what is not shown, and where."""
    said = (
        row.requirement
        if row.requirement == row.criterion
        else (f"{row.criterion}/{row.requirement}")
    )
    return f"{standard}: {said} on {row.surface}"
