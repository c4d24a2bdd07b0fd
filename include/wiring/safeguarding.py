"""Safeguards: probed, judged, reported when a red line is not ruled out (steps 20 to 23)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from include.adapters.evidence_store import broken_evidence
from include.adapters.report_page import page_of
from include.adapters.store import put_blob
from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.judgement import Asked, judge_required, required_of, suffices
from include.rsp.rules import Rules
from include.rsp.safeguard_plan import PlannedProbe
from include.rsp.safeguards import name_of, unmet
from include.rsp.safeguards_report import report_markdown
from include.wiring.desk import Desk

log = logging.getLogger("redline.safeguarding")


def rules_of(desk: Desk, verdict: Digest) -> Rules:
    """The rules that a verdict was reached under."""
    state = desk.state
    return desk.rulebook.of_assessment(state, state.expect(verdict, r.Verdict).assessment_id)


def judge(
    desk: Desk, verdict: Digest, interim: Digest | None = None
) -> tuple[Digest, r.SafeguardsJudgement]:
    """Judge the standards that a verdict requires against the evidence there is now.

    Args:
        interim: a plan of measures that is to stand in for what is not met. None: the newest that
            was proposed for this verdict counts, if the standards do not hold by themselves and
            its measures do.
    """
    state, rules = desk.state, rules_of(desk, verdict)
    at, index = desk.now(), state.length - 1
    asked = Asked(
        verdict=verdict,
        ledger_index=index,
        at=at,
        interim=interim,
        broken=broken_evidence(desk.store, state),
    )
    standards, holds = judge_required(state, rules, asked)
    proposed = None if interim or holds else newest_plan(desk, verdict)
    if proposed is not None:
        asked = replace(asked, interim=proposed)
        standards, holds = judge_required(state, rules, asked)
    digest = desk.submit(
        r.SafeguardsJudgement(
            at=at,
            by=desk.author,
            stamp=desk.stamp,
            verdict=r.RecordRef(record=verdict),
            ledger_index=index,
            standards=standards,
            interim=r.RecordRef(record=asked.interim) if asked.interim else None,
            holds=holds,
        )
    )
    return digest, desk.state.expect(digest, r.SafeguardsJudgement)


def newest_plan(desk: Desk, verdict: Digest) -> Digest | None:
    """The newest plan of interim measures for a verdict that has not ended."""
    at = desk.now()
    found = [
        digest
        for digest, one in desk.state.records.items()
        if isinstance(one, r.InterimPlan) and one.verdict.record == verdict and at <= one.plan.until
    ]
    return found[-1] if found else None


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


def probes_for(desk: Desk, verdict: Digest) -> list[PlannedProbe]:
    """The probes of the suite for the standards that a verdict requires, in the suite's order."""
    rules = rules_of(desk, verdict)
    standards, _ = required_of(desk.state, rules, verdict)
    return [one for one in rules.suite.safeguards.probes if one.standard in standards]


def groups_of(probes: Sequence[PlannedProbe]) -> list[str]:
    """The names of their groups; each group is one task."""
    return list(dict.fromkeys(one.group for one in probes))


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
