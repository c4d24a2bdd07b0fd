"""Estimates with one-sided bounds, as versioned methods (docs/statistics.md).

A method never changes under its name: a fix is a new version beside the old, because stored
decisions are replayed (DESIGN I6). A method that does not fit the data raises `NotApplicable`;
nothing is replaced in silence.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from include.rsp import estimators as e
from include.rsp.canonical import round_down, round_up
from include.rsp.estimators import NotApplicable, Observations

__all__ = ["METHODS", "Estimate", "NotApplicable", "Observations", "estimate"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A point estimate with one-sided bounds, each at the stated confidence."""

    value: float
    lower: float
    upper: float
    n: int
    method: str


def estimate(method: str, observed: Observations, *, confidence: float) -> Estimate:
    """Apply a named method.

    Args:
        method: a key of `METHODS`.
        observed: the scores and how they belong together.
        confidence: of each one-sided bound, in (0.5, 1).

    Raises:
        NotApplicable: no samples, non-finite scores, an unknown method or unmet conditions.
    """
    if observed.scores.size == 0:
        raise NotApplicable(f"{method}: no samples (an estimate of nothing is not 0)")
    if not np.isfinite(observed.scores).all():
        raise NotApplicable(f"{method}: scores hold NaN or infinity")
    if method not in METHODS:
        raise NotApplicable(f"unknown method {method!r} (expected one of {sorted(METHODS)})")
    try:
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            value, lower, upper = METHODS[method](observed, confidence)
    except ArithmeticError as error:
        raise NotApplicable(f"{method}: the scores are too large to calculate with") from error
    if not (math.isfinite(value) and math.isfinite(lower) and math.isfinite(upper)):
        raise NotApplicable(f"{method}: the scores are too large to calculate with")
    return Estimate(
        value=round(value, 6),
        lower=round_down(lower),
        upper=round_up(upper),
        n=int(observed.scores.size),
        method=method,
    )


METHODS: dict[str, Callable[[Observations, float], e.Interval]] = {
    "wilson@1": e.wilson,
    "clopper_pearson@1": e.clopper_pearson,
    "cluster_robust@1": e.cluster_robust,
    "cluster_wilson@1": e.cluster_wilson,
    "cluster_bootstrap@1": e.cluster_bootstrap,
    "pass_at_k@1": e.pass_at_k,
    "best_of@1": e.best_of,
    "ratio_of_means@1": e.ratio_of_means,
    "paired_difference@1": e.paired_difference,
}
