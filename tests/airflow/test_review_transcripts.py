"""`assess_checkpoint` with a suite that has transcripts read: one question for each run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.rsp import records as r
from tests.airflow.conftest import pointed_to
from tests.airflow.test_assess_checkpoint import AGREED, CALM, assess
from tests.support.airflow_world import LoopingWorld, People, Says, states
from tests.support.factories import ADDITION
from tests.support.reviewing import reviewed_suite
from tests.support.world import RUN

pytestmark = pytest.mark.airflow
READ = Says("nothing_suspicious", more={"invalid": ["1: the sandbox was down"]})


@pytest.fixture
def looping_reviewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopingWorld]:
    """Two of three evaluations have transcripts read, by the board."""
    world = LoopingWorld(tmp_path, suite=reviewed_suite(0, 1))
    yield from pointed_to(world, tmp_path, monkeypatch)


def test_the_reviewer_has_no_default_and_is_one_mapped_question(bag: Any) -> None:
    task = bag.dags["assess_checkpoint"].get_task("review_transcripts")
    assert task.is_mapped
    assert not task.partial_kwargs.get("defaults")
    assert {"reason", "signature", "invalid"} <= set(task.params)
    assert all(task.params[one] is None for one in ("reason", "signature", "invalid"))


def test_each_run_is_read_and_then_it_continues(bag: Any, looping_reviewed: LoopingWorld) -> None:
    world = looping_reviewed
    with People(world, review_transcripts=READ).answering():
        run = assess(bag, world, CALM, pauses=False)
    assert run.state == "success", states(run)
    assert states(run)["continue"] == "success"
    asked = [one for one in run.get_task_instances() if one.task_id == "review_transcripts"]
    assert {one.rendered_map_index for one in asked} == {ADDITION, "maximum"}
    said = world.of_kind(r.TranscriptReviewed)
    assert [one.identification for one in said] == ["SIGNED", "SIGNED"]
    (verdict,) = world.of_kind(r.Verdict)
    assert [len(one.invalidated) for one in verdict.decision.findings] == [1, 1, 0]


def test_what_nobody_reads_in_time_pauses(bag: Any, looping_reviewed: LoopingWorld) -> None:
    """Airflow's own sweep ends the questions; the run goes on to say what is not ruled out."""
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    world, over = looping_reviewed, threading.Event()

    def sweep() -> None:
        runner = SchedulerJobRunner.__new__(SchedulerJobRunner)
        while not over.wait(0.3):
            if world.of_kind(r.ReviewRequest):
                _let_time_pass()
                SchedulerJobRunner.check_awaiting_input_timeouts(runner)

    sweeping = threading.Thread(target=sweep, daemon=True)
    sweeping.start()
    try:
        with People(world, **AGREED).answering():
            run = assess(bag, world, CALM)
    finally:
        over.set()
        sweeping.join(5)
    found = states(run)
    assert found["review_transcripts"] == "failed"
    assert (found["count_reviews"], found["pause"], found["continue"]) == (
        "success", "success", "skipped",
    )  # fmt: skip
    assert world.of_kind(r.TranscriptReviewed) == []
    (verdict,) = world.of_kind(r.Verdict)
    assert verdict.decision.red_lines[0].status == "not_ruled_out"
    assert world.state.runs[RUN].holds_in_force


def _let_time_pass() -> None:
    """The reviewers' time is over: what waits for them is as late as it would be then."""
    from datetime import timedelta

    from airflow.models import TaskInstance
    from airflow.sdk.timezone import utcnow
    from airflow.utils.session import create_session

    with create_session() as session:
        waiting = session.query(TaskInstance).filter(
            TaskInstance.task_id == "review_transcripts", TaskInstance.state == "awaiting_input"
        )
        for one in waiting:
            one.trigger_timeout = utcnow() - timedelta(seconds=1)
