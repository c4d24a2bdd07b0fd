"""The time by which leases and permits run out: never earlier than what was signed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta


class SignedTime:
    """The later of this machine's clock and the last signed time, which a clock that cannot be set
    back carries on from the moment it was seen.

    Args:
        clock: the time in UTC.
        monotonic: seconds of a clock that is never set back.
    """

    def __init__(self, clock: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self.clock = clock
        self.monotonic = monotonic
        self._floor: datetime | None = None
        self._seen = 0.0

    def now(self, signed: datetime | None) -> datetime:
        """The time, when this signed time has been seen (None: nothing new was)."""
        ticked = self.monotonic()
        if self._floor is not None:
            self._floor += timedelta(seconds=ticked - self._seen)
        self._seen = ticked
        if signed is not None:
            self._floor = max(signed, self._floor or signed)
        clock = self.clock()
        return clock if self._floor is None else max(clock, self._floor)
