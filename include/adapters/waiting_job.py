"""Somebody waits for this job: a mark in its folder, good until a moment.

Whoever waits renews it, so that an assessment whose evaluation takes days is not taken for one
that stands still, and one whose waiting task is gone is taken up again soon.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

GOOD_FOR_SECONDS = 60.0
"""How long the mark of a waiting trigger holds; it renews it several times in that."""
RENEW_SECONDS = 10.0
_MARK = "waited-for"


def say_waited(folder: Path, until: float) -> None:
    """Mark the job as waited for until that moment (seconds since the epoch).

    A folder that cannot be written stays unmarked: then the assessment is taken up once more, which
    does no harm.
    """
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f".{_MARK}"
        beside.write_text(f"{until:.3f}")
        beside.replace(folder / _MARK)


def waited_until(folder: Path) -> float:
    """Until when the job is waited for; 0 when nobody said so."""
    try:
        return float((folder / _MARK).read_text())
    except (OSError, ValueError):
        return 0.0
