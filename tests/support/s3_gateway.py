"""A loopback proxy before an S3 server that makes the faults that networks and S3 make.

A fault is asked for by a test, hits the next requests of an operation, and is used up.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests.support.gateways import served


class Way(StrEnum):
    """How a request fails."""

    ANSWERED = "answered"  # with an error, in place of the server
    LOST_BEFORE = "lost_before"  # the connection ends, the server never saw it
    LOST_AFTER = "lost_after"  # the server did it, the answer is lost
    SILENT = "silent"  # nobody answers until the test is over
    CUT_SHORT = "cut_short"  # half of the body


@dataclass(frozen=True)
class Fault:
    """What happens to one request."""

    way: Way
    status: int = 0
    code: str = ""


BUSY = Fault(Way.ANSWERED, 503, "SlowDown")
CONFLICT = Fault(Way.ANSWERED, 409, "ConditionalRequestConflict")
LOST_BEFORE = Fault(Way.LOST_BEFORE)
LOST_AFTER = Fault(Way.LOST_AFTER)
SILENT = Fault(Way.SILENT)
CUT_SHORT = Fault(Way.CUT_SHORT)


def answers(status: int, code: str) -> Fault:
    """An error of S3."""
    return Fault(Way.ANSWERED, status, code)


CREATES = frozenset({"PutObject", "CompleteMultipartUpload"})
"""S3 decides and creates in one step; moto's threads do not, so they get one after the other."""


@dataclass
class S3Gateway:
    """What will go wrong, and what was asked.

    Args:
        faults: by operation, what hits the next requests, first one first.
        always: by operation, what hits every request.
        bodies: by operation, what is answered in place of S3's error.
        asked: operations in the order in which they came.
        ignores_condition: of these operations `If-None-Match` is taken away, as servers do that
            do not know it.
        page: how many keys a list gives at once.
        hides_markers: a 404 does not say that a delete marker is there, as with SeaweedFS.
    """

    upstream: tuple[str, int]
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    always: dict[str, Fault] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    ignores_condition: set[str] = field(default_factory=set)
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    page: int | None = None
    hides_markers: bool = False
    url: str = ""

    def reset(self) -> None:
        """Forget what a test has set."""
        self.faults.clear()
        self.always.clear()
        self.bodies.clear()
        self.asked.clear()
        self.ignores_condition.clear()
        self.page = None
        self.hides_markers = False

    def next_fault(self, operation: str) -> Fault | None:
        """What hits this request."""
        with self.lock:
            self.asked.append(operation)
            waiting = self.faults.get(operation)
            return waiting.pop(0) if waiting else self.always.get(operation)


def operation_of(method: str, target: str) -> str:
    """The name of the operation, as far as the store uses it."""
    parts = urlsplit(target)
    query = parse_qs(parts.query, keep_blank_values=True)
    names = {
        ("GET", "versions"): "ListObjectVersions",
        ("GET", "list-type"): "ListObjectsV2",
        ("GET", "object-lock"): "GetObjectLockConfiguration",
        ("POST", "uploads"): "CreateMultipartUpload",
        ("PUT", "partNumber"): "UploadPart",
        ("POST", "uploadId"): "CompleteMultipartUpload",
        ("DELETE", "uploadId"): "AbortMultipartUpload",
    }
    for (verb, name), operation in names.items():
        if verb == method and name in query:
            return operation
    return {"GET": "GetObject", "PUT": "PutObject"}.get(method, method)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body leave together, or the client's delayed ACK is waited for
    gateway: S3Gateway

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation = operation_of(self.command, self.path)
        fault = self.gateway.next_fault(operation)
        match fault.way if fault else None:
            case Way.ANSWERED:
                assert fault
                text = (
                    f"<Error><Code>{fault.code}</Code><Message>made by the test</Message></Error>"
                )
                content = self.gateway.bodies.get(operation, text.encode())
                self._send(fault.status, content, {"Content-Type": "application/xml"})
            case Way.SILENT:
                self.gateway.closing.wait(30)
                self.close_connection = True
            case Way.LOST_BEFORE:
                self.close_connection = True
            case Way.LOST_AFTER:
                self._forward(operation, body)
                self.close_connection = True
            case Way.CUT_SHORT:
                answer, content = self._forward(operation, body)
                self._send(answer.status, content, dict(answer.getheaders()), half=True)
                self.close_connection = True
            case None:
                answer, content = self._forward(operation, body)
                self._send(answer.status, content, self._with_marker(operation, answer))

    def handle_expect_100(self) -> bool:
        """The client waits for this a whole second, so it must not stay in the buffer."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815

    def _forward(self, operation: str, body: bytes) -> tuple[HTTPResponse, bytes]:
        gone = {"connection"}
        if operation in self.gateway.ignores_condition:
            gone.add("if-none-match")
        headers = {k: v for k, v in self.headers.items() if k.lower() not in gone}
        target = self.path
        if self.gateway.page and operation.startswith("List"):
            target = target.replace("&max-keys=1000", "") + f"&max-keys={self.gateway.page}"
        with self.gateway.one_at_a_time if operation in CREATES else nullcontext():
            connection = HTTPConnection(*self.gateway.upstream)
            connection.request(self.command, target, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
        return answer, content

    def _with_marker(self, operation: str, answer: HTTPResponse) -> dict[str, str]:
        """S3 says with a 404 whether a delete marker lies there; moto does only for HEAD."""
        headers = dict(answer.getheaders())
        hides = self.gateway.hides_markers
        if operation == "GetObject" and answer.status == 404 and not hides:
            connection = HTTPConnection(*self.gateway.upstream)
            connection.request("HEAD", self.path)
            head = connection.getresponse()
            head.read()
            connection.close()
            if head.getheader("x-amz-delete-marker") == "true":
                headers["x-amz-delete-marker"] = "true"
        return headers

    def _send(
        self, status: int, content: bytes, headers: dict[str, str], *, half: bool = False
    ) -> None:
        self.send_response_only(status)
        for name, text in headers.items():
            if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if half else content)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def s3_gateway(host: str, port: int) -> Iterator[S3Gateway]:
    """A gateway before the S3 server at host and port."""
    with served(S3Gateway((host, port)), _Handler) as gateway:
        yield gateway
