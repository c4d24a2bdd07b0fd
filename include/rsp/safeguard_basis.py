"""What a judgement of safeguards follows from, and why a piece of evidence does not count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from include.rsp.canonical import Digest
from include.rsp.catalogue import Requirement
from include.rsp.evidence_check import CLOCK_TOLERANCE
from include.rsp.safeguard_evidence import (
    Exemption,
    Known,
    SafeguardEvidence,
    Shown,
    counts_at,
)
from include.rsp.safeguard_plan import ORGANISATION, SafeguardPlan


@dataclass(frozen=True, slots=True)
class Basis:
    """All that a judgement follows from, beside the standard itself.

    Args:
        plan: the lab's surfaces and owners.
        evidence: by record digest.
        exemptions: those that a second person accepted.
        at: as of when.
        checkpoint: evidence about another checkpoint does not count.
        closed_at: when the packet was closed that people signed: nothing that was collected later
            speaks for a safeguard. None: nothing was signed yet.
    """

    plan: SafeguardPlan
    evidence: Known
    at: datetime
    exemptions: Sequence[Exemption] = ()
    checkpoint: Digest | None = None
    closed_at: datetime | None = None
    standing: Known = field(init=False)
    index: Mapping[tuple[str, str], list[tuple[Digest, Shown]]] = field(init=False)

    def __post_init__(self) -> None:
        replaced = {one.piece.supersedes for one in self.evidence.values()}
        standing = {key: one for key, one in self.evidence.items() if key not in replaced}
        found: dict[tuple[str, str], list[tuple[Digest, Shown]]] = defaultdict(list)
        for digest, one in standing.items():
            if one.piece.checkpoint in (None, self.checkpoint):
                found[one.piece.standard, one.piece.criterion].append((digest, one))
        object.__setattr__(self, "standing", standing)
        object.__setattr__(self, "index", found)


def exempted(standard: str, requirement: str, surface: str, basis: Basis) -> Exemption | None:
    """The exemption that stands for a requirement on a surface; None: there is none now."""
    return next(
        (
            one
            for one in basis.exemptions
            if (one.standard, one.criterion, one.surface) == (standard, requirement, surface)
            and one.claimed_at <= basis.at + CLOCK_TOLERANCE
            and basis.at <= one.until
            and not _refuted_since(one, basis)
        ),
        None,
    )


def _refuted_since(exempt: Exemption, basis: Basis) -> bool:
    """Whether somebody has shown since that what is said not to apply is not met."""
    return any(
        not one.piece.shows
        and exempt.surface in surfaces_named(one)
        and one.piece.collected_at > exempt.claimed_at
        for _, one in basis.index.get((exempt.standard, exempt.criterion), [])
    )


def surfaces_named(one: Shown) -> list[str]:
    """What a piece of evidence is about."""
    return one.piece.surfaces or [ORGANISATION]


def is_about(one: Shown, surface: str, known: frozenset[str]) -> bool:
    """Whether a piece of evidence is about a surface of a requirement.

    What speaks against it, and names none of its surfaces, is about all of them: a slip of the pen
    does not make it go away.
    """
    named = surfaces_named(one)
    return surface in named or (not one.piece.shows and not known & set(named))


def deciding(usable: Mapping[Digest, SafeguardEvidence]) -> Digest:
    """The piece that decides: the newest; what speaks against it as long as nothing newer speaks
    for it by more than clocks may differ.
    """
    order = sorted(usable, key=lambda one: (usable[one].collected_at, not usable[one].shows, one))
    newest = order[-1]
    against = [one for one in order if not usable[one].shows]
    if against and usable[newest].shows:
        after = usable[newest].collected_at - usable[against[-1]].collected_at
        return newest if after > 2 * CLOCK_TOLERANCE else against[-1]
    return newest


def nothing_here(requirement: Requirement, elsewhere: Sequence[tuple[Digest, Shown]]) -> str:
    """That there is no evidence for a surface, and for which others there is."""
    there = sorted({name for _, one in elsewhere for name in surfaces_named(one)})
    add = (
        f"add some of the type {' or '.join(requirement.evidence)} with "
        f"`rsp evidence add --criterion {requirement.id}`"
    )
    return (
        f"no evidence here, only for {', '.join(there)}; {add}"
        if there
        else (f"no evidence; {add}")
    )


def doubt_about(
    requirement: Requirement, owners: frozenset[str], one: Shown, basis: Basis
) -> str | None:
    """Why a piece of evidence for a surface does not count; None: it does.

    What speaks against a safeguard counts whoever says it.
    """
    piece, at = one.piece, basis.at + CLOCK_TOLERANCE
    if one.broken is not None and piece.shows:
        return one.broken
    if piece.shows and piece.type not in requirement.evidence:
        return f"evidence of the type {piece.type} (expected {' or '.join(requirement.evidence)})"
    if not counts_at(piece, at, basis.closed_at):
        bound = "what people signed" if piece.collected_at <= at else "now"
        return f"collected {piece.collected_at:%Y-%m-%d %H:%M:%S}, after {bound}"
    if piece.shows and requirement.verifier == "independent":
        return _not_independent(owners, one)
    return None


def _not_independent(owners: frozenset[str], one: Shown) -> str | None:
    """Why what somebody collected does not verify what others own."""
    if not owners:
        return (
            "nobody is named as its owner, so nobody is shown to be somebody else; name one under "
            "safeguards.owners of the suite"
        )
    if one.by is None:
        return (
            f"{one.piece.collector} collected it, and no signature shows that (expected the "
            "signature of somebody who does not own it)"
        )
    if one.by in owners:
        return f"self-verified: {one.by} owns it (expected somebody else)"
    return None
