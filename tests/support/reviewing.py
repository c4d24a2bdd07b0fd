"""Suites that ask for a transcript review, and the people of a World who read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from include.rsp import records as r
from include.wiring import assessment, reviewing
from tests.support.factories import ADDITION, SUITE_BYTES, changed
from tests.support.people import say
from tests.support.world import World

RULE: dict[str, Any] = {
    "share": 0.02,
    "at_least": 3,
    "at_most": 20,
    "triggers": ["refused", "format_failure", "cheating", "sandbagging", "all_lowest"],
    "within_hours": 48,
    "reviewers": ["board"],
    "max_invalidated": 0.1,
}


def with_review(*places: int, **changes: Any) -> Callable[[dict[str, Any]], None]:
    """Let the evaluations at some places of the toy suite ask for a review; else the first."""

    def change(plain: dict[str, Any]) -> None:
        for place in places or (0,):
            plain["evaluations"][place]["review"] = RULE | changes

    return change


def reviewed_suite(*places: int, **changes: Any) -> bytes:
    """The toy suite in which they do."""
    return changed(SUITE_BYTES, with_review(*places, **changes))


def evaluated(world: World, multiple: float = 1, **results: Any) -> str:
    """A checkpoint with validated results; the id of its assessment, which has no verdict yet."""
    world.gate()
    world.publish(multiple)
    key = world.due()
    world.evaluate(key, **results)
    return key


def asked(world: World, key: str, run: str = ADDITION) -> str:
    """The open request for a run's review."""
    (found,) = [one for one in reviewing.open_reviews(world.desk, key) if one.run == run]
    return found.request


def read(
    world: World,
    request: str,
    choice: str = "nothing_suspicious",
    office: str = "board",
    **more: Any,
) -> str:
    """Somebody reads and answers with the own key; the record's digest."""
    return say(world, "transcript_review", request, office, choice, **more)


def verdict(world: World, key: str) -> r.Verdict:
    """The verdict of an assessment."""
    return assessment.reach_verdict(world.desk, key)[1]
