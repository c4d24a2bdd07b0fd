"""`python -m include.adapters.drill_process MODULE:FUNCTION`: the process that plays one drill.

It reads the call as JSON from standard input and writes one JSON line for each step to standard
output, as it happens, so that what was done before a crash or a time-out is kept. What the drill
prints goes to standard error, and SIGTERM lets it clean up. Started as the leader of a process
group, it ends its whole group when the time is over, also when nobody is left who waits for it.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from datetime import UTC, datetime
from typing import IO, Any

from include.adapters.drilling import DrillCall, DrillFailed, PlannedSteps, Step

GRACE_SECONDS = 2.0
"""The runner ends the group first; this is for when there is no runner any more."""


def main() -> int:
    """Play; 0 when the drill came to its end by itself."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    call = DrillCall.from_json(json.load(sys.stdin))
    _end_in_time(call.seconds + GRACE_SECONDS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        planned = drill_named(sys.argv[1])
        _say(lines, {"planned": list(planned.names)})
        for step in planned.play(call):
            _say(lines, _plain(step))
    except DrillFailed as error:
        _say(lines, {"failed": str(error)})
        return 1
    except Exception as error:
        _say(lines, {"failed": f"crashed: {error!r}"})
        raise
    _say(lines, {"ended": True})
    return 0


def drill_named(run: str) -> PlannedSteps:
    """The drill behind `module:function`.

    Raises:
        DrillFailed: it does not load, or did not announce its steps.
    """
    module, _, name = run.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise DrillFailed(
            f"The drill {run!r} does not load: {error}. Correct the suite."
        ) from error
    if not isinstance(found, PlannedSteps):
        raise DrillFailed(
            f"{run!r} is a {type(found).__name__} (expected a function under "
            "`include.adapters.drilling.steps`, which names its steps)."
        )
    return found


def _plain(step: object) -> dict[str, Any]:
    if not isinstance(step, Step):
        raise TypeError(f"the drill yielded {step!r:.200} (expected a Step)")
    at = step.at or datetime.now(UTC)
    return {
        "step": step.name,
        "at": at.astimezone(UTC).isoformat(),
        "done": step.done,
        "note": step.note,
    }


def _say(lines: IO[str], line: dict[str, Any]) -> None:
    lines.write(json.dumps(line) + "\n")
    lines.flush()


def _end_in_time(seconds: float) -> None:
    """End the whole group then; only if this process leads it, so that nobody else's is ended."""

    def end(*_: object) -> None:
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os._exit(1)

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    raise SystemExit(main())
