"""An evaluation as a container elsewhere: the same plan, image and log contract on every service.

A remote job is a folder under a prefix (`s3://bucket/prefix/jobs/<job>/` or a directory), written
create-only. The orchestrator puts `request.json` there, the container (`job_entry`) answers:

- `submitted.json`: which job of the service it is, so that one that vanished is told from one that
  was never started;
- `attempt-<n>/…`: what one run of the container left, its logs first;
- `outcome.json`: which attempt counts, with the digest of every file of it. It is written last and
  once: as long as it is missing the job has not finished;
- `again-<n>/outcome.json`: what a second run of the same job found; kept, never counted.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator

from include.adapters.evaluation import JobOutcome, JobRequest, is_file_name
from include.adapters.remote_place import PASSED_ON, Image, Prefix, RemotePlace, Resources
from include.adapters.store import Store, open_store
from include.rsp.canonical import Digest, Document, Identifier, canonical_bytes, digest_bytes
from include.rsp.errors import AlreadyExists, InvalidDocument, Refused

NAME_LIMIT = 59
"""A DNS-1123 label has 63 characters, and Airflow's operator puts `job-` before the name."""
READABLE = 32
COMMAND = ("python", "-m", "include.adapters.job_entry")

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


class RemoteJob(Document):
    """All that a service has to be told about one evaluation."""

    job: Identifier
    image: Image
    command: tuple[str, ...] = Field(min_length=1)
    environment: dict[str, str]
    resources: Resources
    timeout_seconds: int = Field(ge=60, description="of one attempt; AWS Batch knows no less")
    attempts: int = Field(ge=1, le=10, description="runs of the container; AWS Batch knows no more")
    labels: dict[str, str]
    output_uri: Prefix

    @model_validator(mode="after")
    def _holds_no_secret(self) -> Self:
        odd = [n for n in self.environment if not n.startswith("REDLINE_JOB_")]
        if wrong := sorted(set(odd) - PASSED_ON):
            raise ValueError(
                f"the environment names {wrong} (expected REDLINE_JOB_… or {sorted(PASSED_ON)}). "
                "Whoever may read the job can read it: give secrets by the service's own role"
            )
        if bad := {k: v for k, v in self.labels.items() if not _LABEL.fullmatch(v)}:
            raise ValueError(f"no label values: {bad} (expected what `label_of` makes)")
        return self

    @property
    def name(self) -> str:
        """The name on the service: the same for the same job, another for every other one."""
        return service_name(self.job)

    @property
    def request_uri(self) -> str:
        """Where the container finds its request."""
        return f"{self.output_uri}/request.json"


def service_name(job: str) -> str:
    """A DNS-1123 label of at most 59 characters, which AWS Batch takes as well.

    The readable part may be cut; 130 bits of the digest of the whole name keep two jobs apart.
    """
    cut = re.sub(r"[^a-z0-9]+", "-", job.lower())[:READABLE].strip("-")
    mark = base64.b32encode(hashlib.sha256(job.encode()).digest()).decode().lower()[:26]
    return f"{cut}-{mark}" if cut else mark


def label_of(text: str) -> str:
    """A label value: the text itself where it can be one, else cut and marked like a name."""
    return text if _LABEL.fullmatch(text) else service_name(text)


def plan_remote_job(
    request: JobRequest,
    place: RemotePlace,
    *,
    assessment: str,
    evaluation: str,
    timeout_seconds: float,
    attempts: int,
) -> RemoteJob:
    """One evaluation at one place.

    Raises:
        InvalidDocument: the connection's settings make no job.
    """
    output = f"{place.output_prefix}/jobs/{request.job}"
    try:
        return RemoteJob(
            job=request.job,
            image=place.image,
            command=COMMAND,
            environment=place.environment
            | {"REDLINE_JOB_REQUEST_URI": f"{output}/request.json"}
            | {"REDLINE_JOB_OUTPUT_URI": output, "REDLINE_JOB_IMAGE": place.image},
            resources=place.resources,
            timeout_seconds=max(60, round(timeout_seconds)),
            attempts=attempts,
            labels={
                "redline-assessment": label_of(assessment),
                "redline-evaluation": label_of(evaluation),
            },
            output_uri=output,
        )
    except ValidationError as error:
        raise InvalidDocument(
            f"Job {request.job} cannot be placed: {error}. Correct the connection's extra "
            "'redline' (docs/evaluators-remote.md)."
        ) from error


