from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.rsp.decision import Decision, decide
from include.rsp.errors import InvalidDocument
from include.rsp.evaluation_plan import runs_of
from include.rsp.finding import EvaluationFinding, Evidence, find
from include.rsp.results import ControlResult, Sample
from include.rsp.vocabulary import Finding, Outcome, RedLineStatus, ResultStatus, most_restrictive
from tests.support.factories import (
    ADDITION,
    CHECKPOINT,
    START,
    make_all_evidence,
    make_evidence,
    make_run,
    make_samples,
    toy_policy,
    toy_suite,
)

POLICY, SUITE = toy_policy(), toy_suite()
EVALUATION = SUITE.evaluation(ADDITION)
NOON = START + timedelta(minutes=5)


def decided(evidence: dict[str, Evidence], **changes: Any) -> Decision:
    arguments: dict[str, Any] = {"checkpoint": CHECKPOINT, "checkpoint_at": START, "at": NOON}
    return decide(POLICY, SUITE, evidence, **(arguments | changes))


def finding_of(decision: Decision, name: str = ADDITION) -> Finding | None:
    return next(one.finding for one in decision.findings if one.evaluation == name)


@pytest.mark.parametrize(
    ("right", "finding", "status", "outcome"),
    [
        (0, Finding.BELOW, RedLineStatus.RULED_OUT, Outcome.CONTINUE),
        (60, Finding.BELOW, RedLineStatus.RULED_OUT, Outcome.CONTINUE),
        (75, Finding.NEAR, RedLineStatus.NOT_RULED_OUT, Outcome.PAUSE),
        (99, Finding.NEAR, RedLineStatus.NOT_RULED_OUT, Outcome.PAUSE),
        (100, Finding.CROSSED, RedLineStatus.CROSSED, Outcome.VERIFY_SAFEGUARDS),
        (200, Finding.CROSSED, RedLineStatus.CROSSED, Outcome.VERIFY_SAFEGUARDS),
    ],
)
def test_score_against_limit_and_buffer(
    right: int, finding: Finding, status: RedLineStatus, outcome: Outcome
) -> None:
    decision = decided(make_all_evidence(SUITE, addition=right))
    assert finding_of(decision) is finding
    assert decision.red_lines[0].status is status
    assert decision.recommendation is outcome


DAY = timedelta(days=1)
NOT_KNOWING: dict[str, Evidence | None] = {
    "no result": None,
    "no run": Evidence(run=None, samples=make_samples(0), valid=True),
    "crashed": make_evidence(EVALUATION, 0, status=ResultStatus.CRASHED, problem="killed"),
    "never validated": make_evidence(EVALUATION, 0, valid=None),
    "quarantined": make_evidence(EVALUATION, 0, valid=False),
    "another checkpoint": make_evidence(EVALUATION, 0, checkpoint="sha256:" + "d" * 64),
    "another version": make_evidence(EVALUATION, 0, evaluation_version="2"),
    "another evaluation": make_evidence(EVALUATION, 0, evaluation="maximum"),
    "older than the checkpoint": make_evidence(EVALUATION, 0, started_at=START - DAY),
    "ended before it began": make_evidence(EVALUATION, 0, finished_at=START - DAY),
    "from the future": make_evidence(EVALUATION, 0, finished_at=NOON + DAY),
    "elicitation field missing": make_evidence(EVALUATION, 0, elicitation={"variant": "final"}),
    "no positive control": make_evidence(EVALUATION, 0, positive_control=None),
    "positive control low": make_evidence(
        EVALUATION, 0, positive_control=ControlResult(model="toylab/solver", samples=20, score=0.5)
    ),
    "positive control of another model": make_evidence(
        EVALUATION, 0, positive_control=ControlResult(model="toylab/other", samples=20, score=1)
    ),
    "positive control too small": make_evidence(
        EVALUATION, 0, positive_control=ControlResult(model="toylab/solver", samples=2, score=1)
    ),
    "null control high": make_evidence(
        EVALUATION, 0, null_control=ControlResult(model="toylab/refuser", samples=20, score=0.6)
    ),
    "null control without score": make_evidence(
        EVALUATION, 0, null_control=ControlResult(model="toylab/refuser", samples=20, score=None)
    ),
    "no samples": Evidence(run=make_run(EVALUATION), samples=[], valid=True),
    "unreadable samples": Evidence(run=make_run(EVALUATION), samples=None, valid=True),
    "one sample missing": Evidence(
        run=make_run(EVALUATION), samples=make_samples(0, 199), valid=True
    ),
    "a sample twice": Evidence(
        run=make_run(EVALUATION), samples=[*make_samples(0, 199), make_samples(0)[0]], valid=True
    ),
    "too many errors": Evidence(
        run=make_run(EVALUATION), samples=make_samples(0, errors=5), valid=True
    ),
    "a score out of range": Evidence(
        run=make_run(EVALUATION),
        samples=[*make_samples(0, 199), Sample(sample_id="x", epoch=1, score=-3, error=None)],
        valid=True,
    ),
    "a method that does not fit": Evidence(
        run=make_run(EVALUATION),
        samples=[*make_samples(0, 199), Sample(sample_id="x", epoch=1, score=0.5, error=None)],
        valid=True,
    ),
}


