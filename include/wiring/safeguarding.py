"""Safeguards: probed, judged, reported when a red line is not ruled out (steps 20 to 23)."""

from __future__ import annotations

import logging
from dataclasses import replace

from include.adapters.evidence_store import judge_intact
from include.adapters.report_page import page_of
from include.adapters.store import put_blob
from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.judgement import Asked, suffices
from include.rsp.safeguards import name_of, unmet
from include.rsp.safeguards_report import report_markdown
from include.wiring.desk import Desk
from include.wiring.signing_off import rules_of

log = logging.getLogger("redline.safeguarding")


def judge(
    desk: Desk, verdict: Digest, interim: Digest | None = None
) -> tuple[Digest, r.SafeguardsJudgement]:
    """Judge the standards that a verdict requires against the evidence there is now.

    Args:
        interim: a plan of measures that is to stand in for what is not met. None: where the
            standards do not hold by themselves, the newest plan by which everything holds.
    """
    state, rules = desk.state, rules_of(desk, verdict)
    at, index = desk.now(), state.length - 1
    asked = Asked(verdict=verdict, ledger_index=index, at=at, interim=interim)
    standards, holds, broken = judge_intact(desk.store, state, rules, asked)
    for plan in [] if interim or holds else plans(desk, verdict):
        instead = replace(asked, interim=plan)
        found = judge_intact(desk.store, state, rules, instead)
        if found[1]:
            asked, (standards, holds, broken) = instead, found
            break
    digest = desk.submit(
        r.SafeguardsJudgement(
            at=at,
            by=desk.author,
            stamp=desk.stamp,
            verdict=r.RecordRef(record=verdict),
            ledger_index=index,
            standards=standards,
            interim=r.RecordRef(record=asked.interim) if asked.interim else None,
            broken=broken,
            holds=holds,
        )
    )
    return digest, desk.state.expect(digest, r.SafeguardsJudgement)


def plans(desk: Desk, verdict: Digest) -> list[Digest]:
    """The plans of interim measures for a verdict that have not ended, the newest first."""
    at = desk.now()
    found = [
        digest
        for digest, one in desk.state.records.items()
        if isinstance(one, r.InterimPlan) and one.verdict.record == verdict and at <= one.plan.until
    ]
    return found[::-1]


def write_report(desk: Desk, judgement: Digest) -> Digest:
    """Write the Safeguards Report on a judgement; the same one again is the report there is."""
    state = desk.state
    for digest, one in state.records.items():
        if isinstance(one, r.SafeguardsReport) and one.judgement.record == judgement:
            return digest
    verdict = state.expect(judgement, r.SafeguardsJudgement).verdict.record
    text = report_markdown(state, rules_of(desk, verdict), judgement)
    return desk.submit(
        r.SafeguardsReport(
            at=desk.now(),
            by=desk.author,
            stamp=desk.stamp,
            judgement=r.RecordRef(record=judgement),
            document=put_blob(desk.store, text.encode(), name="safeguards-report.md"),
            page=put_blob(desk.store, page_of(text), name="safeguards-report.html"),
        )
    )


def people_may_go_on(desk: Desk, judgement: r.SafeguardsJudgement) -> bool:
    """Whether there is anything by which people can let something go on."""
    state = desk.state
    verdict = state.expect(judgement.verdict.record, r.Verdict)
    rules = desk.rulebook.of_assessment(state, verdict.assessment_id)
    demanding = [line.status for line in verdict.decision.red_lines if line.demands]
    return suffices(verdict, judgement) or rules.policy.sign_off.may_overrule(demanding)


def shortfalls(judgement: r.SafeguardsJudgement) -> list[str]:
    """Everything that is not met, with its surface and the reason."""
    return [
        f"{name_of(standard, row)} ({row.clause}) is {row.outcome}: {row.because}"
        for standard, row in unmet(judgement.standards)
    ]
