"""Leases: whether anything forbids a run to go on under its permit now (DESIGN I2, I7)."""

from __future__ import annotations

from datetime import datetime, timedelta

from include.rsp import records as r
from include.rsp.attestation import Lease
from include.rsp.canonical import Digest
from include.rsp.policy import Policy
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Scope


def lease_for(state: LedgerState, run_id: str, policy: Policy, *, at: datetime) -> Lease | None:
    """A lease, if nothing forbids the run to go on.

    Given only if (1) the newest training permit may still be used and (2) no training hold is in
    force.
    """
    run = state.runs[run_id]
    newest = run.newest_permit
    if newest is None or state.head is None:
        return None
    digest, permit = newest
    last = usable_until(state, digest, permit)
    if last is None or at >= last:  # (1)
        return None
    if run.held(Scope.TRAINING):  # (2)
        return None
    until = at + timedelta(seconds=policy.authority.lease_seconds)
    return Lease(
        run_id=run_id,
        permit=digest,
        ledger_index=state.length - 1,
        ledger_head=state.head,
        hold_epoch=len(run.holds),
        issued_at=at,
        expires_at=min(until, last),
    )


def usable_until(state: LedgerState, digest: Digest, permit: r.Permit) -> datetime | None:
    """Until when a permit may be used; None: no more.

    Its own end, or what any adoption since says of it, whichever is first. What one of them ended
    stays ended, also when the version that the permit was given under comes into force again. One
    that an officer revoked is of no use.
    """
    if state.adoption is None or digest in state.runs[permit.run_id].revoked:
        return None
    until = permit.expires_at
    for adoption, adopted in state.adoptions.items():
        if state.index_of[adoption] < state.index_of[digest]:
            continue
        said = [one.until for one in adopted.dispositions if one.record.record == digest]
        if not said or said[0] is None:
            return None
        until = min(until, said[0])
    return until
