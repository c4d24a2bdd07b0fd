"""Who may do what, asked of a real Airflow over REST under each auth manager, one after the other.

Both stacks share a folder: what the second finds migrated was migrated for the first.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from include.local_stack.auth import Auth
from include.local_stack.credentials import OFFICE_USERS, USERS
from include.local_stack.errors import AirflowRestError
from include.local_stack.layout import Layout
from include.local_stack.lifecycle import down, status, up
from include.local_stack.ports import free_port
from include.local_stack.rest import AirflowRest
from include.local_stack.stack import StackHandle
from include.wiring.auth.rules import DECIDING_DAGS
from tests.support.waiting import eventually

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]
UP_SECONDS = 240.0
RUN_SECONDS = 120.0
DECIDING = "release_hold"
TASK = "sign_off_as_rso"
DAGS = f"""
from __future__ import annotations

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import dag


def ask() -> None:
    HITLOperator(
        task_id="{TASK}",
        subject="Go on?",
        options=["yes", "no"],
        assigned_users=[{{"id": "rso", "name": "rso"}}],
    )


@dag(schedule=None)
def {DECIDING}():
    ask()


@dag(schedule=None)
def look_around():
    ask()


{DECIDING}()
look_around()
"""


@dataclass(frozen=True, slots=True)
class Question:
    """A human task that waits."""

    stack: StackHandle
    run_id: str

    @property
    def run(self) -> str:
        return f"dags/{DECIDING}/dagRuns/{self.run_id}"

    def answered_by(self, user: str) -> dict[str, Any]:
        with self.stack.rest(user) as rest:
            address = (DECIDING, self.run_id, TASK)
            return rest.answer_human_task(*address, chosen_options=["yes"])


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    folder = tmp_path_factory.mktemp("identities")
    (folder / "dags").mkdir()
    (folder / "dags" / "asking.py").write_text(DAGS)
    home = folder / "home"
    (home / "keys" / "notary").mkdir(parents=True)
    return Layout.of(PROJECT, home=home, api_port=free_port(), dags_folder=folder / "dags")


@pytest.fixture(scope="module", params=list(Auth))
def stack(request: pytest.FixtureRequest, layout: Layout) -> Iterator[StackHandle]:
    try:
        yield up(layout, auth=request.param, time_limit=UP_SECONDS)
    finally:
        down(layout)


@pytest.fixture(scope="module")
def question(stack: StackHandle) -> Question:
    with stack.rest("engineer") as engineer:
        eventually(lambda: engineer.find(f"dags/{DECIDING}"), RUN_SECONDS)
        run_id = str(engineer.trigger(DECIDING)["dag_run_id"])
        eventually(lambda: engineer.pending_human_tasks(DECIDING, run_id), RUN_SECONDS)
    return Question(stack, run_id)


def refused(stack: StackHandle, user: str, method: str, path: str, body: Any = None) -> str:
    """The reason of a 403."""
    with stack.rest(user) as rest:
        calls = {
            "PATCH": lambda: rest.patch(path, body),
            "POST": lambda: rest.post(path, body),
            "DELETE": lambda: rest.delete(path),
        }
        with pytest.raises(AirflowRestError) as raised:
            calls[method]()
    assert raised.value.status == 403, str(raised.value)
    return str(raised.value)


def task_state(question: Question) -> str:
    with question.stack.rest() as rest:
        (task,) = rest.task_instances(DECIDING, question.run_id)
    return str(task["state"])


@pytest.mark.parametrize(
    "path", ["/api/v2/dags", "/api/v2/dags/~/dagRuns/~/hitlDetails", "/redline/"]
)
def test_a_stranger_is_shown_nothing(stack: StackHandle, path: str) -> None:
    with httpx.Client(trust_env=False) as stranger:
        assert stranger.get(stack.base_url + path).status_code == 401


@pytest.mark.parametrize("user", sorted(USERS))
def test_everybody_signs_in_and_reads(stack: StackHandle, user: str, question: Question) -> None:
    with stack.rest(user) as rest:
        assert question.run_id in [run["dag_run_id"] for run in rest.dag_runs(DECIDING)]
        (detail,) = rest.pending_human_tasks(DECIDING, question.run_id)
        token = rest.token()
    assert detail["assigned_users"] == [{"id": "rso", "name": "rso"}]
    with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {token}"}) as reader:
        assert reader.get(f"{stack.base_url}/redline/").status_code == 200


def test_the_notary_is_told_where_and_as_whom_to_read(stack: StackHandle, layout: Layout) -> None:
    file = layout.keys / "notary" / "airflow.json"
    account = json.loads(file.read_text())

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with AirflowRest(account["url"], account["user"], account["password"]) as notary:
        assert notary.get("dags")["total_entries"] >= 0
        with pytest.raises(AirflowRestError, match="403"):
            notary.trigger(DECIDING)


@pytest.mark.parametrize("user", ["viewer", "notary", "rso"])
def test_who_reads_or_answers_changes_nothing(
    stack: StackHandle, question: Question, user: str
) -> None:
    task = f"{question.run}/taskInstances/{TASK}"
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"dags/{DECIDING}/dagRuns", {"logical_date": None}),
        ("POST", "dags/look_around/dagRuns", {"logical_date": None}),
        ("POST", f"{question.run}/clear", {"dry_run": False}),
        ("POST", f"dags/{DECIDING}/clearTaskInstances", {"dry_run": False}),
        ("PATCH", task, {"new_state": "success"}),
        ("PATCH", question.run, {"state": "success"}),
        ("PATCH", f"dags/{DECIDING}", {"is_paused": True}),
        ("DELETE", question.run, {}),
        ("DELETE", f"dags/{DECIDING}", {}),
    ]
    for method, path, body in requests:
        assert "Only engineers start and clear runs" in refused(stack, user, method, path, body)
    assert task_state(question) == "awaiting_input"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "{run}/taskInstances/{task}", {"new_state": "success"}),
        ("PATCH", "{run}/taskInstances/{task}", {"note": "looks fine"}),
        ("PATCH", "{run}", {"state": "success"}),
        ("PATCH", "{run}", {"note": "looks fine"}),
        ("POST", "{run}/taskInstances/{task}/xcomEntries", {"key": "a", "value": "b"}),
        ("DELETE", "{run}", None),
        ("DELETE", "{run}/taskInstances/{task}", None),
        ("DELETE", "dags/{dag}", None),
        ("PATCH", "dags/~/dagRuns/~/taskInstances", "bulk tasks"),
        ("PATCH", "dags/look_around/dagRuns/~/taskInstances", "bulk tasks"),
        ("PATCH", "dags/~/dagRuns", "bulk runs"),
    ],
)
def test_an_engineer_marks_and_deletes_nothing_that_decides(
    stack: StackHandle, question: Question, method: str, path: str, body: Any
) -> None:
    place = {"dag_id": DECIDING, "dag_run_id": question.run_id}
    bulk = {
        "bulk tasks": {**place, "task_id": TASK, "map_index": -1, "new_state": "success"},
        "bulk runs": {**place, "state": "success"},
    }
    if isinstance(body, str):
        body = {"actions": [{"action": "update", "entities": [bulk[body]]}]}
    where = path.format(run=question.run, task=TASK, dag=DECIDING)

    assert f"{DECIDING} decides" in refused(stack, "engineer", method, where, body)
    assert task_state(question) == "awaiting_input"


def test_an_engineer_clears_an_infrastructure_fault(stack: StackHandle, question: Question) -> None:
    body = {"dry_run": True, "dag_run_id": question.run_id, "only_failed": False}
    with stack.rest("engineer") as engineer:
        for path in (f"dags/{DECIDING}/clearTaskInstances", f"{question.run}/clear"):
            seen = engineer.post(path, body if "Task" in path else {"dry_run": True})
            assert seen["total_entries"] >= 0


def test_only_the_person_of_the_office_answers_and_only_once(
    stack: StackHandle, question: Question
) -> None:
    assert DECIDING in DECIDING_DAGS
    for user in ("viewer", "notary", "engineer", *sorted(set(OFFICE_USERS.values()) - {"rso"})):
        with pytest.raises(AirflowRestError) as wrong:
            question.answered_by(user)
        assert wrong.value.status == 403, str(wrong.value)

    answer = question.answered_by("rso")
    assert answer["responded_by"] == {"id": "rso", "name": "rso"}
    with pytest.raises(AirflowRestError) as second:
        question.answered_by("rso")
    assert second.value.status == 409

    with stack.rest("notary") as notary:
        detail = notary.get(f"{question.run}/taskInstances/{TASK}/-1/hitlDetails")
    assert detail["responded_by_user"] == {"id": "rso", "name": "rso"}
    assert detail["chosen_options"] == ["yes"]


def test_an_admin_still_can_which_is_why_no_state_is_believed(
    stack: StackHandle, question: Question
) -> None:
    with stack.rest("admin") as admin:
        run_id = str(admin.trigger(DECIDING)["dag_run_id"])
        eventually(lambda: admin.pending_human_tasks(DECIDING, run_id), RUN_SECONDS)
        run = f"dags/{DECIDING}/dagRuns/{run_id}"

        admin.patch(f"{run}/taskInstances/{TASK}", {"new_state": "success"})

        (task,) = admin.task_instances(DECIDING, run_id)
        detail = admin.get(f"{run}/taskInstances/{TASK}/-1/hitlDetails")
        assert task["state"] == "success"
        assert not detail["response_received"]
        admin.patch(run, {"state": "success"})
        admin.delete(run)
        assert admin.find(run) is None


def test_up_again_names_another_auth_manager(stack: StackHandle, layout: Layout) -> None:
    said: list[str] = []
    (other,) = set(Auth) - {running_auth(layout)}
    up(layout, auth=other, say=said.append)
    assert "auth manager; `make down` first" in said[0]
    assert status(layout).supervisor_pid == stack.supervisor_pid


def running_auth(layout: Layout) -> Auth:
    return Auth(json.loads(layout.stack_file.read_text())["auth"])
