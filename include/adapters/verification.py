"""Checking a whole store offline: what an outsider with a copy of it can establish (DESIGN I3).

Everything that was decided is derived again, with the functions that decided it, from the stored
evidence; nothing is believed but the trust root. Not found without an anchor: a roll-back of the
ledger's tail together with every order and lease that names it (give `expect_head`).
"""

from __future__ import annotations

from functools import partial

from include.adapters import signing
from include.adapters.file_check import Report, check_files
from include.adapters.gatekeeper import Gatekeeper
from include.adapters.ledger import LEDGER, Link, entry_key, read_link, record_key
from include.adapters.rederivation import RuleBook
from include.adapters.store import KeepsVersions, Store
from include.rsp import records as r
from include.rsp.attestation import Predicate
from include.rsp.authority import answer_request, genesis_permit
from include.rsp.canonical import Digest
from include.rsp.deviations import deviations_due
from include.rsp.errors import DomainError, InvalidDocument, RedlineError
from include.rsp.oversight import escalations_due, holds_due
from include.rsp.rules import Rules
from include.rsp.state import LedgerState
from include.rsp.vocabulary import KeyRole


def verify_store(
    store: Store, *, expect_head: Digest | None = None, trust_root: r.TrustRoot | None = None
) -> Report:
    """Check chain, signatures, inputs and every decision of a store.

    Args:
        expect_head: a head that somebody noted earlier; the ledger must contain it.
        trust_root: the root that the reader believes; without it the store's own is believed.
    """
    report = Report(LedgerState(), RuleBook(store))
    _replay(store, report)
    if expect_head is not None and expect_head not in report.entries:
        report.add(LEDGER, f"the expected head {expect_head} is not in the ledger")
    if trust_root is not None and report.state.trust != trust_root:
        report.add(LEDGER, "the ledger believes another trust root than the one given")
    if not report.entries:
        report.add(LEDGER, f"no ledger entry could be read from {store.uri}")
    check_files(store, report)
    if isinstance(store, KeepsVersions):
        for one in store.rewritten():
            report.add(one.key, f"it was deleted or written again: {one.what}")
    return report


def _replay(store: Store, report: Report) -> None:
    rulebook = report.rulebook
    gatekeeper = Gatekeeper(store, rulebook, live=False)
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
        case r.Permit() | r.Hold() | r.Deviation() | r.Escalation():
            if rules is None:
                raise InvalidDocument(f"a {record.kind} without a policy in force")
            _check_own(rulebook, state, rules, record)
        case r.Refusal():
            pass  # a refusal grants nothing
        case _:
            gatekeeper.check(state, link.record_digest, record, now=link.entry.at)


def _check_own(
    rulebook: RuleBook,
    state: LedgerState,
    rules: Rules,
    record: r.Permit | r.Hold | r.Deviation | r.Escalation,
) -> None:
    """What the notary wrote by itself follows from the state before."""
    at, stamp, policy = record.at, record.stamp, rules.policy
    match record:
        case r.Permit():
            asked = record.reply_to.record
            give = genesis_permit if record.checkpoint is None else answer_request
            follows = give(state, asked, rules, stamp=stamp, at=at) == record
        case r.Hold():
            behind = partial(rulebook.of_verdict, state)
            follows = record in holds_due(state, rules, behind, stamp=stamp, at=at)
        case r.Deviation():
            follows = record in deviations_due(state, stamp=stamp, at=at)
        case r.Escalation():
            follows = record in escalations_due(state, policy, stamp=stamp, at=at)
    if not follows:
        raise InvalidDocument(f"the {record.kind} does not follow from the records before it")


def _check_signed(
    state: LedgerState, record: r.TrustRoot | r.TrainingRun | r.Acknowledgement
) -> None:
    if isinstance(record, r.TrustRoot):
        for entry in record.keys:
            signing.public_key(entry)
        return
    keys = signing.keys_for(state.trust, KeyRole.TRAINER)
    keys += signing.keys_for(state.trust, KeyRole.DEPLOYER)
    announces = isinstance(record, r.TrainingRun)
    predicate = Predicate.TRAINING_RUN if announces else Predicate.ACKNOWLEDGEMENT
    _, subject, body = signing.verify(record.envelope, keys, predicate)
    plain = record.model_dump(mode="json")
    if any(plain.get(name) != value for name, value in body.items() if name != "at"):
        raise InvalidDocument("the record differs from what the trainer signed")
    if isinstance(record, r.Acknowledgement) and subject != record.hold.record:
        raise InvalidDocument("the trainer acknowledged another hold")
