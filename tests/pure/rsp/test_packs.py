"""The policies of other labs: the same engine decides under each, by what each one says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pytest

from include.adapters.policy_files import POLICIES, named_file, read_policy
from include.rsp.decision import Decision, RedLineAssessment, decide
from include.rsp.duties import Event
from include.rsp.finding import Evidence
from include.rsp.policy import Policy
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

RATIOS: dict[str, dict[str, float]] = {"due_ratios": {"default": 3}, "ceilings": {"default": 5}}


@dataclass(frozen=True, slots=True)
class Pack:
    """A policy, and what the facts say that it must hold."""

    policy: Policy
    words: str
    effective: str
    levels: list[str]
    lines: dict[str, list[str]]
    ladders: dict[str, str]
    informing: dict[str, str]
    unwritten: set[str]
    signed_by: list[str]
    documents: list[str]

    @property
    def every_line(self) -> list[str]:
        return [line.id for line in self.policy.red_lines]

    def suite(self, *, filled: bool = False) -> Suite:
        """One evaluation for each line; `filled`: it says how they combine, too."""
        lines = self.every_line
        return small_suite(self.policy.id, lines, combined=lines if filled else (), **RATIOS)

    def expected(self, line: str) -> Outcome:
        """What follows where a line is not ruled out: nothing unwritten can be verified."""
        unwritten = self.unwritten & set(self.lines[line])
        return Outcome.PAUSE if unwritten else Outcome.VERIFY_SAFEGUARDS


def read(name: str) -> Policy:
    return read_policy(named_file(POLICIES, name).read_bytes(), where=name)


OPENAI = Pack(
    policy=read("openai-preparedness-2"),
    words="PF 2",
    effective="2025-04-15",
    levels=["Standard", "High", "Critical"],
    lines={
        "bio-chem-high": ["high-security", "high-misuse-safeguards"],
        "bio-chem-critical": ["critical-safeguards"],
        "cyber-high": ["high-security", "high-misuse-safeguards", "high-misalignment-safeguards"],
        "cyber-critical": ["critical-safeguards"],
        "self-improvement-high": ["high-security"],
        "self-improvement-critical": ["critical-safeguards"],
    },
    ladders={
        "bio-chem-high": "bio-chem-critical",
        "cyber-high": "cyber-critical",
        "self-improvement-high": "self-improvement-critical",
    },
    informing={
        "bio-chem-indicative": "checkpoint",
        "cyber-indicative": "checkpoint",
        "self-improvement-indicative": "checkpoint",
    },
    unwritten={"critical-safeguards"},
    signed_by=["ceo"],
    documents=[],
)
GDM = Pack(
    policy=read("gdm-fsf-3.1"),
    words="FSF 3.1",
    effective="2026-04-17",
    levels=["SL1", "SL2", "SL3", "SL4"],
    lines={
        "cbrn-uplift-1": ["sl2"],
        "cyber-uplift-1": ["sl2"],
        "harmful-manipulation-1": ["sl2"],
        "ml-rnd-acceleration-1": ["sl3"],
        "ml-rnd-automation-1": ["sl4"],
    },
    ladders={},
    informing={
        "cbrn-uplift-1-alert": "alert",
        "cyber-uplift-1-alert": "alert",
        "harmful-manipulation-1-alert": "alert",
        "ml-rnd-acceleration-1-alert": "alert",
        "ml-rnd-automation-1-alert": "alert",
        "cbrn-tracked": "tracked",
        "stealth-situational-awareness-tracked": "tracked",
    },
    unwritten={"sl2", "sl3", "sl4"},
    signed_by=["governance-function"],
    documents=["safety-case", "residual-risk-review"],
)
PACKS = [OPENAI, GDM]
each_pack = pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.policy.id)


def scored(
    pack: Pack,
    right: int | None,
    *,
    filled: bool = False,
    but: Mapping[str, int | None] | None = None,
) -> Decision:
    """Every line's evaluation has so many right answers, `but` some; None: there is no result."""
    scores = dict.fromkeys(pack.every_line, right) | dict(but or {})
    suite = pack.suite(filled=filled)
    evidence = {}
    for one in suite.evaluations:
        if (number := scores[one.red_line]) is not None:
            evidence[one.id] = make_evidence(one, number)
    return decided(pack.policy, suite, evidence)


