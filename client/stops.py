"""What a training loop remembers of each stop, so that its two times can be told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from client.answers import Answer, Code


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of a run that was moving. Times are by the gate's clock, in UTC.

    `code` is None when another rank asked for it, or when training ended by itself under an
    order. `order_seen_at` is when the client first read the order, None when there was none (a
    lease that ran out). `stopped_at` is when the last step had ended, before the state was saved.
    `lease_expires_at` is the end of the last lease that was good, None when none ever was.
    `hold` is the digest of the hold that was read until the stop, None when there was none.
    """

    code: Code | None
    reason: str
    step: int
    flop: float
    order_seen_at: datetime | None
    stopped_at: datetime
    steps_after_order: int
    lease_expires_at: datetime | None
    hold: str | None

    @property
    def seconds_after_order(self) -> float | None:
        """From when the order was visible to the stop."""
        if self.order_seen_at is None:
            return None
        return (self.stopped_at - self.order_seen_at).total_seconds()

    @property
    def lease_seconds_left(self) -> float | None:
        """What was left of the lease at the stop; negative: it had run out before."""
        if self.lease_expires_at is None:
            return None
        return (self.lease_expires_at - self.stopped_at).total_seconds()

    def __str__(self) -> str:
        """The measured figures as a sentence."""
        seconds, left = self.seconds_after_order, self.lease_seconds_left
        order = (
            f"{self.steps_after_order} steps and {seconds:.2f} s after the order was visible"
            if seconds is not None
            else f"at step {self.step} without an order"
        )
        lease = f", {left:.1f} s before its lease ran out" if left is not None else ""
        return f"stopped {order}{lease}"


@dataclass(slots=True)
class Seen:
    """The refusal that a moving run is obeying at its next boundary, and since when."""

    answer: Answer
    at: datetime
    step: int


class TrainingStopped(Exception):  # noqa: N818 - what happened
    """Raised by a `TrainingLoop` with `raise_on_stop=True`, after all of the stop was done."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(f"{stop.reason} ({stop})")
        self.stop = stop