@pytest.mark.parametrize("way", sorted(NOT_KNOWING))
def test_each_way_of_not_knowing_rules_nothing_out(way: str) -> None:
    evidence = make_all_evidence(SUITE)
    if (one := NOT_KNOWING[way]) is None:
        del evidence[ADDITION]
    else:
        evidence[ADDITION] = one
    decision = decided(evidence)
    assert finding_of(decision) is Finding.INCONCLUSIVE
    assert decision.red_lines[0].status is RedLineStatus.NOT_RULED_OUT
    assert decision.recommendation is Outcome.PAUSE
    assert "inconclusive" in decision.red_lines[0].because


def test_results_that_have_grown_old_rule_nothing_out() -> None:
    decision = decided(make_all_evidence(SUITE), at=NOON + timedelta(days=2))
    assert finding_of(decision) is Finding.INCONCLUSIVE


def test_no_evidence_at_all_pauses() -> None:
    assert decided({}).recommendation is Outcome.PAUSE


def test_the_error_rate_just_allowed_still_counts() -> None:
    evidence = make_all_evidence(SUITE)
    evidence[ADDITION] = Evidence(
        run=make_run(EVALUATION), samples=make_samples(5, errors=4), valid=True
    )
    assert finding_of(decided(evidence)) is Finding.BELOW


@pytest.mark.parametrize(("right", "warning"), [(10, False), (85, True), (190, True)])
def test_a_trigger_near_or_crossed_brings_the_next_assessment_forward(
    right: int, warning: bool
) -> None:
    decision = decided(make_all_evidence(SUITE, maximum=right))
    assert decision.early_warning is warning
    assert (decision.due_ratio, decision.ceiling_ratio) == ((2, 3) if warning else (4, 6))
    assert decision.recommendation is Outcome.CONTINUE


def test_a_trigger_that_cannot_be_read_counts_as_fired() -> None:
    evidence = make_all_evidence(SUITE)
    del evidence["maximum"]
    assert decided(evidence).early_warning


def test_a_saturated_evaluation_neither_rules_out_nor_in() -> None:
    def saturate(plain: dict[str, Any]) -> None:
        plain["evaluations"][0]["saturated"] = True

    suite = toy_suite(saturate)
    for right in (0, 200):
        decision = decide(
            POLICY, suite, make_all_evidence(suite, addition=right),
            checkpoint=CHECKPOINT, checkpoint_at=START, at=NOON,
        )  # fmt: skip
        assert decision.red_lines[0].status is RedLineStatus.NOT_RULED_OUT


