"""Safeguards: what is judged when a red line is not ruled out (lifecycle steps 20 to 23)."""

from __future__ import annotations

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.judgement import judge_required, suffices
from include.rsp.vocabulary import CriterionOutcome
from include.wiring.desk import Desk


def judge(desk: Desk, verdict: Digest) -> tuple[Digest, r.SafeguardsJudgement]:
    """Judge the standards that a verdict requires against the evidence there is now."""
    state = desk.state
    assessment_id = state.expect(verdict, r.Verdict).assessment_id
    rules = desk.rulebook.of_assessment(state, assessment_id)
    at, index = desk.now(), state.length - 1
    standards, holds = judge_required(state, rules.policy, verdict, ledger_index=index, at=at)
    digest = desk.submit(
        r.SafeguardsJudgement(
            at=at,
            by=desk.author,
            stamp=desk.stamp,
            verdict=r.RecordRef(record=verdict),
            ledger_index=index,
            standards=standards,
            holds=holds,
        )
    )
    return digest, desk.state.expect(digest, r.SafeguardsJudgement)


def people_may_go_on(desk: Desk, judgement: r.SafeguardsJudgement) -> bool:
    """Whether there is anything by which people can let something go on."""
    state = desk.state
    verdict = state.expect(judgement.verdict.record, r.Verdict)
    rules = desk.rulebook.of_assessment(state, verdict.assessment_id)
    demanding = [line.status for line in verdict.decision.red_lines if line.demands]
    return suffices(verdict, judgement) or rules.policy.sign_off.may_overrule(demanding)


def shortfalls(judgement: r.SafeguardsJudgement) -> list[str]:
    """Every criterion that is not met, with the reason."""
    return [
        f"{row.criterion} ({row.clause}) is {row.outcome}: {row.because}"
        for standard in judgement.standards
        for row in standard.criteria
        if row.outcome is not CriterionOutcome.MET
    ]
