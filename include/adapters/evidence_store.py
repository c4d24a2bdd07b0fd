"""Evidence for safeguards: signing it, writing it, and whether its attachments still read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from include.adapters import signing
from include.adapters.ledger import write_record
from include.adapters.signing import KeyFile
from include.adapters.stamp import code_stamp
from include.adapters.store import Store, get_blob
from include.rsp import records as r
from include.rsp.attestation import Predicate, statement
from include.rsp.canonical import Digest, digest_of
from include.rsp.errors import InvalidDocument
from include.rsp.results import BlobRef
from include.rsp.safeguard_evidence import Exemption, SafeguardEvidence
from include.rsp.state import LedgerState
from include.rsp.vocabulary import KeyRole

SIGNERS = (KeyRole.OFFICER, KeyRole.EVALUATOR)
"""Whose keys may stand behind evidence: officers, and testers from outside."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A key of the trust root, and who holds it."""

    key: KeyFile
    entry: r.KeyEntry


def keys_of(trust: r.TrustRoot | None) -> list[r.KeyEntry]:
    """The keys that may sign evidence."""
    return [one for role in SIGNERS for one in signing.keys_for(trust, role)]


def signer_of(trust: r.TrustRoot | None, key: KeyFile) -> Signer:
    """Who signs with a key.

    Raises:
        InvalidDocument: the trust root knows the key as nobody's who may sign evidence.
    """
    known = {one.keyid: one for one in keys_of(trust)}
    if key.keyid not in known:
        raise InvalidDocument(
            f"The key {key.keyid[:12]} may not sign evidence (expected one of "
            f"{sorted(one.holder for one in known.values())}). Have it put into the trust root."
        )
    return Signer(key, known[key.keyid])


def evidence_statement(piece: SafeguardEvidence) -> bytes:
    """What a collector signs."""
    return statement(Predicate.SAFEGUARD_EVIDENCE, digest_of(piece), piece)


def exemption_statement(exemption: Exemption) -> bytes:
    """What both people sign who say that a requirement does not apply."""
    return statement(Predicate.EXEMPTION, digest_of(exemption), exemption)


def add_evidence(
    store: Store, piece: SafeguardEvidence, *, by: str, at: datetime, signer: Signer | None = None
) -> Digest:
    """Write a piece of evidence; it counts once the notary has chained it."""
    envelope = signer.key.sign(evidence_statement(piece)) if signer else None
    return write_record(
        store,
        r.Evidence(at=at, by=by, stamp=code_stamp(), evidence=piece, envelope=envelope),
    )


def broken_evidence(store: Store, state: LedgerState) -> dict[Digest, str]:
    """By record digest, why a piece of evidence cannot be read as it was added."""
    found = {}
    for digest, piece in state.evidence.items():
        lost = [one.name for one in piece.attachments if not _reads(store, one)]
        if lost:
            found[digest] = (
                f"the attachment {', '.join(lost)} is gone or does not have the digest that its "
                "evidence names"
            )
    return found


def _reads(store: Store, attachment: BlobRef) -> bool:
    try:
        return len(get_blob(store, attachment.blob)) == attachment.bytes
    except InvalidDocument:
        return False


def newest_of(state: LedgerState, wanted: Sequence[str]) -> list[Digest]:
    """Evidence for requirements of those names, the newest first."""
    found = [one for one, piece in state.evidence.items() if piece.criterion in wanted]
    return found[::-1]
