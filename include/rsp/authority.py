"""What the notary may sign: permits and leases (DESIGN I2, I5, I8).

Pure functions of the ledger's state and the time. Each says in its docstring what must hold,
numbered, and the code is numbered to match.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from include.rsp import records as r
from include.rsp.canonical import Digest, short
from include.rsp.decision import Decision
from include.rsp.errors import Refused
from include.rsp.next_level import lines_without_next
from include.rsp.policy import Policy
from include.rsp.signatures import check_safeguards, check_signatures
from include.rsp.standing import standing_requirements
from include.rsp.state import LedgerState, RunState
from include.rsp.suite import Suite, spacing_of
from include.rsp.vocabulary import Outcome

NOTARY = "notary"


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy and suite that a verdict was reached under."""

    policy: Policy
    suite: Suite


@dataclass(frozen=True, slots=True)
class Grant:
    """What a permit will say, once its rules are checked."""

    run_id: str
    reply_to: Digest
    checkpoint: Digest | None
    basis: tuple[Digest, ...]
    due_flop: float
    ceiling_flop: float
    releases: r.RecordRef | None
    until: datetime


def genesis_permit(
    state: LedgerState, announcement: Digest, rules: Rules, *, stamp: r.CodeStamp, at: datetime
) -> r.Permit:
    """The permit for the first stretch of a run.

    Given only if (1) a policy is in force and (2) it lets a machine determine the genesis.

    Raises:
        Refused: otherwise.
    """
    if state.adoption is None:  # (1)
        raise Refused("no_policy", "No policy is in force; adopt one before training starts.")
    determination = rules.policy.machine_determination
    if "genesis" not in determination.outcomes:  # (2)
        raise Refused(
            "signature_missing",
            f"Policy {rules.policy.id} {rules.policy.version} ({determination.clause}) wants "
            "people to determine the first stretch of a run; nobody has signed for it.",
        )
    run = state.expect(announcement, r.TrainingRun)
    grant = Grant(
        run_id=run.run_id,
        reply_to=announcement,
        checkpoint=None,
        basis=(state.adoption[0],),
        due_flop=rules.suite.genesis.due_flop,
        ceiling_flop=rules.suite.genesis.ceiling_flop,
        releases=None,
        until=at + timedelta(days=rules.policy.authority.permit_days),
    )
    return _permit(state, grant, stamp=stamp, at=at)


def answer_request(
    state: LedgerState, digest: Digest, rules: Rules, *, stamp: r.CodeStamp, at: datetime
) -> r.Permit:
    """The permit that a request gets; it ends the hold that the request names.

    Given only if (1) the verdict is the newest of the run and was reached under the policy and
    suite in force; (2) nothing that concerns the run was chained after the index that the asker
    had seen; (3) the request names the newest hold if any is in force; (4) the verdict has no
    permit yet; (5) its recommendation is `continue` and no standing rule demands a
    standard, or the safeguards judgement in the signed packet holds and still holds on all
    evidence there is now, and the red lines that come next are published where the policy wants
    that before any such work; (6) the officers of the policy have
    signed to proceed, or the policy lets a machine continue and nothing about the checkpoint
    deviates. A permit that rests on safeguards ends with their evidence.

    Raises:
        Refused: the code names the rule that forbids it.
    """
    request = state.expect(digest, r.PermitRequest)
    verdict = state.expect(request.verdict.record, r.Verdict)
    run = _run_of(state, request.run_id)
    _check_newest(state, run, request, verdict)  # (1)
    _check_seen(state, run, request)  # (2)
    _check_holds(run, request)  # (3)
    if any(request.verdict in permit.basis for permit in run.permits.values()):  # (4)
        raise Refused("already_permitted", "This verdict has its permit; it is not given twice.")
    continues = verdict.decision.recommendation is Outcome.CONTINUE
    until = at + timedelta(days=rules.policy.authority.permit_days)
    standing = standing_requirements(state, rules.policy, request.run_id)
    if not continues or standing:
        _check_next_level(rules.policy, verdict.decision, [one.standard for one in standing])
        evidence_until = check_safeguards(state, request, rules.policy, at)  # (5)
        until = min(until, evidence_until or at)
    checkpoint = state.expect(verdict.checkpoint.record, r.Checkpoint)
    machine = (
        continues
        and not standing
        and "continue" in rules.policy.machine_determination.outcomes
        and not run.deviated(verdict.checkpoint.record)
    )
    if not machine or request.hold is not None:
        check_signatures(state, request, rules.policy, at)  # (6)
    compute = checkpoint.manifest.effective_compute
    ratios = ratios_of(rules, verdict.decision)
    grant = Grant(
        run_id=request.run_id,
        reply_to=digest,
        checkpoint=checkpoint.digest,
        basis=(request.verdict.record, *(ref.record for ref in request.determinations)),
        due_flop=compute * ratios[0],
        ceiling_flop=compute * ratios[1],
        releases=request.hold,
        until=until,
    )
    return _permit(state, grant, stamp=stamp, at=at)


