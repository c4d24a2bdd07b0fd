from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom, t

from include.rsp.errors import DomainError
from include.rsp.estimators import exact_share
from include.rsp.power import (
    fewest_samples,
    minimum_detectable_effect,
    minimum_sample_size,
    most_successes,
    power,
)
from include.rsp.statistics import METHODS, NotApplicable, estimate
from tests.support.factories import observed


def scores(right: int, n: int) -> np.ndarray:
    return np.array([1.0] * right + [0.0] * (n - right))


def names(n: int) -> np.ndarray:
    return np.array([f"p{index}" for index in range(n)])


def test_wilson_solves_its_own_defining_equation() -> None:
    found = estimate("wilson@1", observed(scores(17, 200)), confidence=0.95)
    for bound in (found.lower, found.upper):
        z = abs(17 / 200 - bound) / math.sqrt(bound * (1 - bound) / 200)
        assert z == pytest.approx(1.6448536, abs=1e-3)


@pytest.mark.parametrize(("right", "n"), [(0, 50), (1, 20), (17, 200), (199, 200), (30, 30)])
def test_clopper_pearson_has_exact_tails(right: int, n: int) -> None:
    found = estimate("clopper_pearson@1", observed(scores(right, n)), confidence=0.95)
    if right < n:
        assert binom.cdf(right, n, found.upper) == pytest.approx(0.05, abs=1e-4)
    if right > 0:
        assert binom.sf(right - 1, n, found.lower) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize("method", ["wilson@1", "clopper_pearson@1"])
def test_no_success_at_all_is_not_certainty(method: str) -> None:
    found = estimate(method, observed(scores(0, 200)), confidence=0.95)
    assert found.value == 0
    assert found.upper > 0.01


def test_repeated_questions_widen_a_cluster_robust_bound() -> None:
    rng = np.random.default_rng(1)
    questions = rng.random(40)
    repeated = np.repeat((questions < 0.5).astype(float), 5)
    clusters = np.repeat(names(40), 5)
    clustered = estimate("cluster_robust@1", observed(repeated, clusters), confidence=0.95)
    as_if_free = estimate("cluster_robust@1", observed(repeated), confidence=0.95)
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
        ("cluster_wilson@1", [1.0] * 9, list("abcdefghi"), "clusters"),
        ("cluster_wilson@1", [2.0] * 12, list("abcdefghijkl"), "from 0 to 1"),
        ("cluster_bootstrap@1", [1.0, 0.0] * 6, list("abcdefghijkl"), "at least 40"),
        ("cluster_bootstrap@1", [1.0] + [0.0] * 49, names(50), "above or below"),
        ("pass_at_k@1", [1.0], ["a"], "gives no k"),
        ("best_of@1", [1.0], ["a"], "named snapshots"),
        ("ratio_of_means@1", [1.0], ["a"], "arms treatment and control"),
        ("paired_difference@1", [1.0], ["a"], "baseline score"),
        ("cluster_robust@1", [1e308, -1e308] * 6, list("abcdefghijkl"), "too large"),
    ],
)
def test_a_method_that_does_not_fit_says_so(
    method: str, values: list[float], clusters: list[str], message: str
) -> None:
    with pytest.raises(NotApplicable, match=message):
        estimate(method, observed(values, clusters), confidence=0.95)


def test_every_method_names_its_version() -> None:
    assert METHODS
    assert all(name.partition("@")[2].isdigit() for name in METHODS)


def test_a_cluster_of_equal_answers_counts_as_one() -> None:
    """Ten passages, each answered alike five times, tell as much as ten samples and no more."""
    clusters = np.repeat(names(50), 5)
    repeated = np.repeat(scores(5, 50), 5)
    found = estimate("cluster_wilson@1", observed(repeated, clusters), confidence=0.95)
    once = estimate("cluster_wilson@1", observed(scores(5, 50)), confidence=0.95)
    assert (found.value, found.upper) == (once.value, once.upper)
    free = estimate("wilson@1", observed(repeated), confidence=0.95)
    assert found.upper > free.upper


