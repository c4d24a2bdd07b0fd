"""The methods behind `include.rsp.statistics`: each gives (value, lower, upper).

Sums go through `math.fsum` or integers, so that no processor's order of adding can be seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri, stdtrit

from include.rsp.errors import DomainError

Interval = tuple[float, float, float]
Scores = NDArray[np.float64]
Names = NDArray[np.str_]

FEWEST_CLUSTERS = 10
FEWEST_IN_AN_ARM = 8
FEWEST_FOR_BOOTSTRAP = 40
FEWEST_MIXED = 30
RESAMPLES = 2_000
SEED = 20260101
GRAIN = 1e9


class NotApplicable(DomainError):  # noqa: N818 - an outcome of choosing a method
    """The method's conditions do not hold for these data."""


@dataclass(frozen=True, slots=True)
class Observations:
    """Scored samples; every array has the shape (n,).

    Attributes:
        scores: in the unit of the metric.
        problems: which problem was put; repeated over epochs.
        clusters: which samples belong together (a passage, a problem); samples of different
            clusters are taken as independent.
        groups: the arm (`treatment`, `control`), or the snapshot or variant; None: only one.
        baseline: the same problem's score with the baseline checkpoint.
        k: tries of which one has to succeed.
    """

    scores: Scores
    problems: Names
    clusters: Names
    groups: Names | None = None
    baseline: Scores | None = None
    k: int | None = None


def wilson(observed: Observations, confidence: float) -> Interval:
    """One-sided Wilson score bounds for a share (Wilson 1927, JASA 22, 209-212)."""
    successes, n = _successes(observed, "wilson@1")
    return _wilson(successes / n, n, float(ndtri(confidence)))


def clopper_pearson(observed: Observations, confidence: float) -> Interval:
    """Exact one-sided bounds for a share (Clopper & Pearson 1934, Biometrika 26, 404-413)."""
    return exact_share(*_successes(observed, "clopper_pearson@1"), confidence)


def exact_share(successes: int, n: int, confidence: float) -> Interval:
    """Clopper-Pearson bounds from counts; 0 <= successes <= n, n > 0."""
    alpha = 1 - confidence
    lower = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, alpha))
    upper = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, confidence))
    return successes / n, lower, upper


def cluster_robust(observed: Observations, confidence: float) -> Interval:
    """Mean with a cluster-robust standard error and t bounds on G-1 degrees of freedom.

    CR1 variance (Liang & Zeger 1986, Biometrika 73, 13-22; small-sample factor G/(G-1)). It covers
    too little near 0 and 1 and with few clusters: `cluster_wilson@1` is for shares.
    """
    return _t_bounds(observed.scores, observed.clusters, confidence, "cluster_robust@1")


def paired_difference(observed: Observations, confidence: float) -> Interval:
    """Mean of score minus baseline score of the same problem; cluster-robust t bounds as above."""
    if observed.baseline is None or not np.isfinite(observed.baseline).all():
        raise NotApplicable("paired_difference@1: needs a baseline score for every sample")
    difference = observed.scores - observed.baseline
    return _t_bounds(difference, observed.clusters, confidence, "paired_difference@1")


def cluster_wilson(observed: Observations, confidence: float) -> Interval:
    """Wilson bounds for a share on an effective sample size (Kish 1965, design effect).

    n is divided by the design effect, the cluster-robust variance over that of independent
    samples, never less than 1; t on G-1 degrees of freedom takes the normal's place. Where fewer
    than 30 clusters hold a success, or a failure, the design effect cannot be told well, and each
    cluster counts as one sample.
    """
    return _wilson_of_clusters(observed.scores, observed.clusters, confidence, "cluster_wilson@1")


