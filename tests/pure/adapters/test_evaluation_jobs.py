"""Jobs under deterministic names: found again by lock and outcome, crashed in the end."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from include.adapters.evaluation import JobRequest, JobState, Progress
from include.adapters.process_evaluator import ProcessEvaluator
from include.adapters.store import DirectoryStore, get_blob
from include.rsp.errors import Refused
from include.rsp.vocabulary import Outcome, ResultStatus
from include.wiring import assessment, evaluating, registration
from tests.support.eval_logs import eval_log
from tests.support.evaluated import record_result
from tests.support.factories import ADDITION, START, SUITE_BYTES, changed, make_samples
from tests.support.world import World


def request_for(world: World) -> tuple[str, JobRequest]:
    world.gate()
    world.publish(1)
    key = world.due()
    assessment.plan(world.desk, key)
    assessment.pre_flight(world.desk, key)
    return key, evaluating.job_request(world.desk, key, ADDITION)


def folder_of(jobs: ProcessEvaluator, request: JobRequest) -> Path:
    folder = jobs.folder / request.job
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_a_job_is_absent_running_dead_or_finished(world: World) -> None:
    _, request = request_for(world)
    jobs = world.desk.jobs
    assert jobs.poll(request.job).state is JobState.ABSENT
    folder = folder_of(jobs, request)
    (folder / "attempts").write_text(".")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert jobs.poll(request.job).state is JobState.RUNNING
        assert list(jobs.running()) == [request.job]
    assert jobs.poll(request.job).state is JobState.DEAD
    (folder / "outcome.json").write_text("{}")
    assert jobs.poll(request.job).state is JobState.FINISHED


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
    assert world.desk.jobs.poll(request.job).attempts == 1


@pytest.mark.parametrize(
    ("program", "state"),
    [
        ("import fcntl, sys, time; time.sleep(0.3); lock = open(sys.argv[3] + '/lock', 'w'); "
         "fcntl.flock(lock, fcntl.LOCK_EX); time.sleep(60)", JobState.RUNNING),
        ("raise SystemExit(1)", JobState.DEAD),
    ],
    ids=["starts slowly", "ends at once"],
)  # fmt: skip
def test_a_submitted_job_runs_or_has_ended(world: World, program: str, state: JobState) -> None:
    """Never in between: what has not begun yet would be taken for dead and started again."""
    _, request = request_for(world)
    jobs = ProcessEvaluator(world.desk.jobs.folder, interpreter=[sys.executable, "-c", program])
    jobs.submit(request)
    folder = folder_of(jobs, request)
    try:
        assert jobs.poll(request.job).state is state
        assert jobs.submit(request) == request.job
        assert jobs.poll(request.job).attempts == (1 if state is JobState.RUNNING else 2)
    finally:
        end_group_that_holds(folder / "lock")


def end_group_that_holds(lock: Path) -> None:
    """End the test's own job, which writes no pid file."""
    for one in psutil.Process().children():
        if str(lock.parent) in one.cmdline():
            one.kill()
            one.wait()


def test_a_pid_that_was_given_away_is_not_killed(world: World) -> None:
    _, request = request_for(world)
    folder = folder_of(world.desk.jobs, request)
    (folder / "attempts").write_text(".")
    (folder / "group").write_text(str(os.getpgid(0)))
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
    record = record_result(world.desk, key, ADDITION)
    assert record.run.status is ResultStatus.CRASHED


def test_results_are_counted_once_whatever_is_collected_later(world: World) -> None:
    key, _ = request_for(world)
    world.finish_jobs(key, {ADDITION: 5})
    first = record_result(world.desk, key, ADDITION)
    world.finish_jobs(key, {ADDITION: 190})
    world.now += timedelta(minutes=1)
    assert record_result(world.desk, key, ADDITION) == first


def test_a_job_of_that_name_with_another_request_is_not_taken_for_this_one(world: World) -> None:
    _, request = request_for(world)
    folder = folder_of(world.desk.jobs, request)
    (folder / "request.json").write_bytes(b"{}")
    with pytest.raises(Refused, match="submitted with another request"):
        world.desk.jobs.submit(request)
    assert world.desk.jobs.poll(request.job).attempts == 0


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda log: log[: len(log) // 2], "log.eval"),
        (lambda log: b"", "log.eval"),
        (lambda _: eval_log(make_samples(5), model="toylab/other"), "toylab/checkpoint"),
        (
            lambda _: eval_log(make_samples(5), model="toylab/checkpoint", status="error"),
            "ended as 'error'",
        ),
    ],
    ids=["cut off", "empty", "another model", "not finished"],
)
def test_a_log_that_does_not_read_is_kept_and_rules_nothing_out(
    world: World, damage: Callable[[bytes], bytes], says: str
) -> None:
    key, request = request_for(world)
    world.finish_jobs(key, {ADDITION: 5})
    log = folder_of(world.desk.jobs, request) / "log.eval"
    log.write_bytes(damaged := damage(log.read_bytes()))
    run = record_result(world.desk, key, ADDITION).run
    assert run.status is ResultStatus.UNREADABLE
    assert says in (run.problem or "")
    assert run.samples is None
    assert run.log is not None
    assert get_blob(world.store, run.log.blob) == damaged


