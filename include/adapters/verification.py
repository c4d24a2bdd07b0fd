"""Checking a whole store offline: what an outsider with a copy of it can establish (DESIGN I3).

Everything that was decided is derived again, with the functions that decided it, from the stored
evidence; nothing is believed but the trust root. Not found without an anchor: a roll-back of the
ledger's tail together with every order and lease that names it (give `expect_head`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import ValidationError

from include.adapters import signing
from include.adapters.gatekeeper import Gatekeeper
from include.adapters.ledger import LEDGER, RECORDS, Link, entry_key, read_link, record_key
from include.adapters.rederivation import RuleBook
from include.adapters.store import Store
from include.rsp import records as r
from include.rsp.attestation import Lease, Predicate
from include.rsp.authority import answer_request, genesis_permit
from include.rsp.canonical import Digest, canonical_bytes, digest_bytes
from include.rsp.errors import DomainError, InvalidDocument, RedlineError
from include.rsp.oversight import deviations_due, holds_due
from include.rsp.state import LedgerState
from include.rsp.vocabulary import KeyRole

FOLDERS = (LEDGER, RECORDS, "blobs", "runs")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it should be."""

    where: str
    what: str


@dataclass(slots=True)
class Report:
    """What the check of a store found; sound only without problems."""

    state: LedgerState
    problems: list[Problem] = field(default_factory=list)
    entries: list[Digest] = field(default_factory=list)
    unchained: list[str] = field(default_factory=list)
    files: int = 0

    def add(self, where: str, what: str) -> None:
        """One more problem."""
        self.problems.append(Problem(where, what))


def verify_store(
    store: Store, *, expect_head: Digest | None = None, trust_root: r.TrustRoot | None = None
) -> Report:
    """Check chain, signatures, inputs and every decision of a store.

    Args:
        expect_head: a head that somebody noted earlier; the ledger must contain it.
        trust_root: the root that the reader believes; without it the store's own is believed.
    """
    report = Report(LedgerState())
    _replay(store, report)
    if expect_head is not None and expect_head not in report.entries:
        report.add(LEDGER, f"the expected head {expect_head} is not in the ledger")
    if trust_root is not None and report.state.trust != trust_root:
        report.add(LEDGER, "the ledger believes another trust root than the one given")
    if not report.entries:
        report.add(LEDGER, f"no ledger entry could be read from {store.uri}")
    _check_files(store, report)
    return report


def _replay(store: Store, report: Report) -> None:
    rulebook = RuleBook(store)
    gatekeeper = Gatekeeper(store, rulebook)
    while True:
        where = entry_key(report.state.length)
        try:
            content = store.get(where)
            if content is None:
                return
            link = read_link(store, content, report.state)
        except RedlineError as error:
            report.add(where, f"{error}; nothing after it was replayed")
            return
        try:
            _check_link(gatekeeper, rulebook, report.state, link)
        except DomainError as error:
            key = record_key(link.record.kind, link.record_digest)
            report.add(key, f"it was chained, but does not hold: {error}")
        report.state.apply(
            link.record_digest, link.record, entry=link.entry_digest, at=link.entry.at
        )
        report.entries.append(link.entry_digest)


def _check_link(gatekeeper: Gatekeeper, rulebook: RuleBook, state: LedgerState, link: Link) -> None:
    """Would the notary do the same again? Its own records are derived from the state before."""
    record = link.record
    rules = rulebook.in_force(state)
    match record:
        case r.TrustRoot() | r.TrainingRun() | r.Acknowledgement():
            _check_signed(state, record)
        case r.Permit():
            if rules is None:
                raise InvalidDocument("a permit without a policy in force")
            asked = record.reply_to.record
            give = genesis_permit if record.checkpoint is None else answer_request
            if give(state, asked, rules, stamp=record.stamp, at=record.at) != record:
                raise InvalidDocument("the permit is not the one that its request gets")
        case r.Hold():
            law = rules.policy if rules else None
            due = holds_due(state, law, stamp=record.stamp, at=record.at) if law else []
            if record not in due:
                raise InvalidDocument("the hold does not follow from a verdict or standing rule")
        case r.Deviation():
            if record not in deviations_due(state, stamp=record.stamp, at=record.at):
                raise InvalidDocument("the deviation does not follow from the records")
        case r.Refusal():
            pass  # a refusal grants nothing
        case _:
            gatekeeper.check(state, link.record_digest, record, now=link.entry.at)


