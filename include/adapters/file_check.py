"""Every file of a copied store is what its name says, and none lies there that belongs nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import ValidationError

from include.adapters import signing
from include.adapters.heartbeats import read_heartbeat
from include.adapters.ledger import LEDGER, RECORDS, entry_key
from include.adapters.rederivation import RuleBook
from include.adapters.store import Store
from include.rsp import records as r
from include.rsp.attestation import Lease, Predicate
from include.rsp.canonical import Digest, canonical_bytes, digest_bytes
from include.rsp.errors import InvalidDocument, RedlineError
from include.rsp.judgement import judgement_behind
from include.rsp.orders import deployment_summary, order_of
from include.rsp.safeguards_answers import is_approved
from include.rsp.safeguards_attestation import safeguards_summary
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
    rulebook: RuleBook
    problems: list[Problem] = field(default_factory=list)
    entries: list[Digest] = field(default_factory=list)
    unchained: list[str] = field(default_factory=list)
    files: int = 0

    def add(self, where: str, what: str) -> None:
        """One more problem."""
        self.problems.append(Problem(where, what))


def check_files(store: Store, report: Report) -> None:
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


def is_number(text: str) -> bool:
    """Whether it is a plain number; `isdigit` alone takes ² for one, which `int` refuses."""
    return text.isascii() and text.isdigit()


def _check_named(content: bytes, key: str, hexdigits: str) -> None:
    found = digest_bytes(content)
    if found != f"sha256:{hexdigits}":
        raise InvalidDocument(f"{key} was changed: its digest is {found}")


def _check_entry_name(report: Report, key: str) -> None:
    number = key.removeprefix(f"{LEDGER}/").removesuffix(".json")
    if not is_number(number) or int(number) >= report.state.length or key != entry_key(int(number)):
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
    elif box == "heartbeats":
        read_heartbeat(report.state, key.split("/")[1], envelope)
    elif box == "attestations":
        _check_attestation(report, key, envelope)
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
    kind = key.rsplit("-", 1)[-1].removesuffix(".json")
    number = key.rsplit("/", 1)[-1].split("-", maxsplit=1)[0]
    record = _at(report, int(number)) if is_number(number) else None
    if not isinstance(record, r.Permit | r.Hold | r.Revocation) or record.kind != kind:
        raise InvalidDocument(
            f"{key} names entry {number}, which is not in the ledger as a {kind}: its tail was "
            "rolled back"
        )
    digest = digest_bytes(canonical_bytes(record))
    expected = order_of(report.state, record, digest, int(number))
    keys = signing.keys_for(report.state.trust, expected.role)
    _, subject, body = signing.verify(envelope, keys, expected.predicate)
    if (subject, body) != (digest, expected.body):
        raise InvalidDocument(f"{key} differs from the record that it carries out")


def _check_attestation(report: Report, key: str, envelope: r.Envelope) -> None:
    number = key.rsplit("/", 1)[-1].split("-", maxsplit=1)[0]
    permit = _at(report, int(number)) if is_number(number) else None
    if isinstance(permit, r.SafeguardsJudgement):
        _check_safeguards(report, key, envelope, permit)
        return
    if not isinstance(permit, r.Permit):
        raise InvalidDocument(f"{key} names entry {number}, which is no permit of the ledger")
    keys = signing.keys_for(report.state.trust, KeyRole.PERMIT)
    said = deployment_summary(report.state, permit, digest_bytes(canonical_bytes(permit)))
    if signing.payload_of(envelope, keys) != said:
        raise InvalidDocument(f"{key} differs from the permit that it attests")


def _check_safeguards(
    report: Report, key: str, envelope: r.Envelope, judged: r.SafeguardsJudgement
) -> None:
    """It says what follows from the judgement, which people approved or let something go on by."""
    state, digest = report.state, digest_bytes(canonical_bytes(judged))
    verdict = state.expect(judged.verdict.record, r.Verdict)
    rules = report.rulebook.of_assessment(state, verdict.assessment_id)
    approved = any(
        is_approved(state, rules.policy, one)
        for one, each in state.records.items()
        if isinstance(each, r.SafeguardsReport) and each.judgement.record == digest
    )
    permitted = any(
        judgement_behind(state, one) == digest
        for one in state.records.values()
        if isinstance(one, r.Permit)
    )
    if not (approved or permitted):
        raise InvalidDocument(f"{key} attests safeguards that nobody approved")
    keys = signing.keys_for(state.trust, KeyRole.PERMIT)
    if signing.payload_of(envelope, keys) != safeguards_summary(state, rules, digest):
        raise InvalidDocument(f"{key} differs from the judgement that it attests")


def _at(report: Report, index: int) -> r.Record | None:
    """The record at an index of the ledger."""
    digests = list(report.state.index_of)
    return report.state.records[digests[index]] if index < len(digests) else None


def _check_anchor(report: Report, index: int, head: Digest) -> None:
    if index >= len(report.entries) or report.entries[index] != head:
        raise InvalidDocument(
            f"the head {head} at entry {index} is not in the ledger: its tail was rolled back"
        )
