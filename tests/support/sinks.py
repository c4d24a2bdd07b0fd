"""Servers on the loopback address that keep what they are sent, and refuse when told to."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast


@dataclass(slots=True)
class Mail:
    """A mail as the server took it."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def parsed(self) -> EmailMessage:
        """Headers and parts."""
        return cast(EmailMessage, message_from_bytes(self.raw, policy=policy.default))

    @property
    def html(self) -> str:
        """The one HTML part."""
        part = self.parsed.get_body(("html",))
        assert part is not None
        return str(part.get_content())


@dataclass(slots=True)
class SmtpSink:
    """`script(verb, line)` gives the reply to a command, or None to accept it."""

    port: int
    script: Callable[[str, str], str | None]
    mails: list[Mail] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def count(self, verb: str) -> int:
        """How often a command came."""
        return sum(line.upper().startswith(verb) for line in self.lines)


@dataclass(slots=True)
class Post:
    """A request as the server got it."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class HttpSink:
    """The statuses are used up in turn, the last one stays; 0 hangs up; `body` is the answer."""

    port: int
    statuses: list[int]
    body: str
    posts: list[Post] = field(default_factory=list)
    gets: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def next_status(self) -> int:
        """The status of this answer."""
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


class SmtpHandler(socketserver.StreamRequestHandler):
    """One connection of a mail client."""

    server: SmtpServer

    def say(self, line: str) -> None:
        """Send a reply."""
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self) -> None:
        """Answer commands until the client leaves or is sent away."""
        sink = self.server.sink
        self.say("220 sink")
        mail = Mail("", [], b"")
        while raw := self.rfile.readline():
            line = raw.decode().rstrip("\r\n")
            sink.lines.append(line)
            verb = line[:4].upper()
            scripted = sink.script(verb, line)
            if scripted is not None:
                self.say(scripted)
                if scripted.startswith("421"):
                    return
            elif verb == "DATA":
                self.take(mail)
                mail = Mail("", [], b"")
            else:
                self.accept(mail, verb, line)

    def accept(self, mail: Mail, verb: str, line: str) -> None:
        """Note who writes to whom, and say yes."""
        address = line.partition(":")[2].split()[0].strip("<>") if ":" in line else ""
        if verb == "MAIL":
            mail.sender = address
        elif verb == "RCPT":
            mail.recipients.append(address)
        replies = {"EHLO": "250-sink\r\n250 AUTH PLAIN", "AUTH": "235 known", "QUIT": "221 bye"}
        self.say(replies.get(verb, "250 ok"))

    def take(self, mail: Mail) -> None:
        """Keep the lines up to the dot."""
        self.say("354 go on")
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return
            mail.raw += line.removeprefix(b".") if line.startswith(b"..") else line
        self.server.sink.mails.append(mail)
        self.say("250 taken")


class SmtpServer(socketserver.ThreadingTCPServer):
    """One thread for each connection."""

    daemon_threads = True
    block_on_close = False
    sink: SmtpSink


class HttpHandler(BaseHTTPRequestHandler):
    """One request."""

    server: HttpServer

    def do_POST(self) -> None:
        """Keep it."""
        content = self.rfile.read(int(self.headers["Content-Length"]))
        sink = self.server.sink
        sink.posts.append(Post(self.path, dict(self.headers), json.loads(content)))
        self.answer(sink.next_status())

    def do_GET(self) -> None:
        """Note that it came."""
        self.server.sink.gets.append(self.path)
        self.answer(200)

    def answer(self, status: int) -> None:
        """With the body of the sink."""
        sink = self.server.sink
        if status == 0:
            return
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(sink.body.encode())))
        self.end_headers()
        self.wfile.write(sink.body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""


class HttpServer(ThreadingHTTPServer):
    """One thread for each request."""

    daemon_threads = True
    block_on_close = False
    sink: HttpSink


@contextmanager
def smtp_sink(
    script: Callable[[str, str], str | None] = lambda verb, line: None,
) -> Iterator[SmtpSink]:
    """A mail server that knows EHLO, AUTH, MAIL, RCPT, DATA, RSET and QUIT."""
    with SmtpServer(("127.0.0.1", 0), SmtpHandler) as server:
        server.sink = SmtpSink(port=server.server_address[1], script=script)
        with _serving(server):
            yield server.sink


@contextmanager
def http_sink(*statuses: int, body: str = "ok") -> Iterator[HttpSink]:
    """A web server that keeps each POST; an answer 3xx sends the client elsewhere."""
    with HttpServer(("127.0.0.1", 0), HttpHandler) as server:
        port = server.server_address[1]
        server.sink = HttpSink(port=port, statuses=list(statuses) or [200], body=body)
        with _serving(server):
            yield server.sink


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
