"""Finds and ends every process of one stack, whatever session, group or parent it has by now.

Airflow puts each task into a process group of its own, and what a killed process leaves behind gets
another parent, so neither supervisord's groups nor the process tree show everything. All processes
of a stack inherit one variable that names its home; it, and the trees below, are searched.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]

from include.local_stack.airflow_settings import STACK_MARK
from include.local_stack.errors import ProcessesSurvived
from include.local_stack.layout import Layout

TERM_SECONDS = 5.0
KILL_SECONDS = 5.0
IDLE_WORKER = "LocalExecutor: <idle>"


@dataclass(frozen=True, slots=True)
class StackProcess:
    """One process of a stack, as it was when it was found."""

    pid: int
    parent: int
    group: int
    command: str
    handle: psutil.Process = field(repr=False, compare=False)

    @property
    def alive(self) -> bool:
        """Whether this very process lives on: not another one under its pid, and no zombie."""
        try:
            return bool(self.handle.is_running() and self.handle.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False

    def signal(self, *, kill: bool) -> None:
        """Send SIGKILL or SIGTERM, unless it is gone."""
        try:
            if kill:
                self.handle.kill()
            else:
                self.handle.terminate()
        except psutil.Error:
            return


def stack_processes(layout: Layout) -> tuple[StackProcess, ...]:
    """All living processes of this stack, except the caller and its ancestors."""
    return _marked_processes(str(layout.home))


def end_orphaned_workers(home: str) -> tuple[StackProcess, ...]:
    """Kill what idles since its scheduler was killed; a new scheduler calls it as it starts.

    LocalExecutor's workers do not notice that their scheduler is gone, and ignore SIGTERM. One that
    still runs a task is left alone: the task ends as if nothing had happened.
    """
    members = _marked_processes(home) if home else ()
    pids = {each.pid for each in members}
    orphans = tuple(
        each for each in members if each.command.endswith(IDLE_WORKER) and each.parent not in pids
    )
    for each in orphans:
        each.signal(kill=True)
    return orphans


def _marked_processes(home: str) -> tuple[StackProcess, ...]:
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        if process.pid not in own and _is_marked(process, home):
            found[process.pid] = process
            for child in _children(process):
                found.setdefault(child.pid, child)
    described = (_describe(process) for pid, process in sorted(found.items()) if pid not in own)
    return tuple(each for each in described if each is not None and each.alive)


def end_processes(
    processes: Iterable[StackProcess], *, term_seconds: float = TERM_SECONDS
) -> tuple[StackProcess, ...]:
    """SIGTERM, then SIGKILL after `term_seconds`; returns those that were alive when it was called.

    Raises: ProcessesSurvived naming what outlived SIGKILL.
    """
    alive = tuple(each for each in processes if each.alive)
    for each in alive:
        each.signal(kill=False)
    psutil.wait_procs([each.handle for each in alive], timeout=term_seconds)
    stubborn = [each for each in alive if each.alive]
    for each in stubborn:
        each.signal(kill=True)
    psutil.wait_procs([each.handle for each in stubborn], timeout=KILL_SECONDS)
    survivors = [each for each in stubborn if each.alive]
    if survivors:
        listed = ", ".join(f"{each.pid} ({each.command})" for each in survivors)
        raise ProcessesSurvived(
            f"{len(survivors)} processes of the stack outlived SIGKILL (expected none): {listed}. "
            "They wait in the kernel, mostly for a disk; once they are gone, `make down` again."
        )
    return alive


def _is_marked(process: psutil.Process, home: str) -> bool:
    try:
        return bool(process.environ().get(STACK_MARK) == home)
    except (psutil.Error, OSError):
        return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def _describe(process: psutil.Process) -> StackProcess | None:
    try:
        return StackProcess(
            pid=process.pid,
            parent=process.ppid(),
            group=os.getpgid(process.pid),
            command=" ".join(process.cmdline()).strip()[:120] or process.name(),
            handle=process,
        )
    except (psutil.Error, OSError):
        return None
