"""A real stack on loopback. The tests share it and follow its life: up, used, killed at, down."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from include.local_stack.airflow_settings import KEYS_VARIABLE
from include.local_stack.errors import (
    AirflowRestError,
    PortBusy,
    StackNotHealthy,
    StackNotRunning,
)
from include.local_stack.layout import Layout
from include.local_stack.lifecycle import attach, down, status, supervisor, up
from include.local_stack.ports import free_port, is_free
from include.local_stack.processes import stack_processes
from include.local_stack.readiness import await_ready
from include.local_stack.rest import AirflowRest
from include.local_stack.stack import StackHandle
from include.local_stack.stack_record import StackRecord, write_record
from include.local_stack.starting import make_folders, start_supervisor
from include.local_stack.supervisor_client import ProgramPhase, ProgramStatus
from include.local_stack.supervisor_config import Program, render, socket_path
from tests.support.waiting import eventually

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]
UP_SECONDS = 240.0
RUN_SECONDS = 120.0
POOLS = {"evaluations": 2, "notary": 1}
AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer"}

DAGS = """
from __future__ import annotations

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import dag, task


@dag(schedule=None)
def look_around():
    @task(pool="evaluations", multiple_outputs=False)
    def look(params=None) -> dict:
        import os
        import sys

        print("the task says hello")
        return {
            "keys": os.environ.get("REDLINE_KEYS"),
            "store": os.environ["REDLINE_STORE"],
            "preloaded": "great_expectations" in sys.modules,
        }

    look()


@dag(schedule=None)
def ask_rso():
    ApprovalOperator(
        task_id="sign_off_as_rso",
        subject="Go on?",
        assigned_users=[{"id": "rso", "name": "rso"}],
    )


@dag(schedule=None)
def work_long():
    @task
    def work() -> None:
        import subprocess

        subprocess.run(["sleep", "3600"], env={}, start_new_session=True, check=True)

    work()