def decided(policy: Policy, suite: Suite, evidence: dict[str, Evidence]) -> Decision:
    return decide(
        policy, suite, evidence,
        checkpoint=CHECKPOINT, checkpoint_at=START, at=START + timedelta(minutes=5),
    )  # fmt: skip


def line_of(decision: Decision, line: str) -> RedLineAssessment:
    return next(one for one in decision.red_lines if one.red_line == line)


@each_pack
def test_the_lines_and_what_they_require_are_the_published_ones(pack: Pack) -> None:
    policy = pack.policy
    assert policy.effective.isoformat() == pack.effective
    assert policy.levels == pack.levels
    deciding = {line.id: line for line in policy.red_lines if line.decides}
    assert {name: line.required_standards for name, line in deciding.items()} == pack.lines
    assert all(line.required_documents == pack.documents for line in deciding.values())
    others = {line.id: line.kind for line in policy.red_lines if not line.decides}
    assert others == pack.informing
    assert {name: line.next for name, line in deciding.items() if line.next} == pack.ladders
    unwritten = {one.id for one in policy.standards if not one.criteria}
    assert unwritten == pack.unwritten


@each_pack
def test_what_a_line_requires_stands_at_the_level_that_the_text_names(pack: Pack) -> None:
    for line in pack.lines:
        level = pack.levels[pack.policy.level_of(pack.policy.red_line(line))]
        if pack is OPENAI:
            assert level.lower() == line.rsplit("-", 1)[1]
        else:
            assert [level.lower()] == pack.lines[line]


@each_pack
def test_every_clause_names_the_framework_and_its_version(pack: Pack) -> None:
    found = list(clauses(pack.policy.model_dump()))
    assert len(found) > 30
    assert [one for one in found if pack.words not in one] == []


@each_pack
def test_nothing_is_determined_by_a_machine(pack: Pack) -> None:
    assert pack.policy.machine_determination.outcomes == []
    assert pack.policy.sign_off.roles == pack.signed_by


@each_pack
def test_no_threshold_is_a_number_of_the_publisher(pack: Pack) -> None:
    """What people weigh is `judgement`; a threshold whose number nobody printed is `withheld`."""
    for line in pack.policy.red_lines:
        withheld = line.kind in ("alert", "checkpoint")
        assert line.combine == ("withheld" if withheld else "judgement")


@each_pack
@pytest.mark.parametrize(
    ("right", "status"),
    [
        (None, RedLineStatus.NOT_RULED_OUT),
        (0, RedLineStatus.NOT_RULED_OUT),
        (90, RedLineStatus.NOT_RULED_OUT),
        (200, RedLineStatus.CROSSED),
    ],
    ids=["no evidence", "all low", "near", "crossed"],
)
def test_whatever_is_scored_nothing_continues_by_numbers_alone(
    pack: Pack, right: int | None, status: RedLineStatus
) -> None:
    decision = scored(pack, right)
    for line in decision.red_lines:
        assert line.status is status
        decides = line.red_line in pack.lines
        assert line.outcome == (pack.expected(line.red_line) if decides else None)
    assert decision.recommendation is Outcome.PAUSE


@each_pack
def test_perfect_low_scores_are_left_to_people_or_withheld(pack: Pack) -> None:
    decision = scored(pack, 0)
    assert all(one.finding is Finding.BELOW for one in decision.findings)
    for line in decision.red_lines:
        withheld = pack.policy.red_line(line.red_line).combine == "withheld"
        assert ("withholds" if withheld else "to people") in line.because


@each_pack
def test_a_lab_may_say_how_its_evaluations_combine_and_people_still_determine(pack: Pack) -> None:
    assert problems_between(pack.policy, pack.suite(filled=True)) == []
    assert scored(pack, 0, filled=True).recommendation is Outcome.CONTINUE
    assert scored(pack, None, filled=True).recommendation is Outcome.PAUSE
    assert "continue" not in pack.policy.machine_determination.outcomes


