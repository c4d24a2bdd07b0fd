"""Evaluations as separate processes under deterministic job names (lifecycle step 9).

A job is a folder. Whoever wants it submits it again and again without harm: a running one is
found by its lock, a finished one by its outcome, a dead one is started anew until its attempts
are used up. The lock is the kernel's and dies with the process, so a killed job is never taken
for a running one.
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
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import IO

from pydantic import Field

from include.adapters.store import Store, put_blob
from include.rsp.canonical import Digest, Document, Identifier, Moment, canonical_bytes
from include.rsp.errors import StoreUnavailable
from include.rsp.results import ControlResult, EvaluationRun
from include.rsp.suite import Evaluation
from include.rsp.vocabulary import ResultStatus

PROJECT = Path(__file__).resolve().parents[2]
NOT_PASSED_ON = ("AIRFLOW", "_AIRFLOW", "AWS_", "REDLINE_STORE")
"""Environment variables that may hold secrets; the code under evaluation does not get them."""


class JobRequest(Document):
    """All that the evaluation process needs; a job's folder is made once from it."""

    job: Identifier
    evaluation: Evaluation
    checkpoint: Digest
    variant: Identifier
    weights: str
    weights_sha256: Digest = Field(description="as registered; checked before and after")


class JobOutcome(Document):
    """What a finished evaluation process left behind, with files relative to its folder."""

    started_at: Moment
    finished_at: Moment
    elicitation: dict[str, str | int | float | bool]
    environment: dict[str, str | int | float]
    positive_control: ControlResult
    null_control: ControlResult
    samples: str = Field(description="a redline/samples@1 table")
    log: str = Field(description="Inspect's own log")


class JobState(StrEnum):
    """Where a job is."""

    ABSENT = "absent"
    RUNNING = "running"
    FINISHED = "finished"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Jobs:
    """The folder of all jobs on this machine."""

    folder: Path

    def submit(self, request: JobRequest) -> None:
        """Start the job unless it runs or has finished."""
        folder = self.folder / request.job
        try:
            folder.mkdir(parents=True, exist_ok=True)
            wanted = folder / "request.json"
            if not wanted.exists():
                _write_whole(wanted, canonical_bytes(request))
            if self.state(request.job) in {JobState.RUNNING, JobState.FINISHED}:
                return
            with (folder / "attempts").open("a") as attempts:
                attempts.write(".")
            with (folder / "output.log").open("ab") as output:
                _start(folder, output)
        except OSError as error:
            raise StoreUnavailable(f"Could not submit job {request.job}: {error}") from error

    def state(self, job: str) -> JobState:
        """Where the job is now."""
        folder = self.folder / job
        if (folder / "outcome.json").exists():
            return JobState.FINISHED
        if not (folder / "attempts").exists():
            return JobState.ABSENT
        return JobState.RUNNING if _is_locked(folder / "lock") else JobState.DEAD

    def attempts(self, job: str) -> int:
        """How many times a process was started for the job."""
        path = self.folder / job / "attempts"
        return path.stat().st_size if path.exists() else 0

    def seconds_running(self, job: str) -> float:
        """Since the newest attempt began."""
        path = self.folder / job / "attempts"
        return time.time() - path.stat().st_mtime if path.exists() else 0.0

    def cancel(self, job: str) -> None:
        """End the job's process group, if it still runs."""
        pid_file = self.folder / job / "pid"
        if self.state(job) is not JobState.RUNNING or not pid_file.exists():
            return
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.killpg(int(pid_file.read_text()), signal.SIGKILL)

    def running(self) -> Iterator[str]:
        """The names of all jobs that run now."""
        if self.folder.is_dir():
            for path in sorted(self.folder.iterdir()):
                if self.state(path.name) is JobState.RUNNING:
                    yield path.name

    def collect(self, request: JobRequest, store: Store, *, at: datetime) -> EvaluationRun:
        """The finished job's run with its files in the store, or a `crashed` one that says why."""
        folder = self.folder / request.job
        if self.state(request.job) is not JobState.FINISHED:
            return self._crashed(request, at)
        outcome = JobOutcome.model_validate_json((folder / "outcome.json").read_bytes())
        samples = (folder / outcome.samples).read_bytes()
        log = (folder / outcome.log).read_bytes()
        return EvaluationRun(
            job=request.job,
            evaluation=request.evaluation.id,
            evaluation_version=request.evaluation.version,
            checkpoint=request.checkpoint,
            variant=request.variant,
            status=ResultStatus.COMPLETE,
            problem=None,
            started_at=outcome.started_at,
            finished_at=outcome.finished_at,
            attempts=max(self.attempts(request.job), 1),
            elicitation=outcome.elicitation,
            environment=outcome.environment,
            positive_control=outcome.positive_control,
            null_control=outcome.null_control,
            samples=put_blob(store, samples, name=f"{request.evaluation.id}.samples.json"),
            log=put_blob(store, log, name=f"{request.evaluation.id}.eval"),
        )

    def _crashed(self, request: JobRequest, at: datetime) -> EvaluationRun:
        output = self.folder / request.job / "output.log"
        lines = output.read_text(errors="replace").splitlines() if output.exists() else []
        last = next((line for line in reversed(lines) if line.strip()), "no output")
        attempts = self.attempts(request.job)
        return EvaluationRun(
            job=request.job,
            evaluation=request.evaluation.id,
            evaluation_version=request.evaluation.version,
            checkpoint=request.checkpoint,
            variant=request.variant,
            status=ResultStatus.CRASHED,
            problem=f"no outcome after {attempts} attempts; last line: {last[:300]}",
            started_at=at,
            finished_at=at,
            attempts=max(self.attempts(request.job), 1),
            elicitation={},
            environment={},
            positive_control=None,
            null_control=None,
            samples=None,
            log=None,
        )


def _start(folder: Path, output: IO[bytes]) -> None:
    """In a session of its own: neither Airflow's restart nor a cleared task ends it."""
    subprocess.Popen(
        [sys.executable, "-m", "include.adapters.inspect_job", str(folder)],
        cwd=PROJECT,
        env={k: v for k, v in os.environ.items() if not k.startswith(NOT_PASSED_ON)},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    deadline = time.monotonic() + 5
    while not _is_locked(folder / "lock") and time.monotonic() < deadline:
        if (folder / "outcome.json").exists():
            return
        time.sleep(0.01)


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
