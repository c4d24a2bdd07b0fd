"""Drills that go well and drills that go wrong; played in processes of their own by tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from include.adapters.drilling import DrillCall, Step, steps

FOREVER = 600


@steps("first", "second")
def good(call: DrillCall) -> Iterator[Step]:
    print("what a drill prints is not a step")  # noqa: T201
    yield Step("first", f"store {call.store}, keys {call.keys.name}, {call.text('word')}")
    yield Step("second", "done")


@steps("first", "second")
def failing(_: DrillCall) -> Iterator[Step]:
    yield Step("first", "the alarm did not ring", done=False)
    yield Step("second", "done")


@steps("first", "second")
def half(_: DrillCall) -> Iterator[Step]:
    yield Step("first", "done")


@steps("first", "second")
def crashing(_: DrillCall) -> Iterator[Step]:
    yield Step("first", "done")
    raise RuntimeError("the roof fell in")


@steps("first", "second")
def killed(_: DrillCall) -> Iterator[Step]:
    yield Step("first", "done")
    os.kill(os.getpid(), 9)


@steps("first", "second")
def leaving(_: DrillCall) -> Iterator[Step]:
    yield Step("first", "done")
    os._exit(0)


@steps("first", "second")
def hanging(call: DrillCall) -> Iterator[Step]:
    """Starts a child that would outlive it, tells its number, and never ends."""
    child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({FOREVER})"])
    Path(call.text("tell")).write_text(str(child.pid))
    yield Step("first", "done")
    try:
        time.sleep(FOREVER)
    finally:
        Path(call.text("tell")).with_name("cleaned").touch()


@steps("first")
def leaving_a_child(call: DrillCall) -> Iterator[Step]:
    child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({FOREVER})"])
    Path(call.text("tell")).write_text(str(child.pid))
    yield Step("first", "done")


@steps("first", "second")
def yielding_garbage(_: DrillCall) -> Iterator[Step]:
    yield Step("first", "done")
    yield "second"  # type: ignore[misc]


@steps("first", "second")
def backwards(_: DrillCall) -> Iterator[Step]:
    now = datetime.now(UTC)
    yield Step("first", "done", at=now)
    yield Step("second", "done", at=now - timedelta(seconds=1))


@steps("first", "second")
def ahead(_: DrillCall) -> Iterator[Step]:
    yield Step("first", "done", at=datetime.now(UTC) + timedelta(hours=1))


@steps("first")
def unplanned(_: DrillCall) -> Iterator[Step]:
    yield Step("first", "done")
    yield Step("first", "once more")
    yield Step("applause", "done")


@steps("first")
def impatient(call: DrillCall) -> Iterator[Step]:
    call.check({"word"})
    call.wait("the sun to rise twice", lambda: None, seconds=0.05)
    yield Step("first", "done")


def not_announced(_: DrillCall) -> Iterator[Step]:
    yield Step("first", "done")
