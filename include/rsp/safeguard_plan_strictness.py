"""In which ways one suite looks after safeguards less than another (DESIGN I7; adoption)."""

from __future__ import annotations

from collections.abc import Iterator

from include.rsp.safeguard_plan import PlannedDrill, PlannedProbe, SafeguardPlan, Surface

COMPARE = "people must compare"


def plan_loosenings(before: SafeguardPlan, after: SafeguardPlan) -> Iterator[str]:
    """Every way in which less is looked at, or by somebody else, in words."""
    yield from _surfaces(before.surfaces, after.surfaces)
    yield from _absent(before, after)
    yield from _owners(before.owners, after.owners)
    yield from _members(before.members, after.members)
    yield from _probes(before.probes, after.probes)
    yield from _drills(before.drills, after.drills)


def _surfaces(before: list[Surface], after: list[Surface]) -> Iterator[str]:
    now = {one.id: one for one in after}
    for old in before:
        where = f"safeguards: surface {old.id}"
        new = now.get(old.id)
        if new is None:
            yield f"{where} ({old.kind}) is gone"
            continue
        if new.kind is not old.kind:
            yield f"{where} is {old.kind} → {new.kind}: nothing is shown for it as {old.kind}"
        if new.owner != old.owner:  # who owns it cannot verify it
            yield f"{where}: owner {old.owner} → {new.owner}: {COMPARE}"
        if new.text != old.text:
            yield f"{where} is worded anew: {COMPARE}"


def _absent(before: SafeguardPlan, after: SafeguardPlan) -> Iterator[str]:
    was = {one.kind: one.because for one in before.absent}
    for one in after.absent:
        if one.kind not in was:
            yield f"safeguards: the lab now says that it has no {one.kind}: {one.because}"
        elif one.because != was[one.kind]:
            yield f"safeguards: why there is no {one.kind} is worded anew: {COMPARE}"


def _owners(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    for name, was in before.items():
        if after.get(name) is None:
            yield f"safeguards: nobody owns {name} any more (it was {was})"
        elif after[name] != was:
            yield f"safeguards: owner of {name} {was} → {after[name]}: {COMPARE}"


def _members(before: dict[str, list[str]], after: dict[str, list[str]]) -> Iterator[str]:
    for team, was in before.items():
        gone = sorted(set(was) - set(after.get(team, [])))
        if gone:  # they could verify what their team owns
            yield f"safeguards: {', '.join(gone)} no longer belong to {team}: {COMPARE}"


def _probes(before: list[PlannedProbe], after: list[PlannedProbe]) -> Iterator[str]:
    """A probe counts as somebody else than the owner, so a new one is one more way to show."""
    was = {one.id: one for one in before}
    now = {one.id: one for one in after}
    for name, old in was.items():
        if name not in now:
            yield f"safeguards: probe {name} of {old.standard}, {old.requirement} is gone"
            continue
        changed = [one for one in PlannedProbe.model_fields if one not in ("id", "group")]
        yield from _changed(f"safeguards: probe {name}", old, now[name], changed)
    for name, added in now.items():
        if name not in was:
            yield (
                f"safeguards: probe {name} may now show {added.standard}, {added.requirement}: "
                f"{COMPARE}"
            )


def _drills(before: list[PlannedDrill], after: list[PlannedDrill]) -> Iterator[str]:
    now = {one.scenario: one for one in after}
    for old in before:
        where = f"safeguards: drill {old.scenario}"
        if old.scenario not in now:
            yield f"{where} is gone"
            continue
        changed = [one for one in PlannedDrill.model_fields if one != "scenario"]
        yield from _changed(where, old, now[old.scenario], changed)


def _changed(
    where: str,
    old: PlannedProbe | PlannedDrill,
    new: PlannedProbe | PlannedDrill,
    fields: list[str],
) -> Iterator[str]:
    for field in fields:
        if getattr(old, field) != getattr(new, field):
            yield f"{where}: {field} {getattr(old, field)} → {getattr(new, field)}: {COMPARE}"
