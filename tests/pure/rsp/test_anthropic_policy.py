from __future__ import annotations

from datetime import timedelta

import pytest

from include.adapters.policy_files import POLICIES, named_file, read_policy
from include.rsp.decision import Decision, decide
from include.rsp.finding import Evidence
from include.rsp.suite import Suite, spacing_of
from include.rsp.suite_fit import problems_between
from include.rsp.vocabulary import Finding, Outcome, RedLineStatus
from tests.support.factories import (
    CHECKPOINT,
    START,
    all_shown,
    clauses,
    make_evidence,
    small_suite,
)
from tests.support.safeguards import judge_plain

POLICY = read_policy(named_file(POLICIES, "anthropic-rsp-2.2").read_bytes(), where="RSP 2.2")
LINES = {
    "cbrn-3": ["asl-3-deployment", "asl-3-security"],
    "cbrn-4": ["asl-4-deployment", "asl-4-security"],
    "ai-rnd-4": ["asl-3-security"],
    "ai-rnd-5": ["asl-4-security"],
}
FURTHER = {"cbrn-4", "ai-rnd-5"}
NEVER = ["asl-4-deployment", "asl-4-security"]

SUITE = small_suite(POLICY.id, LINES, ceilings={"default": 6})
COMBINED = small_suite(POLICY.id, LINES, combined=LINES, ceilings={"default": 6})


def decided(evidence: dict[str, Evidence], suite: Suite = SUITE) -> Decision:
    return decide(
        POLICY, suite, evidence,
        checkpoint=CHECKPOINT, checkpoint_at=START, at=START + timedelta(minutes=5),
    )  # fmt: skip


def all_scored(right: int) -> Decision:
    return decided({one.id: make_evidence(one, right) for one in SUITE.evaluations})


def test_it_is_version_2_2_with_its_four_red_lines() -> None:
    assert (POLICY.id, POLICY.version) == ("anthropic-rsp", "2.2")
    assert POLICY.effective.isoformat() == "2025-05-14"
    deciding = [line for line in POLICY.red_lines if line.decides]
    assert {line.id: line.required_standards for line in deciding} == LINES
    assert {line.id for line in deciding if not POLICY.is_entry(line)} == FURTHER
    assert all(line.baseline for line in deciding)


def test_every_clause_names_the_version() -> None:
    found = [one for one in clauses(POLICY.model_dump()) if "Redline's" not in one]
    assert len(found) > 50
    assert all("RSP 2.2" in one for one in found)


def test_nothing_is_determined_by_a_machine() -> None:
    assert POLICY.machine_determination.outcomes == []
    assert POLICY.sign_off.roles == ["rso", "ceo"]


@pytest.mark.parametrize(
    ("decision", "status"),
    [
        (decided({}), RedLineStatus.NOT_RULED_OUT),
        (all_scored(0), RedLineStatus.NOT_RULED_OUT),
        (all_scored(90), RedLineStatus.NOT_RULED_OUT),
        (all_scored(200), RedLineStatus.CROSSED),
    ],
    ids=["no evidence", "all low", "near", "crossed"],
)
def test_whatever_is_scored_nothing_continues_by_numbers_alone(
    decision: Decision, status: RedLineStatus
) -> None:
    for line in decision.red_lines:
        if line.red_line in LINES:
            expected = Outcome.PAUSE if line.red_line in FURTHER else Outcome.VERIFY_SAFEGUARDS
            assert (line.status, line.outcome) == (status, expected)
        else:
            assert line.outcome is None
    assert decision.recommendation is Outcome.PAUSE


def test_perfect_low_scores_are_left_to_judgement() -> None:
    decision = all_scored(0)
    assert all(one.finding is Finding.BELOW for one in decision.findings)
    assert all("to people" in line.because for line in decision.red_lines)


def test_a_lab_may_say_how_its_evaluations_combine_and_people_still_determine() -> None:
    low = {one.id: make_evidence(one, 0) for one in COMBINED.evaluations}
    assert decided(low, COMBINED).recommendation is Outcome.CONTINUE
    assert decided({}, COMBINED).recommendation is Outcome.PAUSE
    assert "continue" not in POLICY.machine_determination.outcomes


def test_the_follow_up_decides_once_the_first_line_is_not_ruled_out() -> None:
    """CBRN-3 crossed: ASL-3 is to be verified only if CBRN-4 is shown to be far away (§5)."""
    scores = dict.fromkeys(LINES, 0) | {"cbrn-3": 200}
    clear = {one.id: make_evidence(one, scores[one.red_line]) for one in COMBINED.evaluations}
    assert decided(clear, COMBINED).recommendation is Outcome.VERIFY_SAFEGUARDS
    del clear["on-cbrn-4"]
    decision = decided(clear, COMBINED)
    assert decision.recommendation is Outcome.PAUSE
    line = next(one for one in decision.red_lines if one.red_line == "cbrn-4")
    assert (line.status, line.follow_up_of) == (RedLineStatus.NOT_RULED_OUT, "cbrn-3")


def test_without_the_weaker_capability_the_stronger_one_is_ruled_out_as_well() -> None:
    near = {one.id: make_evidence(one, 0) for one in COMBINED.evaluations}
    near["on-cbrn-4"] = make_evidence(COMBINED.evaluation("on-cbrn-4"), 90)
    line = next(one for one in decided(near, COMBINED).red_lines if one.red_line == "cbrn-4")
    assert line.status is RedLineStatus.RULED_OUT
    assert "cbrn-3 is ruled out" in line.because


def test_what_was_not_read_is_not_ruled_out_by_the_weaker_capability() -> None:
    """Else a crossing could be made to vanish by losing the results that show it."""
    lost = {one.id: make_evidence(one, 0) for one in COMBINED.evaluations}
    del lost["on-cbrn-4"]
    assert decided(lost, COMBINED).recommendation is Outcome.PAUSE


def test_the_affirmative_case_is_needed_for_the_checkpoint_itself() -> None:
    case = POLICY.document("affirmative-case")
    assert [one.id for one in case.criteria] == ["misalignment-risks", "misalignment-mitigations"]
    assert not judge_plain(case, {}, at=START).holds
    assert judge_plain(case, all_shown(case, [case]), at=START).holds


@pytest.mark.parametrize("name", NEVER)
def test_a_standard_that_is_not_written_never_holds(name: str) -> None:
    standard = POLICY.standard(name)
    for evidence in ({}, all_shown(standard, POLICY.standards)):
        assert not judge_plain(standard, evidence, at=START).holds


@pytest.mark.parametrize(
    ("name", "part", "criteria"),
    [("asl-3-deployment", "deployment", 7), ("asl-3-security", "security", 8)],
)
def test_an_asl_3_standard_holds_for_a_year_at_most(name: str, part: str, criteria: int) -> None:
    standard = POLICY.standard(name)
    assert [criterion.part for criterion in standard.criteria] == [part] * criteria
    year = START + timedelta(days=365)
    assert judge_plain(standard, all_shown(standard, POLICY.standards), at=year).holds
    late = judge_plain(
        standard, all_shown(standard, POLICY.standards), at=year + timedelta(seconds=1)
    )
    assert not late.holds


def test_the_suite_must_give_the_ceiling() -> None:
    assert any("ceiling" in one for one in problems_between(POLICY, small_suite(POLICY.id, LINES)))
    assert problems_between(POLICY, SUITE) == []
    for name in ("default", "early_warning", "with_safeguards"):
        assert spacing_of(POLICY, SUITE, name) == (4, 6)
