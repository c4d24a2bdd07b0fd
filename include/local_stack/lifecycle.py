"""Starts, inspects and stops the local stack: `up`, `status`, `down`, each safe to repeat."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

from include.local_stack.airflow_settings import NOTHING
from include.local_stack.auth import Auth
from include.local_stack.credentials import read_passwords
from include.local_stack.errors import OpenToStrangers, StackNotRunning, SupervisorFailed
from include.local_stack.health import NO_ANSWER, read_health
from include.local_stack.layout import Layout
from include.local_stack.ports import require_free_port
from include.local_stack.processes import stack_processes
from include.local_stack.readiness import Say, await_ready
from include.local_stack.stack import StackHandle, StackStatus, StopReport
from include.local_stack.stack_record import StackRecord, read_record
from include.local_stack.starting import make_folders, start_stack
from include.local_stack.stopping import forget, stop_supervisor, sweep
from include.local_stack.strangers import refuse_strangers
from include.local_stack.supervisor_client import SupervisorClient
from include.local_stack.supervisor_config import Program

TIME_LIMIT_SECONDS = 150.0
NO_POOLS: Mapping[str, int] = MappingProxyType({})


def _quiet(_: str) -> None:
    """Say nothing."""


def up(
    layout: Layout,
    *,
    programs: Sequence[Program] = (),
    pools: Mapping[str, int] = NO_POOLS,
    extra_environment: Mapping[str, str] = NOTHING,
    store_uri: str | None = None,
    auth: Auth = Auth.SIMPLE,
    time_limit: float = TIME_LIMIT_SECONDS,
    say: Say = _quiet,
) -> StackHandle:
    """Start what does not run, wait until all is healthy, create the pools; safe to repeat.

    `programs` are started after Airflow's and supervised with them; `extra_environment` goes to
    Airflow's processes. A stack that runs keeps the programs and settings that it was started with;
    one that does not become healthy is left running, to be looked at; one that answers strangers
    is stopped.
    Raises: PortBusy, UnsafeSetting, MigrationFailed, PeopleFailed, SupervisorFailed,
    StackNotHealthy, OpenToStrangers, AirflowRestError.
    """
    make_folders(layout)
    with _only_one(layout, say):
        found = _running(layout)
        if found is not None:
            say(_already_running(layout, found, auth))
        else:
            _clear_leftovers(layout, say)
            require_free_port(layout.api_port)
        record = found or start_stack(
            layout, programs, extra=extra_environment, store_uri=store_uri, auth=auth, say=say
        )
        await_ready(layout, record, time_limit=time_limit, say=say)
        _stop_if_open(layout, record, say)
        handle = _handle(layout, record, was_running=found is not None)
        with handle.rest() as rest:
            for name, slots in pools.items():
                rest.ensure_pool(name, slots)
    say(f"Ready: {record.base_url}")
    return handle


def attach(layout: Layout) -> StackHandle:
    """A handle of the stack that runs. Raises: StackNotRunning."""
    return _handle(layout, _require_running(layout), was_running=True)


def supervisor(layout: Layout) -> SupervisorClient:
    """To start and stop single programs of the stack that runs. Raises: StackNotRunning."""
    return SupervisorClient(_require_running(layout).socket)


def status(layout: Layout) -> StackStatus:
    """The stack now; never starts, stops or writes anything."""
    record = read_record(layout)
    if record is None:
        return _status_of_nothing(layout)
    client = SupervisorClient(record.socket)
    pid = client.pid()
    if pid is None:
        return _status_of_nothing(layout)
    return StackStatus(
        running=True,
        base_url=record.base_url,
        supervisor_pid=pid,
        programs=client.programs(),
        health=read_health(record.base_url, since=record.started_at),
        strays=(),
    )


def down(layout: Layout, *, say: Say = _quiet) -> StopReport:
    """Stop everything, the API server last, and end by pid whatever is left; idempotent.

    When it returns: (1) supervisord and its programs have ended, (2) no process that carries the
    stack's mark, nor any that was below one, is alive, (3) no socket or record is left.
    Raises: ProcessesSurvived.
    """
    if not layout.run.is_dir():
        say(f"Nothing runs from {layout.home}")
        return StopReport(found=(), forced=())
    with _only_one(layout, say):
        return _stop(layout, say)


def _stop(layout: Layout, say: Say) -> StopReport:
    members = stack_processes(layout)
    say(f"Stopping {len(members)} processes" if members else f"Nothing runs from {layout.home}")
    # (1)
    stop_supervisor(layout, members)
    # (2)
    forced = sweep(layout, members, say)
    # (3)
    forget(layout)
    return StopReport(found=members, forced=forced)


def _stop_if_open(layout: Layout, record: StackRecord, say: Say) -> None:
    try:
        refuse_strangers(record.base_url)
    except OpenToStrangers:
        _stop(layout, say)
        raise


def _handle(layout: Layout, record: StackRecord, *, was_running: bool) -> StackHandle:
    pid = SupervisorClient(record.socket).pid()
    if pid is None:
        raise SupervisorFailed(
            f"supervisord stopped answering on {record.socket} (expected: an answer). Read "
            f"{layout.log_of('supervisord')}, then `make down` and `make up`."
        )
    return StackHandle(
        layout=layout,
        base_url=record.base_url,
        supervisor_pid=pid,
        was_running=was_running,
        passwords=read_passwords(layout),
    )


def _require_running(layout: Layout) -> StackRecord:
    record = _running(layout)
    if record is None:
        raise StackNotRunning(
            f"No stack runs from {layout.home} (expected: supervisord answering on its socket). "
            "Start it with `make up`."
        )
    return record


def _running(layout: Layout) -> StackRecord | None:
    record = read_record(layout)
    if record is None or SupervisorClient(record.socket).pid() is None:
        return None
    return record


def _already_running(layout: Layout, record: StackRecord, auth: Auth) -> str:
    asked = (layout.api_port, layout.dags_folder, auth)
    moved = asked != (record.port, record.dags_folder, record.auth)
    hint = (
        " with another port, DAG folder or auth manager; `make down` first to change that"
        if moved
        else ""
    )
    return f"The stack already runs at {record.base_url}{hint}"


def _clear_leftovers(layout: Layout, say: Say) -> None:
    """A supervisor that was killed leaves its programs, its socket and its record behind."""
    strays = stack_processes(layout)
    if strays:
        say(f"Ending {len(strays)} processes that a killed stack left behind")
        sweep(layout, strays, say)
    forget(layout)


def _status_of_nothing(layout: Layout) -> StackStatus:
    return StackStatus(
        running=False,
        base_url=layout.base_url,
        supervisor_pid=None,
        programs=(),
        health=NO_ANSWER,
        strays=stack_processes(layout),
    )


@contextmanager
def _only_one(layout: Layout, say: Say) -> Iterator[None]:
    """Hold the stack's lock; the system lets go of it if this process dies."""
    with layout.lock_file.open("w", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another `make up` or `make down` is at work; waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
