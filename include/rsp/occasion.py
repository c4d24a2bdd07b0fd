"""When an assessment is due, and why (lifecycle step 5; DESIGN I4)."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import datetime

from include.rsp import records as r
from include.rsp.canonical import Digest, digest_of, short
from include.rsp.policy import Policy
from include.rsp.run_state import RunState
from include.rsp.state import LedgerState
from include.rsp.suite import Suite
from include.rsp.vocabulary import OccasionKind


@dataclass(frozen=True, slots=True)
class DueOccasion:
    """An assessment that is due, with the reason in words."""

    checkpoint: Digest
    kind: OccasionKind
    reason: str


def assessment_id(
    *, checkpoint: Digest, policy: Digest, suite: Digest, kind: OccasionKind, reason: str
) -> str:
    """The id under which everything about one assessment is counted (DESIGN I4)."""
    digest = digest_of(
        {
            "checkpoint": checkpoint,
            "policy": policy,
            "suite": suite,
            "kind": kind.value,
            "reason": reason,
        }
    )
    return "a-" + digest.removeprefix("sha256:")[:24]


def due_occasion(
    state: LedgerState, policy: Policy, suite: Suite, run_id: str, *, at: datetime
) -> DueOccasion | None:
    """The occasion that a run raises now, if any; the first of these that is due.

    Assessments of one run are serialised: while one is open nothing new is due. (1) Effective
    compute reached the milestone. (2) The newest verdict was reached under another policy or
    suite than the ones in force. (3) A result that it rests on was restated, or the verdict that
    it was taken over from replaced. (4) An incident was reported since that assessment was raised.
    (5) The months of a time trigger have passed since the newest verdict (or the one that it was
    taken over from), or since the run was announced. What an officer asks for is raised by hand.
    Of several checkpoints the one with the most effective compute is assessed.
    """
    if _open_assessment(state, run_id) or not state.runs[run_id].checkpoints:
        return None
    run = state.runs[run_id]
    return (
        _milestone(run, policy, suite)  # (1)
        or _policy_change(state, run, policy)  # (2)
        or _restatement(state, run, policy)  # (3)
        or _incident(state, run_id, policy)  # (4)
        or _time(state, run, policy, at)  # (5)
    )


def _milestone(run: RunState, policy: Policy, suite: Suite) -> DueOccasion | None:
    threshold = run.next_due_flop if run.next_due_flop is not None else suite.genesis.due_flop
    assessed = {verdict.checkpoint.record for verdict in run.verdicts.values()}
    due = {
        digest: checkpoint
        for digest, checkpoint in run.checkpoints.items()
        if checkpoint.manifest.effective_compute >= threshold and digest not in assessed
    }
    if not due:
        return None
    return DueOccasion(
        checkpoint=max(due, key=lambda key: due[key].manifest.effective_compute),
        kind=OccasionKind.COMPUTE_MILESTONE,
        reason=_milestone_reason(run, policy, threshold),
    )


def _policy_change(state: LedgerState, run: RunState, policy: Policy) -> DueOccasion | None:
    if run.newest_verdict is None or state.adoption is None:
        return None
    digest, adopted = state.adoption
    occasion = state.occasion(run.newest_verdict[1].assessment_id)
    if (occasion.policy, occasion.suite) == (adopted.policy.blob, adopted.suite.blob):
        return None
    said = f"policy {policy.id} {policy.version} is in force since adoption {short(digest)}"
    return _due(run, policy, OccasionKind.POLICY_CHANGE, said)


def _restatement(state: LedgerState, run: RunState, policy: Policy) -> DueOccasion | None:
    if run.newest_verdict is None:
        return None
    verdict = run.newest_verdict[1]
    behind = _behind(state, verdict)
    for each in {verdict.assessment_id: None, behind.assessment_id: None}:
        counted = state.assessments[each].result_sets
        for digest, one in state.restatements.items():
            for evaluation, result_set in counted.items():
                if one.result_set.record == result_set:
                    said = f"{evaluation} was restated in {short(digest)}: {one.reason}"
                    return _due(run, policy, OccasionKind.RESTATEMENT, said)
    later = _later(state, verdict, behind)
    if later is None:
        return None
    said = f"the verdict whose statuses stand here was replaced by {short(later)}"
    return _due(run, policy, OccasionKind.RESTATEMENT, said)


def _behind(state: LedgerState, verdict: r.Verdict) -> r.Verdict:
    """The verdict that it was taken over from, or itself."""
    return state.expect(verdict.inherits.record, r.Verdict) if verdict.inherits else verdict


def _later(state: LedgerState, verdict: r.Verdict, behind: r.Verdict) -> Digest | None:
    """A newer verdict with other statuses on the checkpoint that this one's were taken from."""
    if verdict.inherits is None:
        return None
    run = state.runs[state.occasion(behind.assessment_id).run_id]
    for digest, one in run.verdicts.items():
        newer = state.index_of[digest] > state.index_of[verdict.inherits.record]
        if newer and one.checkpoint == behind.checkpoint and _statuses(one) != _statuses(behind):
            return digest
    return None


