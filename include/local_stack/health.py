"""Reads Airflow's health endpoint, and does not take yesterday's heartbeat for today's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

HEALTH_PATH = "/api/v2/monitor/health"
HEALTH_SECONDS = 5.0
DATABASE = "metadatabase"
HEARTBEATS: Mapping[str, str] = {
    "scheduler": "latest_scheduler_heartbeat",
    "dag_processor": "latest_dag_processor_heartbeat",
    "triggerer": "latest_triggerer_heartbeat",
}
PROGRAM_OF: Mapping[str, str] = {
    DATABASE: "api-server",
    "scheduler": "scheduler",
    "dag_processor": "dag-processor",
    "triggerer": "triggerer",
}
"""Which supervised program's log explains why a part is not healthy."""


@dataclass(frozen=True, slots=True)
class Health:
    """The parts of Airflow that are healthy and those that are not; nothing answered: all late."""

    healthy: tuple[str, ...]
    late: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every part is healthy; an empty answer never is."""
        return bool(self.healthy) and not self.late


NO_ANSWER = Health(healthy=(), late=tuple(PROGRAM_OF))


def read_health(base_url: str, *, since: datetime) -> Health:
    """Ask the API server; heartbeats older than `since` do not count.

    After a kill Airflow calls a dead process healthy for up to 30 s, because its row still says
    `running`: only a heartbeat of this start shows that this start's process lives.
    """
    try:
        with httpx.Client(trust_env=False, timeout=HEALTH_SECONDS) as client:
            answer = client.get(base_url + HEALTH_PATH)
        body = answer.json() if answer.is_success else None
    except (httpx.HTTPError, ValueError):
        return NO_ANSWER
    return judge_health(body, since=since) if isinstance(body, dict) else NO_ANSWER


def judge_health(body: Mapping[str, Any], *, since: datetime) -> Health:
    """A part is healthy when Airflow says so and, for a process, its heartbeat is of this start."""
    verdicts = {part: _is_healthy(part, body.get(part), since) for part in PROGRAM_OF}
    return Health(
        healthy=tuple(part for part, well in verdicts.items() if well),
        late=tuple(part for part, well in verdicts.items() if not well),
    )


def _is_healthy(part: str, state: object, since: datetime) -> bool:
    if not isinstance(state, dict) or state.get("status") != "healthy":
        return False
    if part == DATABASE:
        return True
    heartbeat = state.get(HEARTBEATS[part])
    if not isinstance(heartbeat, str):
        return False
    try:
        return datetime.fromisoformat(heartbeat) >= since
    except (TypeError, ValueError):
        return False
