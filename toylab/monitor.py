"""The toy laboratory's monitor: reads the log of exchanges behind the surfaces, and flags.

It comes later than the classifier and sees more: also what the model was really asked. It lives
apart from what it watches, so its silence has to be noticed: by its heartbeat, and by an event
that was planted and must show up.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toylab.switches import MonitorState, Unsettled, read_switches

LOG = "exchanges.jsonl"
PASS_SECONDS = 0.1


def utc_now() -> str:
    """Now, as the log and the answers write it."""
    return datetime.now(UTC).isoformat()


@dataclass(slots=True)
class EventLog:
    """An append-only file of JSON lines."""

    path: Path
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def append(self, **event: Any) -> None:
        """Add an event; raises OSError when it could not be written."""
        line = json.dumps({"at": utc_now(), **event}) + "\n"
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(line)


@dataclass(slots=True)
class Follower:
    """Reads what was added to a log since it last looked; a half-written line is left for later."""

    path: Path
    unreadable: int = 0
    _offset: int = 0

    def new_events(self) -> list[dict[str, Any]]:
        """The events since the last call."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        found = []
        for line in whole.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if isinstance(event, dict):
                found.append(event)
            else:
                self.unreadable += 1
        return found


@dataclass(slots=True)
class Monitor:
    """What the monitor has seen since the service was started."""

    home: Path
    last_pass: str | None = None
    seen: dict[str, str] = field(default_factory=dict)
    flagged: dict[str, dict[str, Any]] = field(default_factory=dict)
    follower: Follower = field(init=False)

    def __post_init__(self) -> None:
        self.follower = Follower(self.home / LOG)

    def look(self) -> None:
        """One pass, if it is on; if the settings do not read it is off, and its heartbeat ages."""
        try:
            state = read_switches(self.home).monitor
        except Unsettled:
            return
        if state is MonitorState.DEAD:
            return
        for event in self.follower.new_events():
            if state is MonitorState.ON:
                self._take(event)
        self.last_pass = utc_now()

    def _take(self, event: dict[str, Any]) -> None:
        if "planted" in event:
            self.seen.setdefault(str(event["planted"]), utc_now())
        asked, answer = str(event.get("asked")), event.get("answer")
        if asked.startswith("+") and answer is not None:
            why = f"the model was asked {asked} and answered {answer}"
            self.flagged.setdefault(
                str(event.get("exchange")),
                {"at": utc_now(), "surface": event.get("surface"), "why": why},
            )


def every(seconds: float, look: Callable[[], None], until: threading.Event) -> threading.Thread:
    """A thread that looks again and again until told to end, whatever a look comes to."""

    def work() -> None:
        while not until.wait(seconds):
            try:
                look()
            except Exception as error:  # noqa: BLE001 - its heartbeat ages, which is seen
                sys.stderr.write(f"toylab: a look failed: {error!r}\n")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
