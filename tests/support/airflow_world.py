"""A World whose stages are run by real DAGs (`dag.test()`), with a notary that really loops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from include.adapters.ledger import LedgerReader
from include.notary.notary import Notary
from include.rsp import records as r
from tests.support.world import World


class OneAtATime(Notary):
    """A notary that the loop and the test itself may step, one after the other."""

    lock = threading.Lock()

    def step(self) -> None:
        """One pass."""
        with self.lock:
            Notary.step(self)


class LoopingWorld(World):
    """The notary takes its passes in a thread, as its process would; the clock is the real one."""

    notary_type = OneAtATime

    def __post_init__(self) -> None:
        self.now = datetime.now(UTC)
        World.__post_init__(self)
        self.notary.clock = lambda: datetime.now(UTC)
        self.desk.clock = lambda: datetime.now(UTC)
        self.desk.reader = LedgerReader(self.store)

    @contextmanager
    def notary_running(self) -> Iterator[None]:
        """Passes every few milliseconds until the block ends."""
        stop = threading.Event()

        def loop() -> None:
            while not stop.wait(0.01):
                self.notary.step()

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def wait(self, condition: Callable[[], Any], seconds: float = 20.0) -> Any:
        """What the condition returns, once it is true."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError("the condition never came true")

    def kinds(self) -> list[str]:
        """The kinds of all records, in the order of the ledger."""
        return [one.kind for one in self.state.records.values()]

    def of_kind(self, kind: type[r.Record]) -> list[Any]:
        """All records of a kind."""
        return [one for one in self.state.records.values() if isinstance(one, kind)]


class Person:
    """Answers human tasks over the REST API of an Airflow in this process."""

    def __init__(self, name: str) -> None:
        from airflow.api_fastapi.app import cached_app
        from fastapi.testclient import TestClient

        self.name = name
        self.client = TestClient(cached_app(), base_url="http://testserver")
        answer = self.client.post(
            "/auth/token", json={"username": name, "password": f"{name}-password"}
        )
        self.headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def get(self, path: str) -> Any:
        """GET as this person."""
        return self.client.get(path, headers=self.headers)

    def pending(self, task_id: str) -> list[dict[str, Any]]:
        """The unanswered human tasks of that id."""
        found = self.get("/api/v2/dags/~/dagRuns/~/hitlDetails?response_received=false").json()
        return [
            one["task_instance"]
            for one in found["hitl_details"]
            if one["task_instance"]["task_id"] == task_id
        ]

    def answer(self, task: dict[str, Any], option: str, signature: str | None) -> int:
        """Answer one; the status code."""
        path = (
            f"/api/v2/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/"
            f"{task['task_id']}/-1/hitlDetails"
        )
        body = {"chosen_options": [option], "params_input": {"signature": signature}}
        return int(self.client.patch(path, json=body, headers=self.headers).status_code)


def states(run: Any) -> dict[str, str]:
    """The state of every task of a DAG run; of mapped ones, of all together."""
    found: dict[str, str] = {}
    for one in run.get_task_instances():
        state = str(one.state)
        found[one.task_id] = state if found.get(one.task_id, state) == state else "mixed"
    return found
