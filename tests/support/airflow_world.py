"""A World whose stages are run by real DAGs (`dag.test()`), with a notary that really loops."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx

from include.adapters.ledger import LedgerReader
from include.adapters.witness import AirflowWitness
from include.notary.notary import Notary
from include.rsp import records as r
from include.rsp.human_tasks import option_for
from tests.support.people import signed
from tests.support.world import World

PATIENCE_SECONDS = 120
MOMENTS = 0.4


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
            while not stop.wait(0.03):
                self.notary.step()

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def attested(self) -> None:
        """Let the notary ask the Airflow of this process who answered."""
        from airflow.api_fastapi.app import cached_app

        witness = AirflowWitness(
            "http://testserver", "viewer", "viewer-password",
            transport=InProcess(cached_app()),
        )  # fmt: skip
        self.notary.gatekeeper.people.witness = self.notary.witness = witness

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


class InProcess(httpx.BaseTransport):
    """Requests to an application of this process."""

    def __init__(self, app: Any) -> None:
        from fastapi.testclient import TestClient

        self.client = TestClient(app, base_url="http://testserver")

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass one on."""
        found = self.client.request(
            request.method, str(request.url), headers=dict(request.headers), content=request.read()
        )
        return httpx.Response(found.status_code, content=found.content)


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

    def answer(self, task: dict[str, Any], option: str, **params: Any) -> int:
        """Answer one; the status code. Fields that are not given stay empty."""
        path = (
            f"/api/v2/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/"
            f"{task['task_id']}/{task['map_index']}/hitlDetails"
        )
        form = self.get(path).json()["params"]
        body = {"chosen_options": [option], "params_input": dict.fromkeys(form) | params}
        return int(self.client.patch(path, json=body, headers=self.headers).status_code)

    def options(self, task: dict[str, Any]) -> list[str]:
        """What may be chosen."""
        path = (
            f"/api/v2/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/"
            f"{task['task_id']}/{task['map_index']}/hitlDetails"
        )
        return list(self.get(path).json()["options"])


@dataclass(slots=True)
class Says:
    """What one office answers; `signed`: with its own key, else Airflow attests."""

    choice: str
    signed: bool = True
    more: dict[str, Any] = field(default_factory=dict)


class People(threading.Thread):
    """Everybody who answers in a test, each their own task as soon as it waits."""

    KINDS: ClassVar[dict[str, str]] = {
        "give_opinion_as_second_line": "opinion",
        "sign_off_as": "determination",
        "confirm_receipt_as": "receipt",
        "answer_on_deletion_as": "deletion_answer",
        "review_transcripts": "transcript_review",
        "approve_safeguards_as": "safeguards_approval",
    }
    USERS: ClassVar[dict[str, str]] = {"second-line": "secondline"}

    def __init__(self, world: LoopingWorld, **said: Says) -> None:
        """`said` by task id."""
        super().__init__(daemon=True)
        self.world, self.said = world, dict(said)
        self.problems: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        """Answer, some moments after the question, until the test is over.

        (Airflow 3.3.2 can lose an answer that comes too soon; then it asks again.)
        """
        try:
            people = {name: Person(self.user(name)) for name in self.said}
            seen: dict[str, float] = {}
            while not self.over.wait(0.05):
                for name, says in self.said.items():
                    for task in people[name].pending(name)[-1:]:
                        asked = f"{task['id']} {task['try_number']}"
                        if task["state"] != "awaiting_input":
                            continue
                        if time.monotonic() - seen.setdefault(asked, time.monotonic()) > MOMENTS:
                            self.answer(people[name], task, says)
        except Exception as error:  # noqa: BLE001 - the test shows whatever it was
            self.problems.append(repr(error))

    def office(self, task_id: str) -> str:
        """The office that a task asks."""
        if "_as_" not in task_id:
            return "board"  # the only reviewer of the tests
        return task_id.rsplit("_as_", 1)[1].replace("_", "-")

    def user(self, task_id: str) -> str:
        """Its user name."""
        return self.USERS.get(self.office(task_id), self.office(task_id))

    def answer(self, person: Person, task: dict[str, Any], says: Says) -> None:
        """Give one answer."""
        kind = next(one for start, one in self.KINDS.items() if task["task_id"].startswith(start))
        (digits,) = {one.rsplit("(", 1)[1].rstrip(")") for one in person.options(task)}
        (about,) = [one for one in self.world.state.records if one[7:].startswith(digits)]
        params: dict[str, Any] = {"reason": "in a test", **says.more}
        params.pop("notice", None)
        if says.signed:
            self.world.now = self.world.desk.now()
            envelope = signed(
                self.world, kind, about, self.office(task["task_id"]), says.choice, **says.more
            )
            params = {"signature": envelope.model_dump_json()}
        code = person.answer(task, option_for(kind, says.choice, about), **params)
        if code != 200:
            self.problems.append(f"{task['task_id']}: {code}")

    @contextmanager
    def answering(self) -> Iterator[People]:
        """While the block runs; everything has to have been taken.

        `dag.test()` would wait for ever for somebody who does not answer: the block is broken off.
        """

        def give_up(*_: object) -> None:
            raise AssertionError(f"nobody answered: {sorted(self.said)} {self.problems}")

        before = signal.signal(signal.SIGALRM, give_up)
        signal.alarm(PATIENCE_SECONDS)
        try:
            self.start()
            yield self
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
            self.over.set()
            self.join(5)
        assert self.problems == []


def states(run: Any) -> dict[str, str]:
    """The state of every task of a DAG run; of mapped ones, of all together."""
    found: dict[str, str] = {}
    for one in run.get_task_instances():
        state = str(one.state)
        found[one.task_id] = state if found.get(one.task_id, state) == state else "mixed"
    return found
