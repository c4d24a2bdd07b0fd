"""How samples become columns: what a sample does not say of itself is filled in, never guessed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from include.rsp.evaluation_plan import runs_of
from include.rsp.finding import EvaluationFinding, Evidence, find
from include.rsp.results import Sample
from include.rsp.suite import Evaluation
from tests.support.factories import CHECKPOINT, START, make_run, make_samples, toy_suite

N = 80
Said = dict[str, Any]


def evaluation(method: str, **changes: Any) -> Evaluation:
    def change(plain: dict[str, Any]) -> None:
        one = plain["evaluations"][0] | {"method": method, "dataset_samples": N}
        plain["evaluations"] = [one | {"minimum_samples": N - 2} | changes]

    return toy_suite(change).evaluations[0]


def found(rule: Evaluation, say: Callable[[int], Said]) -> EvaluationFinding:
    """What is found when half of the samples are right and each says something of itself."""
    plain = [one.model_dump() | {"score": float(n % 2)} for n, one in enumerate(make_samples(0, N))]
    samples = [Sample.model_construct(**one | say(n)) for n, one in enumerate(plain)]
    evidence = Evidence(run=make_run(rule), samples=samples, valid=True)
    times = {"checkpoint_at": START, "at": START + timedelta(minutes=5)}
    return find(rule, *runs_of(rule, []), evidence, checkpoint=CHECKPOINT, **times)


@pytest.mark.parametrize(
    "silent",
    [
        lambda n: {},
        lambda n: {"cluster": ""},
        lambda n: {"cluster": f"p{n:04d}" if n % 3 else None},
    ],
    ids=["nobody names a cluster", "an empty name", "some name their own problem"],
)
def test_a_sample_without_a_cluster_belongs_to_its_problem(silent: Callable[[int], Said]) -> None:
    rule = evaluation("cluster_wilson@1")
    named = found(rule, lambda n: {"cluster": f"p{n:04d}"})
    assert named.problems == []
    assert found(rule, silent) == named


def test_clusters_that_only_some_samples_name_still_count() -> None:
    rule = evaluation("cluster_wilson@1")
    together = found(rule, lambda n: {"cluster": "one" if n < N / 2 and n % 2 else None})
    assert (together.upper or 0) > (found(rule, lambda n: {}).upper or 1)


def test_a_baseline_that_one_sample_lacks_is_missing() -> None:
    rule = evaluation("paired_difference@1", load_bearing=False, role="evidence", limits=None)
    whole = found(rule, lambda n: {"baseline": float(n % 5 == 0)})
    assert whole.problems == []
    part = found(rule, lambda n: {"baseline": float(n % 5 == 0) if n else None})
    assert part.value is None
    assert part.problems == ["paired_difference@1: needs a baseline score for every sample"]


@pytest.mark.parametrize(
    ("say", "problem"),
    [
        ({"score": 2.0}, f"{N} scores outside 0.0 to 1.0, first in sample 'p0000'"),
        ({"score": float("nan")}, f"{N} scores outside 0.0 to 1.0, first in sample 'p0000'"),
        ({"baseline": -1.0}, f"{N} baseline scores out of range, first in 'p0000'"),
        (
            {"score": None, "error": "crashed"},
            f"{N} of {N} samples ended in errors (at most 2% may)",
        ),
        ({"sample_id": "p"}, "samples come twice"),
    ],
)
def test_each_problem_with_samples_is_told(say: Said, problem: str) -> None:
    assert problem in found(evaluation("clopper_pearson@1"), lambda n: say).problems
