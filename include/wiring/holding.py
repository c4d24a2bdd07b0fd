"""Holds: finding them, waiting for the trainer, and verifying that it stopped (step 19).

The hold itself is the notary's; so are deviations and escalations. These stages show them, look
after the policy's grace whether anything still moves, and say who has to be told.
"""

from __future__ import annotations

import logging
from datetime import datetime

from include.adapters.heartbeats import look_at
from include.adapters.ledger import wait_for
from include.rsp import records as r
from include.rsp.canonical import Digest, digest_of, short
from include.rsp.errors import Refused
from include.rsp.standstill import look_from
from include.rsp.vocabulary import Scope
from include.wiring.desk import Desk
from include.wiring.registration import register_new

log = logging.getLogger("redline.holding")


def hold_in_force(desk: Desk, run_id: str) -> tuple[Digest, r.Hold]:
    """The newest training hold of a run that nobody has released.

    Raises:
        Refused: there is none.
    """
    run = desk.state.runs.get(run_id)
    in_force = list(run.held(Scope.TRAINING).items()) if run else []
    if not in_force:
        raise Refused(
            "no_such_hold",
            f"No training hold is in force on the run {run_id!r} (known runs: "
            f"{sorted(desk.state.runs)}).",
        )
    return in_force[-1]


def hold_of_verdict(desk: Desk, verdict: Digest) -> tuple[Digest, r.Hold]:
    """The training hold that the notary ordered because of a verdict; waits until it is there.

    Raises:
        NotaryUnreachable: the notary has not ordered it in time.
    """
    digest = wait_for(desk.reader, verdict, seconds=desk.notary_seconds, reply=True)
    return digest, desk.state.expect(digest, r.Hold)


def newest_verdict(desk: Desk, run_id: str) -> Digest:
    """The verdict that a release has to rest on: the newest, not the one that ordered the hold.

    Raises:
        Refused: the run has none.
    """
    run = desk.state.runs.get(run_id)
    if run is None or run.newest_verdict is None:
        raise Refused("no_verdict", f"The run {run_id!r} has no verdict to release it on.")
    return run.newest_verdict[0]


def is_acknowledged(desk: Desk, hold: Digest) -> bool:
    """Whether the trainer has answered the hold."""
    record = desk.state.expect(hold, r.Hold)
    return hold in desk.state.runs[record.run_id].acknowledgements


def when_to_look(desk: Desk, hold: Digest) -> datetime:
    """From when on it may be said whether the run stands still."""
    rules = desk.rulebook.in_force(desk.state)
    if rules is None:
        raise Refused("no_policy", "No policy is in force.")
    return look_from(desk.state, hold, rules.policy)


def verify_stop(desk: Desk, hold: Digest) -> tuple[Digest, r.StopCheck]:
    """Look whether the run stands still: what lies in the folder, what the ledger and the newest
    heartbeat say. The notary derives the answer again.

    Raises:
        Refused: it does not stand still, or nobody can tell; the check is recorded all the same.
    """
    register_new(desk)
    record = desk.state.expect(hold, r.Hold)
    state, at = desk.state, desk.now()
    heartbeat, findings = look_at(desk.store, state, hold, at=at)
    digest = desk.submit(
        r.StopCheck(
            at=at,
            by=desk.author,
            stamp=desk.stamp,
            run_id=record.run_id,
            hold=r.RecordRef(record=hold),
            ledger_index=state.length - 1,
            heartbeat=heartbeat,
            findings=findings,
            stands_still=not findings,
        )
    )
    check = desk.state.expect(digest, r.StopCheck)
    if not check.stands_still:
        code = check.findings[0].finding
        raise Refused(
            code,
            f"{'; '.join(one.message for one in check.findings)} The hold {short(hold)} stands and "
            "no lease is renewed; the notary has recorded it. Look at the trainer.",
        )
    return digest, check


def escalations_of(desk: Desk, hold: Digest) -> dict[Digest, r.Escalation]:
    """The rungs that the notary recorded for a hold."""
    return {
        digest: one
        for digest, one in desk.state.records.items()
        if isinstance(one, r.Escalation) and one.hold.record == hold
    }


def to_verify(desk: Desk) -> list[Digest]:
    """The training holds that were acknowledged and not looked at since, once the grace is over."""
    state, now = desk.state, desk.now()
    return [
        digest
        for run in state.runs.values()
        for digest in run.held(Scope.TRAINING)
        if digest in run.acknowledgements
        and not _looked_at_since(desk, digest)
        and now >= when_to_look(desk, digest)
    ]


def _looked_at_since(desk: Desk, hold: Digest) -> bool:
    state = desk.state
    answered = digest_of(state.runs[state.expect(hold, r.Hold).run_id].acknowledgements[hold])
    checks = state.stop_checks.get(hold, {})
    return any(state.index_of[one] > state.index_of[answered] for one in checks)
