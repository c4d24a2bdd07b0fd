"""Evaluations as detached processes of this machine, under deterministic job names.

A job is a folder. Whoever wants it submits it again and again without harm: a running one is
found by its lock, a finished one by its outcome, a dead one is started anew until its attempts
are used up, and goes on where it stopped. The lock is the kernel's and dies with the process, so
a killed job is never taken for a running one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from include.adapters.evaluation import (
    OUTCOME,
    PROGRESS,
    REQUEST,
    JobOutcome,
    JobRequest,
    JobState,
    JobStatus,
    Progress,
    crashed,
    run_from,
)
from include.adapters.store import Store
from include.rsp.canonical import canonical_bytes
from include.rsp.errors import Refused, StoreUnavailable
from include.rsp.results import EvaluationRun

GROUP = "group"
"""The file with the process group of the job's last process: its launcher leads it."""
PROJECT = Path(__file__).resolve().parents[2]
NOT_PASSED_ON = ("AIRFLOW", "_AIRFLOW", "AWS_", "REDLINE_STORE")
"""Environment variables that may hold secrets; the code under evaluation does not get them."""
START_SECONDS = 60.0
"""At most so long a new process may take until it holds its lock."""
END_SECONDS = 5.0
"""At most so long `cancel` waits until a killed job has let go of its lock."""


@dataclass(frozen=True, slots=True)
class ProcessEvaluator:
    """The folder of all jobs on this machine.

    `interpreter` is what runs the evaluation process: a Python of its own environment, or a
    container's (`docker run … python`), as a list of words. It has to see the job's folder and
    the weights under the same paths.
    """

    folder: Path
    interpreter: list[str] = field(default_factory=lambda: [sys.executable])

    def submit(self, request: JobRequest) -> str:
        """Start the job unless it runs or has finished; its handle is its name.

        Raises:
            Refused: a job of that name was submitted with another request.
            StoreUnavailable: the folder cannot be written.
        """
        folder = self.folder / request.job
        try:
            folder.mkdir(parents=True, exist_ok=True)
            wanted = folder / REQUEST
            if not wanted.exists():
                _write_whole(wanted, canonical_bytes(request))
            elif wanted.read_bytes() != canonical_bytes(request):
                raise Refused(
                    "other_request",
                    f"Job {request.job} was submitted with another request ({wanted}). Its name "
                    "follows from the plan, so the folder belongs to other code or another suite; "
                    "move it away and clear the task.",
                )
            if self.poll(request.job).state in {JobState.RUNNING, JobState.FINISHED}:
                return request.job
            with (folder / "attempts").open("a") as attempts:
                attempts.write(".")
            with (folder / "output.log").open("ab") as output:
                self._start(folder, output)
        except OSError as error:
            raise StoreUnavailable(f"Could not submit job {request.job}: {error}") from error
        return request.job

    def poll(self, job: str) -> JobStatus:
        """Where the job is now, and how far."""
        folder = self.folder / job
        return JobStatus(
            state=self._state(folder),
            attempts=_size(folder / "attempts"),
            seconds=_seconds_since(folder / "attempts"),
            progress=_progress(folder / PROGRESS),
        )

    def _state(self, folder: Path) -> JobState:
        if (folder / OUTCOME).exists():
            return JobState.FINISHED
        if not (folder / "attempts").exists():
            return JobState.ABSENT
        return JobState.RUNNING if _is_locked(folder / "lock") else JobState.DEAD

    def cancel(self, job: str) -> None:
        """End the job's process group, if it still runs, and wait some moments until it has.

        A process in a container may outlive its launcher: then the job still runs, and `collect`
        says so.
        """
        group = self.folder / job / GROUP
        if self.poll(job).state is not JobState.RUNNING:
            return
        with contextlib.suppress(OSError, ValueError):
            os.killpg(int(group.read_text()), signal.SIGKILL)
        deadline = time.monotonic() + END_SECONDS
        while self.poll(job).state is JobState.RUNNING and time.monotonic() < deadline:
            time.sleep(0.01)

    def running(self) -> Iterator[str]:
        """The names of all jobs that run now."""
        if self.folder.is_dir():
            for path in sorted(self.folder.iterdir()):
                if self._state(path) is JobState.RUNNING:
                    yield path.name

    def every(self, *, at_most: int) -> list[tuple[str, JobStatus]]:
        """The newest jobs and where they are."""
        if not self.folder.is_dir():
            return []
        begun = [one for one in self.folder.iterdir() if (one / "attempts").exists()]
        newest = sorted(begun, key=lambda one: (one / "attempts").stat().st_mtime, reverse=True)
        return [(one.name, self.poll(one.name)) for one in newest[:at_most]]

    def collect(self, request: JobRequest, store: Store, *, at: datetime) -> EvaluationRun:
        """The finished job's run with its files in the store, or a `crashed` one that says why."""
        folder = self.folder / request.job
        status = self.poll(request.job)
        if status.state is not JobState.FINISHED:
            problem = (
                f"no outcome after {status.attempts} attempts; last line: {_last_line(folder)}"
            )
            return crashed(request, problem, at=at, attempts=status.attempts)
        try:
            outcome = JobOutcome.model_validate_json((folder / OUTCOME).read_bytes())
        except ValidationError as error:
            problem = f"{OUTCOME} is no outcome: {error.error_count()} fields are wrong"
            return crashed(request, problem, at=at, attempts=status.attempts)
        return run_from(request, outcome, folder, store, attempts=status.attempts)

    def _start(self, folder: Path, output: IO[bytes]) -> None:
        """In a session of its own: neither Airflow's restart nor a cleared task ends it.

        Returns once it holds its lock: one that starts slowly would be taken for dead, and used up
        its attempts.
        """
        (folder / GROUP).unlink(missing_ok=True)  # an earlier attempt's may be reused
        process = subprocess.Popen(
            [*self.interpreter, "-m", "include.adapters.inspect_job", str(folder)],
            cwd=PROJECT,
            env={k: v for k, v in os.environ.items() if not k.startswith(NOT_PASSED_ON)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        _write_whole(folder / GROUP, str(process.pid).encode())
        deadline = time.monotonic() + START_SECONDS
        while not _is_locked(folder / "lock") and time.monotonic() < deadline:
            if (folder / OUTCOME).exists() or process.poll() is not None:
                return
            time.sleep(0.01)


def _last_line(folder: Path) -> str:
    output = folder / "output.log"
    lines = output.read_text(errors="replace").splitlines() if output.exists() else []
    return next((line for line in reversed(lines) if line.strip()), "no output")[:300]


def _progress(path: Path) -> Progress | None:
    """What the process last said; None when it has said nothing that can be read."""
    try:
        return Progress.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _seconds_since(path: Path) -> float:
    return time.time() - path.stat().st_mtime if path.exists() else 0.0


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _write_whole(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content)
    beside.replace(path)
