"""How far an evaluation is: written to the job's folder by Inspect's own hooks, at most twice a
second, so that no long evaluation is silent.

An attempt that goes on where an earlier one was killed says so: what it took over is done and in
`before`, and no part of its rate. Until it knows how much that is, the file of the earlier attempt
stays.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from include.adapters.evaluation import PROGRESS, Progress
from include.adapters.log_summaries import SampleSummary, read_summaries
from include.rsp.canonical import canonical_bytes
from include.rsp.errors import DomainError

if TYPE_CHECKING:
    from inspect_ai.hooks import SampleEnd, TaskStart

log = logging.getLogger("redline.progress")

EVERY_SECONDS = 0.5


class Counter:
    """Counts finished samples and writes the progress file; `before` were taken over."""

    def __init__(self, folder: Path, *, total: int, before: Sequence[SampleSummary] = ()) -> None:
        self._path = folder / PROGRESS
        self._total, self._before = total, len(before)
        self._done, self._errors = len(before), 0
        self._tokens = sum(one.tokens for one in before)
        self._cost: float | None = None
        self._since, self._written = datetime.now(UTC), 0.0
        self.write()

    def count(self, *, failed: bool, tokens: int, cost: float | None) -> None:
        """One more sample has ended."""
        self._done += 1
        self._errors += failed
        self._tokens += tokens
        if cost is not None:
            self._cost = (self._cost or 0.0) + cost
        if self._done >= self._total or time.monotonic() - self._written >= EVERY_SECONDS:
            self.write()

    def write(self) -> None:
        """Say how far it is; a reader sees the old file or the new one, never half of one."""
        self._written = time.monotonic()
        progress = Progress(
            done=self._done,
            total=self._total,
            errors=self._errors,
            tokens=self._tokens,
            cost=self._cost,
            phase="evaluation",
            since=self._since,
            at=datetime.now(UTC),
            before=self._before,
        )
        beside = self._path.with_name(f".{PROGRESS}")
        beside.write_bytes(canonical_bytes(progress))
        beside.replace(self._path)


def taken_over(logs: Path) -> list[SampleSummary]:
    """What the newest log in the folder begins with: samples that earlier attempts finished.

    Inspect puts one with an error to the model again, so it is none of them. For display alone: a
    log that does not read here says nothing, and is refused where the results are read.
    """
    newest = max(logs.glob("*.eval"), key=lambda path: path.stat().st_mtime_ns, default=None)
    if newest is None:
        return []
    try:
        return [
            one for one in read_summaries(newest).samples if one.completed and one.error is None
        ]
    except (DomainError, OSError) as error:
        log.warning("what was taken over is not known: %s", error)
        return []


def follow(folder: Path, *, total: int, logs: Path) -> None:
    """Count every sample that ends from now on, beside those that earlier attempts finished."""
    from inspect_ai.hooks import Hooks, hooks

    counters: list[Counter] = []

    @hooks(name="redline_progress", description="progress of the evaluation for its job's folder")
    class RedlineProgress(Hooks):  # type: ignore[misc]  # Inspect is not typed here
        async def on_task_start(self, data: TaskStart) -> None:
            # its log has just been written, with all that it takes over
            counters.append(Counter(folder, total=total, before=taken_over(logs)))

        async def on_sample_end(self, data: SampleEnd) -> None:
            usage = data.sample.model_usage.values()
            costs = [one.total_cost for one in usage if one.total_cost is not None]
            counters[-1].count(
                failed=data.sample.error is not None,
                tokens=sum(one.total_tokens for one in usage),
                cost=sum(costs) if costs else None,
            )
