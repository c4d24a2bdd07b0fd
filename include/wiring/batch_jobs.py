"""Evaluations as AWS Batch jobs, through the provider's operator, hook and trigger.

Import it inside a function only: the provider takes seconds to import.

Job names on AWS Batch are not unique, and the operator submits without looking. So the job is
looked for first: by the id that was written down beside its request, then by its name in the
queue, whatever state it is in. An image cannot be given at submission either; it stands in the job
definition, which is therefore named with its revision and must hold exactly the planned image.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from airflow.providers.amazon.aws.hooks.batch_client import BatchClientHook
from airflow.providers.amazon.aws.operators.batch import BatchOperator
from airflow.providers.amazon.aws.triggers.batch import BatchJobTrigger
from airflow.sdk.exceptions import AirflowException, TaskDeferred
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError, ParamValidationError
from pydantic import Field

from include.adapters.remote_job import RemoteJob, mark_submitted, submitted
from include.adapters.remote_place import RemotePlace
from include.rsp.errors import InvalidDocument, RedlineError, Refused, TransportError
from include.wiring.remote_service import Look, Phase

HANDLE = "AWS Batch job "
LIVE = frozenset({"SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING"})
HOUR = 3600
"""The trigger ends after an hour at the latest, so that a job which vanished is noticed."""


class BatchPlace(RemotePlace):
    """The connection's extra `redline`, for a connection of type `aws`."""

    job_queue: str = Field(min_length=1)
    job_definition: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,128}:[0-9]+$",
        description="name:revision; a name alone would be whatever was registered last",
    )


