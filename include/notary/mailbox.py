"""What the notary and a trainer put before each other: `runs/<run>/{orders,leases,outbox}`.

Orders and leases are DSSE envelopes that the trainer's client verifies on its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from include.adapters import signing
from include.adapters.signing import KeyFile
from include.adapters.stamp import code_stamp
from include.adapters.store import Store
from include.rsp import records as r
from include.rsp.admission import check_admissible
from include.rsp.attestation import Predicate, statement
from include.rsp.canonical import Digest, canonical_bytes, digest_bytes, short
from include.rsp.errors import InvalidDocument, Refused
from include.rsp.evidence_check import CLOCK_TOLERANCE
from include.rsp.leases import lease_for
from include.rsp.orders import Order, deployment_summary, order_of
from include.rsp.rules import Rules
from include.rsp.run_state import RunState
from include.rsp.safeguards_attestation import safeguards_summary
from include.rsp.state import LedgerState
from include.rsp.vocabulary import KeyRole, Scope


@dataclass(frozen=True, slots=True)
class Issued:
    """The newest lease of a run, as far as this process knows."""

    permit: Digest
    hold_epoch: int
    renew_at: datetime


def publish_order(
    store: Store,
    keys: Mapping[KeyRole, KeyFile],
    state: LedgerState,
    record: Order,
    digest: Digest,
    index: int,
) -> None:
    """Put what was chained before those whom it concerns; writing it again is harmless.

    A deployment permit is published as an attestation of the checkpoint as well, which standard
    tools read (include/rsp/attestation.py).
    """
    order = order_of(state, record, digest, index)
    key = keys[order.role]
    place = f"runs/{order.run_id}/orders/{index:012d}-{record.kind}.json"
    store.put_new(place, canonical_bytes(key.sign(order.payload)))
    if isinstance(record, r.Permit) and record.purpose is Scope.DEPLOYMENT:
        summary = deployment_summary(state, record, digest)
        place = f"runs/{order.run_id}/attestations/{index:012d}-deployment.json"
        store.put_new(place, canonical_bytes(key.sign(summary)))


def publish_attestation(
    store: Store, key: KeyFile, state: LedgerState, rules: Rules, judgement: Digest
) -> None:
    """Put the attestation of verified safeguards where a deployment system finds it."""
    summary = safeguards_summary(state, rules, judgement)
    run_id = state.run_of_verdict(state.expect(judgement, r.SafeguardsJudgement).verdict.record)
    index = state.index_of[judgement]
    name = f"{index:012d}-safeguards-{judgement.removeprefix('sha256:')}.json"
    store.put_new(f"runs/{run_id}/attestations/{name}", canonical_bytes(key.sign(summary)))


def renew_lease(
    store: Store,
    key: KeyFile,
    state: LedgerState,
    run_id: str,
    rules: Rules,
    *,
    last: Issued | None,
    now: datetime,
) -> Issued | None:
    """Write the next lease when one third of the last has passed or the permit is another one."""
    lease = lease_for(state, run_id, rules.policy, at=now)
    if lease is None:
        return None
    fits = last is not None and (last.permit, last.hold_epoch) == (lease.permit, lease.hold_epoch)
    if fits and last is not None and now < last.renew_at:
        return None
    name = f"{lease.issued_at:%Y%m%dT%H%M%S%f}-{lease.ledger_index:012d}"
    envelope = key.sign(statement(Predicate.LEASE, lease.permit, lease))
    store.put_new(f"runs/{run_id}/leases/{name}.json", canonical_bytes(envelope))
    third = (lease.expires_at - lease.issued_at) / 3
    return Issued(lease.permit, lease.hold_epoch, now + max(third, timedelta(milliseconds=200)))


def highest_anchor(store: Store) -> int:
    """The highest ledger index that an order's or lease's name speaks of; -1 without any."""
    numbers = [
        part
        for key in store.list("runs")
        if "/orders/" in key or "/leases/" in key
        for part in key.rsplit("/", 1)[-1].removesuffix(".json").split("-")
        if len(part) == 12 and part.isascii() and part.isdigit()
    ]
    return max(map(int, numbers), default=-1)


def outbox_keys(store: Store) -> Iterator[str]:
    """The messages of all trainers. Leases and heartbeats, which are many, are not walked."""
    for run_id in store.folders("runs"):
        yield from store.list(f"runs/{run_id}/outbox")


def read_message(
    store: Store, state: LedgerState, key: str, *, now: datetime
) -> r.TrainingRun | r.Acknowledgement:
    """A trainer's message as a record, dated by the trainer.

    Raises:
        Refused: not signed by a trainer's key, about another run, or by another key than the one
            that announced the run.
        InvalidDocument: it does not read.
    """
    content = store.get(key) or b""
    run_id = key.split("/")[1]
    try:
        envelope = r.Envelope.model_validate_json(content)
    except ValidationError as error:
        raise InvalidDocument(f"{key} is not a DSSE envelope: {error}") from error
    if key.rsplit("/", 1)[-1] != digest_bytes(content).removeprefix("sha256:") + ".json":
        raise InvalidDocument(f"{key} does not have the digest that its name says.")
    keys = signing.keys_for(state.trust, KeyRole.TRAINER)
    announced = state.runs.get(run_id)
    if announced is None:
        entry, _, body = signing.verify(envelope, keys, Predicate.TRAINING_RUN)
        record: r.TrainingRun | r.Acknowledgement = _build(
            r.TrainingRun, body, entry.holder, envelope
        )
    else:
        first = state.expect(announced.announcement, r.TrainingRun)
        if key_of(first.envelope) == key_of(envelope) and first.envelope == envelope:
            return first
        own = _answering(
            state, key, envelope, [e for e in keys if e.keyid == key_of(first.envelope)]
        )
        entry, subject, body = signing.verify(envelope, own, Predicate.ACKNOWLEDGEMENT)
        record = _build(
            r.Acknowledgement, body | {"hold": {"record": subject}}, entry.holder, envelope
        )
        _check_acknowledgement(announced, key, subject, record, now=now)
    if record.run_id != run_id:
        raise Refused("other_run", f"{key} is about the run {record.run_id!r}.")
    check_admissible(state, digest_bytes(canonical_bytes(record)), record)
    return record


def _answering(
    state: LedgerState, where: str, envelope: r.Envelope, own: list[r.KeyEntry]
) -> list[r.KeyEntry]:
    """Who may answer: the trainer a training hold, the deployer those of deployment and weights."""
    others = signing.keys_for(state.trust, KeyRole.DEPLOYER)
    both = [*own, *others]
    _, subject, _ = signing.verify(envelope, both, Predicate.ACKNOWLEDGEMENT)
    hold = state.records.get(subject)
    if not isinstance(hold, r.Hold):
        raise Refused("no_such_hold", f"{where} acknowledges {subject}, which is no hold.")
    return own if hold.scope is Scope.TRAINING else others


def _check_acknowledgement(
    run: RunState, key: str, hold: Digest, record: r.Record, *, now: datetime
) -> None:
    """Refuse an answer to another run's hold, a second one, one that comes late or too early."""
    if hold not in run.holds:
        raise Refused("no_such_hold", f"{key} acknowledges {short(hold)}, no hold of this run.")
    known = run.acknowledgements.get(hold)
    if known is not None and known != record:
        raise Refused(
            "acknowledged_already",
            f"{key} acknowledges {short(hold)} again, which was acknowledged at "
            f"{known.at:%H:%M:%S}. A newer hold needs an answer of its own.",
        )
    if known is None and hold in run.released:
        raise Refused("stale_acknowledgement", f"{key} acknowledges {short(hold)}, which is over.")
    if record.at > now + CLOCK_TOLERANCE or record.at < run.holds[hold].at - CLOCK_TOLERANCE:
        raise Refused(
            "post_dated",
            f"{key} is dated {record.at:%H:%M:%S} (expected from the hold at "
            f"{run.holds[hold].at:%H:%M:%S} until now, {now:%H:%M:%S}). Correct the clock.",
        )


def key_of(envelope: r.Envelope) -> str:
    """The id of the key that signed."""
    return envelope.signatures[0].get("keyid", "") if envelope.signatures else ""


def _build(
    kind: type[r.TrainingRun] | type[r.Acknowledgement],
    body: Mapping[str, object],
    holder: str,
    envelope: r.Envelope,
) -> r.TrainingRun | r.Acknowledgement:
    plain = {
        **body,
        "by": holder,
        "stamp": code_stamp().model_dump(),
        "envelope": envelope.model_dump(),
    }
    try:
        return kind.model_validate(plain)
    except ValidationError as error:
        raise InvalidDocument(f"The trainer's message does not read: {error}") from error
