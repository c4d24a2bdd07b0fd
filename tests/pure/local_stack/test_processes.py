from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include.local_stack.airflow_settings import STACK_MARK
from include.local_stack.layout import Layout
from include.local_stack.processes import end_processes, stack_processes
from tests.support.waiting import eventually

WAIT = "import signal; signal.pause()"
STUBBORN = (
    f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); {WAIT}"
)
PARENT = (
    "import os, subprocess, sys;"
    f"child = subprocess.Popen([sys.executable, '-c', {WAIT!r}], env={{}}, start_new_session=True);"
    f"print(child.pid, flush=True); {WAIT}"
)


@contextmanager
def started(code: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def pids(layout: Layout) -> set[int]:
    return {each.pid for each in stack_processes(layout)}


def test_only_this_stacks_processes_are_found(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    with (
        started(WAIT, **{STACK_MARK: str(layout.home)}) as ours,
        started(WAIT, **{STACK_MARK: str(tmp_path / "other")}),
        started(WAIT),
    ):
        assert eventually(lambda: pids(layout), 10) == {ours.pid}


def test_a_child_in_another_session_without_the_mark_is_found_and_ended(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    with started(PARENT, **{STACK_MARK: str(layout.home)}) as parent:
        child = int(first_line(parent))
        found = stack_processes(layout)
        assert {each.pid for each in found} == {parent.pid, child}

        ended = end_processes(found)

        assert len(ended) == 2
        assert not any(each.alive for each in found)


def test_what_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    with started(STUBBORN, **{STACK_MARK: str(layout.home)}) as stubborn:
        first_line(stubborn)
        end_processes(stack_processes(layout), term_seconds=0.2)
        assert pids(layout) == set()


def test_the_caller_is_never_a_member(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    code = (
        "from pathlib import Path;"
        "from include.local_stack.layout import Layout;"
        "from include.local_stack.processes import stack_processes;"
        f"print(len(stack_processes(Layout.of(Path({str(tmp_path)!r})))), flush=True)"
    )
    with started(code, **{STACK_MARK: str(layout.home)}) as asking:
        assert first_line(asking) == "0"


def test_nothing_to_end_is_no_error() -> None:
    assert end_processes(()) == ()
