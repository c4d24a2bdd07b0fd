"""A suite's canary strings are looked for in every transcript before results count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.adapters.canaries import canaries_told
from include.adapters.store import put_blob
from include.rsp.errors import InvalidDocument
from include.rsp.results import EvaluationRun
from include.wiring import assessment, evaluating, validating
from tests.support.eval_logs import eval_log
from tests.support.evaluated import record_result
from tests.support.factories import ADDITION, SUITE_BYTES, changed, make_samples
from tests.support.world import World

SAID, SILENT = "the answer to p0007", "canary GUID 26b5c67b-86ad-4d22"


def evaluated(tmp_path: Path, canary: str) -> tuple[World, str]:
    """An assessment under a suite with that canary; its red-line evaluation is not counted yet."""

    def change(plain: dict[str, Any]) -> None:
        one = plain["evaluations"][0]
        one["quality"] = (one.get("quality") or {}) | {"canaries": [canary]}

    world = World(tmp_path, suite=changed(SUITE_BYTES, change))
    world.gate()
    world.publish(1)
    key = world.due()
    world.finish_jobs(key, {ADDITION: 5, "maximum": 10, "copying": 100})
    assessment.pre_flight(world.desk, key)
    for name in ("maximum", "copying"):
        record_result(world.desk, key, name)
    return world, key


@pytest.mark.parametrize(("canary", "valid"), [(SAID, False), (SILENT, True)])
def test_results_of_a_model_that_says_a_canary_are_quarantined(
    tmp_path: Path, canary: str, valid: bool
) -> None:
    world, key = evaluated(tmp_path, canary)
    record_result(world.desk, key, ADDITION)
    found = validating.validate(world.desk, key)
    assert found.valid[ADDITION] is valid, found.problems
    assert bool(found.problems[ADDITION]) is not valid
    assert valid or any("p0007" in one for one in found.problems[ADDITION])
    assert (ADDITION in found.pages) is not valid


def without_a_log(world: World, run: EvaluationRun) -> EvaluationRun:
    return run.model_copy(update={"log": None})


def with_another_log(world: World, run: EvaluationRun) -> EvaluationRun:
    other = put_blob(world.store, eval_log(make_samples(0, 3), model="m"), name="other.eval")
    return run.model_copy(update={"log": other})


@pytest.mark.parametrize("change", [without_a_log, with_another_log])
def test_where_nobody_can_look_for_canaries_the_results_are_quarantined(
    tmp_path: Path, change: Callable[[World, EvaluationRun], EvaluationRun]
) -> None:
    world, key = evaluated(tmp_path, SILENT)
    request = evaluating.job_request(world.desk, key, ADDITION)
    run = world.desk.jobs.collect(request, world.store, at=world.now)
    evaluating.count(world.desk, key, change(world, run))
    found = validating.validate(world.desk, key)
    assert found.valid[ADDITION] is False
    assert "canaries" in " ".join(found.problems[ADDITION])


def test_case_and_line_breaks_hide_no_canary() -> None:
    log = eval_log(make_samples(5, 20), model="m")
    assert canaries_told(log, [("p0007", 1)], ["THE answer\nto p0007"]) == [
        ["THE answer\nto p0007"]
    ]


def test_a_sample_without_a_transcript_is_not_taken_for_a_clean_one() -> None:
    log = eval_log(make_samples(5, 20), model="m")
    with pytest.raises(InvalidDocument, match="no transcript"):
        canaries_told(log, [("p0007", 2)], [SAID])
