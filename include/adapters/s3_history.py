"""What happened to a key before: on S3 a deleted object lets the next conditional write succeed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from include.adapters.s3_calls import Calls
from include.adapters.store import Rewritten
from include.rsp.errors import StoreUnavailable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ListObjectVersionsOutputTypeDef

log = logging.getLogger("redline.store")

BY_DIGEST = "blobs/"
"""Keys that are named by their content: whoever writes one writes the same."""
NEXT_STEP = (
    "Nothing in a store is deleted or written twice. Find who did it (CloudTrail, the server's "
    "log); remove the delete marker and what was written over it, not the first version."
)


@dataclass(slots=True)
class Past:
    """Versions and delete markers of one key; `contents` are the ETags of the versions."""

    versions: int = 0
    markers: int = 0
    contents: set[str] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        """Nothing was ever written."""
        return not self.versions + self.markers

    def is_harmless(self, key: str) -> bool:
        """Never deleted, and written once; a blob several times, if with the same content."""
        same = key.startswith(BY_DIGEST) and len(self.contents) == 1
        return self.markers == 0 and (self.versions == 1 or same)

    def __str__(self) -> str:
        """For messages."""
        return f"{self.versions} versions and {self.markers} delete markers (expected 1 and 0)"


@dataclass(frozen=True, slots=True)
class History:
    """Looks at the versions that a bucket keeps."""

    client: S3Client
    calls: Calls
    bucket: str

    def of(self, whole_key: str, *, key: str) -> Past:
        """The past of one key, up to its thousand newest versions; empty without any.

        One request: keys are listed in order, so a key comes before all that begin with it.

        Raises:
            StoreUnavailable: the versions cannot be listed.
        """
        return _pasts(self._page(whole_key, key)).get(whole_key, Past())

    def rewritten(self, prefix: str) -> Iterator[Rewritten]:
        """Every key below a prefix that was deleted once or has more than one version.

        Not named is a blob that was only ever written with one content: two writers met.

        Raises:
            StoreUnavailable: the versions cannot be listed.
        """
        found: dict[str, Past] = {}
        after: dict[str, Any] = {}
        kept = False
        while True:
            page = self._page(prefix, "all keys", after=after)
            kept |= any(one["VersionId"] != "null" for one in page.get("Versions", []))
            for whole_key, past in _pasts(page).items():
                known = found.setdefault(whole_key, Past())
                known.versions += past.versions
                known.markers += past.markers
                known.contents |= past.contents
            if not page.get("IsTruncated"):
                break
            after = self._next(page, after)
        if found and not kept:
            log.warning(
                "%s KEEPS NO VERSIONS: what was deleted or written over cannot be seen. Turn on "
                "versioning (docs/store-s3.md).",
                self.calls.uri,
            )
        for whole_key, past in sorted(found.items()):
            key = whole_key.removeprefix(prefix)
            if not past.is_harmless(key):
                yield Rewritten(key, str(past))

    def _page(
        self, prefix: str, key: str, *, after: dict[str, Any] | None = None
    ) -> ListObjectVersionsOutputTypeDef:
        asked: dict[str, Any] = {"Bucket": self.bucket, "Prefix": prefix, "MaxKeys": 1000}
        asked |= after or {}
        return self.calls.ask(
            "list the versions of", key, partial(self.client.list_object_versions, **asked)
        )

    def _next(self, page: ListObjectVersionsOutputTypeDef, after: dict[str, str]) -> dict[str, str]:
        marks = {
            "KeyMarker": page.get("NextKeyMarker", ""),
            "VersionIdMarker": page.get("NextVersionIdMarker", ""),
        }
        following = {name: mark for name, mark in marks.items() if mark}
        if not following or following == after:
            raise StoreUnavailable(
                f"{self.calls.uri} says that it has more versions, but not where they begin. "
                "Nothing is known of the rest: check the store's version."
            )
        return following


def _pasts(page: ListObjectVersionsOutputTypeDef) -> dict[str, Past]:
    found: dict[str, Past] = {}
    for version in page.get("Versions", []):
        past = found.setdefault(version["Key"], Past())
        past.versions += 1
        past.contents.add(version["ETag"])
    for marker in page.get("DeleteMarkers", []):
        found.setdefault(marker["Key"], Past()).markers += 1
    return found
