"""How far an evaluation is: written to the job's folder by Inspect's own hooks, at most twice a
second, so that no long evaluation is silent.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from include.adapters.evaluation import PROGRESS, Progress
from include.rsp.canonical import canonical_bytes

if TYPE_CHECKING:
    from inspect_ai.hooks import SampleEnd

EVERY_SECONDS = 0.5


class Counter:
    """Counts finished samples and writes the progress file."""

    def __init__(self, folder: Path, *, total: int, before: int) -> None:
        self._path = folder / PROGRESS
        self._total, self._before = total, before
        self._done, self._errors, self._tokens = before, 0, 0
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


def follow(folder: Path, *, total: int, logs: Path) -> None:
    """Count every sample that ends from now on, beside those that earlier attempts finished."""
    from inspect_ai.hooks import Hooks, hooks

    counter = Counter(folder, total=total, before=0)

    @hooks(name="redline_progress", description="progress of the evaluation for its job's folder")
    class RedlineProgress(Hooks):  # type: ignore[misc]  # Inspect is not typed here
        async def on_sample_end(self, data: SampleEnd) -> None:
            usage = data.sample.model_usage.values()
            costs = [one.total_cost for one in usage if one.total_cost is not None]
            counter.count(
                failed=data.sample.error is not None,
                tokens=sum(one.total_tokens for one in usage),
                cost=sum(costs) if costs else None,
            )
