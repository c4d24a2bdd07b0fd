"""The contract of an evaluation job, whoever runs it (lifecycle step 9).

A job has a deterministic name and a folder: `request.json` goes in, `outcome.json` and Inspect's
log come out, `progress.json` says how far it is. An evaluator is where such jobs run: a process of
this machine (`process_evaluator`), a Kubernetes or AWS Batch job (`remote_job`), or people who
deliver results (`delivered_results`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydantic import Field

from include.adapters.job_log import table_of
from include.adapters.store import Store, put_blob
from include.rsp.canonical import Digest, Document, Identifier, Moment
from include.rsp.elicitation import Elicitation
from include.rsp.errors import DomainError, InvalidDocument
from include.rsp.results import BlobRef, Conditions, EvaluationRun
from include.rsp.suite import Evaluation
from include.rsp.suite_parts import InspectTask
from include.rsp.vocabulary import ResultStatus

_PART = re.compile(r"[A-Za-z0-9_+=,@][A-Za-z0-9._+=,@-]*")
REQUEST, OUTCOME, PROGRESS = "request.json", "outcome.json", "progress.json"


class JobRequest(Document):
    """All that the evaluation process needs; a job's folder is made once from it."""

    job: Identifier
    run: Identifier = Field(description="name of the planned run")
    evaluation: Evaluation
    checkpoint: Digest
    variant: Identifier
    weights: str
    weights_sha256: Digest = Field(description="as registered; checked before and after")

    @property
    def task(self) -> InspectTask:
        """How Inspect finds the evaluation.

        Raises:
            ValueError: it is a study, which no process runs.
        """
        if self.evaluation.inspect is None:
            raise ValueError(f"evaluation {self.evaluation.id!r} is a study: people deliver it")
        return self.evaluation.inspect


class JobOutcome(Document):
    """What a finished evaluation process left behind, with files relative to its folder."""

    status: ResultStatus
    problem: str | None
    started_at: Moment
    finished_at: Moment
    elicitation: Elicitation
    conditions: Conditions
    log: str | None = Field(description="Inspect's own log, with the samples of all attempts")


class Progress(Document):
    """How far a job is. `cost` is null where no price list is known."""

    done: int = Field(ge=0, description="samples with all their epochs and scores, or an error")
    total: int = Field(ge=0)
    errors: int = Field(ge=0)
    tokens: int = Field(ge=0, description="of all that is done")
    cost: float | None = Field(description="of this attempt")
    phase: str = Field(description="pre-flight, evaluation or finished")
    since: Moment = Field(description="when this attempt began to put samples to the model")
    at: Moment
    before: int = Field(default=0, ge=0, description="samples that earlier attempts had finished")

    def in_words(self) -> str:
        """One line for the task's log: done, rate, cost, expected end."""
        if self.phase != "evaluation":
            return f"{self.phase}: {self.done} of {self.total} samples"
        seconds = (self.at - self.since).total_seconds()
        rate = (self.done - self.before) / seconds if seconds > 0 else 0.0
        left = (self.total - self.done) / rate if rate > 0 else None
        cost = "" if self.cost is None else f", cost {self.cost:.2f}"
        ends = "end unknown" if left is None else f"about {_span(left)} to go"
        which = f"{self.errors} with errors"
        if self.before:
            which += f", {self.before} of earlier attempts"
        return (
            f"{self.done} of {self.total} samples ({which}), {rate:.2f}/s, "
            f"{self.tokens} tokens{cost}, {ends}"
        )


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class JobState(StrEnum):
    """Where a job is."""

    ABSENT = "absent"
    RUNNING = "running"
    FINISHED = "finished"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What an evaluator knows of a job."""

    state: JobState
    attempts: int = 0
    seconds: float = 0.0
    progress: Progress | None = None


class Evaluator(Protocol):
    """Where evaluation jobs run. The handle of a job is its deterministic name, so a retry that
    submits again re-attaches; every method may be called any number of times.
    """

    def submit(self, request: JobRequest) -> str:
        """Start the job unless it runs or has finished; its handle."""

    def poll(self, job: str) -> JobStatus:
        """Where the job is now."""

    def cancel(self, job: str) -> None:
        """End it, if it runs."""

    def collect(self, request: JobRequest, store: Store, *, at: datetime) -> EvaluationRun:
        """Its run with the files in the store, or a `crashed` one that says why."""


def run_from(
    request: JobRequest, outcome: JobOutcome, folder: Path, store: Store, *, attempts: int
) -> EvaluationRun:
    """The run that a finished job reports, with its log and its table of samples in the store.

    The table is read from the log here, not by the process that ran the model. A log that does not
    read leaves the run without samples, which rules nothing out; it is kept all the same.
    """
    samples: BlobRef | None = None
    log: BlobRef | None = None
    status, problem = outcome.status, outcome.problem
    if outcome.log is not None:
        try:
            path = _log_of(folder, outcome.log)
            log = put_blob(store, path.read_bytes(), name=f"{request.run}.eval")
            table = table_of(request, path)
            samples = put_blob(store, table, name=f"{request.run}.samples.parquet")
        except DomainError as error:
            status, problem = ResultStatus.UNREADABLE, str(error)
    return EvaluationRun(
        **{name: getattr(outcome.conditions, name) for name in Conditions.model_fields},
        job=request.job,
        name=request.run,
        evaluation=request.evaluation.id,
        evaluation_version=request.evaluation.version,
        checkpoint=request.checkpoint,
        variant=request.variant,
        status=status,
        problem=problem,
        started_at=outcome.started_at,
        finished_at=outcome.finished_at,
        attempts=max(attempts, 1),
        elicitation=outcome.elicitation,
        samples=samples,
        log=log,
    )


def is_file_name(name: str) -> bool:
    """Whether a name stays inside the folder: parts joined by '/', none hidden, none '..'."""
    return all(_PART.fullmatch(part) for part in name.split("/"))


def _log_of(folder: Path, name: str) -> Path:
    """The log that an outcome names: a file of the job's own folder, whatever the job says.

    Raises:
        InvalidDocument: it is none; nothing outside of the folder is read.
    """
    root = folder.resolve()
    path = root / name
    if not is_file_name(name) or path.resolve() != path or not path.is_file():
        raise InvalidDocument(
            f"The job's outcome names the log {name!r:.200}, which is no file of its folder "
            "(expected a plain name in it). Run the evaluation again."
        )
    return path


def crashed(request: JobRequest, problem: str, *, at: datetime, attempts: int) -> EvaluationRun:
    """The run of a job that never came to an outcome. It rules nothing out."""
    return EvaluationRun(
        job=request.job,
        name=request.run,
        evaluation=request.evaluation.id,
        evaluation_version=request.evaluation.version,
        checkpoint=request.checkpoint,
        variant=request.variant,
        status=ResultStatus.CRASHED,
        problem=problem,
        started_at=at,
        finished_at=at,
        attempts=max(attempts, 1),
        elicitation=Elicitation(),
        environment={},
        positive_control=None,
        null_control=None,
    )
