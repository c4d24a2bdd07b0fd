from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.local_stack.health import NO_ANSWER, PROGRAM_OF, judge_health, read_health
from include.local_stack.ports import free_port

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
LATER = (START + timedelta(seconds=5)).isoformat()
BEFORE = (START - timedelta(seconds=5)).isoformat()


def answer(**changes: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadatabase": {"status": "healthy"},
        "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": LATER},
        "triggerer": {"status": "healthy", "latest_triggerer_heartbeat": LATER},
        "dag_processor": {"status": "healthy", "latest_dag_processor_heartbeat": LATER},
    } | changes


def test_all_parts_with_a_heartbeat_of_this_start_are_healthy() -> None:
    health = judge_health(answer(), since=START)
    assert health.complete
    assert set(health.healthy) == set(PROGRAM_OF)


@pytest.mark.parametrize(
    ("changes", "late"),
    [
        pytest.param({"metadatabase": {"status": "unhealthy"}}, "metadatabase", id="database"),
        pytest.param(
            {"scheduler": {"status": "unhealthy", "latest_scheduler_heartbeat": LATER}},
            "scheduler",
            id="unhealthy",
        ),
        pytest.param(
            {"scheduler": {"status": "healthy", "latest_scheduler_heartbeat": BEFORE}},
            "scheduler",
            id="heartbeat of a process that was killed",
        ),
        pytest.param(
            {"triggerer": {"status": None, "latest_triggerer_heartbeat": None}},
            "triggerer",
            id="never started",
        ),
        pytest.param(
            {"dag_processor": {"status": "healthy", "latest_dag_processor_heartbeat": "soon"}},
            "dag_processor",
            id="no time",
        ),
        pytest.param(
            {
                "dag_processor": {
                    "status": "healthy",
                    "latest_dag_processor_heartbeat": "2026-01-01T12:00:05",
                }
            },
            "dag_processor",
            id="time without a zone",
        ),
        pytest.param({"triggerer": {}}, "triggerer", id="empty part"),
    ],
)
def test_one_late_part_is_named(changes: dict[str, Any], late: str) -> None:
    health = judge_health(answer(**changes), since=START)
    assert health.late == (late,)
    assert not health.complete


def test_an_empty_answer_is_not_healthy() -> None:
    assert judge_health({}, since=START).late == tuple(PROGRAM_OF)
    assert not NO_ANSWER.complete


def test_silence_is_not_healthy() -> None:
    assert read_health(f"http://127.0.0.1:{free_port()}", since=START) == NO_ANSWER
