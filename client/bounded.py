"""A time limit on I/O: a mirror on a hung network disk must not hang a training step.

A call that blocks in the kernel cannot be cancelled. It is left behind in a daemon thread, and
until it returns every later call is refused at once, so that no more than one thread is stuck.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class TookTooLong(OSError):  # noqa: N818 - what happened
    """The work did not end within its limit, or earlier work still has not."""


class _Call(Generic[T]):
    """One piece of work and what became of it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.done = threading.Event()
        self.result: list[T] = []
        self.error: BaseException | None = None

    def __call__(self) -> None:
        try:
            self.result.append(self._work())
        except BaseException as error:  # noqa: BLE001 - carried over to the thread that asked
            self.error = error
        finally:
            self.done.set()


class TimeLimit:
    """Runs one piece of work at a time, each for at most `seconds`.

    Args:
        seconds: the limit of each call.
        where: what the work reads, for the message.
    """

    def __init__(self, seconds: float, where: str) -> None:
        self.seconds = seconds
        self.where = where
        self._process = 0
        self._turn = threading.Lock()
        self._stuck: threading.Event | None = None

    def run(self, work: Callable[[], T]) -> T:
        """The work's result; what it raises is raised here.

        Raises:
            TookTooLong: the limit has passed, or an earlier call is still stuck.
        """
        self._after_fork()
        begun = time.monotonic()
        if not self._turn.acquire(timeout=self.seconds):
            raise TookTooLong(f"another thread has used {self.where} for {self.seconds:g} s")
        try:
            return self._alone(work, begun + self.seconds)
        finally:
            self._turn.release()

    def _alone(self, work: Callable[[], T], deadline: float) -> T:
        if self._stuck is not None and not self._stuck.is_set():
            raise TookTooLong(f"an earlier look at {self.where} is still stuck")
        call = _Call(work)
        threading.Thread(target=call, name="redline-client", daemon=True).start()
        self._stuck = call.done
        if not call.done.wait(max(0.0, deadline - time.monotonic())):
            raise TookTooLong(f"{self.where} did not answer within {self.seconds:g} s")
        if call.error is not None:
            raise call.error
        return call.result[0]

    def _after_fork(self) -> None:
        """A forked child (a data loader's worker) has neither the stuck thread nor its turn."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._turn = threading.Lock()
            self._stuck = None
