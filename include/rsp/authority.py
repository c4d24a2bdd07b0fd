"""What the notary may sign: permits (DESIGN I2, I5, I8).

Pure functions of the ledger's state and the time. Each says in its docstring what must hold,
numbered, and the code is numbered to match.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.decision import Decision
from include.rsp.determination import Determined, check_determined
from include.rsp.errors import Refused
from include.rsp.notices import check_receipts, owed
from include.rsp.request_check import (
    check_holds,
    check_newest,
    check_packet,
    check_seen,
    run_of,
)
from include.rsp.resumption import check_resumable
from include.rsp.rules import Rules
from include.rsp.shown_safeguards import shown_until
from include.rsp.standing import standing_requirements
from include.rsp.state import LedgerState
from include.rsp.suite import spacing_of
from include.rsp.vocabulary import Identification, Outcome, Scope

NOTARY = "notary"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a permit will say, once its rules are checked."""

    purpose: Literal[Scope.TRAINING, Scope.DEPLOYMENT]
    run_id: str
    reply_to: Digest
    checkpoint: Digest | None
    basis: tuple[Digest, ...]
    due_flop: float
    ceiling_flop: float
    releases: r.RecordRef | None
    until: datetime
    determined: Determined | None


def genesis_permit(
    state: LedgerState, announcement: Digest, rules: Rules, *, stamp: r.CodeStamp, at: datetime
) -> r.Permit:
    """The permit for the first stretch of a run.

    Given only if (1) a policy is in force; (2) it lets a machine determine the genesis; (3) no
    other run that the same key announced is held: a new name is no way out of a hold.

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
    held = held_runs_of(state, run)  # (3)
    if held:
        raise Refused(
            "held_elsewhere",
            f"The key that announced {run.run_id!r} trains {held}, which is held. Release that "
            "hold first (release_hold), then announce a run under a name of its own.",
        )
    grant = Grant(
        purpose=Scope.TRAINING,
        run_id=run.run_id,
        reply_to=announcement,
        checkpoint=None,
        basis=(state.adoption[0],),
        due_flop=rules.suite.genesis.due_flop,
        ceiling_flop=rules.suite.genesis.ceiling_flop,
        releases=None,
        until=at + timedelta(days=rules.policy.authority.permit_days),
        determined=None,
    )
    return _permit(state, grant, stamp=stamp, at=at)


def held_runs_of(state: LedgerState, announced: r.TrainingRun) -> list[str]:
    """The other runs that the same key announced and whose training is held."""
    keyid = announced.envelope.signatures[0].get("keyid")
    return sorted(
        run_id
        for run_id, run in state.runs.items()
        if run_id != announced.run_id
        and run.held(Scope.TRAINING)
        and state.expect(run.announcement, r.TrainingRun).envelope.signatures[0].get("keyid")
        == keyid
    )


def answer_request(
    state: LedgerState,
    digest: Digest,
    rules: Rules,
    *,
    stamp: r.CodeStamp,
    at: datetime,
) -> r.Permit:
    """The permit that a request gets; it ends the hold that the request names.

    Given only if (1) the verdict is the newest of the run (deployment: on that checkpoint) and was
    reached under the policy and suite in force; (2) nothing that concerns the run was chained
    after the index that the asker had seen; (3) the request names the newest hold of that purpose
    if any is in force; (4) the verdict has no permit of that purpose yet, or lost what it
    rested on since then; (5) the officers
    determined so on a packet for this verdict, hold and purpose, or the policy lets a machine
    continue training and nothing about the checkpoint deviates; (6) its recommendation is
    `continue` and no standing rule demands a standard, or the officers went below it as the policy
    lets them, or the safeguards judgement in the packet holds and still holds on all evidence
    there is now, and the red lines that come next are published where the policy wants that before
    any such work; (7) whoever has to be told or to approve first was and did; (8) there is what
    the policy asks for before a hold may end. A permit that rests on safeguards ends with their
    evidence.

    Raises:
        Refused: the code names the rule that forbids it.
    """
    request = state.expect(digest, r.PermitRequest)
    verdict = state.expect(request.verdict.record, r.Verdict)
    run = run_of(state, request.run_id)
    check_newest(state, run, request, verdict)  # (1)
    check_seen(state, run, request)  # (2)
    check_holds(run, request)  # (3)
    given = [
        key
        for key, one in run.permits.items()
        if one.purpose is request.purpose and request.verdict in one.basis
    ]
    if given and not _held_since(state, request, given[-1]):  # (4)
        raise Refused("already_permitted", "This verdict has its permit; not given twice.")
    determined = _determined(state, request, verdict, rules, at)  # (5)
    evidence_until = shown_until(state, request, rules, determined, at=at)  # (6)
    receipts: tuple[Digest, ...] = ()
    if determined is not None and request.packet is not None:
        receipts = check_receipts(state, rules.policy, request.packet.record, determined)  # (7)
    check_resumable(  # (8)
        state, request, rules.policy,
        safeguards=evidence_until is not None,
        below=determined is not None and determined.below,
    )  # fmt: skip
    until = at + timedelta(days=rules.policy.authority.permit_days)
    signed = determined.answers if determined else ()
    packet = (request.packet.record,) if request.packet else ()
    compute, (due, ceiling) = _reach(state, request, verdict, rules, determined)
    grant = Grant(
        purpose=request.purpose,
        run_id=request.run_id,
        reply_to=digest,
        checkpoint=state.expect(verdict.checkpoint.record, r.Checkpoint).digest,
        basis=(request.verdict.record, *packet, *signed, *receipts),
        due_flop=compute * due,
        ceiling_flop=compute * ceiling,
        releases=request.hold,
        until=min(until, evidence_until or until),
        determined=determined,
    )
    return _permit(state, grant, stamp=stamp, at=at)


def _held_since(state: LedgerState, request: r.PermitRequest, permit: Digest) -> bool:
    """Whether what the request wants to end was ordered because of that permit: the safeguards
    that it rested on were taken away since.
    """
    held = request.hold
    return held is not None and state.expect(held.record, r.Hold).reply_to.record == permit


def may_machine_determine(state: LedgerState, verdict_digest: Digest, rules: Rules) -> bool:
    """Whether the policy lets a machine continue training after this verdict, with nobody asked."""
    verdict = state.expect(verdict_digest, r.Verdict)
    run_id = state.occasion(verdict.assessment_id).run_id
    run = state.runs[run_id]
    return (
        verdict.decision.recommendation is Outcome.CONTINUE
        and "continue" in rules.policy.machine_determination.outcomes
        and not standing_requirements(state, rules.policy, run_id)
        and not run.held(Scope.TRAINING)
        and not run.deviated(verdict.checkpoint.record)
        and not owed(rules.policy, verdict, waived=frozenset())
    )


def _determined(
    state: LedgerState, request: r.PermitRequest, verdict: r.Verdict, rules: Rules, at: datetime
) -> Determined | None:
    if request.packet is not None:
        check_packet(state, request)
        return check_determined(state, request.packet.record, rules, at=at)
    machine = request.purpose is Scope.TRAINING and may_machine_determine(
        state, request.verdict.record, rules
    )
    if not machine:
        raise Refused(
            "signature_missing",
            f"The request names no packet that anybody signed, and {rules.policy.id} "
            f"{rules.policy.version} ({rules.policy.machine_determination.clause}) does not let a "
            f"machine determine this: {verdict.decision.recommendation} for {request.purpose}.",
        )
    return None


def ratios_of(rules: Rules, decision: Decision) -> tuple[float, float]:
    """(due ratio, ceiling ratio) of the permit that may follow from a decision."""
    continues = decision.recommendation is Outcome.CONTINUE
    if not continues and rules.policy.compute_trigger.with_safeguards is not None:
        return spacing_of(rules.policy, rules.suite, "with_safeguards")
    return decision.due_ratio, decision.ceiling_ratio


def _reach(
    state: LedgerState,
    request: r.PermitRequest,
    verdict: r.Verdict,
    rules: Rules,
    determined: Determined | None,
) -> tuple[float, tuple[float, float]]:
    """(effective compute of the checkpoint, ratios to it); a cap of the officers bounds both."""
    checkpoint = state.expect(verdict.checkpoint.record, r.Checkpoint)
    compute = checkpoint.manifest.effective_compute
    if request.purpose is Scope.DEPLOYMENT:
        return compute, (1.0, 1.0)
    due, ceiling = ratios_of(rules, verdict.decision)
    cap = determined.cap_ratio if determined else None
    return compute, (due, ceiling) if cap is None else (min(due, cap), min(ceiling, cap))


def _permit(state: LedgerState, grant: Grant, *, stamp: r.CodeStamp, at: datetime) -> r.Permit:
    if state.adoption is None or state.head is None:
        raise Refused("no_policy", "No policy is in force.")
    people = grant.determined
    return r.Permit(
        at=at,
        by=NOTARY,
        stamp=stamp,
        purpose=grant.purpose,
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
        identification=people.identification if people else Identification.MACHINE,
        below_recommendation=people is not None and people.below,
        simulated=state.simulated,
    )