def pass_at_k(observed: Observations, confidence: float) -> Interval:
    """Share of problems solved within k tries, unbiased (Chen et al. 2021, arXiv 2107.03374).

    Per problem 1 - C(n-c, k) / C(n, k) from n tries with c successes; bounds over problems as in
    `cluster_wilson`, by the problems' clusters.
    """
    if observed.k is None:
        raise NotApplicable("pass_at_k@1: the suite gives no k")
    if not np.isin(observed.scores, (0.0, 1.0)).all():
        raise NotApplicable("pass_at_k@1: needs scores of 0 or 1")
    values, clusters = [], []
    for name in np.unique(observed.problems):
        mine = observed.problems == name
        n, c = int(mine.sum()), int(observed.scores[mine].sum())
        if n < observed.k:
            raise NotApplicable(f"pass_at_k@1: problem {name} has {n} tries (k is {observed.k})")
        values.append(1 - math.comb(n - c, observed.k) / math.comb(n, observed.k))
        clusters.append(observed.clusters[mine][0])
    return _wilson_of_clusters(
        np.array(values), np.array(clusters, dtype=np.str_), confidence, "pass_at_k@1"
    )


def best_of(observed: Observations, confidence: float) -> Interval:
    """The largest share among snapshots or variants, corrected for taking the maximum.

    Exact bounds for each group at 1 - alpha/m (Bonferroni; Dunn 1961, JASA 56, 52-64).
    """
    if observed.groups is None:
        raise NotApplicable("best_of@1: needs samples of named snapshots or variants")
    names = np.unique(observed.groups)
    corrected = 1 - (1 - confidence) / len(names)
    found = []
    for name in names:
        mine = observed.groups == name
        one = Observations(observed.scores[mine], observed.problems[mine], observed.clusters[mine])
        found.append(exact_share(*_successes(one, "best_of@1"), corrected))
    value, lower, upper = (max(one[part] for one in found) for part in range(3))
    return value, lower, upper


def ratio_of_means(observed: Observations, confidence: float) -> Interval:
    """Mean of the treatment arm over that of the control arm (Fieller 1954, JRSS B 16, 175-185).

    Independent arms; t on the smaller arm's degrees of freedom. Refused where the control mean is
    not clearly above 0: the interval would have no end.
    """
    arms = {} if observed.groups is None else {
        name: observed.scores[observed.groups == name] for name in ("treatment", "control")
    }  # fmt: skip
    fewest = min((one.size for one in arms.values()), default=0)
    if observed.groups is None or set(observed.groups) != set(arms) or fewest < FEWEST_IN_AN_ARM:
        raise NotApplicable(
            "ratio_of_means@1: needs the arms treatment and control, each with at least "
            f"{FEWEST_IN_AN_ARM} samples"
        )
    if len(np.unique(observed.clusters)) != observed.scores.size:
        raise NotApplicable("ratio_of_means@1: needs independent samples, some come repeatedly")
    (a, va), (b, vb) = (_mean_and_variance(arms[name]) for name in ("treatment", "control"))
    t = float(stdtrit(fewest - 1, confidence))
    rest = b * b - t * t * vb
    if b <= 0 or rest <= 0:
        raise NotApplicable("ratio_of_means@1: the control mean is not clearly above 0")
    root = math.sqrt(max(0.0, a * a * b * b - (a * a - t * t * va) * rest))
    return a / b, (a * b - root) / rest, (a * b + root) / rest


