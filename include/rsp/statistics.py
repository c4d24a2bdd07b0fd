"""Estimates with one-sided bounds, as versioned methods.

A method never changes under its name: a fix is a new version beside the old, because stored
decisions are replayed (DESIGN I6). A method that does not fit the data raises `NotApplicable`;
nothing is replaced in silence.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri, stdtrit

from include.rsp.canonical import round_down, round_up
from include.rsp.errors import DomainError

Scores = NDArray[np.float64]
Clusters = NDArray[np.str_]


class NotApplicable(DomainError):  # noqa: N818 - an outcome of choosing a method
    """The method's conditions do not hold for these data."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A point estimate with one-sided bounds, each at the stated confidence."""

    value: float
    lower: float
    upper: float
    n: int
    method: str


def estimate(method: str, scores: Scores, clusters: Clusters, *, confidence: float) -> Estimate:
    """Apply a named method.

    Args:
        method: a key of `METHODS`.
        scores: shape (n,), finite.
        clusters: shape (n,), which samples belong together (the same problem over epochs).
        confidence: of each one-sided bound, in (0.5, 1).

    Raises:
        NotApplicable: no samples, non-finite scores, an unknown method or unmet conditions.
    """
    if scores.size == 0:
        raise NotApplicable(f"{method}: no samples (an estimate of nothing is not 0)")
    if not np.isfinite(scores).all():
        raise NotApplicable(f"{method}: scores hold NaN or infinity")
    if method not in METHODS:
        raise NotApplicable(f"unknown method {method!r} (expected one of {sorted(METHODS)})")
    value, lower, upper = METHODS[method](scores, clusters, confidence)
    return Estimate(
        value=round(value, 6),
        lower=round_down(lower),
        upper=round_up(upper),
        n=int(scores.size),
        method=method,
    )


def wilson(scores: Scores, clusters: Clusters, confidence: float) -> tuple[float, float, float]:
    """One-sided Wilson score bounds for a share (Wilson 1927, JASA 22, 209-212)."""
    successes, n = _successes(scores, clusters, "wilson@1")
    z = float(ndtri(confidence))
    share = successes / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return share, max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def clopper_pearson(
    scores: Scores, clusters: Clusters, confidence: float
) -> tuple[float, float, float]:
    """Exact one-sided bounds for a share (Clopper & Pearson 1934, Biometrika 26, 404-413)."""
    successes, n = _successes(scores, clusters, "clopper_pearson@1")
    alpha = 1 - confidence
    lower = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, alpha))
    upper = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, confidence))
    return successes / n, lower, upper


def cluster_robust(
    scores: Scores, clusters: Clusters, confidence: float
) -> tuple[float, float, float]:
    """Mean with a cluster-robust standard error and t bounds on G-1 degrees of freedom.

    CR1 variance (Liang & Zeger 1986, Biometrika 73, 13-22; small-sample factor G/(G-1)).
    """
    mean = float(scores.mean())
    names, group = np.unique(clusters, return_inverse=True)
    count = len(names)
    if count < 10:
        raise NotApplicable(f"cluster_robust@1: {count} clusters (expected at least 10)")
    sums = np.bincount(group, weights=scores - mean, minlength=count)
    variance = float((sums**2).sum()) / scores.size**2 * count / (count - 1)
    if variance <= 0:
        raise NotApplicable("cluster_robust@1: no variation between clusters, so no error estimate")
    spread = float(stdtrit(count - 1, confidence)) * math.sqrt(variance)
    return mean, mean - spread, mean + spread


def _successes(scores: Scores, clusters: Clusters, method: str) -> tuple[int, int]:
    if not np.isin(scores, (0.0, 1.0)).all():
        raise NotApplicable(f"{method}: needs scores of 0 or 1")
    if len(np.unique(clusters)) != scores.size:
        raise NotApplicable(f"{method}: needs independent samples, some problems come repeatedly")
    return int(scores.sum()), int(scores.size)


METHODS: dict[str, Callable[[Scores, Clusters, float], tuple[float, float, float]]] = {
    "wilson@1": wilson,
    "clopper_pearson@1": clopper_pearson,
    "cluster_robust@1": cluster_robust,
}