@pytest.mark.parametrize(
    ("pack", "line"),
    [pytest.param(pack, line, id=line) for pack in PACKS for line in pack.lines],
)
def test_one_crossed_line_is_enough_and_leads_where_its_policy_says(pack: Pack, line: str) -> None:
    decision = scored(pack, 0, filled=True, but={line: 200})
    assert line_of(decision, line).status is RedLineStatus.CROSSED
    assert decision.recommendation is pack.expected(line)


@each_pack
def test_a_lost_result_never_helps(pack: Pack) -> None:
    """Not even where another line rules the red line out: losing the file is no way to go on."""
    for line in pack.lines:
        decision = scored(pack, 0, filled=True, but={line: None})
        assert line_of(decision, line).status is RedLineStatus.NOT_RULED_OUT
        assert decision.recommendation is pack.expected(line)


@each_pack
def test_a_line_that_informs_never_decides(pack: Pack) -> None:
    decision = scored(pack, 0, filled=True, but=dict.fromkeys(pack.informing, 200))
    for line in pack.informing:
        assert line_of(decision, line).status is RedLineStatus.CROSSED
        assert line_of(decision, line).outcome is None
    assert decision.recommendation is Outcome.CONTINUE


@each_pack
def test_a_standard_that_is_not_written_never_holds(pack: Pack) -> None:
    assert pack.unwritten
    for name in pack.unwritten:
        standard = pack.policy.standard(name)
        for evidence in ({}, all_shown(standard, pack.policy.standards)):
            assert not judge_plain(standard, evidence, at=START).holds


@each_pack
def test_the_suite_must_give_both_ratios_and_until_then_none_is_allowed(pack: Pack) -> None:
    bare = small_suite(pack.policy.id, pack.every_line)
    problems = " ".join(problems_between(pack.policy, bare))
    assert "due ratio" in problems
    assert "ceiling" in problems
    assert spacing_of(pack.policy, bare, "default")[1] == 1
    for name in ("default", "early_warning", "with_safeguards"):
        assert spacing_of(pack.policy, pack.suite(), name) == (3, 5)


@each_pack
def test_the_framework_is_reviewed_every_year(pack: Pack) -> None:
    (review,) = pack.policy.deadlines
    assert review.event is Event.FRAMEWORK_REVIEWED
    assert (review.within.amount, review.within.unit) == (1, "years")


@pytest.mark.parametrize(
    ("pack", "expected"),
    [
        (
            OPENAI,
            {
                "sandbagging": ("continue", "conservative_bound"),
                "sandbagging-at-high": ("verify_safeguards", "conservative_bound"),
                "deep-dive": ("verify_safeguards", "update_evaluations"),
                "safeguards-for-high": ("verify_safeguards", "verify_safeguards"),
                "halt-development": ("pause", "halt_development"),
            },
        ),
        (
            GDM,
            {
                "response-plan-below": ("continue", "response_plan"),
                "response-plan": ("pause", "response_plan"),
                "move-alert-below": ("response-plan-below", "update_evaluations"),
                "move-alert": ("response-plan", "update_evaluations"),
                "safety-case": ("pause", "safety_case"),
            },
        ),
    ],
    ids=["openai-preparedness", "gdm-fsf"],
)
def test_what_people_do_after_an_outcome(pack: Pack, expected: dict[str, tuple[str, str]]) -> None:
    found = {one.id: one for one in pack.policy.responses}
    assert found.keys() == expected.keys()
    for name, (after, action) in expected.items():
        assert found[name].after == after
        assert action in found[name].actions


# OpenAI's Preparedness Framework