def ratios_of(rules: Rules, decision: Decision) -> tuple[float, float]:
    """(due ratio, ceiling ratio) of the permit that may follow from a decision."""
    continues = decision.recommendation is Outcome.CONTINUE
    if not continues and rules.policy.compute_trigger.with_safeguards is not None:
        return spacing_of(rules.policy, rules.suite, "with_safeguards")
    return decision.due_ratio, decision.ceiling_ratio


def _permit(state: LedgerState, grant: Grant, *, stamp: r.CodeStamp, at: datetime) -> r.Permit:
    if state.adoption is None or state.head is None:
        raise Refused("no_policy", "No policy is in force.")
    return r.Permit(
        at=at,
        by=NOTARY,
        stamp=stamp,
        run_id=grant.run_id,
        reply_to=r.RecordRef(record=grant.reply_to),
        checkpoint=grant.checkpoint,
        policy=state.adoption[1].policy.blob,
        suite=state.adoption[1].suite.blob,
        basis=[r.RecordRef(record=one) for one in grant.basis],
        releases=grant.releases,
        ledger_index=state.length - 1,
        ledger_head=state.head,
        due_flop=grant.due_flop,
        ceiling_flop=grant.ceiling_flop,
        expires_at=grant.until,
        simulated=_is_simulated(state),
    )


def _is_simulated(state: LedgerState) -> bool:
    """Whether any officer of the trust root is simulated: then everything that follows is."""
    return any(key.simulated for key in state.trust.keys) if state.trust else True


def _run_of(state: LedgerState, run_id: str) -> RunState:
    if run_id not in state.runs:
        raise Refused("unknown_run", f"The training run {run_id!r} was never announced.")
    return state.runs[run_id]


def _check_newest(
    state: LedgerState, run: RunState, request: r.PermitRequest, verdict: r.Verdict
) -> None:
    if run.newest_verdict is None or run.newest_verdict[0] != request.verdict.record:
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


def _check_next_level(policy: Policy, decision: Decision, standing: list[str]) -> None:
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


def _check_seen(state: LedgerState, run: RunState, request: r.PermitRequest) -> None:
    if request.seen_index >= state.length:
        raise Refused(
            "stale_index",
            f"The request claims to have seen ledger index {request.seen_index}, the head is "
            f"{state.length - 1}.",
        )
    if run.changed_at_index > request.seen_index:
        raise Refused(
            "stale_index",
            f"The request had seen the ledger up to {request.seen_index}; something that concerns "
            f"run {request.run_id!r} was chained at {run.changed_at_index}. Read it and ask again.",
        )


def _check_holds(run: RunState, request: r.PermitRequest) -> None:
    """The newest hold must be the one named; a permit that ends it ends the older ones with it."""
    in_force = run.holds_in_force
    named = request.hold.record if request.hold else None
    if named is not None and named not in in_force:
        raise Refused("no_such_hold", f"Hold {named} is not in force on run {request.run_id!r}.")
    newest = next(reversed(in_force), None)
    if newest != named and newest is not None:
        raise Refused(
            "hold_in_force",
            f"Run {request.run_id!r} is held ({short(newest)}: {in_force[newest].reason}). "
            "Only release_hold ends a hold.",
        )
