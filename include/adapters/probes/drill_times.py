"""How fast a jailbreak was patched when it was last played (ASL-3, rapid remediation)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from include.adapters.probes.look_parts import NotShown, positive, refuse_unknown_settings
from include.adapters.probing import Look, Seen
from include.rsp.errors import InvalidDocument
from include.rsp.safeguard_records import Drill, DrillStep
from include.rsp.vocabulary import Scenario

SETTINGS = frozenset({"from", "to", "at_most_seconds", "max_age_days"})
AHEAD = timedelta(seconds=5)
SECONDS_APART = 1.0
"""So far the two ways in which a drill says how long it took may differ."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    begins: str
    ends: str
    at_most: float
    max_age: timedelta


def patch_time(look: Look) -> Seen:
    """Take the newest jailbreak drill, whatever came of it.

    It shows the safeguard only if the drill (1) is there and young enough, (2) has no gaps and all
    its steps are done, and (3) took at most so long from the one step to the other.

    Raises:
        InvalidDocument: a setting is missing, unknown or wrong, or the look has no time.
    """
    refuse_unknown_settings(look, SETTINGS)
    wanted = _Wanted(
        look.text("from"),
        look.text("to"),
        positive(look, "at_most_seconds"),
        timedelta(days=min(positive(look, "max_age_days"), 36_500)),
    )
    expected = (
        f"expected a jailbreak drill of the last {wanted.max_age.days} days with at most "
        f"{wanted.at_most:g} s from {wanted.begins!r} to {wanted.ends!r}"
    )
    raw: dict[str, Any] = {}
    try:
        drill = _newest(look.drills)
        raw["drill"] = drill.model_dump(mode="json", exclude={"stamp"})
        _check_age(drill, _now(look), wanted.max_age)  # (1)
        _check_whole(drill)  # (2)
        raw["seconds"] = took = _seconds(drill.steps, wanted)  # (3)
        if took > wanted.at_most:
            raise NotShown(f"the drill of {drill.started_at:%Y-%m-%d %H:%M} took {took:g} s")
    except NotShown as problem:
        raw["problem"] = str(problem)
        said = f"No drill shows the time to patch: {problem} ({expected}). Play one with the DAG."
        return Seen(shows=False, statement=said[:3900], raw=raw)
    simulated = " SIMULATED" if drill.simulated else ""
    said = f"In the{simulated} drill of {drill.started_at:%Y-%m-%d %H:%M} it took {took:g} s"
    return Seen(shows=True, statement=f"{said} ({expected})."[:3900], raw=raw)


def _now(look: Look) -> datetime:
    try:
        at = datetime.fromisoformat(look.at)
    except ValueError as error:
        raise InvalidDocument(
            f"The look's time {look.at!r} does not read (expected ISO)"
        ) from error
    if at.tzinfo is None:
        raise InvalidDocument(f"The look's time {look.at!r} has no zone (expected UTC)")
    return at.astimezone(UTC)


def _newest(drills: Sequence[Mapping[str, Any]]) -> Drill:
    """By its own start; one that does not read might be the newest, so there is none then."""
    found = []
    for one in drills:
        if one.get("scenario") == Scenario.JAILBREAK:
            try:
                found.append(Drill.model_validate(dict(one)))
            except ValidationError as error:
                raise NotShown(
                    f"a jailbreak drill does not read: {error.error_count()} fields are wrong"
                ) from error
    if not found:
        raise NotShown(f"there is none among {len(drills)} drills")
    return max(found, key=lambda one: one.started_at)


def _check_age(drill: Drill, now: datetime, max_age: timedelta) -> None:
    age = now - drill.started_at
    if age > max_age:
        raise NotShown(f"the newest is of {drill.started_at:%Y-%m-%d %H:%M}, {age.days} days old")
    if max(drill.started_at, *(one.at for one in drill.steps)) > now + AHEAD:
        raise NotShown(f"the newest, of {drill.started_at:%Y-%m-%d %H:%M}, is in the future")


def _check_whole(drill: Drill) -> None:
    if drill.gaps:
        raise NotShown(f"the newest has gaps: {'; '.join(drill.gaps)[:500]}")
    undone = [one.name for one in drill.steps if not one.done]
    if undone:
        raise NotShown(f"the newest has steps that were not done: {', '.join(undone)[:500]}")


def _seconds(steps: Sequence[DrillStep], wanted: _Wanted) -> float:
    """The longer of the two ways to count: by the clock, and by what each step says of itself."""
    names = [one.name for one in steps]
    for name in (wanted.begins, wanted.ends):
        if names.count(name) != 1:
            raise NotShown(
                f"the newest has {names.count(name)} steps {name!r} (it has: {', '.join(names)})"
            )
    first, last = names.index(wanted.begins), names.index(wanted.ends)
    if first >= last:
        raise NotShown(f"in the newest {wanted.ends!r} does not come after {wanted.begins!r}")
    between = steps[first : last + 1]
    if any(later.at < earlier.at for earlier, later in pairwise(between)):
        raise NotShown("the times of the newest go backwards")
    clock = (between[-1].at - between[0].at).total_seconds()
    said = sum(one.seconds for one in between[1:])
    if abs(clock - said) > SECONDS_APART:
        raise NotShown(f"the newest took {clock:g} s by its clock and {said:g} s by its steps")
    return max(clock, said)
