"""What the notary does unasked: orders holds, escalates.

A hold follows from the verdict itself; people may only confirm or release it (DESIGN §9). People
may order one as well: by a determination that is stricter, or by the policy's response that they
choose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.rsp import records as r
from include.rsp.authority import NOTARY
from include.rsp.canonical import Digest
from include.rsp.judgement import (
    judge_in_general,
    judgement_behind,
    no_longer_met,
    rests_on_safeguards,
)
from include.rsp.policy import Policy
from include.rsp.responses import chosen_for
from include.rsp.rules import Rules
from include.rsp.run_state import RunState
from include.rsp.safeguards_answers import rejected_since
from include.rsp.standing import newest_checkpoint, standing_requirements
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Choice, Outcome, Scope


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something has to stop."""

    record: Digest
    scope: Scope
    reason: str
    measures: tuple[str, ...] = ()


RulesOf = Callable[[Digest], Rules]
"""The rules that a verdict was reached under, by its digest."""


def holds_due(
    state: LedgerState, rules: Rules, rules_of: RulesOf, *, stamp: r.CodeStamp, at: datetime
) -> list[r.Hold]:
    """The holds that have to be ordered now; the first of them may make others needless.

    One (1) for every verdict that does not recommend to continue, for each scope that the policy
    names and in which it has none yet; (2) for every run that needs a standard by a standing rule
    while the evidence does not show that the standard holds, unless such a hold is in force;
    (3) for every determination that is stricter, unless what it is about is held or was permitted
    anew since; (4) for every scope that a response which people chose orders something in;
    (5) for every permit in force that rests on safeguards which evidence added since takes away,
    or which an officer rejects.
    """
    policy = rules.policy
    holds: list[r.Hold] = []
    for run_id, run in state.runs.items():
        causes = [
            *_verdicts_to_hold(state, policy, run_id),
            *_standards_to_hold(state, rules, rules_of, run_id, at),
            *_safeguards_to_hold(state, rules_of, run_id, at),
        ]
        for cause in _officers_hold(state, run_id):
            if cause.scope not in {one.scope for one in causes}:  # the first of them holds it
                causes.append(cause)
        causes += _responses_order(state, policy, run_id)
        for number, cause in enumerate(causes, start=len(run.holds) + 1):
            holds.append(
                r.Hold(
                    at=at,
                    by=NOTARY,
                    stamp=stamp,
                    scope=cause.scope,
                    measures=list(cause.measures),
                    run_id=run_id,
                    reply_to=r.RecordRef(record=cause.record),
                    reason=cause.reason,
                    epoch=number,
                    acknowledge_by=at + timedelta(seconds=policy.hold.acknowledge_within_seconds),
                )
            )
    return holds


def _ordered(run: RunState) -> set[tuple[Digest, Scope]]:
    return {(hold.reply_to.record, hold.scope) for hold in run.holds.values()}


def _verdicts_to_hold(state: LedgerState, policy: Policy, run_id: str) -> Iterator[Cause]:  # (1)
    """A policy that was adopted since a verdict was held adds no scope to it (DESIGN I7)."""
    run = state.runs[run_id]
    ordered = _ordered(run)
    adopted = state.index_of[state.adoption[0]] if state.adoption else 0
    settled = {
        hold.reply_to.record for key, hold in run.holds.items() if state.index_of[key] < adopted
    }
    for digest, verdict in run.verdicts.items():
        if digest in settled or verdict.decision.recommendation is Outcome.CONTINUE:
            continue
        reason = "; ".join(
            f"{line.red_line} {line.status}: {line.because}"
            for line in verdict.decision.red_lines
            if line.demands
        )
        for scope in policy.hold.scopes:
            if (digest, scope) not in ordered:
                yield Cause(digest, scope, reason)


def _standards_to_hold(
    state: LedgerState, rules: Rules, rules_of: RulesOf, run_id: str, at: datetime
) -> Iterator[Cause]:  # (2)
    run = state.runs[run_id]
    newest = newest_checkpoint(run)
    if newest is None:
        return
    if any(hold.reply_to.record in run.checkpoints for hold in run.holds_in_force.values()):
        return
    missing = [
        one
        for one in standing_requirements(state, rules.policy, run_id)
        if not _is_shown(state, rules, rules_of, run, one.standard, at)
    ]
    if missing:
        reason = "; ".join(
            f"{one.standard} is not shown to hold, and {one.because} ({one.clause})"
            for one in missing
        )
        yield Cause(newest, Scope.TRAINING, reason)


