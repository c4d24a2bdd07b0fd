"""The evidence store on S3, or on anything that speaks its API with conditional writes.

What it promises where is said in docs/store-s3.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from include.adapters.s3_calls import EXISTS, MISSING, Calls
from include.adapters.s3_history import BY_DIGEST, NEXT_STEP, History, Past
from include.adapters.s3_multipart import PartsUpload
from include.adapters.s3_retention import ObjectLock
from include.adapters.s3_settings import S3Settings
from include.adapters.store import Rewritten
from include.rsp.errors import AlreadyExists, InvalidDocument, StoreUnavailable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

KEPT = ("records/", "ledger/")
"""What gets a retention."""
ONCE = (*KEPT, BY_DIGEST)
"""What must not have been there before: a deleted one is never simply written again."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What lies under a key now.

    Attributes:
        version: set where the bucket keeps versions.
        deleted: the newest version is a delete marker.
    """

    content: bytes | None
    version: str | None = None
    deleted: bool = False


def utc_now() -> datetime:
    """The time on this machine."""
    return datetime.now(UTC)


class S3Store:
    """Create-only objects under `s3://bucket/prefix`, by `If-None-Match: *`."""

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        prefix: str,
        *,
        settings: S3Settings | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """The client should not try again by itself: `client_config` makes one that does not."""
        self.client = client
        self.bucket = bucket
        self.prefix = prefix.strip("/")
        self.settings = settings or S3Settings()
        self._calls = Calls(self.uri, self.settings)
        self._history = History(client, self._calls, bucket)
        self._lock = ObjectLock(client, self._calls, bucket, clock)
        self._never_there: set[str] = set()

    @classmethod
    def from_uri(cls, uri: str) -> S3Store:
        """Credentials and endpoint come from boto3's own configuration (AWS_ENDPOINT_URL_S3).

        Raises:
            InvalidDocument: a REDLINE_S3_* setting does not read.
        """
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        settings = S3Settings.from_environment(os.environ)
        client = boto3.client("s3", config=client_config(settings))
        return cls(client, bucket, prefix, settings=settings)

    @property
    def uri(self) -> str:
        """`s3://bucket/prefix`."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def put_new(self, key: str, content: bytes) -> None:
        """Create an object.

        It is created only if (1) no object is there now, which S3 decides; where it says that one
        is there, or where an answer was lost, the same content is no error; (2) for records and
        ledger entries, none was there before: a deleted one lets S3's own condition pass.

        Raises:
            AlreadyExists: other content is there, or something was there and was deleted.
            StoreUnavailable: the store did not answer or refused, or it is not known what was
                there before.
        """
        # Only what is named by its content goes in parts: a condition on the end of an upload is
        # not kept by every server when several end at once (docs/store-s3.md).
        in_parts = key.startswith(BY_DIGEST) and len(content) >= self.settings.multipart_from
        if (in_parts or key.startswith("ledger/")) and self._is_there(key, content):
            return  # (2) before anybody can read it, where that costs little or matters most
        try:
            version = self._create(key, content, in_parts=in_parts)  # (1)
        except ClientError as error:
            version = self._compare(key, content, error)
        if version and key.startswith(ONCE):
            self._check_past(key, self._history.of(self._key(key), key=key))  # (2)

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None.

        Raises:
            InvalidDocument: it is a record, ledger entry or blob that was deleted.
            StoreUnavailable: the store did not answer or refused.
        """
        found = self._read(key)
        if found.content is None and key.startswith(ONCE):
            return self._after_a_miss(key, found)
        return found.content

    def list(self, prefix: str) -> Iterator[str]:
        """Keys that begin with the prefix."""
        skip = len(self._key(""))
        wanted = f"{prefix.rstrip('/')}/" if prefix else ""
        for page in self._pages(self._key(wanted), prefix):
            for item in page.get("Contents", []):
                yield item["Key"][skip:]

    def folders(self, prefix: str) -> Sequence[str]:
        """The common prefixes one level below."""
        whole = self._key(f"{prefix.rstrip('/')}/")
        return sorted(
            one["Prefix"][len(whole) :].rstrip("/")
            for page in self._pages(whole, prefix, Delimiter="/")
            for one in page.get("CommonPrefixes", [])
        )

    def rewritten(self) -> Iterator[Rewritten]:
        """Every key that was deleted or has more than one version (`KeepsVersions`)."""
        yield from self._history.rewritten(self._key(""))

    def _create(self, key: str, content: bytes, *, in_parts: bool) -> str | None:
        """The new object's version; a ClientError says that the caller has to compare."""
        whole = self._key(key)
        extra = self._lock.retention() if key.startswith(KEPT) else {}
        if in_parts:
            upload = PartsUpload(self.client, self._calls, self.bucket, whole, key, extra)
            return upload.send(content)
        answer = self._calls.ask(
            "write",
            key,
            lambda: self.client.put_object(
                Bucket=self.bucket,
                Key=whole,
                Body=content,
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",
                **extra,
            ),
            expected=EXISTS,
        )
        return answer.get("VersionId")

    def _after_a_miss(self, key: str, found: _Found) -> bytes | None:
        """Whether what is missing was never there.

        S3 says it with the answer; SeaweedFS does not, so its versions are looked at, once a key:
        readers of the ledger ask for the entry to come again and again.
        """
        if not found.deleted and key not in self._never_there:
            past = self._history.of(self._key(key), key=key)
            if past.is_empty:
                self._never_there.add(key)
            else:  # it may have been created a moment ago
                found = self._read(key)
                found = replace(found, deleted=found.content is None)
        if found.deleted:
            raise InvalidDocument(f"{key} was deleted from {self.uri}. {NEXT_STEP}")
        return found.content

    def _is_there(self, key: str, content: bytes) -> bool:
        """Whether this content is there already.

        Raises:
            AlreadyExists: other content is, or something was and was deleted.
        """
        past = self._history.of(self._key(key), key=key)
        if past.is_empty:
            return False
        found = self._read(key)
        if found.content is None:
            raise AlreadyExists(f"{key} was in {self.uri} before and was deleted. {NEXT_STEP}")
        if found.content != content:
            raise AlreadyExists(f"{key} exists in {self.uri} with other content.")
        self._check_past(key, past)
        return True

    def _compare(self, key: str, content: bytes, answer: ClientError) -> str | None:
        """Who has won, by what is there."""
        found = self._read(key)
        if found.content == content:
            return found.version
        if found.content is None:
            raise StoreUnavailable(
                f"Could not write {key} in {self.uri}: it said {answer}, but nothing is there"
                f"{' (it was deleted)' if found.deleted else ''}. Run the same again."
            ) from answer
        raise AlreadyExists(f"{key} exists in {self.uri} with other content.") from None

    def _check_past(self, key: str, past: Past) -> None:
        if past.is_empty:
            raise StoreUnavailable(
                f"{key} is in {self.uri}, but its versions are not listed, so nobody knows whether "
                "it was deleted before. Look at the bucket, then run the same again."
            )
        if not past.is_harmless(key):
            raise AlreadyExists(f"{key} was in {self.uri} before: it has {past}. {NEXT_STEP}")

    def _read(self, key: str) -> _Found:
        def whole() -> _Found:
            answer = self.client.get_object(Bucket=self.bucket, Key=self._key(key))
            return _Found(answer["Body"].read(), answer.get("VersionId"))

        try:
            return self._calls.ask("read", key, whole, expected=MISSING)
        except ClientError as error:
            meta: dict[str, Any] = dict(error.response.get("ResponseMetadata", {}))
            headers = meta.get("HTTPHeaders", {})
            return _Found(None, deleted=headers.get("x-amz-delete-marker") == "true")

    def _pages(self, whole: str, prefix: str, **more: Any) -> Iterator[ListObjectsV2OutputTypeDef]:
        follow: dict[str, Any] = {}
        while True:
            asked = {"Bucket": self.bucket, "Prefix": whole} | more | follow
            page = self._calls.ask("list", prefix, partial(self.client.list_objects_v2, **asked))
            yield page
            if not page.get("IsTruncated"):
                return
            token = page.get("NextContinuationToken")
            if not token or follow.get("ContinuationToken") == token:
                raise StoreUnavailable(
                    f"Could not list {prefix} in {self.uri}: it says that there is more, but not "
                    "where. Nothing is known of the rest: check the store's version."
                )
            follow = {"ContinuationToken": token}

    def _key(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key


def client_config(settings: S3Settings) -> Config:
    """One try and strict times: `Calls` tries again, so that the time in all is bounded."""
    return Config(
        retries={"total_max_attempts": 1},
        connect_timeout=settings.connect,
        read_timeout=settings.read,
    )
