"""Stand-ins for the process of a probe that misbehave, one way each: `python odd_probes.py WAY`.

They read the question as a real one does, so that each probe of a run can misbehave in its own way:
the setting `way` names a function here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

GOOD = {"shows": True, "statement": "seen", "raw": {"a": 1}}
HANG = [sys.executable, "-c", "import time; time.sleep(600)"]


def say(answer: Any) -> None:
    """Write it as the answer."""
    sys.stdout.write(answer if isinstance(answer, str) else json.dumps(answer))
    sys.stdout.flush()


def _leave(asked: dict[str, Any], *, hidden: bool) -> None:
    child = subprocess.Popen(HANG, start_new_session=hidden)
    with open(asked["settings"].get("note", os.devnull), "w") as note:
        note.write(str(child.pid))
    say(GOOD)


def hang_with_child(asked: dict[str, Any]) -> None:
    """A hanging process with a hanging child in another session, and word of both."""
    child = subprocess.Popen(HANG, start_new_session=True)
    with open(asked["settings"]["note"], "w") as note:
        note.write(f"{os.getpid()} {child.pid}")
    time.sleep(600)


def flood(_: dict[str, Any]) -> None:
    """Never stops writing."""
    while True:
        sys.stdout.write("x" * 65536)


def late_child(_: dict[str, Any]) -> None:
    """Starts something that ends by itself in a moment, as a pool of workers does."""
    subprocess.Popen([sys.executable, "-S", "-E", "-c", "pass"])
    say(GOOD)


def killed(_: dict[str, Any]) -> None:
    """Answers, and is ended by a signal."""
    say(GOOD)
    os.kill(os.getpid(), signal.SIGKILL)


def fails(_: dict[str, Any]) -> None:
    """Answers, and ends with a code that is not 0."""
    say(GOOD)
    raise SystemExit(3)


def environment(_: dict[str, Any]) -> None:
    """Says what variables it got, and which group and session it is in."""
    raw = {"names": sorted(os.environ), "own": os.getpid() == os.getpgid(0) == os.getsid(0)}
    say({**GOOD, "raw": raw})


def slow_errors(_: dict[str, Any]) -> None:
    """Much on standard error, and an answer."""
    sys.stderr.write("e" * 3_000_000)
    say(GOOD)


WAYS: dict[str, Callable[[dict[str, Any]], None]] = {
    "good": lambda _: say(GOOD),
    "echo": lambda asked: say({**GOOD, "raw": asked}),
    "nothing": lambda _: None,
    "garbage": lambda _: say("all is well"),
    "garbage_before": lambda _: say("warning\n" + json.dumps(GOOD)),
    "two_answers": lambda _: say(json.dumps(GOOD) * 2),
    "shows_is_text": lambda _: say({**GOOD, "shows": "yes"}),
    "shows_is_one": lambda _: say({**GOOD, "shows": 1}),
    "shows_twice": lambda _: say('{"shows": false, "shows": true, "statement": "s", "raw": {}}'),
    "no_statement": lambda _: say({**GOOD, "statement": ""}),
    "long_statement": lambda _: say({**GOOD, "statement": "s" * 4001}),
    "more_keys": lambda _: say({**GOOD, "surfaces": ["api"]}),
    "raw_is_list": lambda _: say({**GOOD, "raw": []}),
    "not_a_number": lambda _: say('{"shows": true, "statement": "s", "raw": {"a": NaN}}'),
    "deep": lambda _: say("[" * 100_000),
    "hang_with_child": hang_with_child,
    "leaves_a_child": lambda asked: _leave(asked, hidden=False),
    "leaves_a_hidden_child": lambda asked: _leave(asked, hidden=True),
    "late_child": late_child,
    "flood": flood,
    "killed": killed,
    "fails": fails,
    "environment": environment,
    "slow_errors": slow_errors,
    "hang": lambda _: time.sleep(600),
}


if __name__ == "__main__":
    question = json.load(sys.stdin)
    WAYS[question["settings"]["way"]](question)