class StoredFile(Document):
    """One file that a run of the container left."""

    name: str = Field(description="relative to the attempt, parts joined by '/'")
    bytes: int = Field(ge=0)
    sha256: Digest

    @model_validator(mode="after")
    def _stays_inside(self) -> Self:
        if not is_file_name(self.name):
            raise ValueError(f"{self.name!r} is no name of a file in the job's folder")
        return self


class Delivery(Document):
    """The content of `outcome.json`: which attempt it is, and every file of it."""

    job: Identifier
    attempt: int = Field(ge=1)
    files: list[StoredFile] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_an_outcome(self) -> Self:
        names = [one.name for one in self.files]
        if len(set(names)) != len(names) or "outcome.json" not in names:
            raise ValueError(f"files {names} (expected each once, and outcome.json among them)")
        return self


def stage_request(remote: RemoteJob, request: JobRequest) -> None:
    """Put the request where the container looks for it; the same request again is no error.

    Raises:
        Refused: another request lies there under the same job name.
    """
    try:
        open_store(remote.output_uri).put_new("request.json", canonical_bytes(request))
    except AlreadyExists as error:
        raise Refused(
            "other_request",
            f"{remote.request_uri} holds another request than job {remote.job} has now. Nothing "
            "was started. Find out who wrote it; a changed evaluation needs a new version.",
        ) from error


def mark_submitted(remote: RemoteJob, handle: str) -> str:
    """Remember which job of the service this is; the first one written down counts.

    Returns:
        The handle that counts: another one than was given when two were submitted at once.
    """
    store = open_store(remote.output_uri)
    try:
        store.put_new("submitted.json", canonical_bytes({"handle": handle}))
    except AlreadyExists:
        return submitted(remote) or handle
    return handle


def submitted(remote: RemoteJob) -> str | None:
    """The handle of the service's job that was submitted, if one ever was."""
    content = open_store(remote.output_uri).get("submitted.json")
    return None if content is None else _Submitted.model_validate_json(content).handle


class _Submitted(Document):
    handle: str


def count_attempts(remote: RemoteJob) -> int:
    """How many runs of the container began."""
    store, number = open_store(remote.output_uri), 0
    while store.get(f"attempt-{number + 1}/claim.json") is not None:
        number += 1
    return number


def read_delivery(remote: RemoteJob) -> Delivery | None:
    """What counts of the job, or None as long as it has not finished.

    Raises:
        InvalidDocument: it does not read, or is of another job.
    """
    where = f"{remote.output_uri}/outcome.json"
    content = open_store(remote.output_uri).get("outcome.json")
    if content is None:
        return None
    try:
        found = Delivery.model_validate_json(content)
    except ValidationError as error:
        raise InvalidDocument(f"{where} does not read: {error}") from error
    if found.job != remote.job:
        raise InvalidDocument(f"{where} is of job {found.job!r} (expected {remote.job!r})")
    return found


def read_outcome(remote: RemoteJob) -> JobOutcome | None:
    """The finished job's outcome, checked against its digest, or None."""
    delivery = read_delivery(remote)
    if delivery is None:
        return None
    (mine,) = (one for one in delivery.files if one.name == "outcome.json")
    content = _checked(open_store(remote.output_uri), delivery, mine)
    return _outcome(content, remote)


def fetch_results(remote: RemoteJob, folder: Path) -> bool:
    """Bring a finished job's files into a local job folder, its outcome last.

    Then the folder is what a local job leaves. Returns False when the job has not finished.
    """
    delivery = read_delivery(remote)
    if delivery is None:
        return False
    store = open_store(remote.output_uri)
    for one in sorted(delivery.files, key=lambda one: (one.name == "outcome.json", one.name)):
        content = _checked(store, delivery, one)
        if one.name == "outcome.json":
            _outcome(content, remote)
        path = folder.joinpath(*one.name.split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.fetched")
        beside.write_bytes(content)
        beside.replace(path)
    return True


def _outcome(content: bytes, remote: RemoteJob) -> JobOutcome:
    try:
        return JobOutcome.model_validate_json(content)
    except ValidationError as error:
        raise InvalidDocument(f"The outcome of job {remote.job} does not read: {error}") from error


def _checked(store: Store, delivery: Delivery, one: StoredFile) -> bytes:
    key = f"attempt-{delivery.attempt}/{one.name}"
    content = store.get(key)
    if content is None or digest_bytes(content) != one.sha256:
        found = "nothing" if content is None else digest_bytes(content)
        raise InvalidDocument(
            f"{key} in {store.uri} is {found} (expected {one.sha256}, as outcome.json says). The "
            "results cannot be used; run the evaluation again under a new version."
        )
    return content
