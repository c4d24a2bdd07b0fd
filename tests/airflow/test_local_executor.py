"""A scheduler whose idle worker was killed ends, instead of standing still for ever."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.airflow

SCHEDULER = """
import os, signal, sys
from include.wiring.local_executor import RestartingLocalExecutor

executor = RestartingLocalExecutor(parallelism=2)
executor.start()
executor.sync()
print("works", flush=True)
if sys.argv[1] == "kill":
    worker = next(iter(executor.workers.values()))
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
executor.sync()
print("goes on", flush=True)
executor.end()
"""


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [("nothing", 0, ["works", "goes on"]), ("kill", -signal.SIGKILL, ["works"])],
)
def test_it_ends_only_when_a_worker_was_killed(what: str, code: int, said: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCHEDULER, what],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.wait(timeout=120) == code
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the other worker, which hears nothing
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    assert [one for one in lines if one in {"works", "goes on"}] == said
