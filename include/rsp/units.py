"""The units of published numbers: what they count, and which limits they can be held to."""

from __future__ import annotations

import re
from collections.abc import Sequence

from include.rsp.suite import HIGHEST

SHARE_UNITS = tuple(unit for unit, top in HIGHEST.items() if top == 1)
RATIO_UNITS = ("x", "ratio", "times", "fold")
CHANGES = r"percent.*_(points|change|increase|improvement|uplift|speedup|gain)"
"""Percentages of a change: no share of a whole."""
UNITED = ("share", "of_")
"""Quantities that are parts of one whole."""


def scale_of(unit: str) -> float:
    """What a number in this unit is divided by: 100 for percent, N for `..._of_N`, else 1."""
    share = re.fullmatch(r".+_of_(\d+)", unit)
    if share:
        return float(share[1])
    return 100.0 if unit.startswith("percent") else 1.0


def quantity_of(unit: str) -> str:
    """What numbers of this unit count: `share`, `of_N`, `ratio`, else the unit itself.

    Values of two quantities are never compared with each other.
    """
    counted = re.fullmatch(r".+_(of_\d+)", unit)
    if counted:
        return counted[1]
    if unit in RATIO_UNITS:
        return "ratio"
    whole = unit.startswith("percent") and not re.fullmatch(CHANGES, unit)
    return "share" if whole or unit in SHARE_UNITS else unit


def is_unfit(unit: str, score: float | None, limits: Sequence[float]) -> bool:
    """Whether a score in this unit cannot be held to these limits.

    A change in percent, a share beside a limit above 1, a number above 1 beside limits that are
    shares.
    """
    if score is None or not limits:
        return False
    if re.fullmatch(CHANGES, unit):
        return True
    if quantity_of(unit).startswith(UNITED):
        return max(limits) > 1
    return max(limits) < 1 < score / scale_of(unit)
