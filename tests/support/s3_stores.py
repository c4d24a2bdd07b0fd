"""Buckets and stores on a loopback S3, with the short times that tests want."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import boto3

from include.adapters.s3_settings import S3Settings
from include.adapters.store_s3 import S3Store, client_config

QUICK = S3Settings(total=5, connect=1, read=1, first_wait=0.002, longest_wait=0.01)
IMPATIENT = replace(QUICK, total=0.05)
IN_PARTS = replace(QUICK, multipart_from=9 << 10, part=4 << 10)
"""AWS wants 5 MiB a part; the tests of it tell moto otherwise."""
CREDENTIALS: dict[str, Any] = {
    "aws_access_key_id": "testing",
    "aws_secret_access_key": "testing",
    "region_name": "us-east-1",
}


@cache  # to make one takes a tenth of a second
def client_of(url: str, settings: S3Settings = QUICK) -> Any:
    """A client with the store's own configuration."""
    return boto3.client("s3", endpoint_url=url, config=client_config(settings), **CREDENTIALS)


def make_bucket(url: str, *, versions: bool = False, locked: bool = False) -> str:
    """A new bucket."""
    client, name = client_of(url), f"b-{secrets.token_hex(6)}"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locked)
    if versions:
        kept = {"Status": "Enabled"}
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration=kept)
    return name


def store_at(url: str, bucket: str, settings: S3Settings = QUICK, **more: Any) -> S3Store:
    """A store in a bucket."""
    return S3Store(client_of(url, settings), bucket, "redline", settings=settings, **more)


@contextmanager
def warnings_of(name: str) -> Iterator[list[str]]:
    """The warnings that a logger gives meanwhile."""
    seen: list[str] = []

    class Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    handler = Noting(logging.WARNING)
    logging.getLogger(name).addHandler(handler)
    yield seen
    logging.getLogger(name).removeHandler(handler)
