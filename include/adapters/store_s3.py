"""The evidence store on S3, or on anything that speaks its API with conditional writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from include.rsp.errors import AlreadyExists, StoreUnavailable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_RETRIES = Config(
    retries={"mode": "standard", "max_attempts": 6}, connect_timeout=5, read_timeout=30
)


class S3Store:
    """Create-only objects under `s3://bucket/prefix`, by `If-None-Match: *`."""

    def __init__(self, client: S3Client, bucket: str, prefix: str) -> None:
        self.client = client
        self.bucket = bucket
        self.prefix = prefix.strip("/")

    @classmethod
    def from_uri(cls, uri: str) -> S3Store:
        """Credentials and endpoint come from boto3's own configuration (AWS_ENDPOINT_URL_S3)."""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        return cls(boto3.client("s3", config=_RETRIES), bucket, prefix)

    @property
    def uri(self) -> str:
        """`s3://bucket/prefix`."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def put_new(self, key: str, content: bytes) -> None:
        """Create an object; on a conflict compare what is there: a lost reply is no error."""
        try:
            self.client.put_object(
                Bucket=self.bucket,
                Key=self._key(key),
                Body=content,
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",
            )
        except ClientError as error:
            if _code(error) not in {
                "PreconditionFailed",
                "412",
                "ConditionalRequestConflict",
                "409",
            }:
                raise self._unavailable("write", key, error) from error
            if self.get(key) != content:
                raise AlreadyExists(f"{key} exists in {self.uri} with other content.") from None
        except BotoCoreError as error:
            raise self._unavailable("write", key, error) from error

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None."""
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=self._key(key))
            return answer["Body"].read()
        except ClientError as error:
            if _code(error) in {"NoSuchKey", "404"}:
                return None
            raise self._unavailable("read", key, error) from error
        except BotoCoreError as error:
            raise self._unavailable("read", key, error) from error

    def list(self, prefix: str) -> Iterator[str]:
        """Keys that begin with the prefix."""
        skip = len(self._key(""))
        wanted = f"{prefix.rstrip('/')}/" if prefix else ""
        try:
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self._key(wanted)
            )
            for page in pages:
                for item in page.get("Contents", []):
                    yield item["Key"][skip:]
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable("list", prefix, error) from error

    def folders(self, prefix: str) -> Sequence[str]:
        """The common prefixes one level below."""
        whole = self._key(f"{prefix.rstrip('/')}/")
        try:
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=whole, Delimiter="/"
            )
            return sorted(
                one["Prefix"][len(whole) :].rstrip("/")
                for page in pages
                for one in page.get("CommonPrefixes", [])
            )
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable("list", prefix, error) from error

    def _key(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def _unavailable(self, what: str, key: str, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(
            f"Could not {what} {key} in {self.uri}: {error}. Check the endpoint, the credentials "
            "and that the bucket exists."
        )


def _code(error: ClientError) -> str:
    detail: dict[str, Any] = dict(error.response.get("Error", {}))
    return str(detail.get("Code", ""))
