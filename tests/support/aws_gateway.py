"""A loopback AWS endpoint: moto behind it, with single operations answered in its stead.

For what moto does not do (the period of a key's rotation, the owner of a bucket, pages of IAM, a
refusal of one operation): the answer is given in the shape that AWS documents, over real HTTP.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests.support.gateways import served

ACCOUNT = "123456789012"
S3_OPERATIONS = {
    "publicAccessBlock": "GetPublicAccessBlock",
    "encryption": "GetBucketEncryption",
    "versioning": "GetBucketVersioning",
    "object-lock": "GetObjectLockConfiguration",
    "logging": "GetBucketLogging",
    "location": "GetBucketLocation",
    "policy": "GetBucketPolicy",
    "ownershipControls": "GetBucketOwnershipControls",
}
IAM = "https://iam.amazonaws.com/doc/2010-05-08/"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    kind: str = "text/xml"


Given = Answer | Callable[[Mapping[str, str]], Answer]


def in_json(plain: object, status: int = 200) -> Answer:
    """As KMS and CloudTrail answer."""
    return Answer(status, json.dumps(plain).encode(), "application/x-amz-json-1.1")


def of_iam(operation: str, inner: str) -> Answer:
    """As IAM answers."""
    name = f"{operation}Res"
    text = (
        f'<{name}ponse xmlns="{IAM}"><{operation}Result>{inner}</{operation}Result></{name}ponse>'
    )
    return Answer(200, text.encode())


def fault(service: str, code: str, status: int, text: str = "because") -> Answer:
    """An error in the shape of a service's protocol."""
    if service in {"kms", "cloudtrail"}:
        return in_json({"__type": code, "message": text}, status)
    inner = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
    return Answer(
        status, (inner if service == "s3" else f"<ErrorResponse>{inner}</ErrorResponse>").encode()
    )


@dataclass
class AwsGateway:
    """What is answered in moto's stead, and what was asked.

    Args:
        answers: by operation; a function is given the form fields.
        only: the one operation that has an answer, if that is set.
        asked: operations in the order in which they came, of every method.
    """

    upstream: tuple[str, int]
    answers: dict[str, Given] = field(default_factory=dict)
    only: str | None = None
    asked: list[str] = field(default_factory=list)
    owners: list[str | None] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def reset(self) -> None:
        """Forget what a test has set, in moto too."""
        self.answers.clear()
        self.asked.clear()
        self.owners.clear()
        connection = HTTPConnection(*self.upstream)
        connection.request("POST", "/moto-api/reset")
        assert connection.getresponse().status == 200
        connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body leave together, or the client's delayed ACK is waited for
    gateway: AwsGateway

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        form = {k: v[0] for k, v in parse_qs(body.decode(errors="replace")).items()}
        operation = self._operation(form)
        self.gateway.asked.append(operation)
        refusal = self._other_owner()
        if refusal:
            self._send(refusal)
        elif self.gateway.only not in {None, operation}:
            self.gateway.closing.wait(30)
            self.close_connection = True
        elif operation in self.gateway.answers:
            given = self.gateway.answers[operation]
            self._send(given if isinstance(given, Answer) else given(form))
        else:
            self._forward(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815

    def _operation(self, form: Mapping[str, str]) -> str:
        if "X-Amz-Target" in self.headers:
            return str(self.headers["X-Amz-Target"]).rpartition(".")[2]
        if "Action" in form:
            return form["Action"]
        named = [one for one in S3_OPERATIONS if one in urlsplit(self.path).query.split("&")]
        if self.command == "GET" and named:
            self.gateway.owners.append(self.headers.get("x-amz-expected-bucket-owner"))
            return S3_OPERATIONS[named[0]]
        return f"{self.command} {self.path}"

    def _other_owner(self) -> Answer | None:
        """moto does not look at the owner that S3 is asked to check."""
        owner = self.headers.get("x-amz-expected-bucket-owner")
        return fault("s3", "AccessDenied", 403) if owner not in {None, ACCOUNT} else None

    def _forward(self, body: bytes) -> None:
        connection = HTTPConnection(*self.gateway.upstream)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
        kind = answer.getheader("Content-Type", "text/xml")
        connection.close()
        self._send(Answer(answer.status, content, kind))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def aws_gateway(host: str, port: int) -> Iterator[AwsGateway]:
    """A gateway before the moto server at host and port."""
    with served(AwsGateway((host, port)), _Handler) as gateway:
        yield gateway