class BatchService:
    """One queue of one account and region."""

    def __init__(self, connection_id: str, place: BatchPlace) -> None:
        self.connection_id = connection_id
        self.place = place

    @cached_property
    def client(self) -> Any:
        """The provider's client, with the connection's credentials, region and retries."""
        return BatchClientHook(aws_conn_id=self.connection_id).client

    def owns(self, handle: str) -> bool:
        """Whether it is a job of AWS Batch; of which queue its id does not say."""
        return handle.startswith(HANDLE)

    def look(self, remote: RemoteJob) -> Look:
        """The job that was written down, else the one that counts of those with its name."""
        job = self._find(remote)
        if job is None:
            return Look(Phase.ABSENT)
        handle = HANDLE + job["jobId"]
        if job["status"] in LIVE:
            return Look(Phase.RUNNING, handle)
        if job["status"] == "SUCCEEDED":
            return Look(Phase.SUCCEEDED, handle)
        return Look(Phase.FAILED, handle, _why(job, handle, remote))

    def start(self, remote: RemoteJob, context: Any, *, resume: str) -> None:
        """Submit it, then wait for it with the trigger that the operator made."""
        self._check_image(remote)
        operator = self._operator(remote)
        try:
            with self._faults(f"submit job {remote.name}"):
                operator.execute(context)
        except TaskDeferred as deferred:
            self._write_down(remote, operator.job_id, resume)
            raise TaskDeferred(trigger=deferred.trigger, method_name=resume) from None
        except RedlineError:
            if operator.job_id is None:
                raise
        self._write_down(remote, operator.job_id, resume)

    def attach(self, remote: RemoteJob, *, resume: str) -> None:
        """Wait with the provider's trigger for the job that `look` found."""
        job = self._find(remote)
        if job is None:
            raise TransportError(f"Job {remote.name} vanished between two looks at it.")
        self._write_down(remote, job["jobId"], resume)
        raise TaskDeferred(trigger=self._trigger(job["jobId"]), method_name=resume)

    def cancel(self, remote: RemoteJob, *, reason: str) -> None:
        """Terminate every live job of the name."""
        for job in self._named(remote):
            if job["status"] in LIVE:
                with self._faults(f"terminate job {job['jobId']}"):
                    self.client.terminate_job(jobId=job["jobId"], reason=reason[:1000])

    def _write_down(self, remote: RemoteJob, job_id: str, resume: str) -> None:
        """The first id that is written down counts; a second job is ended and the first awaited."""
        counts = mark_submitted(remote, HANDLE + job_id).removeprefix(HANDLE)
        if counts != job_id and self._described([counts]):
            with self._faults(f"terminate the second job {job_id}"):
                self.client.terminate_job(jobId=job_id, reason=f"{counts} is the same evaluation")
            raise TaskDeferred(trigger=self._trigger(counts), method_name=resume)

    def _find(self, remote: RemoteJob) -> dict[str, Any] | None:
        known = (submitted(remote) or "").removeprefix(HANDLE)
        found = (self._described([known]) if known else []) or self._named(remote)
        if not found:
            return None
        job = min(found, key=_precedence)
        self._check_ours(remote, job)
        return job

    def _named(self, remote: RemoteJob) -> list[dict[str, Any]]:
        """Every job of the name in the queue; AWS matches without regard to case, we do not."""
        with self._faults(f"list the jobs named {remote.name} in {self.place.job_queue}"):
            pages = self.client.get_paginator("list_jobs").paginate(
                jobQueue=self.place.job_queue,
                filters=[{"name": "JOB_NAME", "values": [remote.name]}],
            )
            found = [
                one["jobId"]
                for page in pages
                for one in page["jobSummaryList"]
                if one["jobName"] == remote.name
            ]
        return self._described(found)

    def _described(self, ids: list[str]) -> list[dict[str, Any]]:
        if not ids:
            return []
        with self._faults(f"describe the jobs {ids}"):
            return list(self.client.describe_jobs(jobs=ids[:100])["jobs"])

    def _check_ours(self, remote: RemoteJob, job: dict[str, Any]) -> None:
        environment = job.get("container", {}).get("environment", [])
        given = {one["name"]: one["value"] for one in environment}
        if given.get("REDLINE_JOB_OUTPUT_URI") != remote.output_uri:
            raise Refused(
                "name_taken",
                f"{HANDLE}{job['jobId']} is named {remote.name} and is not the job of "
                f"{remote.output_uri}. It was not touched; find out who submitted it.",
            )

    def _check_image(self, remote: RemoteJob) -> None:
        wanted = self.place.job_definition
        with self._faults(f"read the job definition {wanted}"):
            found = self.client.describe_job_definitions(jobDefinitions=[wanted])["jobDefinitions"]
        images = [
            one.get("containerProperties", {}).get("image")
            for one in found
            if one.get("status") == "ACTIVE"
        ]
        if images != [remote.image]:
            raise Refused(
                "other_image",
                f"The job definition {wanted} runs {images or 'nothing: it is not active'} "
                f"(expected {remote.image}, as the connection {self.connection_id} says). Register "
                "a revision with that image and name it in the connection.",
            )

    def _operator(self, remote: RemoteJob) -> Any:
        return BatchOperator(
            task_id="evaluation",
            aws_conn_id=self.connection_id,
            job_name=remote.name,
            job_queue=self.place.job_queue,
            job_definition=self.place.job_definition,
            container_overrides={
                "command": list(remote.command),
                "environment": [
                    {"name": name, "value": value} for name, value in remote.environment.items()
                ],
                "resourceRequirements": _requirements(remote),
            },
            retry_strategy={"attempts": remote.attempts},
            submit_job_timeout=remote.timeout_seconds,
            tags=dict(remote.labels),
            deferrable=True,
            poll_interval=self.place.poll_seconds,
            max_retries=max(1, HOUR // self.place.poll_seconds),
            status_retries=2,
        )

    def _trigger(self, job_id: str) -> Any:
        return BatchJobTrigger(
            job_id=job_id,
            aws_conn_id=self.connection_id,
            waiter_delay=self.place.poll_seconds,
            waiter_max_attempts=max(1, HOUR // self.place.poll_seconds),
        )

    @contextlib.contextmanager
    def _faults(self, what: str) -> Iterator[None]:
        """The client's errors as ours: a refusal, a wrong connection, or a fault to try again."""
        where = f"Could not {what} by the connection {self.connection_id}"
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise _of(where, error) from error
        except AirflowException as error:  # the operator wraps what it met
            met = error.__context__
            known = isinstance(met, ClientError | BotoCoreError)
            raise (_of(where, met) if known else TransportError(f"{where}: {error}")) from error


def _of(where: str, error: Any) -> RedlineError:
    if isinstance(error, NoRegionError | ParamValidationError):
        return InvalidDocument(f"{where}: {error}. Correct the connection.")
    if not isinstance(error, ClientError):
        return TransportError(f"{where}: AWS was not reached ({error})")
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = str(error.response.get("Error", {}).get("Code", ""))
    if (
        status == 429
        or status >= 500
        or "Throttl" in code
        or "TooMany" in code
        or "Expired" in code
    ):
        return TransportError(f"{where}: {error}")
    if status in {401, 403} or "Denied" in code or "Unrecognized" in code:
        return Refused(
            "denied", f"{where}: {error}. Grant the policy in docs/evaluators-remote.md, no more."
        )
    return Refused("rejected", f"{where}: {error}. Correct the connection's extra 'redline'.")


def _requirements(remote: RemoteJob) -> list[dict[str, str]]:
    wanted = remote.resources
    cpu = f"{wanted.cpu:g}"
    found = [{"type": "VCPU", "value": cpu}, {"type": "MEMORY", "value": str(wanted.memory_mib)}]
    return found + ([{"type": "GPU", "value": str(wanted.gpu)}] if wanted.gpu else [])


def _precedence(job: dict[str, Any]) -> tuple[int, int, str]:
    """Of several jobs one counts: a succeeded before a live before a failed, then the oldest."""
    status = job["status"]
    rank = 0 if status == "SUCCEEDED" else 1 if status in LIVE else 2
    return rank, int(job.get("createdAt", 0)), str(job["jobId"])


def _why(job: dict[str, Any], handle: str, remote: RemoteJob) -> str:
    """What AWS says, what the container says, and where the log is."""
    container = job.get("container", {})
    said = [str(job.get("statusReason", "no reason given"))]
    if container.get("reason"):
        said.append(str(container["reason"]))
    if container.get("exitCode") is not None:
        said.append(f"exit code {container['exitCode']}")
    options = container.get("logConfiguration", {}).get("options", {})
    group = options.get("awslogs-group", "/aws/batch/job")
    stream = container.get("logStreamName")
    log = f"CloudWatch {group} {stream}" if stream else "none, it never began"
    return (
        f"{handle} failed ({'; '.join(said)}); its log: {log}; what it left is under "
        f"{remote.output_uri}/attempt-<n>/"
    )
