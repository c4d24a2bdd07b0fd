"""Waits until every part of a stack is ready, and says which log explains one that is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from include.local_stack.errors import StackNotHealthy, SupervisorFailed
from include.local_stack.health import PROGRAM_OF, Health, read_health
from include.local_stack.layout import Layout
from include.local_stack.stack_record import StackRecord
from include.local_stack.supervisor_client import ProgramPhase, ProgramStatus, SupervisorClient

POLL_SECONDS = 0.25
TAIL_LINES = 3
TAIL_BYTES = 20_000

Say = Callable[[str], None]


def await_ready(
    layout: Layout,
    record: StackRecord,
    *,
    time_limit: float,
    say: Say,
) -> None:
    """Return once (1) every required program runs and (2) every part of Airflow is healthy.

    Raises: StackNotHealthy when the time is over or supervisord gave a program up.
    """
    client = SupervisorClient(record.socket)
    begun = time.monotonic()
    reported: set[str] = set()
    while True:
        programs = _required_programs(client, frozenset(record.required))
        health = read_health(record.base_url, since=record.started_at)
        spent = time.monotonic() - begun
        for part in health.healthy:
            if part not in reported:
                reported.add(part)
                say(f"{part.replace('_', ' ')} is healthy ({spent:.1f} s)")
        # (1)
        stopped = [each for each in programs if each.phase is not ProgramPhase.RUNNING]
        # (2)
        if not stopped and health.complete:
            return
        given_up = any(each.phase is ProgramPhase.FATAL for each in stopped)
        if given_up or spent > time_limit:
            raise StackNotHealthy(_explanation(layout, programs, health, spent))
        time.sleep(POLL_SECONDS)


def _required_programs(
    client: SupervisorClient, required: frozenset[str]
) -> tuple[ProgramStatus, ...]:
    found = tuple(each for each in client.programs() if each.name in required)
    missing = required - {each.name for each in found}
    if missing:
        raise SupervisorFailed(
            f"supervisord does not know the programs {sorted(missing)} (expected: all of "
            f"{sorted(required)}). The stack was started with others: `make down`, then `make up`."
        )
    return found


def _explanation(
    layout: Layout, programs: tuple[ProgramStatus, ...], health: Health, spent: float
) -> str:
    late = {PROGRAM_OF[part]: "not healthy" for part in health.late}
    for each in programs:
        if each.phase is not ProgramPhase.RUNNING:
            late[each.name] = f"{each.phase.value}: {each.description}"
    details = "".join(_detail(layout, name, state) for name, state in late.items())
    return (
        f"The stack is not ready after {spent:.0f} s (expected: every part healthy).{details}\n"
        "It is left as it is, to look at: read the logs above, then `make down`."
    )


def _detail(layout: Layout, name: str, state: str) -> str:
    log = layout.log_of(name)
    return "".join((f"\n- {name}: {state}; log: {log}", *_tail(log)))


def _tail(log: Path) -> Iterator[str]:
    try:
        text = log.read_bytes()[-TAIL_BYTES:].decode(errors="replace")
    except OSError:
        return
    for line in [each for each in text.splitlines() if each.strip()][-TAIL_LINES:]:
        yield f"\n    {line[:200]}"
