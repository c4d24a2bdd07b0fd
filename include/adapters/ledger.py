"""Reading the ledger, writing records, and waiting for the notary to chain them."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError

from include.adapters import signing
from include.adapters.store import Store
from include.rsp.attestation import LedgerEntry, Predicate, read_statement
from include.rsp.canonical import Digest, canonical_bytes, digest_bytes
from include.rsp.errors import InvalidDocument, NotaryUnreachable, Refused
from include.rsp.reading import parse_record
from include.rsp.records import Envelope, Record, Refusal, TrustRoot
from include.rsp.state import LedgerState
from include.rsp.vocabulary import KeyRole

T = TypeVar("T")
LEDGER = "ledger"
RECORDS = "records"


def entry_key(index: int) -> str:
    """Where a ledger entry is."""
    return f"{LEDGER}/{index:012d}.json"


def record_key(kind: str, digest: Digest) -> str:
    """Where a record is."""
    return f"{RECORDS}/{kind}/{digest.removeprefix('sha256:')}.json"


@dataclass(frozen=True, slots=True)
class Link:
    """One checked ledger entry with its record."""

    entry: LedgerEntry
    entry_digest: Digest
    record_digest: Digest
    record: Record


@dataclass(slots=True)
class LedgerReader:
    """Follows the ledger; `state` is what it says so far. Every link is verified when read."""

    store: Store
    state: LedgerState = field(default_factory=LedgerState)

    def refresh(self) -> LedgerState:
        """Read what has been appended since the last call.

        Raises:
            InvalidDocument: an entry or record was edited, or the chain is broken.
        """
        while True:
            content = self.store.get(entry_key(self.state.length))
            if content is None:
                return self.state
            link = read_link(self.store, content, self.state)
            self.state.apply(
                link.record_digest, link.record, entry=link.entry_digest, at=link.entry.at
            )


def read_link(store: Store, content: bytes, state: LedgerState) -> Link:
    """Check the next ledger entry.

    It counts only if (1) it is a canonical DSSE envelope signed by a ledger key of the trust
    root (the first entry: of the root that it brings); (2) its index is the next one and it names
    the digest of the entry before it; (3) its time does not go backwards; (4) its record is
    there, has that digest, and is of the kind it says.

    Raises:
        InvalidDocument: otherwise; the message names the file.
    """
    where = entry_key(state.length)
    try:
        envelope = Envelope.model_validate_json(content)
    except ValidationError as error:
        raise InvalidDocument(
            f"{where} is not a DSSE envelope: {error.errors()[0]['msg']}"
        ) from error
    if canonical_bytes(envelope) != content:
        raise InvalidDocument(f"{where} is not in canonical form; it was edited")
    subject, entry = _peek(envelope, where)
    record = _record_of(store, entry.kind, subject, where)  # (4)
    trust = state.trust if state.trust is not None else _root(record, where)
    try:
        signing.verify(
            envelope, signing.keys_for(trust, KeyRole.LEDGER), Predicate.LEDGER_ENTRY
        )  # (1)
    except Refused as error:
        raise InvalidDocument(f"{where}: {error}") from error
    if entry.index != state.length or entry.previous != state.head:  # (2)
        raise InvalidDocument(
            f"{where} breaks the chain: index {entry.index} after {entry.previous} "
            f"(expected {state.length} after {state.head})"
        )
    if state.last_at is not None and entry.at < state.last_at:  # (3)
        raise InvalidDocument(f"{where} is dated {entry.at}, before the entry before it")
    return Link(
        entry=entry,
        entry_digest=digest_bytes(content),
        record_digest=subject,
        record=record,
    )


def _peek(envelope: Envelope, where: str) -> tuple[Digest, LedgerEntry]:
    try:
        payload = base64.b64decode(envelope.payload, validate=True)
        subject, body = read_statement(payload, Predicate.LEDGER_ENTRY)
        return subject, LedgerEntry.model_validate(body)
    except (ValueError, InvalidDocument) as error:
        raise InvalidDocument(f"{where} holds no ledger entry: {error}") from error


def _root(record: Record, where: str) -> TrustRoot:
    if not isinstance(record, TrustRoot):
        raise InvalidDocument(f"{where}: the first record is a {record.kind}, not a trust root")
    return record


def _record_of(store: Store, kind: str, digest: Digest, where: str) -> Record:
    key = record_key(kind, digest)
    content = store.get(key)
    if content is None:
        raise InvalidDocument(f"{where} names {key}, which is not in {store.uri}")
    if digest_bytes(content) != digest:
        raise InvalidDocument(f"{key} was changed (its digest is {digest_bytes(content)})")
    record = parse_record(content, where=key)
    if record.kind != kind:
        raise InvalidDocument(f"{key} is a {record.kind}, the ledger says {kind}")
    return record


def write_record(store: Store, record: Record) -> Digest:
    """Write a record; it counts once it is chained."""
    content = canonical_bytes(record)
    digest = digest_bytes(content)
    store.put_new(record_key(record.kind, digest), content)
    return digest


def wait_for(
    reader: LedgerReader, digest: Digest, *, seconds: float, reply: bool = False
) -> Digest:
    """Wait until a record is chained, or until the notary has replied to it.

    Returns:
        The record's own digest, or with `reply` the digest of the first reply to it.

    Raises:
        Refused: the notary refused the record, with the code and message of its refusal.
        NotaryUnreachable: nothing happened in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        state = reader.refresh()
        refusal = state.refused.get(digest)
        if refusal is not None:
            record = state.expect(refusal, Refusal)
            raise Refused(record.code, record.message)
        if reply and digest in state.replies:
            return state.replies[digest]
        if not reply and digest in state.index_of:
            return digest
        if time.monotonic() > deadline:
            raise NotaryUnreachable(
                f"The notary has not answered record {digest} within {seconds:g} s (ledger at "
                f"{state.length} entries in {reader.store.uri}). Is it running? `rsp status` tells."
            )
        time.sleep(0.02)


def wait_until(
    reader: LedgerReader,
    found: Callable[[LedgerState], T | None],
    *,
    seconds: float,
    what: str,
) -> T:
    """What `found` finds in the ledger, once it does.

    Raises:
        NotaryUnreachable: it did not in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        there = found(reader.refresh())
        if there is not None:
            return there
        if time.monotonic() > deadline:
            raise NotaryUnreachable(
                f"Within {seconds:g} s the notary has not written {what} ({reader.store.uri}). Is "
                "it running? `rsp status` tells."
            )
        time.sleep(0.02)


def check_clock(state: LedgerState, now: datetime, *, tolerance_seconds: float = 5.0) -> datetime:
    """The time to use: never before the newest signed one.

    Raises:
        Refused: this machine's clock is behind the ledger by more than the tolerance.
    """
    if state.last_at is not None and now < state.last_at:
        behind = (state.last_at - now).total_seconds()
        if behind > tolerance_seconds:
            raise Refused(
                "clock_regress",
                f"This machine's clock is {behind:.1f} s behind the ledger. Correct it.",
            )
        return state.last_at
    return now
