"""From results to a verdict (lifecycle steps 12 and 17; DESIGN §7, I1, I6).

Demonstrate that the capability is absent, or act as if it were present: whatever is missing,
stale, invalid, too little or unreadable makes an evaluation `inconclusive`, and an inconclusive
load-bearing evaluation leaves its red line `not_ruled_out`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import Field

from include.rsp.canonical import Document, Identifier
from include.rsp.evaluation_plan import is_quiet, runs_of
from include.rsp.finding import (
    NO_EVIDENCE,
    EvaluationFinding,
    Evidence,
    find,
    in_words,
    not_run,
)
from include.rsp.policy import Policy
from include.rsp.policy_parts import RedLine
from include.rsp.suite import Suite, combined_by, load_bearing, spacing_of
from include.rsp.vocabulary import (
    EvaluationRole,
    Finding,
    Outcome,
    RedLineStatus,
    most_restrictive,
)


class RedLineAssessment(Document):
    """The status of one red line, the rule that decided it and the findings it rests on."""

    red_line: Identifier
    status: RedLineStatus
    outcome: Outcome | None = Field(description="null: the line informs and decides nothing")
    clause: str
    because: str
    follow_up_of: Identifier | None = Field(
        description="the line that had to be shown absent first"
    )
    required_standards: list[Identifier]
    required_documents: list[Identifier]

    @property
    def demands(self) -> bool:
        """Whether training may not simply go on because of this line."""
        return self.outcome is not None and self.outcome is not Outcome.CONTINUE


class Decision(Document):
    """All that follows from the evidence alone, before anybody signs anything."""

    findings: list[EvaluationFinding]
    red_lines: list[RedLineAssessment]
    early_warning: bool
    recommendation: Outcome
    due_ratio: float
    ceiling_ratio: float


def decide(
    policy: Policy,
    suite: Suite,
    evidence: Mapping[str, Evidence],
    *,
    checkpoint: str,
    checkpoint_at: datetime,
    at: datetime,
    variants: Sequence[str] = (),
) -> Decision:
    """The decision on one checkpoint.

    Args:
        evidence: by run; a run without an entry counts as having no result.
        variants: the forms of the model that the checkpoint's manifest names.
        checkpoint: its digest; results of another one are inconclusive.
        checkpoint_at: when it was made; results dated before it are inconclusive.
        at: the time of the decision.
    """
    findings: list[EvaluationFinding] = []
    for evaluation in sorted(suite.evaluations, key=lambda one: bool(one.runs_after)):
        found = _by_evaluation(findings)
        for run in runs_of(evaluation, variants):
            there = evidence.get(run.name, NO_EVIDENCE)
            if there.run is None and is_quiet(evaluation, found):
                findings.append(not_run(evaluation, run))
                continue
            findings.append(
                find(
                    evaluation,
                    run,
                    there,
                    checkpoint=checkpoint,
                    checkpoint_at=checkpoint_at,
                    at=at,
                )
            )
    lines: list[RedLineAssessment] = []
    for line in policy.red_lines:
        lines.append(assess_red_line(policy, suite, line, findings, lines))
    warning = early_warning(findings)
    due, ceiling = spacing_of(policy, suite, "early_warning" if warning else "default")
    return Decision(
        findings=findings,
        red_lines=lines,
        early_warning=warning,
        recommendation=most_restrictive(
            [line.outcome for line in lines if line.outcome is not None]
        ),
        due_ratio=due,
        ceiling_ratio=ceiling,
    )


def _by_evaluation(findings: Sequence[EvaluationFinding]) -> dict[str, list[Finding | None]]:
    found: dict[str, list[Finding | None]] = {}
    for one in findings:
        found.setdefault(one.evaluation, []).append(one.finding)
    return found


def assess_red_line(
    policy: Policy,
    suite: Suite,
    line: RedLine,
    findings: Sequence[EvaluationFinding],
    before: Sequence[RedLineAssessment] = (),
) -> RedLineAssessment:
    """The status of a red line.

    `crossed` if any of its rule-out or rule-in evaluations crossed (unless saturated: those do not
    by themselves rule in); `ruled_out` if there is at least one load-bearing evaluation, every one
    is `below`, none is saturated, and none of the line's other evaluations is inconclusive (a
    crossing that was lost must not count as absent), or if a line that rules it out is ruled out
    (`before` holds the lines listed earlier) and none of its own evaluations is inconclusive; else
    `not_ruled_out`. Where the policy leaves the combination to judgement or withholds it, and the
    suite does not fill it in, evidence never rules out.
    """
    status, because = _status_of(suite, line, findings)
    unread = any(
        one.red_line == line.id and one.finding is Finding.INCONCLUSIVE for one in findings
    )
    if status is RedLineStatus.NOT_RULED_OUT and not unread:
        implied = [
            one.red_line
            for one in before
            if one.red_line in line.ruled_out_by and one.status is RedLineStatus.RULED_OUT
        ]
        if implied:
            status = RedLineStatus.RULED_OUT
            because = f"{implied[0]} is ruled out, which suffices ({line.clause})"
    rule = policy.rule_for(status, line.id) if line.decides else None
    entry = [one.id for one in policy.red_lines if one.next == line.id]
    return RedLineAssessment(
        red_line=line.id,
        status=status,
        outcome=rule.then if rule else None,
        clause=rule.clause if rule else line.clause,
        because=because,
        follow_up_of=entry[0] if entry else None,
        required_standards=line.required_standards,
        required_documents=line.required_documents,
    )


def _status_of(
    suite: Suite, line: RedLine, findings: Sequence[EvaluationFinding]
) -> tuple[RedLineStatus, str]:
    saturated = {one.id for one in suite.evaluations if one.saturated}
    bearing = {one.id for one in load_bearing(suite, line.id)}
    own = [one for one in findings if one.red_line == line.id and one.role in SPEAKS_FOR_A_LINE]
    crossed = [
        one for one in own if one.finding is Finding.CROSSED and one.evaluation not in saturated
    ]
    carrying = [one for one in own if one.evaluation in bearing]
    open_ones = [
        one
        for one in own
        if one.finding is Finding.INCONCLUSIVE  # a crossing that was lost must not count as absent
        or (
            one.evaluation in bearing
            and (one.finding is not Finding.BELOW or one.evaluation in saturated)
        )
    ]
    if crossed:
        return RedLineStatus.CROSSED, "; ".join(in_words(one) for one in crossed)
    if combined_by(suite, line) != "all_load_bearing":
        return RedLineStatus.NOT_RULED_OUT, _LEFT_OPEN[combined_by(suite, line)]
    if not carrying or {one.evaluation for one in carrying} != bearing:
        return RedLineStatus.NOT_RULED_OUT, "no load-bearing evaluation speaks for it"
    if open_ones:
        return RedLineStatus.NOT_RULED_OUT, "; ".join(in_words(one) for one in open_ones)
    return RedLineStatus.RULED_OUT, "; ".join(in_words(one) for one in carrying)


SPEAKS_FOR_A_LINE = (EvaluationRole.RULE_OUT, EvaluationRole.RULE_IN)
"""The roles whose crossing crosses the red line; only the first can rule one out."""

_LEFT_OPEN = {
    "judgement": "the policy leaves the combination of these findings to people",
    "withheld": "the publisher withholds the threshold, and the suite does not fill it in",
}


def early_warning(findings: Sequence[EvaluationFinding]) -> bool:
    """Whether the next assessment comes earlier: a trigger fired, is near, or could not be read."""
    return any(
        one.role is EvaluationRole.TRIGGER and one.finding is not Finding.BELOW for one in findings
    )
