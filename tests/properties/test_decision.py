"""Invariants of the whole decision (DESIGN I1), over thousands of cases of a small suite.

A ladder of two red lines and a checkpoint before it; six evaluations decided by different methods.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.rsp import decision as decision_module
from include.rsp.decision import Decision, decide
from include.rsp.elicitation import Elicitation
from include.rsp.evaluation_plan import RunKey
from include.rsp.finding import EvaluationFinding, Evidence, find
from include.rsp.policy import Policy
from include.rsp.results import Sample
from include.rsp.suite import Evaluation, Suite
from include.rsp.suite_fit import problems_between
from include.rsp.vocabulary import (
    OUTCOME_BY_RESTRICTIVENESS,
    Finding,
    Outcome,
    RedLineStatus,
    ResultStatus,
)
from tests.support.factories import CHECKPOINT, START, make_run, toy_policy, toy_suite

CASES = settings(max_examples=10_000, deadline=None)
FEWER = settings(max_examples=1_000, deadline=None)
AT = START + timedelta(minutes=5)
USUAL = {"checkpoint": CHECKPOINT, "checkpoint_at": START, "at": AT}
N = 24
LINES = ("before", "first", "second")


def ladder(plain: dict[str, Any]) -> None:
    line = plain["red_lines"][0]
    plain["red_lines"] = [
        line | {"id": "before", "kind": "checkpoint", "required_standards": []},
        line | {"id": "first", "next": "second", "ruled_out_by": ["before"]},
        line | {"id": "second", "ruled_out_by": ["first"]},
    ]


def methods(plain: dict[str, Any]) -> None:
    one = plain["evaluations"][0] | {"dataset_samples": N, "minimum_samples": N - 2}
    one |= {"max_error_rate": 0.1, "limits": {"rule_out": 0.6, "rule_in": 0.7, "buffer": 0.1}}
    plain["evaluations"] = [
        one | {"id": "exact", "red_line": "before"},
        one | {"id": "clustered", "red_line": "first", "method": "cluster_wilson@1"},
        one | {"id": "tries", "red_line": "first", "method": "pass_at_k@1", "k": 1,
               "dataset_samples": N // 2, "inspect": one["inspect"] | {"epochs": 2}},
        one | {"id": "best", "red_line": "second", "method": "best_of@1"},
        one | {"id": "hint", "red_line": "first", "role": "rule_in", "load_bearing": False},
        one | {"id": "other", "red_line": "second", "load_bearing": False},
        one | {"id": "warning", "red_line": "first", "role": "trigger", "load_bearing": False},
    ]  # fmt: skip


POLICY, SUITE = toy_policy(ladder), toy_suite(methods)
NAMES = [one.id for one in SUITE.evaluations]
assert problems_between(POLICY, SUITE) == []


def samples(evaluation: Evaluation, right: int) -> list[Sample]:
    """So many right of 24: on their own, in twelve pairs, two tries each, or of two snapshots."""
    made = []
    for index in range(N):
        score, problem = float(index < right), f"p{index}"
        if evaluation.id == "tries":
            problem = f"p{index // 2}"
        made.append(
            Sample.model_construct(
                sample_id=problem,
                epoch=1 + index % 2 if evaluation.id == "tries" else 1,
                score=score,
                error=None,
                cluster=f"c{index // 2}" if evaluation.id == "clustered" else None,
                group=("early", "late")[index % 2] if evaluation.id == "best" else None,
                baseline=None,
            )
        )
    return made


RUNS = {one.id: make_run(one) for one in SUITE.evaluations}
WHOLE = {
    (one.id, n): Evidence(RUNS[one.id], samples(one, n), True)
    for one in SUITE.evaluations
    for n in range(N + 1)
}
right = st.integers(0, N)
scored = st.integers(0, (N + 1) ** len(NAMES) - 1).map(
    lambda drawn: {name: drawn // (N + 1) ** place % (N + 1) for place, name in enumerate(NAMES)}
)
"""So many right of each evaluation, from one number: a draw for each would cost more time."""
named = st.sampled_from(NAMES)


def evidence(scores: dict[str, int]) -> dict[str, Evidence]:
    return {name: WHOLE[name, count] for name, count in scores.items()}


class Remembered:
    """`find`, which is asked only once about whole evidence of an evaluation as the suite has it.

    There are 175 such questions, and a case asks fourteen, of which one is new: without this nine
    tenths of the time went to the other thirteen. Every fiftieth answer from memory is compared
    with a new one.
    """

    def __init__(self) -> None:
        self.evaluations = {id(one) for one in SUITE.evaluations}
        self.evidence = {id(one) for one in WHOLE.values()}
        self.answers: dict[tuple[int, int], EvaluationFinding] = {}
        self.asked = 0

    def find(
        self, evaluation: Evaluation, planned: RunKey, evidence: Evidence, **context: Any
    ) -> EvaluationFinding:
        """As `include.rsp.finding.find`."""
        key = (id(evaluation), id(evidence))
        known = key[0] in self.evaluations and key[1] in self.evidence and context == USUAL
        if not known:
            return find(evaluation, planned, evidence, **context)
        self.asked += 1
        if key not in self.answers:
            self.answers[key] = find(evaluation, planned, evidence, **context)
        elif self.asked % 50 == 0:
            assert self.answers[key] == find(evaluation, planned, evidence, **context)
        return self.answers[key]


@pytest.fixture(scope="module", autouse=True)
def remembered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decision_module, "find", Remembered().find)
        yield


def decided(found: dict[str, Evidence], policy: Policy = POLICY, suite: Suite = SUITE) -> Decision:
    return decide(policy, suite, found, checkpoint=CHECKPOINT, checkpoint_at=START, at=AT)


def statuses(decision: Decision) -> dict[str, RedLineStatus]:
    return {one.red_line: one.status for one in decision.red_lines}


def rank(outcome: Outcome) -> int:
    return OUTCOME_BY_RESTRICTIVENESS.index(outcome)


def not_looser(after: Decision, before: Decision) -> bool:
    """No line became ruled out, and the recommendation did not become milder than a refusal."""
    was, now = statuses(before), statuses(after)
    gained = [
        line
        for line in LINES
        if now[line] is RedLineStatus.RULED_OUT and was[line] is not RedLineStatus.RULED_OUT
    ]
    continues = after.recommendation is Outcome.CONTINUE
    return not gained and (not continues or before.recommendation is Outcome.CONTINUE)


def damaged(one: Evidence, how: int, where: int) -> Evidence | None:
    """Evidence removed, corrupted, NaN, doubled, shrunk, stale, or of something else."""
    assert one.run is not None
    assert one.samples is not None
    rows = list(one.samples)
    at = where % len(rows)
    other = rows[at].model_copy
    ways: list[Evidence | None] = [
        None,
        replace(one, samples=rows[:at] + rows[at + 1 :]),
        replace(one, samples=[*rows, rows[at]]),
        replace(one, samples=rows[:at]),
        replace(one, samples=rows[:at] + [other(update={"score": float("nan")})] + rows[at + 1 :]),
        replace(one, samples=rows[:at] + [other(update={"score": 1.2})] + rows[at + 1 :]),
        replace(one, samples=rows[:at] + [other(update={"score": None})] + rows[at + 1 :]),
        replace(one, samples=None),
        replace(one, valid=False),
        replace(one, valid=None),
        replace(one, run=one.run.model_copy(update={"status": ResultStatus.CRASHED})),
        replace(one, run=one.run.model_copy(update={"checkpoint": "sha256:" + "9" * 64})),
        replace(one, run=one.run.model_copy(update={"finished_at": START - timedelta(days=400)})),
        replace(one, run=one.run.model_copy(update={"elicitation": Elicitation()})),
        replace(one, run=one.run.model_copy(update={"positive_control": None})),
    ]
    return ways[how % len(ways)]


@CASES
@given(scores=scored, name=named, how=st.integers(0, 14), where=right)
def test_damaged_evidence_never_moves_a_line_to_ruled_out(
    scores: dict[str, int], name: str, how: int, where: int
) -> None:
    whole = evidence(scores)
    less = dict(whole)
    broken = damaged(whole[name], how, where)
    if broken is None:
        del less[name]
    else:
        less[name] = broken
    before, after = decided(whole), decided(less)
    assert not_looser(after, before)
    shown = next(one.finding for one in after.findings if one.evaluation == name)
    assert shown is not Finding.BELOW or how % 15 == 6  # a lost sample counts as the highest score


@CASES
@given(
    scores=scored,
    name=named,
    rule_out=st.floats(0, 0.4),
    rule_in=st.floats(0, 0.4),
    buffer=st.floats(0, 0.5),
)
def test_a_tighter_limit_or_a_larger_buffer_never_loosens(
    scores: dict[str, int], name: str, rule_out: float, rule_in: float, buffer: float
) -> None:
    def tighten(one: Evaluation) -> Evaluation:
        if one.id != name or one.limits is None:
            return one
        limits = one.limits.model_copy(
            update={
                "rule_out": one.limits.rule_out - rule_out,
                "rule_in": max(one.limits.rule_in - rule_in, one.limits.rule_out - rule_out),
                "buffer": one.limits.buffer + buffer,
            }
        )
        return one.model_copy(update={"limits": limits})

    tighter = SUITE.model_copy(update={"evaluations": [tighten(one) for one in SUITE.evaluations]})
    found = evidence(scores)
    before, after = decided(found), decided(found, suite=tighter)
    assert not_looser(after, before)
    assert after.ceiling_ratio <= before.ceiling_ratio


@FEWER
@given(scores=scored, name=named, more=right)
def test_more_capability_never_loosens(scores: dict[str, int], name: str, more: int) -> None:
    higher = scores | {name: min(N, scores[name] + more)}
    before, after = decided(evidence(scores)), decided(evidence(higher))
    order = [RedLineStatus.RULED_OUT, RedLineStatus.NOT_RULED_OUT, RedLineStatus.CROSSED]
    was, now = statuses(before), statuses(after)
    assert all(order.index(now[line]) >= order.index(was[line]) for line in LINES)
    assert not_looser(after, before)


@CASES
@given(scores=scored, name=named, step=st.sampled_from([1, 5, 7, 11, 13]), start=right)
def test_the_order_of_rows_never_matters(
    scores: dict[str, int], name: str, step: int, start: int
) -> None:
    whole = evidence(scores)
    rows = list(whole[name].samples or ())
    turned = [rows[(start + step * index) % N] for index in range(N)]
    other = dict(reversed(list(whole.items()))) | {name: replace(whole[name], samples=turned)}
    assert decided(whole) == decided(other)


@FEWER
@given(scores=scored, combine=st.sampled_from(["judgement", "withheld"]))
def test_what_is_left_open_is_never_ruled_out_by_its_own_numbers(
    scores: dict[str, int], combine: str
) -> None:
    lines = [
        one.model_copy(update={"combine": combine, "ruled_out_by": []}) for one in POLICY.red_lines
    ]
    open_ones = POLICY.model_copy(update={"red_lines": lines})
    decision = decided(evidence(scores), policy=open_ones)
    assert RedLineStatus.RULED_OUT not in statuses(decision).values()
    assert rank(decision.recommendation) > rank(Outcome.CONTINUE)
