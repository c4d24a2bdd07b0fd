"""In which ways one catalogue of safeguards asks for less than another (DESIGN I7; adoption).

A policy names its catalogues by digest, so a change of one is a change of the policy; this says
what changed inside. Where rules cannot tell, as with words, people must compare. What informs only
(clauses, NIST ids, who wrote it) is not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from include.rsp.catalogue import (
    Actor,
    Catalogue,
    CatalogueStandard,
    Requirement,
    default_requirement,
)
from include.rsp.rules import Rules

COMPARE = "people must compare"


def catalogue_loosenings(before: Catalogue, after: Catalogue) -> list[str]:
    """Every way in which `after` is looser than `before`, in words."""
    found: list[str] = []
    for old in before.standards:
        new = after.of(old.standard)
        where = f"catalogue of {old.standard}"
        found += [f"{where} is gone: {COMPARE}"] if new is None else _standard(where, old, new)
    return found


def shown_loosenings(before: Rules, after: Rules) -> list[str]:
    """The same for every standard that two policies share, whichever catalogues they name.

    Where a policy names none, its own criteria count: each once, by its own type of evidence.

    Raises:
        UnknownReference: a catalogue that one of them names was not read.
    """
    shared = {one.id for one in after.policy.standards}
    found: list[str] = []
    for standard in before.policy.standards:
        if standard.id not in shared:
            continue  # that it is gone, the policies' own comparison says
        old, new = _said(before, standard.id), _said(after, standard.id)
        found += _standard(f"catalogue of {standard.id}", old, new)
    return found


def _said(rules: Rules, standard_id: str) -> CatalogueStandard:
    said = rules.requirements_of(standard_id)
    if said is not None:
        return said
    criteria = rules.policy.standard(standard_id).criteria
    return CatalogueStandard(
        standard=standard_id,
        defined=bool(criteria),
        because="the policy has no criteria for it",
        warn_days=0,
        requirements=[default_requirement(one) for one in criteria],
    )


def _standard(where: str, old: CatalogueStandard, new: CatalogueStandard) -> Iterator[str]:
    if not new.defined:
        return  # it can never be shown to hold
    if not old.defined:
        yield f"{where}, which could never be shown, is now defined"
        return
    if new.reapproval_days > old.reapproval_days:
        yield f"{where}: reapproval_days {old.reapproval_days:g} → {new.reapproval_days:g}"
    if new.warn_days < old.warn_days:
        yield f"{where}: warn_days {old.warn_days:g} → {new.warn_days:g}"
    now = {one.id: one for one in new.requirements}
    for row in old.requirements:
        said = f"{where}, {row.id}"
        yield from _requirement(said, row, now[row.id]) if row.id in now else [f"{said} is gone"]
    for family, text in old.families.items():
        if family not in new.families:
            yield f"{where}: control family {family} is gone"
        elif new.families[family] != text:
            yield f"{where}: control family {family} is worded anew: {COMPARE}"
    yield from _actors(where, old.actors, new.actors)


def _requirement(where: str, old: Requirement, new: Requirement) -> Iterator[str]:
    yield from _surfaces(where, old, new)
    if (new.max_age_days or 0) > (old.max_age_days or 0):  # without an age nothing counts
        yield f"{where}: evidence may be {old.max_age_days} → {new.max_age_days} days old"
    if (old.verifier, new.verifier) == ("independent", "self"):
        yield f"{where}: whoever owns it may now verify it"
    more = sorted(set(new.evidence) - set(old.evidence))
    if more:
        yield f"{where} is now also shown by {', '.join(more)}"
    for field in ("criterion", "family", "probe"):
        was, now = getattr(old, field), getattr(new, field)
        if was != now:
            yield f"{where}: {field} {was} → {now}: {COMPARE}"
    if old.shown != new.shown:
        yield f"{where} is worded anew: {COMPARE}"


def _surfaces(where: str, old: Requirement, new: Requirement) -> Iterator[str]:
    if bool(old.surfaces) is not bool(new.surfaces):
        was, now = (", ".join(one.surfaces) or "the organisation" for one in (old, new))
        yield f"{where}: shown for {was} → {now}: {COMPARE}"
        return
    gone = sorted(one.value for one in set(old.surfaces) - set(new.surfaces))
    if gone:
        yield f"{where} is no longer shown on {', '.join(gone)}"


def _actors(where: str, old: Sequence[Actor], new: Sequence[Actor]) -> Iterator[str]:
    """Facts R19: insiders were carved out of a standard days before the model that needed it."""
    was, now = ({one.id: one for one in actors} for actors in (old, new))
    for name, actor in was.items():
        if actor.in_scope and name not in now:
            yield f"{where}: {name} is no longer named as somebody to withstand"
        elif name in now and now[name].text != actor.text:
            yield f"{where}: actor {name} is worded anew: {COMPARE}"
    for name, actor in now.items():
        if not actor.in_scope and (name not in was or was[name].in_scope):
            yield f"{where}: {name} is now out of scope"
