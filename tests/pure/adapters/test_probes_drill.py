"""The time to patch is what the newest jailbreak drill says, if it says it whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.adapters.probe_runner import run_probes
from include.adapters.probes.drill_times import patch_time
from include.adapters.probing import Look, Seen
from include.rsp.errors import InvalidDocument
from include.rsp.record_parts import CodeStamp
from include.rsp.safeguard_records import Drill, DrillStep
from include.rsp.vocabulary import Scenario
from tests.support.factories import START
from tests.support.probing import planned

NAMES = ("reported", "reproduced", "patched", "verified")
SETTINGS = {"from": "reported", "to": "patched", "at_most_seconds": 600.0, "max_age_days": 90.0}
STAMP = CodeStamp(domain="sha256:" + "0" * 64, lock="sha256:" + "0" * 64)


def drill(*, days: float = 1, seconds: float = 300, **changed: Any) -> dict[str, Any]:
    """A plain record of a drill whose every step took so long."""
    begun = START - timedelta(days=days)
    steps = [
        DrillStep(name=name, at=begun + timedelta(seconds=seconds * number), seconds=seconds,
                  done=True, note="")
        for number, name in enumerate(NAMES, 1)
    ]  # fmt: skip
    made = Drill(
        at=steps[-1].at, by="drills", stamp=STAMP, scenario=Scenario.JAILBREAK, started_at=begun,
        steps=steps, gaps=[], run="lab.drills:jailbreak", asked_by="anna", simulated=False,
    )  # fmt: skip
    return {**made.model_dump(mode="json"), **changed}


def with_step(number: int, **changed: Any) -> dict[str, Any]:
    plain = drill()
    plain["steps"][number] = {**plain["steps"][number], **changed}
    return plain


def look(*drills: dict[str, Any], at: str = START.isoformat(), **changed: Any) -> Seen:
    plain = {name: value for name, value in {**SETTINGS, **changed}.items() if value is not None}
    return patch_time(Look(settings=plain, drills=drills, at=at))


def test_a_fast_whole_young_drill_is_shown() -> None:
    seen = look(drill(), drill(days=100, seconds=9999))
    assert seen.shows, seen.statement
    assert seen.raw["seconds"] == 600
    assert "SIMULATED" not in seen.statement
    assert "SIMULATED" in look(drill(simulated=True)).statement


def test_the_newest_counts_by_its_own_start_whatever_the_order() -> None:
    slow = drill(days=1, seconds=301)
    for drills in ((slow, drill(days=2)), (drill(days=2), slow)):
        seen = look(*drills)
        assert not seen.shows
        assert "took 602 s" in seen.statement


NOT_SHOWN: dict[str, tuple[list[dict[str, Any]], str]] = {
    "none": ([], "none among 0 drills"),
    "another scenario": ([drill(scenario="weight_theft")], "none among 1 drills"),
    "old": ([drill(days=90.1)], "90 days old"),
    "future": ([drill(days=-1)], "in the future"),
    "ends in the future": ([drill(days=0.001)], "in the future"),
    "gaps": ([drill(gaps=["nobody was reached"])], "gaps: nobody was reached"),
    "not done": ([with_step(3, done=False)], "not done: verified"),
    "no such step": ([with_step(2, name="closed")], "0 steps 'patched'"),
    "step twice": ([with_step(3, name="patched")], "2 steps 'patched'"),
    "backwards": ([with_step(1, at=(START - timedelta(days=5)).isoformat())], "backwards"),
    "two clocks": ([with_step(2, seconds=1)], "by its clock and"),
    "does not read": ([drill(), drill(days=3, steps=[])], "does not read"),
    "negative": ([with_step(2, seconds=-300)], "does not read"),
    "not known": ([with_step(2, seconds=None)], "does not read"),
}


@pytest.mark.parametrize("name", NOT_SHOWN)
def test_any_other_is_not_shown(name: str) -> None:
    drills, says = NOT_SHOWN[name]
    seen = look(*drills)
    assert not seen.shows
    assert says in seen.statement


def test_a_broken_newer_drill_is_not_passed_over_for_an_older_good_one() -> None:
    assert not look(drill(days=1, gaps=["x"]), drill(days=2)).shows


def test_steps_have_to_come_in_their_order() -> None:
    assert "does not come after" in look(drill(), **{"from": "patched", "to": "reported"}).statement
    assert "does not come after" in look(drill(), **{"from": "patched"}).statement


def test_the_limits_are_met_to_the_second() -> None:
    assert look(drill(seconds=300), at_most_seconds=600.0).shows
    assert not look(drill(seconds=300), at_most_seconds=599.9).shows
    assert look(drill(days=90)).shows
    assert not look(drill(days=90 + 1 / 86400)).shows


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"at": ""}, "does not read"),
        ({"at": "2026-01-01T00:00:00"}, "no zone"),
        ({"max_age_days": None}, "'max_age_days' is None"),
        ({"at_most_seconds": -1.0}, "above 0"),
        ({"at_most_seconds": None}, "'at_most_seconds' is None"),
        ({"from": None}, "'from' is None"),
        ({"until": "x"}, "does not know"),
    ],
)
def test_a_wrong_setting_is_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidDocument, match=says):
        look(drill(), **changed)


def test_it_runs_in_a_process_of_its_own_on_the_records_that_it_is_given() -> None:
    plans = [planned("drill.patch-time", **{**SETTINGS, "max_age_days": 36_000.0})]
    assert run_probes(plans, drills=[drill()])[0].seen.shows
    assert not run_probes(plans)[0].seen.shows
