"""Random courses of events that shrink: drawn from a seed, cut down to what still fails.

An event is drawn without looking at the state (what it names is taken modulo what there is), so a
course with an event left out is a course again. Fifty times faster than a state machine of
hypothesis here, and less alike from one to the next.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that can happen, how often, and the choices of each of its arguments.

    The first choice is the simplest; one that stands twice is drawn twice as often.
    """

    name: str
    weight: int
    choices: Mapping[str, Sequence[Any]]

    def drawn(self, chance: random.Random) -> Event:
        """One such event."""
        return Event(self, {name: chance.choice(those) for name, those in self.choices.items()})


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens."""

    kind: Kind
    arguments: Mapping[str, Any]

    def simpler(self) -> Iterator[Event]:
        """The same with one argument at its simplest."""
        for name, those in self.kind.choices.items():
            if self.arguments[name] != those[0]:
                yield replace(self, arguments={**self.arguments, name: those[0]})

    def __str__(self) -> str:
        return f"{self.kind.name}({', '.join(f'{k}={v!r}' for k, v in self.arguments.items())})"


@dataclass(frozen=True, slots=True)
class Course:
    """Where something begins, and what happens then."""

    scene: str
    events: tuple[Event, ...]

    def simpler(self) -> Iterator[Course]:
        """The same without one event, or with one simpler argument."""
        for index in range(len(self.events)):
            yield replace(self, events=self.events[:index] + self.events[index + 1 :])
        for index, one in enumerate(self.events):
            for less in one.simpler():
                events = (*self.events[:index], less, *self.events[index + 1 :])
                yield replace(self, events=events)

    def __str__(self) -> str:
        return "\n  ".join([f"In the scene {self.scene!r}:", *map(str, self.events)])


def drawn(seed: int, scenes: Sequence[str], kinds: Sequence[Kind], *, longest: int) -> Course:
    """The course of a seed."""
    chance = random.Random(seed)
    weights = [one.weight for one in kinds]
    length = chance.randint(longest // 3, longest)
    chosen = chance.choices(kinds, weights, k=length)
    return Course(chance.choice(scenes), tuple(one.drawn(chance) for one in chosen))


def shrunk(course: Course, failure: Callable[[Course], Exception | None]) -> Course:
    """The simplest course found that fails with the same type of error; at most 300 are tried."""
    first, left = type(failure(course)), 300
    found = True
    while found and left > 0:
        found = False
        for one in course.simpler():
            left -= 1
            if type(failure(one)) is first and first is not type(None):
                course, found = one, True
                break
            if left <= 0:
                break
    return course
