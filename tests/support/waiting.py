"""Waiting for a condition instead of sleeping for a guess."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def eventually(look: Callable[[], Seen], timeout: float, *, every: float = 0.1) -> Seen:
    """The first truthy answer of `look`; an AssertionError with the last answer if none comes."""
    give_up = time.monotonic() + timeout
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() >= give_up:
            raise AssertionError(f"not within {timeout:g} s; the last look saw {seen!r}")
        time.sleep(every)
