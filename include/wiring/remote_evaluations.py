"""Evaluations that run on Kubernetes or AWS Batch: start or re-attach, wait, bring back (step 9).

`run_remotely` is all that the operator needs: called again and again, at the start, by a retry and
on every resumption, it defers until the job has ended and then says how. It trusts no event: what
the trigger saw is looked at again. `docs/evaluators-remote.md` describes the connections.

The job's outcome decides, not the service: an outcome is complete whatever became of the
container, and a job that succeeded without one is as dead as one that failed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection
from pydantic import ValidationError

from include.rsp.errors import InvalidDocument, Refused, TransportError
from include.wiring.remote_service import Look, Phase, RemoteService

if TYPE_CHECKING:
    from include.adapters.evaluation import JobRequest, JobState
    from include.adapters.remote_job import RemoteJob

log = logging.getLogger("redline.remote_evaluations")


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a remote job is; `why` is a sentence for the record when it is dead."""

    state: JobState
    handle: str
    why: str


def open_service(connection_id: str) -> RemoteService:
    """The service that an Airflow connection describes.

    Raises:
        InvalidDocument: it is of another type, or its extra `redline` does not read.
        TransportError: it could not be read.
    """
    connection = read_connection(connection_id)
    kind, extra = str(connection.conn_type), connection.extra_dejson.get("redline")
    if not isinstance(extra, Mapping):
        raise InvalidDocument(
            f"The connection {connection_id} has no extra 'redline' (expected an object, see "
            "docs/evaluators-remote.md)."
        )
    try:
        return _service(kind, connection_id, extra)
    except ValidationError as error:
        raise InvalidDocument(
            f"The extra 'redline' of the connection {connection_id} does not read: {error}"
        ) from error


def plan(service: RemoteService, request: JobRequest, *, assessment: str) -> RemoteJob:
    """The remote job of a request at a service."""
    from include.adapters.remote_job import plan_remote_job

    return plan_remote_job(
        request,
        service.place,
        assessment=assessment,
        evaluation=request.evaluation.id,
        timeout_seconds=request.task.time_limit_seconds,
        attempts=request.task.attempts,
    )


def run_remotely(
    service: RemoteService,
    remote: RemoteJob,
    request: JobRequest,
    *,
    context: Any,
    resume: str,
    folder: Path,
) -> Seen:
    """Start the job or find it again, and wait; when it has ended bring its files to `folder`.

    Returns:
        A finished job, whose files are in the folder as a local job leaves them, or a dead one.

    Raises:
        TaskDeferred: it runs; Airflow calls the operator's method named `resume` when it ended.
    """
    from include.adapters.evaluation import JobState
    from include.adapters.remote_job import fetch_results, stage_request

    seen = poll(service, remote)
    if seen.state is JobState.ABSENT:
        stage_request(remote, request)
        log.info("job %s is started as %s", remote.job, remote.name)
        service.start(remote, context, resume=resume)
        seen = poll(service, remote)
    if seen.state is JobState.RUNNING:
        log.info("job %s runs as %s", remote.job, seen.handle)
        service.attach(remote, resume=resume)
    if seen.state is JobState.FINISHED:
        fetch_results(remote, folder)
    if seen.state is JobState.ABSENT:
        raise TransportError(f"Job {remote.name} was started and cannot be found yet.")
    return seen


def poll(service: RemoteService, remote: RemoteJob) -> Seen:
    """Where the job is, without waiting."""
    from include.adapters.evaluation import JobState
    from include.adapters.remote_job import read_outcome, submitted

    handle = submitted(remote) or ""
    if read_outcome(remote) is not None:
        return Seen(JobState.FINISHED, handle or remote.name, "")
    if handle and not service.owns(handle):
        raise Refused(
            "elsewhere",
            f"Job {remote.job} was submitted as {handle}, and its connection now names another "
            "service. Nothing was started there; set the connection back until the job has ended.",
        )
    found = service.look(remote)
    if found.phase is Phase.RUNNING:
        return Seen(JobState.RUNNING, found.handle, "")
    if read_outcome(remote) is not None:  # it came between the two looks
        return Seen(JobState.FINISHED, found.handle or handle or remote.name, "")
    if found.phase is Phase.ABSENT and not handle:
        return Seen(JobState.ABSENT, "", "")
    return Seen(JobState.DEAD, found.handle or handle, _why_dead(found, remote, handle))


def _why_dead(found: Look, remote: RemoteJob, handle: str) -> str:
    """One sentence: why there is no outcome, and where to look."""
    match found.phase:
        case Phase.ABSENT:
            return (
                f"{handle} was submitted and is gone without an outcome: it was deleted; what it "
                f"left is under {remote.output_uri}/attempt-<n>/"
            )
        case Phase.SUCCEEDED:
            return (
                f"{found.handle} succeeded and left no outcome at {remote.output_uri}/outcome.json "
                "(is the image's entry include.adapters.job_entry, and may it write there?)"
            )
        case _:
            return found.why


def cancel(service: RemoteService, remote: RemoteJob, *, reason: str) -> None:
    """End the job; what it has delivered stays."""
    service.cancel(remote, reason=reason)


def read_connection(connection_id: str) -> Any:
    """The Airflow connection of that name.

    Raises:
        InvalidDocument: there is none.
    """
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return Connection.get(connection_id)
    except AirflowNotFoundException as error:
        raise InvalidDocument(
            f"There is no connection {connection_id}. Make it as docs/evaluators-remote.md says."
        ) from error


def _service(kind: str, connection_id: str, extra: Mapping[str, Any]) -> RemoteService:
    if kind == "kubernetes":
        from include.wiring.kubernetes_jobs import KubernetesPlace, KubernetesService

        return KubernetesService(connection_id, KubernetesPlace.model_validate(extra))
    if kind == "aws":
        from include.wiring.batch_jobs import BatchPlace, BatchService

        return BatchService(connection_id, BatchPlace.model_validate(extra))
    raise InvalidDocument(
        f"The connection {connection_id} is of type {kind!r} (expected 'kubernetes' or 'aws')."
    )
