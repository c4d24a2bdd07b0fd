"""A canary shows a classifier only if it blocks all that it must, and answers what is benign."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from include.adapters.probe_runner import run_probes
from include.adapters.probes.http_caller import Caller, NoAnswer
from include.adapters.probes.http_canary import canary
from include.adapters.probing import Look, Seen
from include.rsp.errors import InvalidDocument
from tests.support.loopback_http import Answer, Answered, Asked, answered, serving
from tests.support.probing import planned

BAD = ['forbidden "one"', "forbidden two"]
FINE = ["what is 2 + 2?"]
BLOCKED = {"stop_reason": "refusal", "text": ""}
SAID = {"stop_reason": "end_turn", "text": "4"}


def settings(url: str, /, **changed: Any) -> dict[str, Any]:
    plain = {
        "url": url + "/v1/messages",
        "body": '{"messages": [{"role": "user", "content": "{prompt}"}], "max": 5}',
        "blocked_prompts": BAD,
        "benign_prompts": FINE,
        "block_pointer": "/stop_reason",
        "block_value": "refusal",
        **changed,
    }
    return {name: value for name, value in plain.items() if value is not None}


def look(url: str, /, *, surfaces: tuple[str, ...] = ("api",), **changed: Any) -> Seen:
    return canary(Look(settings=settings(url, **changed), surfaces=surfaces))


def prompt_of(asked: Asked) -> str:
    return str(asked.body["messages"][0]["content"])


def classifier(asked: Asked) -> Answered:
    """A surface as it should be."""
    return answered(200, BLOCKED if prompt_of(asked) in BAD else SAID)


def leaks(which: str) -> Answer:
    return lambda asked: answered(200, SAID) if prompt_of(asked) == which else classifier(asked)


def test_a_surface_that_blocks_what_it_must_and_nothing_else_is_shown() -> None:
    got: list[Asked] = []

    def noted(asked: Asked) -> Answered:
        got.append(asked)
        return classifier(asked)

    with serving(noted) as url:
        seen = look(url, answer_pointer="/text")
    assert seen.shows, seen.statement
    assert "all 2 blocked and all 1 benign ones answered" in seen.statement
    assert [prompt_of(one) for one in got] == FINE + BAD  # each once
    assert {one.method for one in got} == {"POST"}
    assert [one["blocked"] for one in seen.raw["asked"]] == [False, True, True]
    assert not any(
        one in seen.as_bytes().decode() + seen.statement for one in ("forbidden", "2 + 2")
    )


WRONG: dict[str, tuple[Answer, str]] = {
    "the second leaks": (leaks(BAD[1]), "blocked prompt 2 (sha256:"),
    "the first leaks": (leaks(BAD[0]), "blocked prompt 1 (sha256:"),
    "all leak": (lambda _: answered(200, SAID), "blocked prompt 1"),
    "all is blocked": (lambda _: answered(200, BLOCKED), "benign prompt 1"),
    "no key": (lambda _: answered(401, {"error": "key"}), "not answered: HTTP 401"),
    "too many": (lambda _: answered(429, BLOCKED), "got through: HTTP 429"),
    "broken": (lambda _: answered(500, BLOCKED), "HTTP 500"),
    "elsewhere": (lambda _: answered(307, BLOCKED, Location="/x"), "HTTP 307"),
    "not JSON": (lambda _: answered(200, "refusal"), "not JSON"),
    "empty": (lambda _: answered(200, ""), "not answered"),
    "key twice": (
        lambda _: answered(200, '{"stop_reason": "a", "stop_reason": "refusal"}'), "not JSON",
    ),
    "deep": (lambda _: answered(200, "[" * 100_000), "not JSON"),
    "too long": (lambda _: answered(200, '"' + "x" * 1_100_000 + '"'), "ReadError"),
    "benign without an answer": (
        lambda asked: answered(200, BLOCKED if prompt_of(asked) in BAD else {"text": ""}),
        "benign prompt 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_surface_that_does_anything_else_is_not_shown(name: str) -> None:
    answer, says = WRONG[name]
    with serving(answer) as url:
        seen = look(url, answer_pointer="/text")
    assert not seen.shows
    assert says in seen.statement
    assert not any(one in seen.as_bytes().decode() + seen.statement for one in BAD + FINE)


def test_a_benign_prompt_is_answered_only_by_a_success() -> None:
    for status in (401, 404, 429):
        with serving(
            lambda asked, status=status: (
                answered(200, BLOCKED) if prompt_of(asked) in BAD else answered(status, SAID)
            )
        ) as url:
            assert f"not answered: HTTP {status}" in look(url).statement


@pytest.mark.parametrize("status", [301, 302, 307, 399, 500, 503, 599])
def test_a_redirect_and_a_fault_are_no_answer_to_anybody(status: int) -> None:
    with (
        serving(lambda _: answered(status, BLOCKED, Location="/elsewhere")) as url,
        Caller(Look(settings={})) as caller,
        pytest.raises(NoAnswer, match=f"HTTP {status} "),
    ):
        caller.ask("POST", url, body={})


def test_one_leak_among_many_is_not_tried_again() -> None:
    count = 0

    def at_first(asked: Asked) -> Answered:
        nonlocal count
        count += prompt_of(asked) == BAD[0]
        leak = prompt_of(asked) == BAD[0] and count == 1
        return answered(200, SAID) if leak else classifier(asked)

    with serving(at_first) as url:
        assert not look(url).shows
    assert count == 1


def test_a_block_may_be_a_status() -> None:
    def by_status(asked: Asked) -> Answered:
        return answered(403 if prompt_of(asked) in BAD else 200, {"text": "x"})

    with serving(by_status) as url:
        only = {"block_pointer": None, "block_value": None, "block_status": 403.0}
        assert look(url, **only).shows
        assert not look(url, **{**only, "block_status": 400.0}).shows
    with serving(lambda _: answered(403, {})) as url:
        assert "blocked as well" in look(url, **only).statement


def test_true_is_not_one() -> None:
    for value, blocks in ((1, False), (True, True), ("true", False)):
        with serving(
            lambda asked, value=value: answered(200, {"b": value if prompt_of(asked) in BAD else 0})
        ) as url:
            assert look(url, block_pointer="/b", block_value=True).shows is blocks


def test_nobody_there_is_not_shown(unused_tcp_port: int) -> None:
    seen = look(f"http://127.0.0.1:{unused_tcp_port}")
    assert not seen.shows
    assert seen.statement.count("ConnectError") == 3


def test_one_that_does_not_answer_in_time_is_not_shown() -> None:
    end = threading.Event()
    with serving(lambda _: (end.wait(30), answered(200, BLOCKED))[1]) as url:
        seen = look(url, request_seconds=0.1)
        (ran,) = run_probes([planned("http.canary", seconds=1.5, **settings(url))])
        end.set()
    assert not seen.shows
    assert "ReadTimeout" in seen.statement
    assert not ran.seen.shows
    assert "did not answer within 1.5 s" in ran.seen.statement


def test_it_runs_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_KEY", "hunter2")

    def guarded(asked: Asked) -> Answered:
        if asked.headers.get("x-key") != "hunter2":
            return answered(401, {})
        return answered(200, {**classifier(asked).body, "echo": asked.headers})

    with serving(guarded) as url:
        with_key = settings(url, headers=["X-Key: CANARY_KEY"])
        good, bad = run_probes([planned("http.canary", **one) for one in (with_key, settings(url))])
    assert good.seen.shows, good.seen.statement
    assert not bad.seen.shows
    assert "hunter2" not in json.dumps([good.seen.statement, dict(good.seen.raw)])


SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"attempts": 3.0}, "does not know the settings"),
    "no url": ({"url": None}, "'url' is None"),
    "a file": ({"url": "file:///etc/passwd"}, "no URL"),
    "a password": ({"url": "http://a:hunter2@x/"}, "no URL"),
    "method": ({"method": "GET"}, "method is 'GET'"),
    "no template": ({"body": "{prompt}"}, "not JSON"),
    "no prompt": ({"body": '{"{prompt}": 1}'}, "holds no {prompt}"),
    "nothing to block": ({"blocked_prompts": []}, "holds no prompt"),
    "nothing benign": ({"benign_prompts": []}, "holds no prompt"),
    "empty": ({"benign_prompts": [" "]}, "or an empty one"),
    "in both": ({"benign_prompts": BAD}, "stands twice"),
    "no rule": ({"block_pointer": None, "block_value": None}, "how a block is recognised"),
    "every answer": (
        {"block_pointer": None, "block_value": None, "block_status": 200.0}, "how a block",
    ),
    "half a rule": ({"block_value": None}, "go together"),
    "a fault": ({"block_status": 503.0}, "block_status is 503"),
    "a redirect": ({"block_status": 302.0}, "block_status is 302"),
    "pointer": ({"block_pointer": "stop_reason"}, "no JSON pointer"),
    "a secret": ({"headers": ["Authorization: Bearer hunter2"]}, "Line 1"),
    "no variable": ({"headers": ["Authorization: NO_SUCH_KEY"]}, "NO_SUCH_KEY"),
    "time": ({"request_seconds": 0.0}, "above 0"),
    "endless": ({"request_seconds": float("inf")}, "above 0"),
    "no certificates": ({"ca_file": "/nowhere.pem"}, "No certificates"),
}  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_a_wrong_setting_is_refused_and_asks_nobody(name: str) -> None:
    changed, says = SETTINGS[name]
    with pytest.raises(InvalidDocument) as refused:
        look("http://127.0.0.1:9", **changed)
    assert says in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_one_url_speaks_for_one_surface() -> None:
    with pytest.raises(InvalidDocument, match="Plan a probe for each surface"):
        look("http://127.0.0.1:9", surfaces=("api", "app"))


def test_a_certificate_that_nobody_vouches_for_is_not_shown(tmp_path: Path) -> None:
    with serving_tls(tmp_path, BLOCKED, SAID) as url:
        unknown = look(url)
        known = look(url, ca_file=str(tmp_path / "cert.pem"))
    assert not unknown.shows
    assert "ConnectError" in unknown.statement
    assert known.shows, known.statement


@contextlib.contextmanager
def serving_tls(folder: Path, blocked: Any, said: Any) -> Iterator[str]:
    """A surface with a certificate that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, now - day, now + day)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            bad = asked["messages"][0]["content"] in BAD
            content = json.dumps(blocked if bad else said).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    serve: Callable[[], None] = lambda: server.serve_forever(poll_interval=0.02)  # noqa: E731
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
