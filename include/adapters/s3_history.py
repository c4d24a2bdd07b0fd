"""What happened to a key before: on S3 a deleted object lets the next conditional write succeed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from include.adapters.s3_calls import Calls
from include.adapters.store import Rewritten
from include.rsp.errors import StoreUnavailable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ListObjectVersionsOutputTypeDef

NEXT_STEP = (
    "Nothing in a store is deleted or written twice. Find who did it (CloudTrail, the server's "
    "log); remove the delete marker and what was written over it, not the first version."
)


@dataclass(slots=True)
class Past:
    """Versions and delete markers of one key."""

    versions: int = 0
    markers: int = 0

    @property
    def is_clean(self) -> bool:
        """Written at most once, and never deleted."""
        return self.versions <= 1 and self.markers == 0

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
        """The past of one key that was just seen.

        One request: keys are listed in order, so a key comes before all that begin with it, and
        two rows tell once from more than once.

        Raises:
            StoreUnavailable: the versions cannot be listed, or the key is not among them.
        """
        page = self._page(whole_key, key, rows=2)
        past = _pasts(page).get(whole_key, Past())
        if not past.versions + past.markers:
            raise StoreUnavailable(
                f"{key} is in {self.calls.uri}, but its versions are not listed, so nobody knows "
                "whether it was deleted before. Look at the bucket, then run the same again."
            )
        return past

    def rewritten(self, prefix: str) -> Iterator[Rewritten]:
        """Every key below a prefix that was deleted once or has more than one version.

        Raises:
            StoreUnavailable: the versions cannot be listed.
        """
        found: dict[str, Past] = {}
        after: dict[str, Any] = {}
        while True:
            page = self._page(prefix, "versions of keys", after=after)
            for whole_key, past in _pasts(page).items():
                known = found.setdefault(whole_key, Past())
                known.versions += past.versions
                known.markers += past.markers
            if not page.get("IsTruncated"):
                break
            after = self._next(page, after)
        for whole_key, past in sorted(found.items()):
            if not past.is_clean:
                yield Rewritten(whole_key.removeprefix(prefix), str(past))

    def _page(
        self, prefix: str, key: str, *, rows: int = 1000, after: dict[str, Any] | None = None
    ) -> ListObjectVersionsOutputTypeDef:
        asked: dict[str, Any] = {"Bucket": self.bucket, "Prefix": prefix, "MaxKeys": rows}
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
        found.setdefault(version["Key"], Past()).versions += 1
    for marker in page.get("DeleteMarkers", []):
        found.setdefault(marker["Key"], Past()).markers += 1
    return found
