"""One request to S3 until it is answered: tried again with random waits, for a bounded time."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
)
from botocore.exceptions import (
    ConnectionError as NotConnected,
)
from tenacity import Retrying, retry_if_exception, stop_before_delay, wait_random_exponential

from include.adapters.s3_settings import S3Settings
from include.rsp.errors import StoreUnavailable

T = TypeVar("T")
EXISTS = frozenset({"PreconditionFailed", "412"})
CONFLICT = frozenset({"ConditionalRequestConflict", "OperationAborted", "409"})
"""Somebody else writes the same key right now: nobody has won, so the request is made again."""
MISSING = frozenset({"NoSuchKey", "404"})
_BUSY = CONFLICT | {
    "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "RequestTimeoutException",
    "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "429", "408",
}  # fmt: skip
_LOST = (NotConnected, HTTPClientError, IncompleteReadError, ResponseStreamingError)
_NOT_IMPLEMENTED = 501


@dataclass(frozen=True, slots=True)
class Calls:
    """Makes requests to the store at `uri`."""

    uri: str
    settings: S3Settings

    def ask(
        self,
        what: str,
        key: str,
        call: Callable[[], T],
        *,
        expected: Collection[str] = (),
    ) -> T:
        """The answer to a request that may be made again without harm.

        Args:
            what: the verb for messages.
            expected: codes that are an answer, not a fault; they are raised at once as they are.

        Raises:
            ClientError: with one of the expected codes.
            StoreUnavailable: no answer in `settings.total`, or a refusal.
        """
        at_last = Retrying(
            stop=stop_before_delay(self.settings.total),
            wait=wait_random_exponential(
                multiplier=self.settings.first_wait, max=self.settings.longest_wait
            ),
            retry=retry_if_exception(
                lambda error: code_of(error) not in expected and may_help(error)
            ),
            reraise=True,
        )
        try:
            return at_last(call)
        except ClientError as error:
            if code_of(error) in expected:
                raise
            raise self._unavailable(what, key, error, at_last.statistics) from error
        except BotoCoreError as error:
            raise self._unavailable(what, key, error, at_last.statistics) from error

    def _unavailable(
        self, what: str, key: str, error: Exception, tried: dict[str, Any]
    ) -> StoreUnavailable:
        times = int(tried.get("attempt_number", 1))
        return StoreUnavailable(
            f"Could not {what} {key or 'keys'} in {self.uri} ({times} tries in at most "
            f"{self.settings.total:g} s): {error}. {_next_step(error)}"
        )


def code_of(error: BaseException) -> str:
    """The code that S3 gave; empty for what is no answer of S3."""
    if not isinstance(error, ClientError):
        return ""
    detail: dict[str, Any] = dict(error.response.get("Error", {}))
    return str(detail.get("Code", ""))


def may_help(error: BaseException) -> bool:
    """Whether the same request can succeed later: faults of the way and of a busy store."""
    if not isinstance(error, ClientError):
        return isinstance(error, _LOST)
    meta: dict[str, Any] = dict(error.response.get("ResponseMetadata", {}))
    status = int(meta.get("HTTPStatusCode", 0))
    return code_of(error) in _BUSY or (status >= 500 and status != _NOT_IMPLEMENTED)


def _next_step(error: Exception) -> str:
    if code_of(error) in {"AccessDenied", "403", "AllAccessDisabled"}:
        return "Give this role the policy of docs/iam that is meant for it, on bucket and prefix."
    if isinstance(error, ClientError) and may_help(error):
        return "The store is busy or away: look at its health, then run the same again."
    return "Check the endpoint, the credentials and that the bucket exists."