def cluster_bootstrap(observed: Observations, confidence: float) -> Interval:
    """Mean with studentised bounds from resampled clusters (Efron & Tibshirani 1993, ch. 12).

    2,000 resamples with a fixed seed (PCG64). Refused with fewer than 40 clusters, or where fewer
    than 30 of them lie above, or below, the mean: a lump at one end has too long a tail.
    """
    sums, sizes = _cluster_sums(observed.scores, observed.clusters)
    count = len(sums)
    if count < FEWEST_FOR_BOOTSTRAP:
        raise NotApplicable(
            f"cluster_bootstrap@1: {count} clusters (expected at least {FEWEST_FOR_BOOTSTRAP})"
        )
    grains = np.rint(sums * GRAIN).astype(np.int64)
    drawn = np.random.Generator(np.random.PCG64(SEED)).integers(0, count, (RESAMPLES, count))
    total, size = grains[drawn].sum(axis=1) / GRAIN, sizes[drawn].sum(axis=1)
    means = total / size
    rest = np.rint((sums[drawn] - means[:, None] * sizes[drawn]) * GRAIN) / GRAIN
    errors = np.sqrt((np.rint(rest * rest * GRAIN).astype(np.int64)).sum(axis=1) / GRAIN) / size
    mean = math.fsum(sums) / int(sizes.sum())
    away = sums - mean * sizes
    if min(int((away > 0).sum()), int((away < 0).sum())) < FEWEST_MIXED:
        raise NotApplicable(
            f"cluster_bootstrap@1: fewer than {FEWEST_MIXED} clusters above or below the mean"
        )
    error = math.sqrt(math.fsum((sums - mean * sizes) ** 2)) / int(sizes.sum())
    if error <= 0 or (errors <= 0).any():
        raise NotApplicable("cluster_bootstrap@1: too little variation between clusters")
    ranked = np.sort((means - mean) / errors)
    low = ranked[math.floor((1 - confidence) * RESAMPLES)]
    high = ranked[math.ceil(confidence * RESAMPLES) - 1]
    return mean, mean - float(high) * error, mean - float(low) * error


def _successes(observed: Observations, method: str) -> tuple[int, int]:
    if not np.isin(observed.scores, (0.0, 1.0)).all():
        raise NotApplicable(f"{method}: needs scores of 0 or 1")
    if len(np.unique(observed.clusters)) != observed.scores.size:
        raise NotApplicable(f"{method}: needs independent samples, some problems come repeatedly")
    return int(observed.scores.sum()), int(observed.scores.size)


def _wilson(share: float, n: float, z: float) -> Interval:
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return share, max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def _wilson_of_clusters(
    scores: Scores, clusters: Names, confidence: float, method: str
) -> Interval:
    if not ((scores >= 0) & (scores <= 1)).all():
        raise NotApplicable(f"{method}: needs scores from 0 to 1")
    sums, sizes = _cluster_sums(scores, clusters)
    count, n = len(sums), scores.size
    if count < FEWEST_CLUSTERS:
        raise NotApplicable(f"{method}: {count} clusters (expected at least {FEWEST_CLUSTERS})")
    share = math.fsum(scores) / n
    effective = float(count)
    if min(int((sums > 0).sum()), int((sums < sizes).sum())) >= FEWEST_MIXED:
        variance = math.fsum((sums - share * sizes) ** 2) / n**2 * count / (count - 1)
        effective = min(float(n), share * (1 - share) / variance) if variance > 0 else effective
    return _wilson(share, effective, float(stdtrit(count - 1, confidence)))


def _t_bounds(scores: Scores, clusters: Names, confidence: float, method: str) -> Interval:
    mean = math.fsum(scores) / scores.size
    sums, _ = _cluster_sums(scores - mean, clusters)
    count = len(sums)
    if count < FEWEST_CLUSTERS:
        raise NotApplicable(f"{method}: {count} clusters (expected at least {FEWEST_CLUSTERS})")
    variance = math.fsum(sums**2) / scores.size**2 * count / (count - 1)
    if variance <= 0:
        raise NotApplicable(f"{method}: no variation between clusters, so no error estimate")
    spread = float(stdtrit(count - 1, confidence)) * math.sqrt(variance)
    return mean, mean - spread, mean + spread


def _cluster_sums(scores: Scores, clusters: Names) -> tuple[Scores, NDArray[np.int64]]:
    """(sum of the scores, number of samples) of every cluster, by the clusters' names."""
    names, group = np.unique(clusters, return_inverse=True)
    sums = [math.fsum(scores[group == index]) for index in range(len(names))]
    return np.array(sums), np.bincount(group, minlength=len(names)).astype(np.int64)


def _mean_and_variance(scores: Scores) -> tuple[float, float]:
    """The mean and the variance of that mean."""
    mean = math.fsum(scores) / scores.size
    return mean, math.fsum((scores - mean) ** 2) / (scores.size - 1) / scores.size
