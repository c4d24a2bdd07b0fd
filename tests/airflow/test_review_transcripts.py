"""`assess_checkpoint` with a suite that has transcripts read: one question for each run."""

from __future__ import annotations

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
READ = Says("nothing_suspicious", signed=False, more={"invalid": ["1: the sandbox was down"]})


@pytest.fixture
def looping_reviewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopingWorld]:
    """Two of three evaluations have transcripts read, by the board."""
    world = LoopingWorld(tmp_path, suite=reviewed_suite(0, 1))
    yield from pointed_to(world, tmp_path, monkeypatch)


@pytest.fixture
def looping_hasty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopingWorld]:
    """The reviewer's time is over before anybody could look."""
    world = LoopingWorld(tmp_path, suite=reviewed_suite(within_hours=1e-6))
    yield from pointed_to(world, tmp_path, monkeypatch)


def test_the_reviewer_has_no_default_and_is_one_mapped_question(bag: Any) -> None:
    task = bag.dags["assess_checkpoint"].get_task("review_transcripts")
    assert task.is_mapped
    assert not task.partial_kwargs.get("defaults")
    assert {"reason", "signature", "invalid"} <= set(task.params)
    assert all(task.params[one] is None for one in ("reason", "signature", "invalid"))


def test_each_run_is_read_and_then_it_continues(bag: Any, looping_reviewed: LoopingWorld) -> None:
    """Answered without a signature: the notary asks Airflow for each of the mapped questions."""
    world = looping_reviewed
    world.attested()
    with People(world, review_transcripts=READ).answering():
        run = assess(bag, world, CALM, pauses=False)
    assert run.state == "success", states(run)
    assert states(run)["continue"] == "success"
    asked = [one for one in run.get_task_instances() if one.task_id == "review_transcripts"]
    assert {one.rendered_map_index for one in asked} == {ADDITION, "maximum"}
    said = world.of_kind(r.TranscriptReviewed)
    assert [one.identification for one in said] == ["ATTESTED_BY_AIRFLOW"] * 2
    assert {one.attested.map_index for one in said} == {0, 1}
    (verdict,) = world.of_kind(r.Verdict)
    assert [len(one.invalidated) for one in verdict.decision.findings] == [1, 1, 0]


def test_what_nobody_reads_in_time_pauses(bag: Any, looping_hasty: LoopingWorld) -> None:
    world = looping_hasty
    with People(world, **AGREED).answering():
        run = assess(bag, world, CALM)
    found = states(run)
    assert found["review_transcripts"] == "failed"
    assert (found["count_reviews"], found["pause"], found["continue"]) == (
        "success", "success", "skipped",
    )  # fmt: skip
    assert world.of_kind(r.ReviewRequest)
    assert world.of_kind(r.TranscriptReviewed) == []
    (verdict,) = world.of_kind(r.Verdict)
    assert verdict.decision.red_lines[0].status == "not_ruled_out"
    assert world.state.runs[RUN].holds_in_force


def test_airflows_own_end_of_a_question_fails_it_and_answers_nothing() -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from include.wiring.reviewers import AskReviewer

    asked = AskReviewer(task_id="one", about="sha256:" + "1" * 64, evaluation="a-run")
    over = {"error": "the response timeout has passed", "error_type": "timeout"}
    with pytest.raises(AirflowFailException, match=r"a-run in time\. It rules nothing out"):
        asked.execute_complete({}, over)
