"""What a readiness drill is: a function that plays a scenario for real and tells each step of it.

A drill is called in a process of its own with a time limit (`drill_runner`, `drill_process`). It
names its steps before it begins, and yields each one when it is done. What it does not yield is a
gap of the record: a step that was not reached, a crash, a time-out are never an absence of one.

This module is light on purpose: it is all that a drill needs, and loads in the drill's process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Setting = str | float | bool | list[str]
LOOK_SECONDS = 0.02


class DrillFailed(Exception):  # noqa: N818 - what happened
    """The drill cannot go on; the message becomes a gap of the record."""


@dataclass(frozen=True, slots=True)
class DrillCall:
    """What a drill is given.

    Args:
        settings: from the suite (`safeguards.drills`); a drill refuses those it does not know.
        store: where the evidence store is, for `open_store`.
        keys: the folder of keys that may be used for it, SIMULATED ones in the demo.
        started_at: when it was started, UTC; step times count from here.
        seconds: how long it may take in all.
    """

    settings: Mapping[str, Setting]
    store: str
    keys: Path
    started_at: datetime
    seconds: float
    begun: float = field(default_factory=time.monotonic)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> DrillCall:
        """The call that a runner wrote to standard input."""
        return cls(
            settings=plain["settings"],
            store=str(plain["store"]),
            keys=Path(plain["keys"]),
            started_at=datetime.fromisoformat(plain["started_at"]),
            seconds=float(plain["seconds"]),
        )

    def as_json(self) -> dict[str, Any]:
        """The same, as a runner writes it."""
        return {
            "settings": dict(self.settings),
            "store": self.store,
            "keys": str(self.keys),
            "started_at": self.started_at.astimezone(UTC).isoformat(),
            "seconds": self.seconds,
        }

    def check(self, known: set[str]) -> None:
        """Refuse settings that the drill does not know.

        Raises:
            DrillFailed: there is one.
        """
        unknown = sorted(set(self.settings) - known)
        if unknown:
            raise DrillFailed(
                f"The drill has no settings {unknown} (expected some of {sorted(known)}). Correct "
                "safeguards.drills of the suite."
            )

    def text(self, name: str, default: str | None = None) -> str:
        """A setting that is text.

        Raises:
            DrillFailed: it is not there, or is something else.
        """
        value = self.settings.get(name, default)
        if not isinstance(value, str):
            raise DrillFailed(_wrong(name, value, "a text"))
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A setting that is a number; raises like `text`."""
        value = self.settings.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DrillFailed(_wrong(name, value, "a number"))
        return float(value)

    @property
    def seconds_left(self) -> float:
        """What is left of the time limit."""
        return self.seconds - (time.monotonic() - self.begun)

    def wait(self, what: str, look: Callable[[], Any], *, seconds: float | None = None) -> Any:
        """The first answer of `look` that is neither None nor False; it is asked every 20 ms.

        Raises:
            DrillFailed: none came within `seconds`, or within nine tenths of what is left.
        """
        limit = min(self.seconds_left * 0.9, seconds if seconds is not None else self.seconds)
        deadline = time.monotonic() + limit
        while True:
            seen = look()
            if seen is not None and seen is not False:
                return seen
            if time.monotonic() >= deadline:
                raise DrillFailed(f"Not within {limit:.1f} s: {what}.")
            time.sleep(LOOK_SECONDS)


def _wrong(name: str, value: object, expected: str) -> str:
    return (
        f"The drill's setting {name!r} is {value!r} (expected {expected}). Correct "
        "safeguards.drills of the suite."
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One step that was played.

    Args:
        name: one of the names that the drill was announced with.
        note: for people: what was done and seen, with figures.
        done: False when it was tried and did not work; that is a gap.
        at: when it happened, UTC; None: now, as it is yielded.
    """

    name: str
    note: str
    done: bool = True
    at: datetime | None = None


Drill = Callable[[DrillCall], Iterator[Step]]


@dataclass(frozen=True, slots=True)
class PlannedSteps:
    """A drill with the steps that it has to show, in their order."""

    play: Drill
    names: tuple[str, ...]


def steps(*names: str) -> Callable[[Drill], PlannedSteps]:
    """Announce a drill's steps; used as a decorator.

    Raises:
        ValueError: no step, or one twice: such a drill would show nothing.
    """
    if not names or len(set(names)) != len(names):
        raise ValueError(f"A drill has the steps {names} (expected some, each once).")
    return lambda play: PlannedSteps(play, names)


def refuse_unsimulated(simulated: bool, who: str) -> None:
    """Refuse to use a real person's key.

    Raises:
        DrillFailed: the trust root does not call the key SIMULATED.
    """
    if not simulated:
        raise DrillFailed(
            f"The key of {who} is not SIMULATED. A drill never signs as a person: have them sign "
            "themselves in a drill of the lab's own (docs/drills.md)."
        )
