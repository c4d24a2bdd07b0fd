"""A small JSON service on loopback: one function answers, every request in a thread."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MAXIMUM_BYTES = 1 << 16
SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; a body is always a JSON object."""

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: JSON, or bytes as they are; `logged` is what the log says of it."""

    status: int
    body: dict[str, Any] | bytes
    logged: dict[str, Any] = field(default_factory=dict)


class _Unreadable(Exception):  # noqa: N818 - what is wrong
    """The request's body is no JSON object of a decent size."""


@contextlib.contextmanager
def serve(answer: Callable[[Asked], Reply], *, port: int) -> Iterator[int]:
    """Serve on loopback until the block is left; yields the port."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(answer))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(answer: Callable[[Asked], Reply]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = SECONDS
        wbufsize = 1 << 16  # head and body leave together

        def _go(self) -> None:
            url = urlsplit(self.path)
            try:
                query = dict(parse_qsl(url.query))
                found = answer(Asked(self.command, url.path, query, self._body()))
            except _Unreadable as error:
                found = Reply(400, {"error": str(error)})
                self.close_connection = True
            content = found.body
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            kind = "octet-stream" if isinstance(content, bytes) else "json"
            self.send_response(found.status)
            self.send_header("Content-Type", f"application/{kind}")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _body(self) -> dict[str, Any]:
            said = self.headers.get("Content-Length") or "0"
            if not said.isdigit() or int(said) > MAXIMUM_BYTES:
                raise _Unreadable(f"a body of {said:.20} bytes (expected up to {MAXIMUM_BYTES})")
            raw = self.rfile.read(int(said))
            try:
                plain = json.loads(raw) if raw.strip() else {}
            except (ValueError, RecursionError) as error:
                raise _Unreadable(f"the body is no JSON: {error}") from error
            if not isinstance(plain, dict):
                raise _Unreadable(f"the body is a {type(plain).__name__} (expected an object)")
            return plain

        do_GET = do_POST = _go  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """The service has a log of its own."""

    return Handler
