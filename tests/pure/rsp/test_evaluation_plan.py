"""Which runs an assessment is made of, and what a quiet trigger spares."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from include.rsp.decision import decide
from include.rsp.evaluation_plan import first_runs, planned, runs_of
from include.rsp.finding import in_words
from include.rsp.suite import Suite
from include.rsp.vocabulary import Finding, Outcome, RedLineStatus
from tests.support.factories import (
    ADDITION,
    CHECKPOINT,
    START,
    make_all_evidence,
    make_evidence,
    toy_policy,
    toy_suite,
)

POLICY, SUITE = toy_policy(), toy_suite()
LATER = START.replace(hour=START.hour + 1)


def suite_with(evaluation: str, **changes: Any) -> Suite:
    plain = SUITE.model_dump(mode="json")
    for one in plain["evaluations"]:
        if one["id"] == evaluation:
            one.update(changes)
    return Suite.model_validate(plain)


WAITING = suite_with(ADDITION, runs_after=["maximum"])


def decided(suite: Suite, evidence: dict[str, Any], variants: tuple[str, ...] = ("final",)) -> Any:
    return decide(
        POLICY, suite, evidence, checkpoint=CHECKPOINT, checkpoint_at=START, at=LATER,
        variants=variants,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("named", "there", "names"),
    [
        ([], ["final"], [ADDITION]),
        ([], [], [ADDITION]),
        ([], ["final", "helpful-only"], [f"{ADDITION}.final", f"{ADDITION}.helpful-only"]),
        (["helpful-only"], ["final", "helpful-only"], [f"{ADDITION}.helpful-only"]),
        (["helpful-only"], ["final"], [f"{ADDITION}.helpful-only"]),
    ],
)
def test_runs_are_named_after_evaluation_and_variant(
    named: list[str], there: list[str], names: list[str]
) -> None:
    evaluation = suite_with(ADDITION, variants=named).evaluation(ADDITION)
    assert [one.name for one in runs_of(evaluation, there)] == names


def test_the_plan_fixes_everything_and_puts_triggers_first() -> None:
    runs = planned(WAITING, ["final"])
    assert [one.name for one in runs] == ["maximum", "copying", ADDITION]
    last = runs[-1]
    assert (last.runs_after, last.engine) == (["maximum"], "toylab.evaluations:two_digit_addition")
    assert last.environment == {"inspect_ai": "0.3.285"}
    assert [one.name for one in first_runs(WAITING.evaluations, ["final"])] == [
        "maximum",
        "copying",
    ]


def test_a_quiet_trigger_spares_the_evaluation_behind_it() -> None:
    evidence = make_all_evidence(SUITE)
    del evidence[ADDITION]
    decision = decided(WAITING, evidence)
    finding = decision.findings[-1]
    assert (finding.finding, finding.value, finding.not_run) == (Finding.BELOW, None, ["maximum"])
    assert in_words(finding) == f"{ADDITION} not run, because maximum is below"
    assert decision.recommendation is Outcome.CONTINUE


@pytest.mark.parametrize(
    "trigger",
    [
        None,
        make_evidence(SUITE.evaluation("maximum"), 190),
        make_evidence(SUITE.evaluation("maximum"), 95),
        make_evidence(SUITE.evaluation("maximum"), 10, valid=False),
        make_evidence(SUITE.evaluation("maximum"), 10, valid=None),
        make_evidence(SUITE.evaluation("maximum"), 10, positive_control=None),
    ],
    ids=["missing", "crossed", "near", "quarantined", "not validated", "no control"],
)
def test_any_other_trigger_leaves_the_line_open(trigger: Any) -> None:
    evidence = {"copying": make_all_evidence(SUITE)["copying"]}
    if trigger is not None:
        evidence["maximum"] = trigger
    decision = decided(WAITING, evidence)
    assert decision.findings[-1].finding is Finding.INCONCLUSIVE
    assert decision.red_lines[0].status is RedLineStatus.NOT_RULED_OUT


def test_what_was_run_counts_whatever_its_trigger_says() -> None:
    decision = decided(WAITING, make_all_evidence(SUITE, addition=190))
    assert decision.red_lines[0].status is RedLineStatus.CROSSED


def test_one_variant_that_crosses_crosses_and_one_that_is_missing_leaves_the_line_open() -> None:
    two = ("final", "helpful-only")
    rule = SUITE.evaluation(ADDITION)
    evidence = {
        f"{one.id}.{variant}": make_evidence(
            one, 5, variant=variant, name=f"{one.id}.{variant}"
        )
        for one in SUITE.evaluations
        for variant in two
    }  # fmt: skip
    assert decided(SUITE, evidence, two).recommendation is Outcome.CONTINUE
    worse = make_evidence(rule, 190, variant="helpful-only", name=f"{ADDITION}.helpful-only")
    crossed = decided(SUITE, evidence | {f"{ADDITION}.helpful-only": worse}, two)
    assert crossed.red_lines[0].status is RedLineStatus.CROSSED
    del evidence[f"{ADDITION}.helpful-only"]
    assert decided(SUITE, evidence, two).red_lines[0].status is RedLineStatus.NOT_RULED_OUT


def test_results_of_another_variant_do_not_count() -> None:
    suite = suite_with(ADDITION, variants=["helpful-only"])
    evidence = make_all_evidence(SUITE)
    evidence[f"{ADDITION}.helpful-only"] = evidence.pop(ADDITION)  # says that it is of `final`
    decision = decided(suite, evidence)
    problems = decision.findings[0].problems
    assert problems == ["results of the variant final (expected helpful-only)"]


@pytest.mark.parametrize(
    ("evaluation", "changes", "says"),
    [
        (ADDITION, {"runs_after": ["copying"]}, "runs_after"),
        (ADDITION, {"runs_after": [ADDITION]}, "runs_after"),
        (ADDITION, {"runs_after": ["nothing"]}, "runs_after"),
        (ADDITION, {"runs_after": ["maximum"], "notable_gain": 0.1}, "cannot wait"),
        (ADDITION, {"variants": ["final", "final"]}, "variants"),
        (ADDITION, {"standard_scaffold": ADDITION}, "standard_scaffold"),
        (ADDITION, {"inspect": None}, "exactly one of inspect and study"),
        (ADDITION, {"null_control": None}, "null_control"),
    ],
)
def test_a_suite_that_makes_no_sense_is_refused(
    evaluation: str, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        suite_with(evaluation, **changes)
