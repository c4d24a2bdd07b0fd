"""What waits in the triggerer for results that people deliver. It holds no slot.

It only looks, with a few stat calls a second; what it saw is read and checked by the task that it
wakes. DAG files import this module, so it imports nothing heavy at its top.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

LOOK_SECONDS = 1.0


class DeliveryTrigger(BaseTrigger):
    """Fires when a delivery has arrived whole that was not looked at yet, or when it is due.

    `folder` is the job's inbox, `until` the due date (seconds since the epoch), `seen` what was
    looked at already and refused: as it was then, so that a corrected one is looked at again.
    `job` is the job's own folder, in which it says that somebody waits.
    """

    def __init__(self, *, folder: str, until: float, job: str, seen: Sequence[str] = ()) -> None:
        super().__init__()
        self.folder, self.until, self.job, self.seen = folder, until, job, list(seen)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Where to look, how long, and what is known."""
        return "include.wiring.delivery_trigger.DeliveryTrigger", {
            "folder": self.folder,
            "until": self.until,
            "job": self.job,
            "seen": self.seen,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until something is there."""
        from include.adapters.waiting_job import GOOD_FOR_SECONDS, RENEW_SECONDS, say_waited

        renewed = 0.0
        while True:
            if time.time() - renewed >= RENEW_SECONDS:
                renewed = time.time()
                await asyncio.to_thread(say_waited, Path(self.job), renewed + GOOD_FOR_SECONDS)
            news = await asyncio.to_thread(self._news)
            if news:
                yield TriggerEvent({"state": "delivered", "deliveries": news})
                return
            if time.time() >= self.until:
                yield TriggerEvent({"state": "overdue", "deliveries": []})
                return
            await asyncio.sleep(min(LOOK_SECONDS, max(self.until - time.time(), 0.0)))

    def _news(self) -> list[str]:
        """The deliveries that are ready and were not seen as they are now."""
        from include.adapters.delivered_results import deliveries
        from include.adapters.delivery_folder import fingerprint, is_ready

        return [
            one.name
            for one in deliveries(Path(self.folder))
            if fingerprint(one) not in self.seen and is_ready(one)
        ]