def test_pass_at_k_is_the_share_of_choices_that_hold_a_success() -> None:
    tries = {"a": [1, 0, 0, 0], "b": [0, 0, 0, 0], "c": [1, 1, 0, 0]}
    values = [one for each in tries.values() for one in each] * 4
    problems = [f"{name}{copy}" for copy in range(4) for name in tries for _ in range(4)]
    found = estimate("pass_at_k@1", observed(values, problems, k=2), confidence=0.95)
    drawn = [any(pair) for each in tries.values() for pair in itertools.combinations(each, 2)]
    assert found.value == pytest.approx(sum(drawn) / len(drawn), abs=1e-6)
    with pytest.raises(NotApplicable, match="has 4 tries"):
        estimate("pass_at_k@1", observed(values, problems, k=5), confidence=0.95)


def test_the_best_of_several_is_corrected_for_choosing() -> None:
    values = [*scores(10, 100), *scores(12, 100)]
    groups = np.repeat(["early", "final"], 100)
    found = estimate("best_of@1", observed(values, groups=groups), confidence=0.95)
    alone = exact_share(12, 100, 0.95)
    assert found.value == 0.12
    assert found.upper > alone[2]
    assert found.upper == pytest.approx(exact_share(12, 100, 0.975)[2], abs=1e-6)


def test_the_ratio_of_means_solves_fiellers_equation() -> None:
    rng = np.random.default_rng(3)
    arms = rng.beta(5, 5, 20), rng.beta(2, 6, 15)
    groups = ["treatment"] * 20 + ["control"] * 15
    found = estimate(
        "ratio_of_means@1", observed(np.concatenate(arms), groups=np.array(groups)), confidence=0.95
    )
    a, b = (one.mean() for one in arms)
    va, vb = (one.var(ddof=1) / one.size for one in arms)
    for bound in (found.lower, found.upper):
        assert abs(a - bound * b) / math.sqrt(va + bound**2 * vb) == pytest.approx(
            t.ppf(0.95, 14), abs=1e-3
        )
    assert found.value == pytest.approx(a / b, abs=1e-6)
    none = np.concatenate([arms[0], np.zeros(15)])
    with pytest.raises(NotApplicable, match="not clearly above 0"):
        estimate("ratio_of_means@1", observed(none, groups=np.array(groups)), confidence=0.95)


def test_a_paired_difference_takes_out_what_both_share() -> None:
    easy = np.tile([0.0, 1.0], 50)
    gained = easy.copy()
    gained[:20:2] = 1.0
    found = estimate("paired_difference@1", observed(gained, baseline=easy), confidence=0.95)
    assert found.value == pytest.approx(0.1)
    assert 0.04 < found.lower < found.upper < 0.16


def test_sample_size_and_power_fit_each_other() -> None:
    assert most_successes(200, 0.4, 0.95) == max(
        s for s in range(200) if exact_share(s, 200, 0.95)[2] < 0.4
    )
    assert most_successes(5, 0.1, 0.95) == -1
    assert power(5, 0.1, 0.0, 0.95) == 0
    for limit in (1e-3, 0.1, 0.4, 0.95, 1.0):
        n = fewest_samples(limit, 0.95)
        assert exact_share(0, n, 0.95)[2] < limit
        assert n == 1 or exact_share(0, n - 1, 0.95)[2] >= limit
    n = minimum_sample_size(0.4, 0.25, 0.95, 0.9)
    assert all(power(one, 0.4, 0.25, 0.95) >= 0.9 for one in range(n, n + n // 20))
    assert power(n - 1, 0.4, 0.25, 0.95) < 0.9
    effect = minimum_detectable_effect(n, 0.4, 0.95, 0.9)
    assert effect == pytest.approx(0.15, abs=0.02)
    assert power(n, 0.4, 0.4 - effect, 0.95) >= 0.9
    assert minimum_detectable_effect(5, 0.1, 0.95, 0.9) == 0.1
    with pytest.raises(DomainError, match="cannot be shown"):
        minimum_sample_size(0.4, 0.5, 0.95, 0.9)
