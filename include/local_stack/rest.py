"""A small typed client of the local Airflow's REST API; what it repeats, it does not do twice."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from include.local_stack.errors import AirflowRestError
from include.local_stack.rest_session import API, AirflowSession, Call

Json = dict[str, Any]
PAGE = 100
PATIENCE_SECONDS = 20.0
NOT_FOUND = 404
CONFLICT = 409
ANY = "~"
"""Airflow's wildcard for a DAG id or run id in a path."""


class AirflowRest:
    """Requests as one named user; use it as a context manager, or call `close`."""

    def __init__(
        self,
        base_url: str,
        username: str,
        password: str,
        *,
        patience: float = PATIENCE_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._session = AirflowSession(
            base_url, username, password, patience=patience, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def token(self) -> str:
        """A bearer token of this user, fetched once. Raises: AirflowRestError."""
        return self._session.token()

    def get(self, path: str, **params: Any) -> Any:
        """GET below /api/v2/; parameters that are None are left out. Raises: AirflowRestError."""
        return self._send("GET", path, params=params)

    def find(self, path: str, **params: Any) -> Any | None:
        """GET that answers None where there is nothing (404). Raises: AirflowRestError."""
        try:
            return self.get(path, **params)
        except AirflowRestError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def entries(self, path: str, key: str, **params: Any) -> list[Json]:
        """Every entry of a paged collection. Raises: AirflowRestError."""
        found: list[Json] = []
        while True:
            page = _object(self.get(path, **{"limit": PAGE, "offset": len(found), **params}))
            found += page[key]
            if not page[key] or len(found) >= page["total_entries"]:
                return found

    def post(self, path: str, body: Mapping[str, Any], *, repeatable: bool = False) -> Any:
        """POST below /api/v2/; `repeatable` when doing it twice does no harm."""
        return self._send("POST", path, body=body, repeatable=repeatable)

    def patch(self, path: str, body: Mapping[str, Any], **params: Any) -> Any:
        """PATCH below /api/v2/. Raises: AirflowRestError."""
        return self._send("PATCH", path, body=body, params=params)

    def delete(self, path: str) -> None:
        """DELETE below /api/v2/. Raises: AirflowRestError (404 also if a repeat found it gone)."""
        self._send("DELETE", path)

    def trigger(
        self,
        dag_id: str,
        conf: Mapping[str, Any] | None = None,
        *,
        logical_date: datetime | None = None,
        partition_key: str | None = None,
        run_id: str | None = None,
    ) -> Json:
        """Start a run and answer it; its id is chosen here, so that a repeat finds the first.

        Raises: AirflowRestError (404 while the DAG is not parsed yet, 409 when `run_id` is taken).
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        chosen = run_id or f"manual__{now}_{uuid.uuid4().hex[:8]}"
        body = {
            "dag_run_id": chosen,
            "conf": dict(conf or {}),
            "logical_date": logical_date.isoformat() if logical_date else None,
            "partition_key": partition_key,
        }
        try:
            return _object(self.post(f"dags/{_part(dag_id)}/dagRuns", body, repeatable=True))
        except AirflowRestError as error:
            if error.status == CONFLICT and error.repeated:
                return self.dag_run(dag_id, chosen)
            raise

    def dag_run(self, dag_id: str, run_id: str) -> Json:
        """One run. Raises: AirflowRestError."""
        return _object(self.get(_run(dag_id, run_id)))

    def dag_runs(self, dag_id: str, **params: Any) -> list[Json]:
        """Every run of a DAG, newest first. Raises: AirflowRestError."""
        given = {"order_by": "-run_after"} | params
        return self.entries(f"dags/{_part(dag_id)}/dagRuns", "dag_runs", **given)

    def task_instances(self, dag_id: str, run_id: str) -> list[Json]:
        """Every task instance of a run. Raises: AirflowRestError."""
        return self.entries(f"{_run(dag_id, run_id)}/taskInstances", "task_instances")

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """The log of one try, one event a line. Raises: AirflowRestError."""
        path = f"{_task(dag_id, run_id, task_id)}/logs/{try_number}"
        content = _object(self.get(path, full_content=True))["content"]
        return "\n".join(
            str(line["event"]) if isinstance(line, dict) else str(line) for line in content
        )

    def pending_human_tasks(self, dag_id: str = ANY, run_id: str = ANY) -> list[Json]:
        """Human tasks that wait for an answer, anywhere by default. Raises: AirflowRestError."""
        path = f"{_run(dag_id, run_id)}/hitlDetails"
        return self.entries(path, "hitl_details", response_received=False)

    def answer_human_task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        *,
        chosen_options: Sequence[str],
        params_input: Mapping[str, Any] | None = None,
        map_index: int = -1,
    ) -> Json:
        """Answer as this user. Raises: AirflowRestError (403 wrong person, 409 answered before)."""
        path = f"{_task(dag_id, run_id, task_id)}/{map_index}/hitlDetails"
        body = {"chosen_options": list(chosen_options), "params_input": dict(params_input or {})}
        try:
            return _object(self.patch(path, body))
        except AirflowRestError as error:
            if error.status != CONFLICT or not error.repeated:
                raise
            recorded = _object(self.get(path))
            if not _is_answer_of(self._session.username, recorded, body):
                raise
            return recorded

    def xcom(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        key: str = "return_value",
        *,
        map_index: int = -1,
    ) -> Any:
        """The value that a task pushed. Raises: AirflowRestError (404 when it pushed none)."""
        path = f"{_task(dag_id, run_id, task_id)}/xcomEntries/{_part(key)}"
        return _object(self.get(path, map_index=map_index))["value"]

    def ensure_pool(self, name: str, slots: int) -> None:
        """Make a pool, or give it this many slots. Raises: AirflowRestError."""
        path = f"pools/{_part(name)}"
        known = self.find(path)
        if known is not None:
            if known["slots"] != slots:
                fields = ("name", "description", "include_deferred")
                self.patch(path, {**{each: known[each] for each in fields}, "slots": slots})
            return
        body = {"name": name, "slots": slots, "include_deferred": False}
        try:
            self.post("pools", body, repeatable=True)
        except AirflowRestError as error:
            if error.status != CONFLICT:
                raise

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        repeatable: bool = True,
    ) -> Any:
        given = {name: value for name, value in (params or {}).items() if value is not None}
        url = API + path.lstrip("/")
        return self._session.send(
            Call(method=method, url=url, params=given, body=body, repeatable=repeatable)
        )


def _part(value: str) -> str:
    return quote(value, safe=ANY)


def _run(dag_id: str, run_id: str) -> str:
    return f"dags/{_part(dag_id)}/dagRuns/{_part(run_id)}"


def _task(dag_id: str, run_id: str, task_id: str) -> str:
    return f"{_run(dag_id, run_id)}/taskInstances/{_part(task_id)}"


def _is_answer_of(username: str, recorded: Json, body: Json) -> bool:
    person = (recorded.get("responded_by_user") or {}).get("id")
    same = all(recorded.get(name) == value for name, value in body.items())
    return bool(person == username and same)


def _object(value: Any) -> Json:
    if not isinstance(value, dict):
        raise AirflowRestError(
            0,
            f"Airflow answered {type(value).__name__} (expected: a JSON object). Something else "
            "than Airflow 3.3.2 may listen on the port; look at `make status`.",
        )
    return value
