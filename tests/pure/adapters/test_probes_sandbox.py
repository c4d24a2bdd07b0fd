"""A sandbox is shown to have no way out only by a probe that could try, at somebody who listens."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from include.adapters.probe_runner import run_probes
from include.adapters.probes.sandbox_egress import no_way_out
from include.adapters.probing import Look, Seen
from include.rsp.errors import InvalidDocument
from tests.support.probing import planned

NOBODY = "127.0.0.1:9"
OPEN = [sys.executable, "-S", "-E"]
"""No sandbox at all."""
WALL = """
import socket, sys
walled = sys.argv[1].split(",")
real = socket.create_connection
def guarded(address, timeout=None):
    if f"{address[0]}:{address[1]}" in walled:
        raise ConnectionRefusedError("walled")
    return real(address, timeout=timeout)
socket.create_connection = guarded
script, sys.argv = sys.argv[3], ["-c", *sys.argv[4:]]
exec(script)
"""


def walled(*addresses: str) -> list[str]:
    """A Python that some addresses are closed to, as a firewall would do it."""
    return [*OPEN, "-c", WALL, ",".join(addresses)]


def saying(text: str, code: int = 0) -> list[str]:
    """A Python that is none, and says what it wants."""
    return [*OPEN, "-c", f"import sys; print({text!r}); sys.exit({code})"]


@contextlib.contextmanager
def listening() -> Iterator[str]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def listener() -> Iterator[str]:
    with listening() as address:
        yield address


def look(command: list[str], *addresses: str, **more: Any) -> Seen:
    return no_way_out(Look(settings={"command": command, "addresses": list(addresses), **more}))


def test_a_sandbox_without_a_way_out_is_shown(listener: str) -> None:
    seen = look(walled(listener, NOBODY), listener, NOBODY)
    assert seen.shows, seen.statement
    assert seen.raw["listening_outside"] == [listener]
    assert seen.raw["reached"] == []


def test_one_that_reaches_a_listener_is_not(listener: str) -> None:
    seen = look(OPEN, NOBODY, listener)
    assert not seen.shows
    assert f"it reached {listener}." in seen.statement


def test_silence_where_nobody_listens_shows_nothing() -> None:
    seen = look(OPEN, NOBODY)
    assert not seen.shows
    assert "nobody listens" in seen.statement


def test_the_control_has_to_be_reached(listener: str) -> None:
    with listening() as control:
        assert look(walled(listener), listener, control=control).shows
        cut_off = look(walled(listener, control), listener, control=control)
        beyond = look(OPEN, listener, control=control)
    assert not cut_off.shows
    assert f"did not reach the control {control}" in cut_off.statement
    assert not beyond.shows
    assert f"it reached {listener}." in beyond.statement


COULD_NOT = {
    "no such program": ["/nowhere/python"],
    "nothing said": saying(""),
    "garbage": saying("nothing is reached"),
    "did not work": saying('{"works": false, "reached": []}'),
    "works is one": saying('{"works": 1, "reached": []}'),
    "no list": saying('{"works": true, "reached": null}'),
    "half": saying('{"works": true}'),
    "another address": saying('{"works": true, "reached": ["10.0.0.1:1"]}'),
    "fails": saying('{"works": true, "reached": []}', code=1),
    "twice": saying('{"works": false, "works": true, "reached": []}'),
    "floods": saying('{"works": true, "reached": []' + " " * 110_000 + "}"),
}


@pytest.mark.parametrize("name", COULD_NOT)
def test_a_probe_that_could_not_try_shows_nothing(name: str, listener: str) -> None:
    seen = look(COULD_NOT[name], listener)
    assert not seen.shows
    assert "could not try" in seen.statement


def test_a_sandbox_that_hangs_shows_nothing(listener: str) -> None:
    hang = [*OPEN, "-c", "import time; time.sleep(600)"]
    (ran,) = run_probes(
        [planned("sandbox.egress", seconds=1.0, command=hang, addresses=[listener])]
    )
    assert not ran.seen.shows
    assert "did not answer within 1 s" in ran.seen.statement


def test_a_namespace_of_the_kernel_is_a_sandbox(listener: str) -> None:
    words = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *OPEN]
    can = subprocess.run([*words, "-c", ""], capture_output=True, check=False).returncode == 0
    seen = look(words, listener)
    assert seen.shows is can, seen.statement  # where it is not permitted, nobody could try
    if not can:
        assert "could not try" in seen.statement


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"addresses": [], "command": OPEN}, "do not read"),
        ({"addresses": ["example"], "command": OPEN}, "do not read"),
        ({"addresses": [NOBODY], "command": OPEN, "control": NOBODY}, "do not read"),
        ({"addresses": [NOBODY], "command": []}, "'command' is empty"),
        ({"addresses": [NOBODY], "command": OPEN, "task": "a:b"}, "beside 'task'"),
        ({"addresses": [NOBODY], "task": "a:b", "sandbox": "none"}, "sandbox is 'none'"),
        ({"addresses": [NOBODY]}, "'task' is None"),
        ({"command": OPEN}, "'addresses' is None"),
        ({"addresses": [NOBODY], "command": OPEN, "retries": 1.0}, "does not know"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidDocument, match=says):
        no_way_out(Look(settings=settings))
