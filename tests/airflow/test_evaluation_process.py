"""Where processes of this machine run evaluations: the interpreter that a connection names."""

from __future__ import annotations

import fcntl
import json
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from include.adapters import process_evaluator
from include.rsp.errors import InvalidDocument
from include.rsp.vocabulary import ResultStatus
from include.wiring import assessment, evaluating
from include.wiring.await_job import run_job
from tests.support.airflow_world import LoopingWorld
from tests.support.factories import ADDITION

pytestmark = pytest.mark.airflow
NAME = "own_python"


def connect(monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any]) -> None:
    fields = {"conn_type": "process", "extra": extra}
    monkeypatch.setenv(f"AIRFLOW_CONN_{NAME.upper()}", json.dumps(fields))
    monkeypatch.setenv("REDLINE_EVALUATIONS", NAME)


def test_the_interpreter_of_the_connection_runs_the_process(
    bag: Any, looping: LoopingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = looping.root / "said"
    script = f'echo "$@" > {written}; touch "$3/outcome.json"'
    connect(monkeypatch, {"redline": {"interpreter": ["/bin/sh", "-c", script, "sh"]}})
    looping.gate()
    looping.publish(1)
    key = looping.due()
    assessment.plan(looping.desk, key)
    request = evaluating.job_request(looping.desk, key, ADDITION)
    with pytest.raises(TaskDeferred):
        run_job(looping.desk, key, request, {}, overdue=False)
    folder = looping.desk.jobs.folder / request.job
    assert written.read_text().split() == ["-m", "include.adapters.inspect_job", str(folder)]


@pytest.mark.parametrize("extra", [{}, {"redline": {}}, {"redline": {"interpreter": "python"}}])
def test_a_connection_without_one_is_refused_before_anything_starts(
    bag: Any, looping: LoopingWorld, monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any]
) -> None:
    connect(monkeypatch, extra)
    looping.gate()
    looping.publish(1)
    key = looping.due()
    assessment.plan(looping.desk, key)
    request = evaluating.job_request(looping.desk, key, ADDITION)
    with pytest.raises(InvalidDocument, match="list of words"):
        run_job(looping.desk, key, request, {}, overdue=False)
    assert not (looping.desk.jobs.folder / request.job).exists()


def test_a_job_that_is_overdue_and_cannot_be_ended_is_a_crash(
    bag: Any, looping: LoopingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a container that outlives its launcher: whoever holds the lock is in no group of ours."""
    monkeypatch.setattr(process_evaluator, "END_SECONDS", 0.05)
    looping.gate()
    looping.publish(1)
    key = looping.due()
    assessment.plan(looping.desk, key)
    request = evaluating.job_request(looping.desk, key, ADDITION)
    folder = looping.desk.jobs.folder / request.job
    folder.mkdir(parents=True)
    (folder / "attempts").write_text(".")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = run_job(looping.desk, key, request, {}, overdue=True)
    assert run.status is ResultStatus.CRASHED
    assert run.samples is None
