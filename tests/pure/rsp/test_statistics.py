from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from include.rsp.statistics import METHODS, NotApplicable, estimate


def scores(right: int, n: int) -> np.ndarray:
    return np.array([1.0] * right + [0.0] * (n - right))


def names(n: int) -> np.ndarray:
    return np.array([f"p{index}" for index in range(n)])


def test_wilson_solves_its_own_defining_equation() -> None:
    found = estimate("wilson@1", scores(17, 200), names(200), confidence=0.95)
    for bound in (found.lower, found.upper):
        z = abs(17 / 200 - bound) / math.sqrt(bound * (1 - bound) / 200)
        assert z == pytest.approx(1.6448536, abs=1e-3)


@pytest.mark.parametrize(("right", "n"), [(0, 50), (1, 20), (17, 200), (199, 200), (30, 30)])
def test_clopper_pearson_has_exact_tails(right: int, n: int) -> None:
    found = estimate("clopper_pearson@1", scores(right, n), names(n), confidence=0.95)
    if right < n:
        assert binom.cdf(right, n, found.upper) == pytest.approx(0.05, abs=1e-4)
    if right > 0:
        assert binom.sf(right - 1, n, found.lower) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize("method", ["wilson@1", "clopper_pearson@1"])
def test_no_success_at_all_is_not_certainty(method: str) -> None:
    found = estimate(method, scores(0, 200), names(200), confidence=0.95)
    assert found.value == 0
    assert found.upper > 0.01


def test_repeated_questions_widen_a_cluster_robust_bound() -> None:
    rng = np.random.default_rng(1)
    questions = rng.random(40)
    repeated = np.repeat((questions < 0.5).astype(float), 5)
    clusters = np.repeat(names(40), 5)
    clustered = estimate("cluster_robust@1", repeated, clusters, confidence=0.95)
    as_if_free = estimate("cluster_robust@1", repeated, names(200), confidence=0.95)
    assert clustered.upper - clustered.value > 1.5 * (as_if_free.upper - as_if_free.value)


@pytest.mark.parametrize(
    ("method", "values", "clusters", "message"),
    [
        ("wilson@1", [], [], "no samples"),
        ("wilson@1", [1.0, math.nan], ["a", "b"], "NaN"),
        ("wilson@1", [1.0, math.inf], ["a", "b"], "NaN"),
        ("wilson@1", [0.5, 1.0], ["a", "b"], "0 or 1"),
        ("wilson@1", [0.0, 1.0], ["a", "a"], "independent"),
        ("clopper_pearson@1", [0.5], ["a"], "0 or 1"),
        ("cluster_robust@1", [1.0] * 9, list("abcdefghi"), "clusters"),
        ("cluster_robust@1", [1.0] * 12, list("abcdefghijkl"), "no variation"),
        ("mean@1", [1.0], ["a"], "unknown method"),
    ],
)
def test_a_method_that_does_not_fit_says_so(
    method: str, values: list[float], clusters: list[str], message: str
) -> None:
    with pytest.raises(NotApplicable, match=message):
        estimate(method, np.array(values), np.array(clusters, dtype=str), confidence=0.95)


def test_every_method_names_its_version() -> None:
    assert METHODS
    assert all(name.partition("@")[2].isdigit() for name in METHODS)
