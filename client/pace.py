"""When a training loop must ask again, and whether another step still fits into the lease."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from client.answers import Answer, Code

REMEMBERED_STEPS = 8


class Pace:
    """Counts by a clock that cannot be set back.

    Args:
        monotonic: its seconds.
        ask_every: seconds between two questions.
        margin: seconds kept free before the lease's end, beside the length of a step.
    """

    def __init__(self, monotonic: Callable[[], float], *, ask_every: float, margin: float) -> None:
        self.lease_expires_at: datetime | None = None
        self._monotonic = monotonic
        self._ask_every = ask_every
        self._margin = margin
        self._asked = -math.inf
        self._lease_ends = -math.inf
        self._began: float | None = None
        self._steps: deque[float] = deque(maxlen=REMEMBERED_STEPS)

    def step_begins(self) -> None:
        """A step may begin now."""
        self._began = self._monotonic()

    def step_ended(self) -> None:
        """The step that had begun is over."""
        if self._began is not None:
            self._steps.append(self._monotonic() - self._began)
            self._began = None

    def asked(self, answer: Answer) -> None:
        """Take over what an answer says of the lease; one that says nothing leaves it as it was."""
        self._asked = self._monotonic()
        if answer.lease_expires_at is not None:
            self.lease_expires_at = answer.lease_expires_at
            self._lease_ends = self._asked + answer.lease_seconds_left

    def is_time_to_ask(self) -> bool:
        """Whether the interval has passed, or the lease that is known would not last a step."""
        return self._monotonic() - self._asked >= self._ask_every or not self.fits_the_lease()

    def seconds_left(self) -> float:
        """Until the lease runs out; at least 0."""
        return max(0.0, self._lease_ends - self._monotonic())

    def fits_the_lease(self) -> bool:
        """Whether the shortest step of the last few would end before the lease does.

        The shortest, because a stretch with a checkpoint in it takes longer than a step.
        """
        return self.seconds_left() > min(self._steps, default=0.0) + self._margin

    def too_short(self, answer: Answer) -> Answer:
        """The refusal in place of a permission that does not last for a step."""
        step = min(self._steps, default=0.0)
        reason = (
            f"The lease lasts {self.seconds_left():.2f} s more, a step takes {step:.2f} s and "
            f"{self._margin:g} s are kept free: the next step would end outside of it."
        )
        return replace(answer, allowed=False, code=Code.LEASE_EXPIRED, reason=reason)
