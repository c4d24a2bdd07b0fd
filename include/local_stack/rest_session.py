"""One user's authenticated HTTP session with the local Airflow: token, patience, clear errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import tenacity

from include.local_stack.errors import AirflowRestError

API = "/api/v2/"
TOKEN_PATH = "/auth/token"  # noqa: S105 - an address
REQUEST_SECONDS = 30.0
UNAUTHORIZED = 401
SERVER_FAULT = 500
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request; `repeatable` says that carrying it out twice does no harm."""

    method: str
    url: str
    params: Mapping[str, Any] | None = None
    body: Mapping[str, Any] | None = None
    repeatable: bool = True
    authenticated: bool = True


class _TryAgain(Exception):  # noqa: N818 - a signal inside this module
    """An attempt failed in a way that another may not; carries the error to end with."""

    def __init__(self, error: AirflowRestError) -> None:
        super().__init__(str(error))
        self.error = error


class AirflowSession:
    """Sends requests as one named user, for at most `patience` seconds each.

    Tried again with growing pauses: what was never sent, and what the server says it failed at
    (5xx: SQLite under load; its transaction was rolled back). A connection that broke after sending
    is tried again only for a `repeatable` call.
    """

    def __init__(
        self,
        base_url: str,
        username: str,
        password: str,
        *,
        patience: float,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.username = username
        self._password = password
        self._patience = patience
        self._token: str | None = None
        self._client = httpx.Client(trust_env=False, timeout=REQUEST_SECONDS, transport=transport)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def token(self) -> str:
        """This user's bearer token, fetched once. Raises: AirflowRestError."""
        if self._token is None:
            body = {"username": self.username, "password": self._password}
            call = Call(method="POST", url=TOKEN_PATH, body=body, authenticated=False)
            self._token = str(self._patiently(call)["access_token"])
        return self._token

    def send(self, call: Call) -> Any:
        """The answer's JSON, or None for an empty one; a stale token is replaced once.

        Raises: AirflowRestError.
        """
        try:
            return self._patiently(call)
        except AirflowRestError as error:
            if error.status != UNAUTHORIZED:
                raise
        self._token = None
        return self._patiently(call)

    def _patiently(self, call: Call) -> Any:
        if call.authenticated:
            self.token()
        unsure = False

        def attempt() -> httpx.Response:
            nonlocal unsure
            try:
                return self._attempt(call)
            except _TryAgain as again:
                unsure = unsure or again.error.repeated
                raise

        try:
            response = tenacity.Retrying(
                retry=tenacity.retry_if_exception_type(_TryAgain),
                stop=tenacity.stop_after_delay(self._patience),
                wait=tenacity.wait_exponential_jitter(multiplier=0.1, max=2.0, jitter=0.1),
                reraise=True,
            )(attempt)
        except _TryAgain as again:
            raise again.error from again.__cause__
        if not response.is_success:
            raise self._refusal(call, response, repeated=unsure)
        return response.json() if response.content else None

    def _attempt(self, call: Call) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token}"} if call.authenticated else {}
        try:
            response = self._client.request(
                call.method,
                self.base_url + call.url,
                params=call.params,
                json=call.body,
                headers=headers,
            )
        except NOT_SENT as error:
            raise _TryAgain(self._silence(call, error, repeated=False)) from error
        except httpx.HTTPError as error:
            silence = self._silence(call, error, repeated=True)
            if not call.repeatable:
                raise silence from error
            raise _TryAgain(silence) from error
        if response.status_code >= SERVER_FAULT:
            raise _TryAgain(self._refusal(call, response, repeated=True))
        return response

    def _silence(self, call: Call, error: Exception, *, repeated: bool) -> AirflowRestError:
        return AirflowRestError(
            0,
            f"No answer to {call.method} {call.url} from {self.base_url} for {self.username} "
            f"({type(error).__name__}: {error}; expected: an answer within {self._patience:g} s). "
            "Look at `make status`; start the stack with `make up`.",
            repeated=repeated,
        )

    def _refusal(self, call: Call, response: httpx.Response, *, repeated: bool) -> AirflowRestError:
        return AirflowRestError(
            response.status_code,
            f"Airflow answered {response.status_code} to {call.method} {call.url} for "
            f"{self.username} (expected: success): {_detail(response)}",
            repeated=repeated,
        )


def _detail(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return response.text[:500]
    detail = body.get("detail", body) if isinstance(body, dict) else body
    return str(detail)[:500]
