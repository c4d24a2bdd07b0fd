"""Where a red line's evaluation is heading with effective compute (lifecycle step 3).

A straight line through the logits of the scores against log2 of effective compute, with the
usual prediction interval. It is honest about little data: below three points there is no
interval, and flat points are said to tell little about a jump.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import expit, logit, stdtrit

from include.rsp.canonical import Document, Identifier, round_down, round_up


class ForecastPoint(Document):
    """One assessed checkpoint: effective compute in FLOP, score and its number of samples."""

    effective_compute: float
    value: float
    n: int


class Forecast(Document):
    """The predicted score at one future compute; bounds are None where none can be given."""

    evaluation: Identifier
    at_compute: float
    value: float | None
    lower: float | None
    upper: float | None
    confidence: float
    points: int
    note: str


FLAT_NOTE = (
    "the scores so far do not rise reliably with compute, so they say little about a sudden jump; "
    "do not read the interval as reassurance"
)


def forecast(
    evaluation: str, points: Sequence[ForecastPoint], *, at_compute: float, confidence: float = 0.9
) -> Forecast:
    """The two-sided prediction interval for the score of a checkpoint at `at_compute` FLOP."""
    note = ""
    if len({point.effective_compute for point in points}) < 3:
        note = f"{len(points)} assessed checkpoints give no interval (at least 3 needed)"
    elif any(not 0 <= point.value <= 1 for point in points):
        note = "scores outside 0 to 1 are not forecast by this method"
    if note:
        return Forecast(
            evaluation=evaluation, at_compute=at_compute, value=None, lower=None, upper=None,
            confidence=confidence, points=len(points), note=note,
        )  # fmt: skip
    x = np.log2([point.effective_compute for point in points])
    y = np.array([logit((p.value * p.n + 0.5) / (p.n + 1)) for p in points])
    count = len(points)
    centre = float(x.mean())
    spread = float(((x - centre) ** 2).sum())
    slope = float(((x - centre) * y).sum() / spread)
    middle = float(y.mean())
    residual = float(((y - middle - slope * (x - centre)) ** 2).sum() / (count - 2))
    quantile = float(stdtrit(count - 2, 0.5 + confidence / 2))
    target = math.log2(at_compute)
    predicted = middle + slope * (target - centre)
    width = quantile * math.sqrt(residual * (1 + 1 / count + (target - centre) ** 2 / spread))
    rises = slope - quantile * math.sqrt(residual / spread) > 0
    return Forecast(
        evaluation=evaluation,
        at_compute=at_compute,
        value=round(float(expit(predicted)), 6),
        lower=round_down(float(expit(predicted - width))),
        upper=round_up(float(expit(predicted + width))),
        confidence=confidence,
        points=count,
        note="" if rises else FLAT_NOTE,
    )
