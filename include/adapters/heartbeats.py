"""The newest sign of life of a trainer, and what it says of a held run."""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from include.adapters import signing
from include.adapters.store import Store
from include.rsp import records as r
from include.rsp.attestation import Heartbeat, Predicate
from include.rsp.canonical import Digest
from include.rsp.errors import DomainError, InvalidDocument
from include.rsp.standstill import stop_findings
from include.rsp.state import LedgerState
from include.rsp.vocabulary import KeyRole


def read_heartbeat(state: LedgerState, run_id: str, envelope: r.Envelope) -> Heartbeat:
    """What a heartbeat says; raises DomainError unless the key that announced the run signed it."""
    if run_id not in state.runs:
        raise InvalidDocument(f"A heartbeat of {run_id!r}, which nobody has announced.")
    announced = state.expect(state.runs[run_id].announcement, r.TrainingRun)
    keyid = announced.envelope.signatures[0].get("keyid")
    own = [one for one in signing.keys_for(state.trust, KeyRole.TRAINER) if one.keyid == keyid]
    _, _, body = signing.verify(envelope, own, Predicate.HEARTBEAT)
    try:
        read = Heartbeat.model_validate(body)
    except ValidationError as error:
        raise InvalidDocument(f"A heartbeat of {run_id!r} does not read: {error}") from error
    if read.run_id != run_id:
        raise InvalidDocument(f"A heartbeat of {read.run_id!r} lies with the run {run_id!r}.")
    return read


def newest_heartbeat(store: Store, run_id: str, *, until: datetime) -> r.Envelope | None:
    """The newest heartbeat with a name up to a time; None without any.

    Raises:
        InvalidDocument: it does not read.
    """
    last = f"{until:%Y%m%dT%H%M%S%f}Z"
    keys = [
        key
        for key in store.list(f"runs/{run_id}/heartbeats")
        if key.rsplit("/", 1)[-1].removesuffix(".json") <= last
    ]
    if not keys:
        return None
    key = max(keys)
    try:
        return r.Envelope.model_validate_json(store.get(key) or b"")
    except ValidationError as error:
        raise InvalidDocument(f"{key} is not a DSSE envelope: {error}") from error


def look_at(
    store: Store, state: LedgerState, hold: Digest, *, at: datetime
) -> tuple[r.Envelope | None, list[r.StopFinding]]:
    """(newest heartbeat, what shows that the held run does not stand still)."""
    run_id = state.expect(hold, r.Hold).run_id
    try:
        envelope = newest_heartbeat(store, run_id, until=at)
        read = read_heartbeat(state, run_id, envelope) if envelope else None
    except DomainError as error:
        unread = r.StopFinding(finding="stop_not_shown", message=str(error)[:500])
        return None, [unread, *stop_findings(state, hold, None)]
    return envelope, stop_findings(state, hold, read)


def looked_at(
    state: LedgerState, check: r.StopCheck
) -> tuple[r.Envelope | None, list[r.StopFinding]]:
    """The same for a check that was chained, from the heartbeat that it holds: those that reached
    the store later, with whatever date, could not be looked at. That one did not read is taken
    from the check, as it lets nothing go on.
    """
    read = read_heartbeat(state, check.run_id, check.heartbeat) if check.heartbeat else None
    unread = [one for one in check.findings[:1] if one.finding == "stop_not_shown" and not read]
    return check.heartbeat, [*unread, *stop_findings(state, check.hold.record, read)]
