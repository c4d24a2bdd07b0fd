"""I1 as properties: nothing that is missing, corrupt, partial, stale or not a number continues."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from include.rsp.decision import Decision, decide
from include.rsp.elicitation import Elicitation
from include.rsp.finding import Evidence
from include.rsp.results import ControlResult, Sample
from include.rsp.statistics import METHODS, NotApplicable, estimate
from include.rsp.vocabulary import Outcome, RedLineStatus, ResultStatus
from tests.support.factories import (
    ADDITION,
    CHECKPOINT,
    START,
    make_all_evidence,
    make_samples,
    observed,
    toy_policy,
    toy_suite,
)

POLICY, SUITE = toy_policy(), toy_suite()
AT = START + timedelta(minutes=5)
ORDER = [RedLineStatus.RULED_OUT, RedLineStatus.NOT_RULED_OUT, RedLineStatus.CROSSED]
scores = st.integers(0, 200)


def decided(evidence: dict[str, Evidence], policy: Any = POLICY, suite: Any = SUITE) -> Decision:
    return decide(policy, suite, evidence, checkpoint=CHECKPOINT, checkpoint_at=START, at=AT)


def status(evidence: dict[str, Evidence], suite: Any = SUITE) -> RedLineStatus:
    return decided(evidence, suite=suite).red_lines[0].status


def with_run(evidence: Evidence, **changes: Any) -> Evidence:
    assert evidence.run is not None
    return replace(evidence, run=evidence.run.model_copy(update=changes))


def with_samples(evidence: Evidence, samples: list[Sample] | None) -> Evidence:
    return replace(evidence, samples=samples)


LOW = ControlResult(model="toylab/solver", samples=20, score=0.2)
HIGH = ControlResult(model="toylab/refuser", samples=20, score=0.9)
faults = st.sampled_from(
    [
        lambda one: with_run(one, status=ResultStatus.CRASHED, problem="x"),
        lambda one: with_run(one, checkpoint="sha256:" + "9" * 64),
        lambda one: with_run(one, evaluation_version="0"),
        lambda one: with_run(one, finished_at=AT + timedelta(days=9)),
        lambda one: with_run(one, started_at=START - timedelta(days=9)),
        lambda one: with_run(one, elicitation=Elicitation()),
        lambda one: with_run(one, positive_control=None),
        lambda one: with_run(one, positive_control=LOW),
        lambda one: with_run(one, null_control=HIGH),
        lambda one: with_run(one, null_control=None),
        lambda one: replace(one, valid=None),
        lambda one: replace(one, valid=False),
        lambda one: replace(one, run=None),
        lambda one: with_samples(one, None),
        lambda one: with_samples(one, []),
        lambda one: with_samples(one, list(one.samples)[:-1]),
        lambda one: with_samples(one, [*one.samples, one.samples[0]]),
        lambda one: with_samples(one, [*list(one.samples)[:-1], one.samples[0]]),
        lambda one: with_samples(one, make_samples(0, 200, errors=50)),
    ]
)


@settings(max_examples=600, deadline=None)
@given(addition=scores, maximum=scores, damage=st.lists(faults, min_size=1, max_size=3))
def test_damaged_evidence_never_continues(addition: int, maximum: int, damage: list[Any]) -> None:
    evidence = make_all_evidence(SUITE, addition=addition, maximum=maximum)
    one = whole = evidence[ADDITION]
    for fault in damage:
        try:
            one = fault(one)
        except (AssertionError, TypeError, IndexError):
            continue  # an earlier fault has already taken the thing away
    assume(one != whole)  # one fault may undo another: a sample doubled, then one taken away
    evidence[ADDITION] = one
    decision = decided(evidence)
    assert decision.recommendation is not Outcome.CONTINUE
    assert decision.red_lines[0].status is not RedLineStatus.RULED_OUT


@settings(max_examples=300, deadline=None)
@given(
    addition=scores,
    places=st.lists(st.integers(0, 199), min_size=1, max_size=40, unique=True),
    how=st.sampled_from(["error", "high", "low", "half"]),
)
def test_corrupt_scores_never_move_towards_ruled_out(
    addition: int, places: list[int], how: str
) -> None:
    evidence = make_all_evidence(SUITE, addition=addition)
    before = status(evidence)
    samples = list(evidence[ADDITION].samples or [])
    for place in places:
        changes: dict[str, Any] = {
            "error": {"score": None, "error": "lost"},
            "high": {"score": 7.0},
            "low": {"score": -7.0},
            "half": {"score": 0.5},
        }[how]
        samples[place] = samples[place].model_copy(update=changes)
    evidence[ADDITION] = with_samples(evidence[ADDITION], samples)
    after = status(evidence)
    if how == "error" and len(places) <= 4:
        return  # within the error rate that the suite allows
    assert after is RedLineStatus.NOT_RULED_OUT or ORDER.index(after) >= ORDER.index(before)
    assert after is not RedLineStatus.RULED_OUT


@settings(max_examples=300, deadline=None)
@given(
    method=st.sampled_from(sorted(METHODS)),
    values=st.lists(
        st.sampled_from([0.0, 1.0, 0.5, math.nan, math.inf, -math.inf, 1e308]), max_size=60
    ),
)
def test_an_estimate_is_finite_and_in_order_or_there_is_none(
    method: str, values: list[float]
) -> None:
    names = np.array([f"p{index}" for index in range(len(values))], dtype=str)
    try:
        with np.errstate(all="ignore"):
            found = estimate(method, observed(values, names), confidence=0.95)
    except NotApplicable:
        return
    assert all(math.isfinite(one) for one in (found.value, found.lower, found.upper))
    assert found.lower <= found.value + 1e-9
    assert found.value <= found.upper + 1e-9
