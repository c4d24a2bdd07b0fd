"""Runs planned probes, each in a process of its own with a time limit of its own.

All of one group run at once. A probe that hangs, crashes, floods, prints something else than an
answer or leaves processes behind has not shown its safeguard, and costs the others nothing.
"""

from __future__ import annotations

import contextlib
import json
import logging
import selectors
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from include.adapters.probe_process import MOST_OUTPUT, ProbeProcess
from include.adapters.probes.plain_json import read_json
from include.adapters.probing import Seen
from include.rsp.safeguard_plan import PlannedProbe

log = logging.getLogger(__name__)

AT_ONCE = 8
ENTRY = (sys.executable, "-m", "include.adapters.probe_entry")
PROJECT = Path(__file__).resolve().parents[2]
GRACE_SECONDS = 0.5
"""So long what a probe started may take to end after it, for example a pool that winds down."""
TICK_SECONDS = 0.05


class Ran(NamedTuple):
    """A planned probe, what it saw, when its process began, and how long that took."""

    planned: PlannedProbe
    seen: Seen
    started_at: datetime
    seconds: float


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    shows: bool
    statement: str = Field(min_length=1, max_length=4000)
    raw: dict[str, Any]


@dataclass(slots=True)
class _Looking:
    planned: PlannedProbe
    started_at: datetime
    process: ProbeProcess
    exited_at: float | None = field(default=None)

    @property
    def left(self) -> float:
        """Seconds until something has to be decided."""
        if self.exited_at is not None:
            return TICK_SECONDS
        return max(self.planned.timeout_seconds - self.process.seconds, 0.0)


def run_probes(
    planned: Sequence[PlannedProbe],
    *,
    drills: Sequence[Mapping[str, Any]] = (),
    at_once: int = AT_ONCE,
    entry: Sequence[str] = ENTRY,
) -> list[Ran]:
    """What each of the probes saw, in their order; it takes no longer than the slowest limit,
    once for each `at_once` of them.

    Args:
        planned: of one group.
        drills: newest first, plain drill records of the ledger.
        at_once: how many run at the same time.
        entry: what answers a question on standard input; a Python of another environment, say.
    """
    waiting = deque(enumerate(planned))
    looking: dict[int, _Looking] = {}
    done: dict[int, Ran] = {}
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or looking:
                while waiting and len(looking) < max(at_once, 1):
                    number, one = waiting.popleft()
                    begun = _begin(one, drills, entry, selector)
                    if isinstance(begun, Ran):
                        done[number] = begun
                    else:
                        looking[number] = begun
                _listen(selector, looking)
                for number in [n for n, one in looking.items() if _is_decided(one)]:
                    done[number] = _conclude(looking.pop(number), selector)
        finally:  # a task that is ended takes its probes with it
            for left in looking.values():
                left.process.end()
    return [done[number] for number in range(len(planned))]


def _begin(
    planned: PlannedProbe,
    drills: Sequence[Mapping[str, Any]],
    entry: Sequence[str],
    selector: selectors.BaseSelector,
) -> _Looking | Ran:
    at = datetime.now(UTC)
    asked = {
        "kind": planned.probe,
        "settings": planned.settings,
        "surfaces": planned.surfaces,
        "drills": [dict(one) for one in drills],
        "at": at.isoformat(),
        "timeout_seconds": planned.timeout_seconds,
    }
    try:
        content = json.dumps(asked, default=str).encode()
        process = ProbeProcess(entry, content, folder=PROJECT)
    except OSError as error:
        problem = f"its process does not start: {error.strerror or type(error).__name__}"
        return Ran(planned, _not_shown(planned, problem), at, 0.0)
    for fd in (process.output_fd, process.errors_fd, process.exit_fd):
        selector.register(fd, selectors.EVENT_READ, process)
    return _Looking(planned, at, process)


def _listen(selector: selectors.BaseSelector, looking: Mapping[int, _Looking]) -> None:
    """Wait for a word of any probe, or for the first limit."""
    for key, _ in selector.select(min((one.left for one in looking.values()), default=0.0)):
        process: ProbeProcess = key.data
        if key.fd == process.exit_fd or not process.read(key.fd):
            selector.unregister(key.fd)


def _is_decided(one: _Looking) -> bool:
    if one.process.floods:
        return True
    if one.exited_at is None and one.process.has_exited():
        one.exited_at = time.monotonic()
    if one.exited_at is None:
        return one.left <= 0
    late = time.monotonic() - one.exited_at >= GRACE_SECONDS
    return late or not one.process.others()


def _conclude(one: _Looking, selector: selectors.BaseSelector) -> Ran:
    process, planned = one.process, one.planned
    seconds = process.seconds
    if one.exited_at is not None:
        seconds = one.exited_at - process.begun
        process.drain()
    for fd in (process.output_fd, process.errors_fd, process.exit_fd):
        with contextlib.suppress(KeyError):
            selector.unregister(fd)
    left_behind = len(process.others()) if one.exited_at is not None else 0
    code = process.end()
    if process.errors:
        said = process.errors.decode(errors="replace")
        log.info("probe %s wrote to standard error:\n%s", planned.id, said)
    problem = _problem(one, code, left_behind)
    seen = _not_shown(planned, problem) if problem else _read(planned, bytes(process.output))
    return Ran(planned, seen, one.started_at, seconds)


def _problem(one: _Looking, code: int | None, left_behind: int) -> str | None:
    if one.process.floods:
        return f"it wrote more than {MOST_OUTPUT} bytes (expected one answer)"
    if one.exited_at is None:
        return f"did not answer within {one.planned.timeout_seconds:g} s, and was ended"
    if code != 0:
        return f"its process ended with code {code} (expected 0)"
    if left_behind:
        return f"it left {left_behind} processes behind, which were ended (expected none)"
    return None


def _read(planned: PlannedProbe, content: bytes) -> Seen:
    """The answer, if that is what it wrote."""
    try:
        said = _Answer.model_validate(read_json(content))
    except ValueError as error:
        fields = (
            f"{error.error_count()} fields are wrong" if isinstance(error, ValidationError) else ""
        )
        problem = f"its {len(content)} bytes of output are no answer: {fields or 'not JSON'}"
        return _not_shown(planned, problem)
    return Seen(shows=said.shows, statement=said.statement, raw=said.raw)


def _not_shown(planned: PlannedProbe, problem: str) -> Seen:
    return Seen(
        shows=False,
        statement=f"The probe {planned.id!r} ({planned.probe}): {problem}. Look at what it asks "
        "and at the log of the task, then collect again.",
        raw={"runner": problem},
    )