@pytest.mark.parametrize("name", ["bio-chem", "cyber", "self-improvement"])
def test_critical_is_asked_for_once_high_is_not_ruled_out(name: str) -> None:
    """High crossed: its safeguards are to be verified only if Critical is shown to be absent."""
    high, critical = f"{name}-high", f"{name}-critical"
    clear = scored(OPENAI, 0, filled=True, but={high: 200})
    assert clear.recommendation is Outcome.VERIFY_SAFEGUARDS
    unclear = scored(OPENAI, 0, filled=True, but={high: 200, critical: 90})
    assert unclear.recommendation is Outcome.PAUSE
    assert line_of(unclear, critical).follow_up_of == high


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("bio-chem", RedLineStatus.NOT_RULED_OUT),
        ("cyber", RedLineStatus.RULED_OUT),
        ("self-improvement", RedLineStatus.RULED_OUT),
    ],
)
def test_help_for_novices_says_nothing_of_help_for_experts(
    name: str, status: RedLineStatus
) -> None:
    """Elsewhere the weaker capability, if it is absent, rules the stronger one out."""
    decision = scored(OPENAI, 0, filled=True, but={f"{name}-critical": 90})
    assert line_of(decision, f"{name}-critical").status is status


@pytest.mark.parametrize(
    "name", ["high-security", "high-misuse-safeguards", "high-misalignment-safeguards"]
)
def test_a_standard_of_high_holds_on_the_answer_sufficient_and_for_a_year(name: str) -> None:
    standard = OPENAI.policy.standard(name)
    sufficient = all_shown(standard, [standard])
    year = START + timedelta(days=365)
    assert judge_plain(standard, sufficient, at=year).holds
    assert not judge_plain(standard, sufficient, at=year + timedelta(seconds=1)).holds
    more_evidence = all_shown(standard, [standard], shows=False)
    for evidence in ({}, more_evidence, sufficient | more_evidence):
        assert not judge_plain(standard, evidence, at=START).holds


def test_the_advisers_are_told_first_and_cannot_hold_a_decision_up() -> None:
    notices = {one.id: one for one in OPENAI.policy.notices}
    assert notices["sag"].before_permit
    assert not notices["sag"].approval
    assert "sag" not in OPENAI.policy.sign_off.roles
    assert notices["board-ssc"].to == ["board-ssc"]


# Google DeepMind's Frontier Safety Framework


@pytest.mark.parametrize("line", GDM.lines)
def test_below_the_alert_is_below_the_capability_level(line: str) -> None:
    """Where the suite gives the alert a number; without one the alert rules nothing out."""
    alert = f"{line}-alert"
    near = scored(GDM, 0, filled=True, but={line: 90})
    assert line_of(near, line).status is RedLineStatus.RULED_OUT
    assert f"{alert} is ruled out" in line_of(near, line).because
    hit = scored(GDM, 0, filled=True, but={line: 90, alert: 200})
    assert line_of(hit, line).status is RedLineStatus.NOT_RULED_OUT
    assert hit.recommendation is Outcome.PAUSE
    withheld = scored(GDM, 0)
    assert line_of(withheld, line).status is RedLineStatus.NOT_RULED_OUT


def test_an_alert_stands_alone_where_the_level_has_no_evaluation_of_its_own() -> None:
    alerts = [f"{line}-alert" for line in GDM.lines]
    suite = small_suite(GDM.policy.id, alerts, combined=alerts, **RATIOS)
    assert problems_between(GDM.policy, suite) == []
    for right, expected in ((0, Outcome.CONTINUE), (90, Outcome.PAUSE), (200, Outcome.PAUSE)):
        evidence = {one.id: make_evidence(one, right) for one in suite.evaluations}
        assert decided(GDM.policy, suite, evidence).recommendation is expected


@pytest.mark.parametrize("name", GDM.documents)
def test_a_document_counts_only_once_it_is_filed(name: str) -> None:
    document = GDM.policy.document(name)
    assert len(document.criteria) == 1
    assert not judge_plain(document, {}, at=START).holds
    assert judge_plain(document, all_shown(document, [document]), at=START).holds


def test_authorities_hear_of_a_material_risk_that_is_not_mitigated() -> None:
    (notice,) = GDM.policy.notices
    assert notice.to == ["authorities"]
    assert notice.condition
