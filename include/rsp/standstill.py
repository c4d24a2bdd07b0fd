"""Whether a held run stands still (lifecycle step 19): looked at after the policy's grace."""

from __future__ import annotations

from datetime import datetime, timedelta

from include.rsp import records as r
from include.rsp.attestation import Heartbeat
from include.rsp.canonical import Digest
from include.rsp.deviations import moved_on
from include.rsp.errors import Refused
from include.rsp.policy import Policy
from include.rsp.state import LedgerState


def look_from(state: LedgerState, hold: Digest, policy: Policy) -> datetime:
    """From when on it may be said whether the run stands still: some time after its answer, or
    after the time in which it should have answered.
    """
    record = state.expect(hold, r.Hold)
    answer = state.runs[record.run_id].acknowledgements.get(hold)
    begun = min(answer.at, record.acknowledge_by) if answer else record.acknowledge_by
    return begun + timedelta(seconds=policy.hold.verify_after_seconds)


def check_grace(state: LedgerState, hold: Digest, policy: Policy, *, at: datetime) -> None:
    """Refuse to look before the grace is over; raises Refused."""
    begin = look_from(state, hold, policy)
    if at < begin:
        raise Refused(
            "too_early",
            f"Whether the run stands still can be said from {begin:%H:%M:%S} on "
            f"({policy.hold.clause}), not at {at:%H:%M:%S}.",
        )


def stop_findings(
    state: LedgerState, hold: Digest, heartbeat: Heartbeat | None
) -> list[r.StopFinding]:
    """What shows that the run does not stand still, or that nobody can tell.

    It stands still only if (1) the trainer has acknowledged the hold; (2) no checkpoint was made
    since, nor something that calls itself one and cannot be registered; (3) its newest sign of
    life is not from training after it said that it had stopped.
    """
    record = state.expect(hold, r.Hold)
    run = state.runs[record.run_id]
    answer = run.acknowledgements.get(hold)
    found = [
        r.StopFinding(finding="trained_while_held", message=message)
        for _, message in moved_on(run, hold)  # (2)
    ]
    found += [
        r.StopFinding(finding="stop_not_shown", message=message)
        for message in _unread(state, record.run_id, hold)  # (2)
    ]
    if answer is None:  # (1)
        message = f"The trainer of {record.run_id!r} has not acknowledged the hold."
        found.append(r.StopFinding(finding="not_acknowledged", message=message))
        begun = record.acknowledge_by
    else:
        begun = answer.at
    if heartbeat is not None and heartbeat.at > begun:  # (3)
        beyond = answer is not None and heartbeat.step > answer.last_step
        if heartbeat.state == "training" or beyond:
            message = (
                f"A heartbeat of {heartbeat.at:%H:%M:%S} says {heartbeat.state!r} at step "
                f"{heartbeat.step}; the run had to stand still from {begun:%H:%M:%S} on."
            )
            found.append(r.StopFinding(finding="heartbeat_while_held", message=message))
    return found


def _unread(state: LedgerState, run_id: str, hold: Digest) -> list[str]:
    """What was refused as a checkpoint of the run since the hold was ordered."""
    return [
        f"{one.subject} appeared after the hold and was refused: {one.message}"
        for digest, one in state.refusals.items()
        if one.subject.startswith(f"checkpoint {run_id}/")
        and state.index_of[digest] > state.index_of[hold]
    ]
