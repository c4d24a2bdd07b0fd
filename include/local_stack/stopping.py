"""Stops a stack: politely through its supervisor, then by pid whatever is left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from include.local_stack.errors import ProcessesSurvived, SupervisorFailed
from include.local_stack.layout import Layout
from include.local_stack.processes import StackProcess, end_processes, stack_processes
from include.local_stack.readiness import Say
from include.local_stack.stack_record import StackRecord, read_record
from include.local_stack.supervisor_client import AT_REST, ProgramPhase, SupervisorClient
from include.local_stack.supervisor_config import forget_socket

STOP_MARGIN_SECONDS = 10.0
POLL_SECONDS = 0.1
SWEEPS = 3
LAST = "api-server"
"""The others report to it until they end."""


def stop_supervisor(layout: Layout, members: Sequence[StackProcess]) -> None:
    """Stop all programs, the API server last, then supervisord; returns when it has ended or hangs.

    What does not end in its own time is killed by supervisord, and in the end by `sweep`.
    """
    record = read_record(layout)
    if record is None:
        return
    client = SupervisorClient(record.socket)
    pid = client.pid()
    supervisor = next((each for each in members if each.pid == pid), None)
    if supervisor is None:
        return
    with suppress(SupervisorFailed):
        _stop_all_but_last(client, record)
    with suppress(SupervisorFailed):
        client.shutdown()
    _wait_until_ended(supervisor, record)


def sweep(layout: Layout, members: Sequence[StackProcess], say: Say) -> tuple[StackProcess, ...]:
    """End what is left of `members` and whatever they started meanwhile; returns what it ended.

    Raises: ProcessesSurvived.
    """
    forced: tuple[StackProcess, ...] = ()
    left = tuple(each for each in members if each.alive)
    for _ in range(SWEEPS):
        if left:
            say(f"Ending {len(left)} processes by pid")
            forced += end_processes(left)
        left = stack_processes(layout)
        if not left:
            return forced
    raise ProcessesSurvived(
        f"Processes of the stack keep coming back: {[each.pid for each in left]} (expected: none "
        f"after {SWEEPS} sweeps). Find who starts them, end that, then `make down` again."
    )


def forget(layout: Layout) -> None:
    """Remove the record, the pid file and the socket."""
    layout.stack_file.unlink(missing_ok=True)
    layout.supervisor_pid.unlink(missing_ok=True)
    forget_socket(layout)


def _stop_all_but_last(client: SupervisorClient, record: StackRecord) -> None:
    give_up = time.monotonic() + record.stop_seconds
    while time.monotonic() < give_up:
        busy = [p for p in client.programs() if p.name != LAST and p.phase not in AT_REST]
        if not busy:
            return
        for program in busy:
            # Refused for one that exits just now; should it be started again, the next look
            # finds it starting.
            if program.phase is not ProgramPhase.STOPPING:
                with suppress(SupervisorFailed):
                    client.stop(program.name)
        time.sleep(POLL_SECONDS)


def _wait_until_ended(supervisor: StackProcess, record: StackRecord) -> None:
    give_up = time.monotonic() + record.stop_seconds + STOP_MARGIN_SECONDS
    while supervisor.alive and time.monotonic() < give_up:
        time.sleep(POLL_SECONDS)
