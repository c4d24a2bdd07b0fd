"""Where evaluations run that do not run on this machine, as a connection says it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from include.rsp.canonical import Document

PASSED_ON = frozenset({"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3"})
"""Beside REDLINE_JOB_*: settings of the container that are no secrets."""

_PINNED = re.compile(r"[a-z0-9][a-zA-Z0-9._/:-]*@sha256:[0-9a-f]{64}")


def pinned(image: str) -> str:
    """The image itself, if it is pinned by its digest.

    Raises:
        ValueError: a tag alone can be another image tomorrow.
    """
    if not _PINNED.fullmatch(image):
        raise ValueError(
            f"the image {image!r} is not pinned (expected repository@sha256:<64 hex digits>; a "
            "tag can name another image tomorrow). `docker inspect` and the registry show it"
        )
    return image


def _placed(prefix: str) -> str:
    cut = prefix.rstrip("/")
    on_s3 = re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]+(/[^/\s]+)*", cut)
    if not on_s3 and not (cut.startswith("/") and ".." not in cut.split("/")):
        raise ValueError(
            f"{prefix!r} is no place for jobs (expected s3://bucket/prefix or an absolute path)"
        )
    return cut


Image = Annotated[str, AfterValidator(pinned)]
Prefix = Annotated[str, AfterValidator(_placed)]


class Resources(Document):
    """What one container gets; requested and limit are the same."""

    cpu: float = Field(gt=0, description="cores")
    memory_mib: int = Field(gt=0)
    gpu: int = Field(default=0, ge=0)


class RemotePlace(Document):
    """Where and in what evaluations run: the part of a connection that every service has."""

    image: Image
    output_prefix: Prefix = Field(description="s3://bucket/prefix or an absolute path")
    resources: Resources
    environment: dict[str, str] = Field(
        default_factory=dict, description="only names of PASSED_ON; never a secret"
    )
    poll_seconds: int = Field(default=30, ge=1)
