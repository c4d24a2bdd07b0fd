"""The process of one probe: what to look at comes on standard input, what was seen goes back.

`python -m include.adapters.probe_entry`, started by `probe_runner`. Only the answer reaches
standard output: what a probe or its libraries print goes to standard error.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from typing import Any

from include.adapters.probing import Look, Seen, probe_of
from include.rsp.errors import RedlineError

SPARE_SECONDS = 5.0
"""So long after its time limit a probe ends itself, should its runner be dead."""


def main() -> int:
    """Answer one question."""
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)
        asked = json.load(sys.stdin.buffer)
        signal.setitimer(signal.ITIMER_REAL, float(asked["timeout_seconds"]) + SPARE_SECONDS)
        seen = look(asked)
        said = {"shows": seen.shows, "statement": seen.statement, "raw": dict(seen.raw)}
        answer.write(json.dumps(said, default=str, allow_nan=False).encode())
    return 0


def look(asked: dict[str, Any]) -> Seen:
    """What the probe saw; what it raises is an answer that does not show.

    The text of an error that is not ours may hold a secret: it goes to the task's log alone.
    """
    kind = str(asked["kind"])
    try:
        seen: object = probe_of(kind)(
            Look(
                settings=asked["settings"],
                surfaces=tuple(asked["surfaces"]),
                drills=tuple(asked["drills"]),
                at=str(asked["at"]),
            )
        )
    except RedlineError as error:
        return Seen(shows=False, statement=f"The probe {kind!r} could not look: {error}"[:2000])
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing was shown
        traceback.print_exc()
        name = type(error).__name__
        return Seen(
            shows=False,
            statement=f"The probe {kind!r} crashed: {name} (expected an answer). The log of the "
            "task has the rest.",
            raw={"error": name},
        )
    if not isinstance(seen, Seen):
        got = type(seen).__name__
        return Seen(shows=False, statement=f"The probe {kind!r} gave a {got} (expected a Seen).")
    return seen


if __name__ == "__main__":
    raise SystemExit(main())