look_around()
ask_rso()
work_long()
"""

NOTARY = """
import json, os, pathlib, signal, sys
pathlib.Path(sys.argv[1]).write_text(json.dumps(dict(os.environ)))
signal.pause()
"""


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    folder = tmp_path_factory.mktemp("stack")
    for name in ("dags", "plugins"):
        (folder / name).mkdir()
    (folder / "dags" / "three.py").write_text(DAGS)
    return Layout.of(
        PROJECT,
        home=folder / "home",
        api_port=free_port(),
        dags_folder=folder / "dags",
        plugins_folder=folder / "plugins",
    )


@pytest.fixture(scope="module")
def programs(layout: Layout) -> list[Program]:
    told = layout.home / "notary-environment.json"
    notary = layout.home.parent / "notary.py"
    notary.write_text(NOTARY)
    return [
        Program(
            name="notary",
            command=(sys.executable, str(notary), str(told)),
            environment={KEYS_VARIABLE: str(layout.keys)},
        ),
        Program(name="trainer", command=("sleep", "3600"), autostart=False),
    ]


@pytest.fixture(scope="module")
def stack(layout: Layout, programs: list[Program]) -> Iterator[StackHandle]:
    try:
        yield up(layout, programs=programs, pools=POOLS, time_limit=UP_SECONDS)
    finally:
        down(layout)


@pytest.fixture
def engineer(stack: StackHandle) -> Iterator[AirflowRest]:
    with stack.rest("engineer") as rest:
        yield rest


def program_of(layout: Layout, name: str) -> ProgramStatus:
    return next(each for each in status(layout).programs if each.name == name)


def started_run(rest: AirflowRest, dag_id: str) -> str:
    eventually(lambda: rest.find(f"dags/{dag_id}"), RUN_SECONDS)
    return str(rest.trigger(dag_id)["dag_run_id"])


def finished_run(rest: AirflowRest, dag_id: str, run_id: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        run = rest.dag_run(dag_id, run_id)
        return run if run["state"] in {"success", "failed"} else None

    run = eventually(ended, RUN_SECONDS)
    assert run is not None
    return run


def test_an_empty_directory_becomes_a_healthy_stack(stack: StackHandle, layout: Layout) -> None:
    now = status(layout)

    assert now.running
    assert now.health.complete
    assert now.supervisor_pid == stack.supervisor_pid
    phases = {each.name: each.phase for each in now.programs}
    assert phases == dict.fromkeys(AIRFLOW | {"notary"}, ProgramPhase.RUNNING) | {
        "trainer": ProgramPhase.STOPPED
    }
    assert not stack.was_running
    assert attach(layout).base_url == stack.base_url


def test_everything_listens_on_loopback(stack: StackHandle, layout: Layout) -> None:
    ports = [
        connection.laddr
        for each in stack_processes(layout)
        for connection in psutil.Process(each.pid).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.port for address in ports} == {layout.api_port}
    assert {address.ip for address in ports} == {"127.0.0.1"}


def test_secrets_are_for_their_owner_alone(stack: StackHandle, layout: Layout) -> None:
    for path in (layout.users_file, layout.secrets_file, layout.supervisor_config):
        assert path.stat().st_mode & 0o077 == 0, path
    for path in (layout.keys, layout.run, layout.airflow_home):
        assert path.stat().st_mode & 0o077 == 0, path
    assert stack.passwords["admin"] not in repr(stack)


def test_the_api_is_closed_to_strangers(stack: StackHandle) -> None:
    with httpx.Client(trust_env=False) as stranger:
        assert stranger.get(f"{stack.base_url}/api/v2/dags").status_code == 401
        assert stranger.get(f"{stack.base_url}/auth/token").status_code == 403
    with (
        AirflowRest(stack.base_url, "admin", "guess") as rest,
        pytest.raises(AirflowRestError, match="401"),
    ):
        rest.get("dags")
    with stack.rest("viewer") as viewer, pytest.raises(AirflowRestError, match="403"):
        viewer.trigger("look_around")


def test_a_run_succeeds_and_its_log_can_be_read(engineer: AirflowRest, layout: Layout) -> None:
    run_id = started_run(engineer, "look_around")

    assert finished_run(engineer, "look_around", run_id)["state"] == "success"
    seen = engineer.xcom("look_around", run_id, "look")
    assert seen == {"keys": None, "store": str(layout.store), "preloaded": True}
    assert "the task says hello" in engineer.task_log("look_around", run_id, "look")
    (task,) = engineer.task_instances("look_around", run_id)
    assert (task["task_id"], task["state"], task["pool"]) == ("look", "success", "evaluations")


def test_the_pools_are_there(engineer: AirflowRest) -> None:
    slots = {pool["name"]: pool["slots"] for pool in engineer.entries("pools", "pools")}
    assert {name: slots[name] for name in POOLS} == POOLS


def test_only_the_notary_is_told_where_the_keys_are(stack: StackHandle, layout: Layout) -> None:
    told = json.loads((layout.home / "notary-environment.json").read_text())
    assert told[KEYS_VARIABLE] == str(layout.keys)
    assert not [name for name in told if name.startswith("AIRFLOW")]
    for each in stack_processes(layout):
        if each.pid != program_of(layout, "notary").pid:
            assert KEYS_VARIABLE not in psutil.Process(each.pid).environ(), each


def test_a_human_task_is_answered_by_its_person_alone(
    stack: StackHandle, engineer: AirflowRest, layout: Layout
) -> None:
    run_id = started_run(engineer, "ask_rso")
    (pending,) = eventually(lambda: engineer.pending_human_tasks("ask_rso", run_id), RUN_SECONDS)
    eventually(lambda: scheduler_has_seen_the_question(layout, run_id), RUN_SECONDS)
    assert pending["task_instance"]["task_id"] == "sign_off_as_rso"
    address = ("ask_rso", run_id, "sign_off_as_rso")

    with stack.rest("secondline") as other, pytest.raises(AirflowRestError, match="403"):
        other.answer_human_task(*address, chosen_options=["Approve"])
    with stack.rest("rso") as rso:
        answer = rso.answer_human_task(*address, chosen_options=["Approve"])
        assert answer["responded_by"]["id"] == "rso"
        with pytest.raises(AirflowRestError, match="409"):
            rso.answer_human_task(*address, chosen_options=["Reject"])

    assert finished_run(engineer, "ask_rso", run_id)["state"] == "success"
    assert engineer.pending_human_tasks("ask_rso", run_id) == []


def scheduler_has_seen_the_question(layout: Layout, run_id: str) -> bool:
    """Whether the asking process has ended for the scheduler too.

    An answer that comes before that (a machine's, within about 0.1 s) queues the task again, and
    the scheduler then takes the late end of the first process for the end of the second.
    """
    lines = layout.log_of("scheduler").read_text(errors="replace").splitlines()
    return any("executor event with state success" in one and run_id in one for one in lines)


def test_up_again_says_so_and_changes_only_the_pools(
    stack: StackHandle, layout: Layout, programs: list[Program]
) -> None:
    said: list[str] = []
    again = up(layout, programs=programs, pools={"notary": 3}, say=said.append)

    assert again.was_running
    assert again.supervisor_pid == stack.supervisor_pid
    assert said[0] == f"The stack already runs at {stack.base_url}"
    with stack.rest() as rest:
        assert rest.get("pools/notary")["slots"] == 3


def test_a_busy_port_is_refused_before_anything_starts(stack: StackHandle, layout: Layout) -> None:
    other = Layout.of(PROJECT, home=layout.home.parent / "other", api_port=layout.api_port)

    with pytest.raises(PortBusy, match=rf"Port {layout.api_port} .*make up PORT="):
        up(other)

    assert stack_processes(other) == ()
    assert not other.database.exists()
    assert not other.stack_file.exists()
    with pytest.raises(StackNotRunning, match="make up"):
        attach(other)


def test_a_program_that_waits_to_be_asked_is_started_and_stopped(
    stack: StackHandle, layout: Layout
) -> None:
    for act, phase in (("start", ProgramPhase.RUNNING), ("stop", ProgramPhase.STOPPED)):
        getattr(supervisor(layout), act)("trainer")
        eventually(lambda phase=phase: program_of(layout, "trainer").phase is phase, 20)


def test_what_is_late_is_named_with_its_log(tmp_path: Path) -> None:
    layout = Layout.of(PROJECT, home=tmp_path / "home", api_port=free_port())
    make_folders(layout)
    socket = socket_path(layout)
    broken = Program(name="notary", command=("/no/such/notary",))
    layout.supervisor_config.write_text(
        render(layout, [broken], socket=socket, as_root=os.geteuid() == 0)
    )
    record = StackRecord(
        socket=socket,
        port=layout.api_port,
        started_at=datetime.now(UTC),
        dags_folder=layout.dags_folder,
        required=("notary",),
        stop_seconds=1,
    )
    write_record(layout, record)
    try:
        start_supervisor(layout, socket, dict(os.environ))
        with pytest.raises(StackNotHealthy) as raised:
            await_ready(layout, record, time_limit=1.0, say=lambda _: None)
    finally:
        down(layout)

    message = str(raised.value)
    assert "notary: BACKOFF: can't find command '/no/such/notary'" in message
    for program in (*AIRFLOW, "notary"):
        assert str(layout.log_of(program)) in message


def test_a_killed_scheduler_comes_back(
    stack: StackHandle, layout: Layout, engineer: AirflowRest
) -> None:
    killed = program_of(layout, "scheduler").pid
    workers = [each for each in stack_processes(layout) if each.parent == killed]
    assert workers

    os.kill(killed, signal.SIGKILL)

    def back() -> bool:
        now = program_of(layout, "scheduler")
        return now.phase is ProgramPhase.RUNNING and now.pid not in {0, killed}

    assert eventually(back, RUN_SECONDS)
    eventually(lambda: not any(each.alive for each in workers), RUN_SECONDS)
    run_id = started_run(engineer, "look_around")
    assert finished_run(engineer, "look_around", run_id)["state"] == "success"


def test_what_a_killed_supervisor_left_is_cleared_by_the_next_up(
    stack: StackHandle, layout: Layout, programs: list[Program]
) -> None:
    psutil.Process(stack.supervisor_pid).kill()
    eventually(lambda: not psutil.pid_exists(stack.supervisor_pid), 10)
    left = status(layout)
    assert not left.running
    assert len(left.strays) >= len(AIRFLOW)

    said: list[str] = []
    again = up(layout, programs=programs, time_limit=UP_SECONDS, say=said.append)

    assert any("a killed stack left behind" in line for line in said)
    assert not again.was_running
    assert not any(each.alive for each in left.strays)
    assert again.passwords == stack.passwords
    with again.rest("engineer") as rest:
        assert len(rest.dag_runs("look_around")) == 2


def test_down_leaves_no_process_behind(layout: Layout, stack: StackHandle) -> None:
    with attach(layout).rest("engineer") as rest:
        started_run(rest, "work_long")
    eventually(lambda: [each for each in stack_processes(layout) if "sleep" in each.command], 60)

    report = down(layout)

    assert len(report.found) > len(AIRFLOW)
    assert not any(each.alive for each in report.found)
    assert not any(psutil.pid_exists(each.pid) for each in report.found)
    assert stack_processes(layout) == ()
    assert not layout.stack_file.exists()
    assert is_free(layout.api_port)
    assert down(layout).found == ()
    assert not status(layout).running