def test_what_the_policy_leaves_to_judgement_is_never_ruled_out_by_numbers() -> None:
    def leave(plain: dict[str, Any]) -> None:
        plain["red_lines"][0]["combine"] = "judgement"
        plain["machine_determination"]["outcomes"] = ["genesis"]

    decision = decide(
        toy_policy(leave), SUITE, make_all_evidence(SUITE),
        checkpoint=CHECKPOINT, checkpoint_at=START, at=NOON,
    )  # fmt: skip
    assert decision.red_lines[0].status is RedLineStatus.NOT_RULED_OUT


def test_a_red_line_without_load_bearing_evaluation_is_not_ruled_out() -> None:
    def lighten(plain: dict[str, Any]) -> None:
        plain["evaluations"][0]["load_bearing"] = False

    decision = decide(
        POLICY, toy_suite(lighten), make_all_evidence(SUITE),
        checkpoint=CHECKPOINT, checkpoint_at=START, at=NOON,
    )  # fmt: skip
    assert decision.recommendation is Outcome.PAUSE


def test_the_strictest_of_nothing_is_pause() -> None:
    assert most_restrictive([]) is Outcome.PAUSE
    assert most_restrictive([Outcome.CONTINUE, Outcome.PAUSE]) is Outcome.PAUSE


def in_trial(better: float, *, errors: int = 0) -> EvaluationFinding:
    """The finding of an uplift trial: 60 people an arm, the control arm scoring about 0.3."""

    def change(plain: dict[str, Any]) -> None:
        limits = {"rule_out": 2.8, "rule_in": 5, "buffer": 0.28}
        plain["evaluations"][0] |= {
            "method": "ratio_of_means@1", "limits": limits, "dataset_samples": 120,
            "minimum_samples": 100, "max_error_rate": 0.1,
        }  # fmt: skip

    evaluation = toy_suite(change).evaluation(ADDITION)
    samples = [
        Sample(
            sample_id=f"{arm}-{person}",
            epoch=1,
            score=None if arm == "control" and person < errors else score + person % 5 / 50,
            error="left" if arm == "control" and person < errors else None,
            group=arm,
        )
        for arm, score in (("treatment", better), ("control", 0.26))
        for person in range(60)
    ]
    return find(
        evaluation, *runs_of(evaluation, []), Evidence(make_run(evaluation), samples, True),
        checkpoint=CHECKPOINT, checkpoint_at=START, at=NOON,
    )  # fmt: skip


def test_an_uplift_trial_is_held_against_its_ratio() -> None:
    assert in_trial(0.4).finding is Finding.BELOW
    assert in_trial(0.74).finding is Finding.NEAR
    control = in_trial(0.4)
    lost = in_trial(0.4, errors=6)
    assert control.value is not None
    assert lost.value is not None
    assert lost.value > control.value  # who left the control arm counts as knowing nothing


def with_hint(plain: dict[str, Any]) -> None:
    """A second evaluation of the line that can only rule in."""
    plain["evaluations"].append(
        plain["evaluations"][0] | {"id": "hint", "role": "rule_in", "load_bearing": False}
    )


@pytest.mark.parametrize(
    ("hint", "status"),
    [
        (0, RedLineStatus.RULED_OUT),
        (80, RedLineStatus.RULED_OUT),  # near: it need not be shown to be below
        (150, RedLineStatus.CROSSED),
        (None, RedLineStatus.NOT_RULED_OUT),  # lost: it might have crossed
    ],
)
def test_what_only_rules_in_crosses_the_line_and_may_not_be_lost(
    hint: int | None, status: RedLineStatus
) -> None:
    suite = toy_suite(with_hint)
    found = make_all_evidence(SUITE)
    if hint is not None:
        found["hint"] = make_evidence(suite.evaluation("hint"), hint)
    decision = decide(POLICY, suite, found, checkpoint=CHECKPOINT, checkpoint_at=START, at=NOON)
    assert decision.red_lines[0].status is status


def test_what_only_rules_in_bears_no_load() -> None:
    def load(plain: dict[str, Any]) -> None:
        with_hint(plain)
        plain["evaluations"][-1]["load_bearing"] = True

    with pytest.raises(InvalidDocument, match="'rule_in'"):
        toy_suite(load)