def _is_shown(
    state: LedgerState, rules: Rules, rules_of: RulesOf, run: RunState, standard: str, at: datetime
) -> bool:
    """Whether a standard holds, in general or for this run: by the judgement behind its permit in
    force, which may rest on evidence about the checkpoint or on interim measures.
    """
    newest_one = newest_checkpoint(run)
    about = run.checkpoints[newest_one].digest if newest_one else None
    if judge_in_general(state, rules, standard, at=at, checkpoint=about).holds:
        return True
    newest = run.newest_permit
    if newest is None or at > newest[1].expires_at or newest[0] in run.revoked:
        return False
    behind = judgement_behind(state, newest[1])
    if behind is None:
        return False
    judged = {one.standard for one in state.expect(behind, r.SafeguardsJudgement).standards}
    its = rules_of(newest[1].basis[0].record)
    return standard in judged and not no_longer_met(state, its, newest[1], at=at)


def _safeguards_to_hold(
    state: LedgerState, rules_of: RulesOf, run_id: str, at: datetime
) -> Iterator[Cause]:  # (5)
    """Evidence that expires needs no hold: the permit ends with it."""
    run = state.runs[run_id]
    ordered = _ordered(run)
    for digest, permit in run.permits.items():
        scope = permit.purpose
        done = run.held(scope) or digest in run.revoked or (digest, scope) in ordered
        if done or at > permit.expires_at or not rests_on_safeguards(state, permit):
            continue
        since = state.index_of[digest]
        reason = rejected_since(state, permit.basis[0].record, since=since)
        if reason is None and _spoken_against(state, permit, since=since):
            lost = no_longer_met(state, rules_of(permit.basis[0].record), permit, at=at)
            reason = f"the safeguards no longer hold: {lost}" if lost else None
        if reason is not None:
            yield Cause(digest, scope, reason)


def _spoken_against(state: LedgerState, permit: r.Permit, *, since: int) -> bool:
    """Whether evidence was chained since that could take away what a permit rests on."""
    behind = state.expect(judgement_behind(state, permit) or "", r.SafeguardsJudgement)
    standards = {one.standard for one in behind.standards}
    return any(
        state.index_of[digest] > since
        and piece.standard in standards
        and (not piece.shows or piece.supersedes is not None or piece.expires_at is not None)
        for digest, piece in state.evidence.items()
    )


def _officers_hold(state: LedgerState, run_id: str) -> Iterator[Cause]:  # (3)
    run = state.runs[run_id]
    ordered = _ordered(run)
    for digest, one in run.determinations.items():
        scope = state.report_of(one.about.record).purpose
        since = any(
            state.index_of[key] > state.index_of[digest]
            for key, permit in run.permits.items()
            if permit.purpose is scope
        )
        if one.choice is not Choice.STRICTER or run.held(scope) or since:
            continue
        if (digest, scope) not in ordered:
            yield Cause(digest, scope, f"the {one.office} determines to hold: {one.reason}")


def _responses_order(state: LedgerState, policy: Policy, run_id: str) -> Iterator[Cause]:  # (4)
    run = state.runs[run_id]
    ordered = _ordered(run)
    for digest, response in chosen_for(run, policy).items():
        for scope in (Scope.DEPLOYMENT, Scope.WEIGHTS):
            measures = response.orders(scope)
            if measures and (digest, scope) not in ordered:
                office = state.expect(digest, r.Determination).office
                reason = f"the {office} chose {response.id} ({response.clause})"
                yield Cause(digest, scope, reason, tuple(measures))


def escalations_due(
    state: LedgerState, policy: Policy, *, stamp: r.CodeStamp, at: datetime
) -> list[r.Escalation]:
    """The rungs of the ladder that were reached and not recorded: nobody shows that a hold is
    obeyed, so that more people have to be told.
    """
    found: list[r.Escalation] = []
    for run_id, run in state.runs.items():
        for digest, hold in run.holds_in_force.items():
            because = why_not_settled(state, run, digest)
            if because is None:
                continue
            for number, rung in enumerate(policy.hold.escalation, start=1):
                reached = at >= hold.at + timedelta(seconds=rung.after_seconds)
                if reached and (digest, number) not in run.escalations:
                    found.append(
                        r.Escalation(
                            at=at, by=NOTARY, stamp=stamp, run_id=run_id,
                            hold=r.RecordRef(record=digest), rung=number, to=rung.to,
                            because=because,
                        )
                    )  # fmt: skip
    return found


def why_not_settled(state: LedgerState, run: RunState, hold: Digest) -> str | None:
    """Why a hold is not shown to be obeyed; None: it was acknowledged, looked at and found so.

    A deployment or weights hold is settled by its acknowledgement: what shows that a deployment
    is gone comes with the safeguards' probes.
    """
    record = run.holds[hold]
    if hold not in run.acknowledgements:
        return f"the {record.scope} hold was not acknowledged"
    if record.scope is not Scope.TRAINING:
        return None
    checks = state.stop_checks.get(hold, {})
    newest = next(reversed(checks.items()), None)
    if newest is None:
        return "nobody has verified that the run stands still"
    if not newest[1].stands_still:
        return "; ".join(one.message for one in newest[1].findings)
    return None
