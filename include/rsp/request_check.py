"""Whether a request for a permit is about what is newest, and says what it saw (DESIGN I2, I7)."""

from __future__ import annotations

from include.rsp import records as r
from include.rsp.canonical import short
from include.rsp.decision import Decision
from include.rsp.errors import Refused
from include.rsp.next_level import lines_without_next
from include.rsp.policy import Policy
from include.rsp.run_state import RunState
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Scope


def run_of(state: LedgerState, run_id: str) -> RunState:
    """The run; raises Refused when it was never announced."""
    if run_id not in state.runs:
        raise Refused("unknown_run", f"The training run {run_id!r} was never announced.")
    return state.runs[run_id]


def check_newest(
    state: LedgerState, run: RunState, request: r.PermitRequest, verdict: r.Verdict
) -> None:
    """Refuse a verdict that another one replaced, or that was reached under other rules."""
    newest = run.newest_verdict[0] if run.newest_verdict else None
    if request.purpose is Scope.DEPLOYMENT:
        newest = run.newest_verdict_on(verdict.checkpoint.record)
    if newest != request.verdict.record:
        raise Refused(
            "not_newest_verdict",
            f"Verdict {short(request.verdict.record)} is not the newest of run {request.run_id!r}. "
            "Ask again with the newest one.",
        )
    occasion = state.occasion(verdict.assessment_id)
    adopted = state.adoption[1] if state.adoption else None
    if adopted is None or (occasion.policy, occasion.suite) != (
        adopted.policy.blob,
        adopted.suite.blob,
    ):
        raise Refused(
            "policy_replaced",
            "The verdict was reached under a policy or suite that is no longer in force. "
            "Assess the checkpoint again.",
        )


def check_next_level(policy: Policy, decision: Decision, standing: list[str]) -> None:
    """No work under a standard before the red lines after it are published."""
    asked = {line.red_line for line in decision.red_lines if line.demands}
    demanding = [
        line.id
        for line in policy.red_lines
        if line.id in asked or (line.decides and {*line.required_standards} & {*standing})
    ]
    gaps = lines_without_next(policy, demanding)
    rule = policy.governance.next_level
    if gaps and rule is not None:
        raise Refused(
            "next_level_unpublished",
            f"Policy {policy.id} {policy.version} names no red line after {gaps} ({rule.clause}). "
            "Adopt a version that does (adopt_policy), then assess the checkpoint again.",
        )


def check_seen(state: LedgerState, run: RunState, request: r.PermitRequest) -> None:
    """Refuse who has not read what was chained about the run."""
    if request.seen_index >= state.length:
        raise Refused(
            "stale_index",
            f"The request claims to have seen entry {request.seen_index}; the ledger has "
            f"{state.length} entries.",
        )
    if run.changed_at_index > request.seen_index:
        raise Refused(
            "stale_index",
            f"The request had seen the ledger up to {request.seen_index}; something that concerns "
            f"run {request.run_id!r} was chained at {run.changed_at_index}. Read it and ask again.",
        )


def check_holds(run: RunState, request: r.PermitRequest) -> None:
    """The newest hold of the purpose must be the one named; a permit that ends it ends the older
    ones with it. Locked weights are not deployed whatever is asked.
    """
    scope = request.purpose
    in_force, newest = run.held(scope), run.newest_hold(scope)
    named = request.hold.record if request.hold else None
    if named is not None and named not in in_force:
        raise Refused(
            "no_such_hold", f"No {scope} hold {named} is in force on run {request.run_id!r}."
        )
    if newest is not None and newest != named:
        raise Refused(
            "hold_in_force",
            f"Run {request.run_id!r} is held ({short(newest)}: {in_force[newest].reason}). "
            f"{'release_hold' if scope is Scope.TRAINING else 'permit_deployment'} ends it.",
        )
    locked = run.newest_hold(Scope.WEIGHTS)
    if scope is Scope.DEPLOYMENT and locked is not None:
        raise Refused(
            "weights_locked",
            f"The weights of {request.run_id!r} are locked ({short(locked)}): nothing is deployed.",
        )


def check_packet(state: LedgerState, request: r.PermitRequest) -> None:
    """Refuse a packet about another verdict, hold or purpose."""
    if request.packet is None:
        raise Refused("signature_missing", "The request names no packet that anybody signed.")
    report = state.report_of(request.packet.record)
    for name in ("verdict", "hold", "purpose"):
        if getattr(report, name) != getattr(request, name):
            raise Refused("wrong_packet", f"The signed packet is about another {name}.")
