"""A small HTTP server on loopback whose answers a test writes as one function."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: JSON, or text."""

    status: int
    body: Any
    headers: dict[str, str]


Answer = Callable[[Asked], Answered]


def answered(status: int, body: Any, **headers: str) -> Answered:
    """An answer; `_` in the names of headers stands for `-`."""
    return Answered(status, body, {name.replace("_", "-"): text for name, text in headers.items()})


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serve on a free port; yields the base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = (
            1 << 16
        )  # head and body leave together, or the client's delayed ACK is waited for

        def _go(self) -> None:
            url = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): text for name, text in self.headers.items()}
            body = json.loads(raw) if raw.strip() else None
            query = dict(parse_qsl(url.query, keep_blank_values=True))
            found = answer(Asked(self.command, url.path, query, headers, body))
            text = isinstance(found.body, str)
            content = found.body.encode() if text else json.dumps(found.body).encode()
            self.send_response(found.status)
            self.send_header("Content-Type", "text/plain" if text else "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = _go  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
