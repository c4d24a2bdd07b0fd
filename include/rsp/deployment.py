"""Whether a checkpoint may be deployed now (DESIGN §8, §9; lifecycle step 28)."""

from __future__ import annotations

from datetime import datetime

from include.rsp.canonical import Digest, Document, Moment, short
from include.rsp.leases import usable_until
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Scope


class Admission(Document):
    """The answer to a deployment system, and the permit that it rests on."""

    admitted: bool
    because: str
    permit: Digest | None
    until: Moment | None


def admit(state: LedgerState, digest: Digest, *, at: datetime) -> Admission:
    """May what has this digest be deployed?

    Args:
        digest: of a checkpoint's manifest, or of one of its files.

    Admitted only if (1) a checkpoint in the ledger has that digest or a file of it; (2) the newest
    deployment permit for that checkpoint may still be used; (3) no deployment or weights hold is
    in force on any run that has it: under another name weights are the same.
    """
    known = [
        (run_id, one)
        for run_id, run in state.runs.items()
        for one in run.checkpoints.values()
        if digest == one.digest or digest in {file.sha256 for file in one.manifest.files}
    ]
    if not known:  # (1)
        return _no(f"no registered checkpoint has the digest {short(digest)}")
    held = [
        (run_id, key)
        for run_id, _ in known
        for key, hold in state.runs[run_id].holds_in_force.items()
        if hold.scope is not Scope.TRAINING
    ]
    if held:  # (3)
        run_id, hold = held[-1]
        return _no(f"{run_id} is held ({short(hold)}): {state.runs[run_id].holds[hold].reason}")
    refusals = []
    for run_id, checkpoint in known:
        permits = [
            (key, one)
            for key, one in state.runs[run_id].permits.items()
            if one.purpose is Scope.DEPLOYMENT and one.checkpoint == checkpoint.digest
        ]
        if not permits:
            refusals.append(f"{checkpoint.location} has no deployment permit")
            continue
        key, permit = permits[-1]
        until = usable_until(state, key, permit)
        if until is None or at >= until:  # (2)
            refusals.append(f"the permit {short(key)} of {checkpoint.location} is over")
            continue
        label = f"{permit.identification}{', SIMULATED' if permit.simulated else ''}"
        return Admission(
            admitted=True,
            because=f"{checkpoint.location} by permit {short(key)} ({label}) until "
            f"{until:%Y-%m-%d %H:%M:%S} UTC",
            permit=key,
            until=until,
        )
    return _no("; ".join(refusals))


def _no(because: str) -> Admission:
    return Admission(admitted=False, because=because, permit=None, until=None)