def _statuses(verdict: r.Verdict) -> dict[str, str]:
    return {line.red_line: line.status for line in verdict.decision.red_lines}


def _incident(state: LedgerState, run_id: str, policy: Policy) -> DueOccasion | None:
    run = state.runs[run_id]
    since = state.index_of[run.announcement]
    if run.newest_verdict is not None:
        raised = state.assessments[run.newest_verdict[1].assessment_id].occasion
        since = state.index_of[raised]
    for digest, one in state.incidents.items():
        if one.assessment_id is not None:
            continue  # its own assessment rules nothing out by it; people assess again
        if one.run_id in (None, run_id) and state.index_of[digest] > since:
            said = f"{one.category}, reported in {short(digest)}: {one.what}"
            return _due(run, policy, OccasionKind.INCIDENT, said)
    return None


def _time(state: LedgerState, run: RunState, policy: Policy, at: datetime) -> DueOccasion | None:
    newest = run.newest_verdict
    since = _behind(state, newest[1]).at if newest else state.get(run.announcement).at
    for trigger in sorted(policy.time_triggers, key=lambda one: (one.months, one.id)):
        due = months_after(since, trigger.months)
        if at >= due:
            said = f"{trigger.id}, {trigger.months} months since {since:%Y-%m-%d}"
            return _due(run, policy, OccasionKind(trigger.kind), said, trigger.clause)
    return None


def _due(
    run: RunState, policy: Policy, kind: OccasionKind, said: str, clause: str | None = None
) -> DueOccasion:
    """On the run's most capable checkpoint; with the clause that the policy has for it."""
    rule = policy.occasions.get(kind)
    cited = clause or (rule.clause if rule else None)
    most = max(run.checkpoints, key=lambda one: run.checkpoints[one].manifest.effective_compute)
    return DueOccasion(checkpoint=most, kind=kind, reason=f"{said} ({cited})" if cited else said)


def months_after(since: datetime, months: int) -> datetime:
    """The same day and time some months later, or the month's last day where it is shorter."""
    year, month = divmod(since.year * 12 + since.month - 1 + months, 12)
    day = min(since.day, calendar.monthrange(year, month + 1)[1])
    return since.replace(year=year, month=month + 1, day=day)


def _open_assessment(state: LedgerState, run_id: str) -> bool:
    return any(
        assessment.verdict is None and state.occasion(key).run_id == run_id
        for key, assessment in state.assessments.items()
    )


def _milestone_reason(run: RunState, policy: Policy, threshold: float) -> str:
    newest = run.newest_verdict
    if newest is None:
        return f"first assessment of the run, due at {threshold:.3g} FLOP"
    clause = policy.compute_trigger.clause
    kind = "early warning: " if newest[1].decision.early_warning else ""
    return f"{kind}due at {threshold:.3g} FLOP of effective compute ({clause})"


def unclaimed(state: LedgerState) -> list[tuple[str, r.Occasion]]:
    """Occasions whose assessment has no verdict yet, oldest first."""
    return [
        (key, state.expect(one.occasion, r.Occasion))
        for key, one in state.assessments.items()
        if one.verdict is None
    ]
