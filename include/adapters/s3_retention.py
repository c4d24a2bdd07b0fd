"""Object Lock: what is asked for when a record or ledger entry is written."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from include.adapters.s3_calls import Calls

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger("redline.store")

NO_LOCK = frozenset({
    "ObjectLockConfigurationNotFoundError", "NotImplemented", "MethodNotAllowed",
})  # fmt: skip
"""The bucket has no Object Lock, or the server knows none."""


@dataclass(slots=True)
class ObjectLock:
    """Asks a bucket once whether it has Object Lock."""

    client: S3Client
    calls: Calls
    bucket: str
    clock: Callable[[], datetime]
    _is_on: bool | None = None

    def retention(self) -> dict[str, Any]:
        """What a request that creates an object says; empty where the bucket has no Object Lock.

        Raises:
            StoreUnavailable: it is not known whether the bucket has it; nothing is written then.
        """
        if self._is_on is None:
            self._is_on = self._ask()
            if not self._is_on:
                log.warning(
                    "%s HAS NO OBJECT LOCK: whoever may delete can delete records and ledger "
                    "entries for good. Use a bucket that was made with Object Lock "
                    "(docs/store-s3.md).",
                    self.calls.uri,
                )
        if not self._is_on:
            return {}
        settings = self.calls.settings
        until = self.clock() + timedelta(days=settings.retention_days)
        return {
            "ObjectLockMode": settings.retention.value,
            "ObjectLockRetainUntilDate": until,
        }

    def _ask(self) -> bool:
        try:
            answer = self.calls.ask(
                "see whether Object Lock is on before writing",
                "records",
                lambda: self.client.get_object_lock_configuration(Bucket=self.bucket),
                expected=NO_LOCK,
            )
        except ClientError:
            return False
        found = answer.get("ObjectLockConfiguration", {})
        return found.get("ObjectLockEnabled") == "Enabled"