def _check_signed(
    state: LedgerState, record: r.TrustRoot | r.TrainingRun | r.Acknowledgement
) -> None:
    if isinstance(record, r.TrustRoot):
        for entry in record.keys:
            signing.public_key(entry)
        return
    keys = signing.keys_for(state.trust, KeyRole.TRAINER)
    announces = isinstance(record, r.TrainingRun)
    predicate = Predicate.TRAINING_RUN if announces else Predicate.ACKNOWLEDGEMENT
    _, subject, body = signing.verify(record.envelope, keys, predicate)
    plain = record.model_dump(mode="json")
    if any(plain.get(name) != value for name, value in body.items() if name != "at"):
        raise InvalidDocument("the record differs from what the trainer signed")
    if isinstance(record, r.Acknowledgement) and subject != record.hold.record:
        raise InvalidDocument("the trainer acknowledged another hold")


def _check_files(store: Store, report: Report) -> None:
    """Every file of the store is what its name says, chained or not."""
    for key in store.list(""):
        report.files += 1
        folder = key.split("/", 1)[0]
        try:
            content = store.get(key) or b""
            if folder == LEDGER:
                _check_entry_name(report, key)
            elif folder == RECORDS:
                _check_named(content, key, key.rsplit("/", 1)[-1].removesuffix(".json"))
                _note_unchained(report, key)
            elif folder == "blobs":
                _check_named(content, key, key.rsplit("/", 1)[-1])
            elif folder == "runs":
                _check_message(report, key, content)
            else:
                report.add(key, f"no part of a store (expected one of {FOLDERS})")
        except RedlineError as error:
            report.add(key, str(error))


def _check_named(content: bytes, key: str, hexdigits: str) -> None:
    found = digest_bytes(content)
    if found != f"sha256:{hexdigits}":
        raise InvalidDocument(f"{key} was changed: its digest is {found}")


def _check_entry_name(report: Report, key: str) -> None:
    number = key.removeprefix(f"{LEDGER}/").removesuffix(".json")
    if not number.isdigit() or int(number) >= report.state.length or key != entry_key(int(number)):
        report.add(key, f"no part of the chain, which has {report.state.length} readable entries")


def _note_unchained(report: Report, key: str) -> None:
    digest = "sha256:" + key.rsplit("/", 1)[-1].removesuffix(".json")
    if digest not in report.state.index_of:
        report.unchained.append(key)


def _check_message(report: Report, key: str, content: bytes) -> None:
    box = key.split("/")[2] if key.count("/") == 3 else ""
    if box == "outbox":
        _check_named(content, key, key.rsplit("/", 1)[-1].removesuffix(".json"))
        return
    try:
        envelope = r.Envelope.model_validate_json(content)
    except ValidationError as error:
        raise InvalidDocument(f"{key} is not a DSSE envelope") from error
    if canonical_bytes(envelope) != content:
        raise InvalidDocument(f"{key} is not in canonical form; it was edited")
    if box == "leases":
        _check_lease(report, key, envelope)
    elif box == "orders":
        _check_order(report, key, envelope)
    else:
        report.add(key, "no part of a run's mailbox")


def _check_lease(report: Report, key: str, envelope: r.Envelope) -> None:
    keys = signing.keys_for(report.state.trust, KeyRole.PERMIT)
    subject, body = signing.verify(envelope, keys, Predicate.LEASE)[1:]
    try:
        lease = Lease.model_validate(body)
    except ValidationError as error:
        raise InvalidDocument(f"{key} holds no lease") from error
    _check_anchor(report, lease.ledger_index, lease.ledger_head)
    if subject != lease.permit or subject not in report.state.index_of:
        raise InvalidDocument(f"{key} is beside a permit that is not in the ledger")


def _check_order(report: Report, key: str, envelope: r.Envelope) -> None:
    holds = key.endswith("-hold.json")
    role, predicate = (
        (KeyRole.HOLD, Predicate.HOLD) if holds else (KeyRole.PERMIT, Predicate.PERMIT)
    )
    keys = signing.keys_for(report.state.trust, role)
    _, subject, body = signing.verify(envelope, keys, predicate)
    index = body.get("ledger_index")
    if report.state.index_of.get(subject) != index:
        raise InvalidDocument(
            f"{key} names entry {index}, which is not in the ledger: its tail was rolled back"
        )
    if body.get("record") != report.state.records[subject].model_dump(mode="json"):
        raise InvalidDocument(f"{key} differs from the record that it carries out")


def _check_anchor(report: Report, index: int, head: Digest) -> None:
    if index >= len(report.entries) or report.entries[index] != head:
        raise InvalidDocument(
            f"the head {head} at entry {index} is not in the ledger: its tail was rolled back"
        )
