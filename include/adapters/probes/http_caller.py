"""One HTTP request and what came of it, without retries: for the probes that ask a service."""

from __future__ import annotations

import hashlib
import os
import re
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from include.adapters.probes.look_parts import positive
from include.adapters.probes.plain_json import read_json
from include.adapters.probing import Look
from include.rsp.errors import InvalidDocument, TransportError

SETTINGS = frozenset({"headers", "ca_file", "request_seconds"})
"""Settings of every probe that asks over HTTP."""
REQUEST_SECONDS = 10.0
MOST_BYTES = 1_000_000
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class NoAnswer(TransportError):  # noqa: N818 - named for what came
    """Nothing came back that says anything of the service."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status below 500 that is no redirect, and its JSON (None: no content)."""

    status: int
    body: Any
    sha256: str
    size: int

    def plain(self) -> dict[str, Any]:
        """For the raw answer: its content only as a digest, it may be what nobody should keep."""
        return {"status": self.status, "bytes": self.size, "sha256": self.sha256}


class Caller:
    """Asks with the headers, the certificates and the time limit of a probe's settings.

    No proxy of the environment is used: it would see the credentials. Redirects are not followed:
    what they lead to is another surface.

    Raises:
        InvalidDocument: a setting is wrong, or a variable that a header needs is not there.
    """

    def __init__(self, look: Look) -> None:
        self._seconds = positive(look, "request_seconds", REQUEST_SECONDS)
        self._client = httpx.Client(
            headers={**_headers(look), "Accept-Encoding": "identity"},
            verify=_trusted(look),
            timeout=self._seconds,
            trust_env=False,
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def ask(
        self, method: str, url: str, *, body: Any = None, seconds: float | None = None
    ) -> Answer:
        """One attempt.

        Args:
            body: sent as JSON; None: nothing is sent.
            seconds: at most so long in all, if that is less than the setting.

        Raises:
            NoAnswer: unreachable, TLS, too slow, too long, a redirect, 5xx, or not JSON.
        """
        most = min(self._seconds, self._seconds if seconds is None else max(seconds, 0.01))
        until = time.monotonic() + most
        sent = {} if body is None else {"json": body}
        try:
            with self._client.stream(method, url, timeout=most, **sent) as answer:
                content = _content(answer, until)
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise NoAnswer(
                f"{method} {shown(url)}: {type(error).__name__} (expected an answer)"
            ) from error
        if 300 <= status < 400 or status >= 500:
            raise NoAnswer(f"{method} {shown(url)}: HTTP {status} (expected an answer of its own)")
        return Answer(
            status=status,
            body=_body(content, f"{method} {shown(url)}: HTTP {status}"),
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
        )


def checked_url(look: Look, name: str) -> str:
    """A setting that is a plain http(s) URL.

    Raises:
        InvalidDocument: it is not, or it holds a user's name or password.
    """
    text = look.text(name)
    try:
        url = httpx.URL(text)
        good = url.scheme in ("http", "https") and bool(url.host) and not url.userinfo
    except httpx.InvalidURL:
        good = False
    if not good:
        raise InvalidDocument(
            f"The probe's setting {name!r} is no URL (expected http:// or https:// and a host, "
            "without a user). Credentials belong into `headers`, as names of variables."
        )
    return text


def shown(url: str) -> str:
    """A URL for people: its query may hold what is nobody's business."""
    return url.partition("?")[0]


def _headers(look: Look) -> dict[str, str]:
    """`Name: VARIABLE` each; the suite never holds the value, nor does any message of ours."""
    found: dict[str, str] = {}
    for number, line in enumerate(look.texts("headers", []), 1):
        name, _, variable = (part.strip() for part in str(line).partition(":"))
        if not HEADER.fullmatch(name) or not VARIABLE.fullmatch(variable):
            raise InvalidDocument(
                f"Line {number} of the probe's setting 'headers' does not read (expected "
                "'Header-Name: NAME_OF_AN_ENVIRONMENT_VARIABLE', never the value itself). "
                "Correct safeguards.probes of the suite."
            )
        value = os.environ.get(variable, "")
        if not value.strip() or not value.isascii() or not value.isprintable():
            raise InvalidDocument(
                f"The environment variable {variable} of the header {name} is empty or not "
                "printable (expected a credential). Set it where the workers run."
            )
        found[name] = value
    return found


def _trusted(look: Look) -> ssl.SSLContext | bool:
    path = look.text("ca_file", "")
    if not path:
        return True
    try:
        return ssl.create_default_context(cafile=str(Path(path)))
    except (OSError, ssl.SSLError) as error:
        raise InvalidDocument(
            f"No certificates can be read from {path}: {error}. Correct the probe's setting "
            "'ca_file'."
        ) from error


def _content(answer: httpx.Response, until: float) -> bytes:
    """All of it, within the time: a server that drips a byte now and then is no answer."""
    content = bytearray()
    for chunk in answer.iter_bytes():
        content += chunk
        if len(content) > MOST_BYTES:
            raise httpx.ReadError(f"more than {MOST_BYTES} bytes")
        if time.monotonic() > until:
            raise httpx.ReadTimeout("too slow")
    return bytes(content)


def _body(content: bytes, where: str) -> Any:
    if not content.strip():
        return None
    try:
        return read_json(content)
    except ValueError as error:
        raise NoAnswer(f"{where}: its content is not JSON (expected JSON)") from error
