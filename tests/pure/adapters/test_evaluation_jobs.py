"""Jobs under deterministic names: found again by lock and outcome, crashed in the end."""

from __future__ import annotations

import fcntl
import os
from datetime import timedelta
from pathlib import Path

import pytest

from include.adapters.evaluation import JobRequest, Jobs, JobState
from include.adapters.inspect_job import _number
from include.adapters.store import DirectoryStore
from include.rsp.vocabulary import ResultStatus
from include.wiring import assessment
from tests.support.factories import ADDITION, START
from tests.support.world import World


def request_for(world: World) -> tuple[str, JobRequest]:
    world.gate()
    world.publish(1)
    key = world.due()
    assessment.plan(world.desk, key)
    assessment.pre_flight(world.desk, key)
    return key, evaluating.job_request(world.desk, key, ADDITION)


def folder_of(jobs: Jobs, request: JobRequest) -> Path:
    folder = jobs.folder / request.job
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_a_job_is_absent_running_dead_or_finished(world: World) -> None:
    _, request = request_for(world)
    jobs = world.desk.jobs
    assert jobs.state(request.job) is JobState.ABSENT
    folder = folder_of(jobs, request)
    (folder / "attempts").write_text(".")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert jobs.state(request.job) is JobState.RUNNING
        assert list(jobs.running()) == [request.job]
    assert jobs.state(request.job) is JobState.DEAD
    (folder / "outcome.json").write_text("{}")
    assert jobs.state(request.job) is JobState.FINISHED


def test_a_retry_finds_the_job_by_its_name(world: World) -> None:
    key, request = request_for(world)
    again = evaluating.job_request(world.desk, key, ADDITION)
    assert again == request
    assert request.job.startswith(f"{ADDITION}-")


def test_submitting_a_running_or_finished_job_starts_nothing(world: World) -> None:
    _, request = request_for(world)
    folder = folder_of(world.desk.jobs, request)
    (folder / "attempts").write_text(".")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        world.desk.jobs.submit(request)
    (folder / "outcome.json").write_text("{}")
    world.desk.jobs.submit(request)
    assert world.desk.jobs.attempts(request.job) == 1


def test_a_pid_that_was_given_away_is_not_killed(world: World) -> None:
    _, request = request_for(world)
    folder = folder_of(world.desk.jobs, request)
    (folder / "attempts").write_text(".")
    (folder / "pid").write_text(str(os.getpid()))
    world.desk.jobs.cancel(request.job)


def test_a_job_without_outcome_is_recorded_as_crashed_with_its_last_words(
    world: World, tmp_path: Path
) -> None:
    key, request = request_for(world)
    folder = folder_of(world.desk.jobs, request)
    (folder / "attempts").write_text("...")
    (folder / "output.log").write_text("starting\nMemoryError: no room\n\n")
    run = world.desk.jobs.collect(request, DirectoryStore(tmp_path / "s"), at=START)
    assert run.status is ResultStatus.CRASHED
    assert run.problem is not None
    assert "MemoryError: no room" in run.problem
    assert run.attempts == 3
    record = evaluating.record_result(world.desk, key, ADDITION)
    assert record.run.status is ResultStatus.CRASHED


def test_results_are_counted_once_whatever_is_collected_later(world: World) -> None:
    key, _ = request_for(world)
    world.finish_jobs(key, {ADDITION: 5})
    first = evaluating.record_result(world.desk, key, ADDITION)
    world.finish_jobs(key, {ADDITION: 190})
    world.now += timedelta(minutes=1)
    assert evaluating.record_result(world.desk, key, ADDITION) == first


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (True, 1.0),
        (0.25, 0.25),
        ("C", 1.0),
        ("I", 0.0),
        (float("nan"), None),
        (float("inf"), None),
        ("maybe", None),
        (None, None),
        ([1], None),
        ("1.0", None),
    ],
)
def test_only_a_finite_number_or_a_grade_is_a_score(value: object, number: float | None) -> None:
    from inspect_ai.scorer import value_to_float

    assert _number(value, value_to_float()) == number