@pytest.mark.parametrize(
    "named", ["../secret", "/etc/hostname", "link.eval", "nowhere.eval", "logs"]
)
def test_an_outcome_that_names_another_file_has_nothing_of_it_stored(
    world: World, named: str
) -> None:
    key, request = request_for(world)
    world.finish_jobs(key, {ADDITION: 5}, log=named)
    folder = folder_of(world.desk.jobs, request)
    (folder.parent / "secret").write_text("-----BEGIN PRIVATE KEY-----")
    (folder / "logs").mkdir()
    (folder / "link.eval").symlink_to(folder.parent / "secret")
    before = set((world.root / "store/blobs").iterdir())
    run = record_result(world.desk, key, ADDITION).run
    assert (run.status, run.log, run.samples) == (ResultStatus.UNREADABLE, None, None)
    assert named in (run.problem or "")
    stored = set((world.root / "store/blobs").iterdir()) - before
    assert not [one for one in stored if b"PRIVATE" in one.read_bytes()]


def test_an_overdue_process_is_ended_with_its_launcher(world: World, tmp_path: Path) -> None:
    _, request = request_for(world)
    script = 'flock -x "$3/lock" sleep 60 & wait'
    jobs = replace(world.desk.jobs, interpreter=["/bin/sh", "-c", script, "sh"])
    jobs.submit(request)
    assert jobs.poll(request.job).state is JobState.RUNNING
    jobs.cancel(request.job)
    assert jobs.poll(request.job).state is JobState.DEAD


def test_an_outcome_that_does_not_read_is_a_crash(world: World) -> None:
    key, request = request_for(world)
    folder = folder_of(world.desk.jobs, request)
    (folder / "outcome.json").write_text('{"status": "complete"}')
    run = record_result(world.desk, key, ADDITION).run
    assert run.status is ResultStatus.CRASHED
    assert "outcome.json is no outcome" in (run.problem or "")


def test_an_unfit_instrument_opens_one_incident_that_raises_no_assessment(world: World) -> None:
    key, _ = request_for(world)
    world.finish_jobs(key, {ADDITION: 5}, status="unfit", problem="the null control scored 1")
    record_result(world.desk, key, ADDITION)
    record_result(world.desk, key, ADDITION)
    (incident,) = world.state.incidents.values()
    assert (incident.category, incident.assessment_id) == ("instrument", key)
    assert "the null control scored 1" in incident.what
    world.evaluate(key)
    assert assessment.reach_verdict(world.desk, key)[1].decision.recommendation is Outcome.PAUSE
    assert registration.raise_due_occasions(world.desk) == []


def test_a_variant_that_the_checkpoint_lacks_is_not_evaluated(tmp_path: Path) -> None:
    def helpful_only(plain: dict[str, Any]) -> None:
        plain["evaluations"][0]["variants"] = ["helpful-only"]

    world = World(tmp_path, suite=changed(SUITE_BYTES, helpful_only))
    world.gate()
    world.publish(1)
    key = world.due()
    plan = assessment.plan(world.desk, key)
    assert plan.evaluations[0] == f"{ADDITION}.helpful-only"
    with pytest.raises(Refused, match="has no variant 'helpful-only'"):
        evaluating.job_request(world.desk, key, f"{ADDITION}.helpful-only")
    with pytest.raises(Refused, match="has no run 'nothing'"):
        evaluating.job_request(world.desk, key, "nothing")


@pytest.mark.parametrize(
    ("progress", "says"),
    [
        ({}, "40 of 100 samples (2 with errors), 2.00/s, 900 tokens, about 30 s to go"),
        ({"cost": 1.234}, "900 tokens, cost 1.23, about"),
        ({"before": 40}, "end unknown"),
        ({"phase": "pre-flight"}, "pre-flight: 40 of 100 samples"),
        ({"total": 100_000}, "about 13.9 h to go"),
    ],
)
def test_progress_says_how_far_how_fast_and_how_long(progress: dict[str, Any], says: str) -> None:
    plain = {
        "done": 40, "total": 100, "errors": 2, "tokens": 900, "cost": None, "phase": "evaluation",
        "since": START, "at": START + timedelta(seconds=20),
    }  # fmt: skip
    assert says in Progress.model_validate(plain | progress).in_words()


def test_the_newest_jobs_are_told_with_their_progress(world: World) -> None:
    key, request = request_for(world)
    assert world.desk.jobs.every(at_most=5) == []
    for name in (ADDITION, "maximum"):
        folder = folder_of(world.desk.jobs, evaluating.job_request(world.desk, key, name))
        (folder / "attempts").write_text(".")
    os.utime(world.desk.jobs.folder / request.job / "attempts", (1, 1))
    told = world.desk.jobs.every(at_most=5)
    assert [job.rsplit("-", 1)[0] for job, _ in told] == ["maximum", ADDITION]
    assert [status.state for _, status in told] == [JobState.DEAD] * 2
    assert len(world.desk.jobs.every(at_most=1)) == 1
