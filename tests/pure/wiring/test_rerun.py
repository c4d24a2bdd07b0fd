"""Invalid results are run again once, where the suite allows it, and never to escape a crossing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.errors import Refused
from include.rsp.results import EvaluationRun
from include.rsp.vocabulary import Finding, ResultStatus
from include.wiring import assessment, evaluating, validating
from tests.support.evaluated import record_result
from tests.support.factories import ADDITION, SUITE_BYTES, changed
from tests.support.world import World

WHY = ["too many errors"]


def with_one_rerun(plain: dict[str, Any]) -> None:
    for one in plain["evaluations"]:
        one["quality"] = (one.get("quality") or {}) | {"rerun_once": True}


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path, suite=changed(SUITE_BYTES, with_one_rerun))
    world.gate()
    world.publish(1)
    return world


def first(world: World, *, right: int = 5, errors: int = 20, **changes: Any) -> tuple[str, str]:
    """An assessment whose red-line results are counted; its key and their digest."""
    key = world.due()
    world.finish_jobs(key, {ADDITION: right}, errors=errors, **changes)
    assessment.pre_flight(world.desk, key)
    record_result(world.desk, key, ADDITION)
    return key, world.state.assessments[key].result_sets[ADDITION]


def second(world: World, key: str, right: int = 5) -> EvaluationRun:
    """The run that its second job makes."""
    world.finish_jobs(key, {ADDITION: right}, again=True)
    request = evaluating.job_request(world.desk, key, ADDITION, again=True)
    return world.desk.jobs.collect(request, world.store, at=world.now)


def test_a_second_run_counts_in_place_of_an_invalid_first_and_both_are_kept(world: World) -> None:
    key, bad = first(world)
    counted = evaluating.count(world.desk, key, second(world, key), replaces=bad, problems=WHY)
    assert counted.replaces is not None
    assert counted.replaces.record == bad
    assert counted.problems == WHY
    assert isinstance(world.state.records[bad], r.ResultSet)
    world.finish_jobs(key, {"maximum": 10, "copying": 100})
    for name in ("maximum", "copying"):
        record_result(world.desk, key, name)
    assert validating.validate(world.desk, key).valid[ADDITION]
    _, verdict = assessment.reach_verdict(world.desk, key)
    (found, *_) = verdict.decision.findings
    assert (found.finding, found.n) == (Finding.BELOW, 200)
    assert verify_store(world.store).problems == []


def refused(world: World, key: str, bad: str, *, problems: list[str] = WHY) -> str:
    run = second(world, key)
    with pytest.raises(Refused) as caught:
        evaluating.count(world.desk, key, run, replaces=bad, problems=problems)
    assert caught.value.code == "no_rerun"
    return str(caught.value)


def test_a_crossing_is_never_run_away_from_however_bad_its_samples(world: World) -> None:
    key, bad = first(world, right=150, errors=20)
    assert "crossed the limit" in refused(world, key, bad)


def test_nor_is_it_where_most_samples_ended_in_errors(world: World) -> None:
    key, bad = first(world, right=60, errors=100)
    assert "crossed the limit" in refused(world, key, bad)


def test_a_broken_server_is_a_reason_to_run_again(world: World) -> None:
    key, bad = first(world, right=0, errors=200)
    assert (
        evaluating.count(world.desk, key, second(world, key), replaces=bad, problems=WHY).replaces
        is not None
    )


def test_an_unfit_instrument_is_mended_by_people_not_tried_again(world: World) -> None:
    key, bad = first(world, status=ResultStatus.UNFIT, problem="it leaks", log=None)
    assert "unfit" in refused(world, key, bad)


def test_a_third_run_never_counts(world: World) -> None:
    key, bad = first(world)
    evaluating.count(world.desk, key, second(world, key), replaces=bad, problems=WHY)
    again = world.state.assessments[key].result_sets[ADDITION]
    assert "run again already" in refused(world, key, again)


def test_what_is_validated_stays(world: World) -> None:
    key, bad = first(world)
    world.validate(key)
    assert "validated already" in refused(world, key, bad)


def test_it_says_what_was_wrong_and_names_the_counted_results(world: World) -> None:
    key, bad = first(world)
    assert "does not say" in refused(world, key, bad, problems=[])
    other = world.state.assessments[key].plan
    assert other is not None
    run = second(world, key)
    counted = evaluating.count(world.desk, key, run, replaces=other, problems=WHY)
    assert counted == world.state.records[bad]


def test_a_suite_that_does_not_allow_it_keeps_the_first(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.gate()
    world.publish(1)
    key, bad = first(world)
    assert "does not allow" in refused(world, key, bad)
