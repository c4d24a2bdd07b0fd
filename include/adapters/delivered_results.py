"""Evaluations that people run: an inbox in which their signed results are waited for.

`<inbox>/<job>/<delivery>/` holds a delivery; the job's name follows from the plan, as that of every
evaluation does. Who delivers finds what is wanted in `<inbox>/<job>/wanted.json`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from include.adapters.delivered_files import ReadResults
from include.adapters.delivered_run import accept, run_of, samples_name
from include.adapters.delivery_folder import SignedResults, is_ready, read_delivery
from include.adapters.evaluation import JobRequest, JobState, JobStatus, crashed
from include.adapters.store import Store, put_blob
from include.rsp.canonical import Digest, canonical_bytes, digest_bytes
from include.rsp.delivered import FILE_NAME, SIGNATURE, STATEMENT
from include.rsp.errors import DomainError, Refused, StoreUnavailable
from include.rsp.records import TrustRoot
from include.rsp.results import BlobRef, EvaluationRun
from include.rsp.wanted_results import WANTED, WantedResults, wanted_results

log = logging.getLogger("redline.deliveries")
MOST_DELIVERIES = 50
"""In one job's inbox; more are a mistake or an attack, and are not looked at."""


@dataclass(frozen=True, slots=True)
class Valid:
    """A delivery that answers its run."""

    results: SignedResults
    read: ReadResults

    @property
    def order(self) -> tuple[datetime, Digest]:
        """The one signed first counts; of two signed at once, that of the smaller digest."""
        return self.results.signed.signed_at, digest_bytes(self.results.signed.content)


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in the inbox of one job.

    Attributes:
        valid: in the order in which they count; the first one is counted.
        refused: why each of the others is not, by its name.
        unready: the names of those that have not arrived whole.
    """

    valid: list[Valid]
    refused: dict[str, DomainError]
    unready: list[str]


@dataclass(frozen=True, slots=True)
class Inbox:
    """Where people run the evaluations: an `Evaluator` whose jobs end when results arrive.

    `trust` names whose signatures count, `checkpoint_at` when the checkpoint was there, and
    `planned_at` when the wait began.
    """

    folder: Path
    trust: TrustRoot | None
    checkpoint_at: datetime
    planned_at: datetime

    def wanted(self, request: JobRequest) -> WantedResults:
        """What is waited for.

        Raises:
            Refused: it is no study.
        """
        return wanted_results(
            request.evaluation,
            job=request.job,
            run=request.run,
            checkpoint=request.checkpoint,
            checkpoint_at=self.checkpoint_at,
            variant=request.variant,
            planned_at=self.planned_at,
        )

    def submit(self, request: JobRequest) -> str:
        """Say in the inbox what is wanted; harmless to repeat.

        Raises:
            Refused: it is no study.
            StoreUnavailable: the inbox cannot be written.
        """
        wanted = self.wanted(request)
        folder = self.folder / request.job
        try:
            folder.mkdir(parents=True, exist_ok=True)
            beside = folder / f".{WANTED}"
            beside.write_bytes(canonical_bytes(wanted))
            beside.replace(folder / WANTED)
        except OSError as error:
            raise StoreUnavailable(f"Could not ask for results in {folder}: {error}") from error
        return request.job

    def poll(self, job: str) -> JobStatus:
        """`finished` once a delivery has arrived whole, whether it is a good one or not."""
        if not (self.folder / job / WANTED).exists():
            return JobStatus(JobState.ABSENT)
        ready = any(is_ready(one) for one in deliveries(self.folder / job))
        return JobStatus(JobState.FINISHED if ready else JobState.RUNNING, attempts=1)

    def cancel(self, job: str) -> None:
        """People are not ended: what they deliver later is not looked at."""

    def look(self, request: JobRequest, *, at: datetime) -> Found:
        """Read and check everything that lies there. A bad delivery keeps no good one away."""
        wanted = self.wanted(request)
        found = Found([], {}, [])
        for folder in deliveries(self.folder / request.job):
            if not is_ready(folder):
                found.unready.append(folder.name)
                continue
            try:
                _check_name(folder)
                results = read_delivery(folder, self.trust)
                read = accept(wanted, results.signed, results.files, at=at)
                found.valid.append(Valid(results, read))
            except DomainError as error:
                log.warning("delivery %a for %s is refused: %s", folder.name, request.job, error)
                found.refused[folder.name] = error
        found.valid.sort(key=lambda one: one.order)
        return found

    def collect(self, request: JobRequest, store: Store, *, at: datetime) -> EvaluationRun:
        """The run of the delivery that counts, or a `crashed` one that says what is missing."""
        found = self.look(request, at=at)
        if found.valid:
            return bring_in(self.wanted(request), found, store)
        problem = nothing_came(self.wanted(request), found)
        return crashed(request, problem, at=at, attempts=1)


def deliveries(folder: Path) -> list[Path]:
    """The folders in a job's inbox, in the order of their names; hidden ones are being written."""
    try:
        found = sorted(
            one
            for one in folder.iterdir()
            if not one.name.startswith(".") and one.is_dir() and not one.is_symlink()
        )
    except OSError:
        return []
    if len(found) > MOST_DELIVERIES:
        log.warning("%s holds %s deliveries, more than are looked at", folder, len(found))
    return found[:MOST_DELIVERIES]


def nothing_came(wanted: WantedResults, found: Found) -> str:
    """Why there is no result."""
    said = [f"{name!r} is refused: {error}" for name, error in sorted(found.refused.items())]
    said += [f"{name!r} did not arrive whole" for name in sorted(found.unready)]
    first = "; ".join(said[:3]) + (f"; and {len(said) - 3} more" if len(said) > 3 else "")
    return f"no results were delivered by {wanted.due:%Y-%m-%d %H:%M} UTC" + (
        f" ({first})" if said else ""
    )


def _check_name(folder: Path) -> None:
    if not FILE_NAME.fullmatch(folder.name):
        raise Refused(
            "odd_folder",
            f"{folder.name!a} is no name for a delivery (expected letters, digits and . _ -). "
            "Deliver it under another name.",
        )


def bring_in(wanted: WantedResults, found: Found, store: Store) -> EvaluationRun:
    """Keep every valid delivery in the store; the run of the first one."""
    first, *others = found.valid
    kept = [ref for other in others for ref in _keep(store, other.results, prefix=True)]
    refs = _keep(store, first.results)
    samples = None
    if first.read.table is not None:
        samples = put_blob(store, first.read.table, name=samples_name(wanted, first.read.table))
    for other in others:
        log.warning(
            "delivery %r for %s is kept and not counted: %r was signed first",
            other.results.name, wanted.job, first.results.name,
        )  # fmt: skip
    return run_of(wanted, first.results.signed, refs, samples, others=kept)


def _keep(store: Store, results: SignedResults, *, prefix: bool = False) -> list[BlobRef]:
    """Store a delivery as it came; its files in the order of the statement.

    The statement of the counted one is kept too, and named in its run beside the files.
    """
    before = f"{results.name}/" if prefix else ""
    signed = results.signed
    refs = [
        put_blob(store, results.files[one.name], name=before + one.name)
        for one in results.stated.files
    ]
    statement = put_blob(store, signed.content, name=before + STATEMENT)
    if not prefix:
        return refs
    envelope = put_blob(store, canonical_bytes(signed.envelope), name=before + SIGNATURE)
    return [statement, envelope, *refs]
