"""Evidence for safeguards: signing it, writing it, and whether its attachments still read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from include.adapters import signing
from include.adapters.ledger import write_record
from include.adapters.signing import KeyFile
from include.adapters.stamp import code_stamp
from include.adapters.store import Store, get_blob
from include.rsp import records as r
from include.rsp.attestation import Predicate, statement
from include.rsp.canonical import Digest, digest_of, short
from include.rsp.errors import InvalidDocument, Refused
from include.rsp.judgement import Asked, judge_required
from include.rsp.results import BlobRef
from include.rsp.rules import Rules
from include.rsp.safeguard_evidence import Exemption, SafeguardEvidence
from include.rsp.safeguards import StandardJudgement
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


def judge_intact(
    store: Store, state: LedgerState, rules: Rules, asked: Asked
) -> tuple[list[StandardJudgement], bool, dict[Digest, str]]:
    """(judgements, whether all hold, broken evidence by record) of what a verdict requires.

    Only the attachments of evidence that decides a row are read; where one does not have its
    digest, that evidence does not count, and what is left decides.
    """
    broken = dict(asked.broken)
    while True:
        judged, holds = judge_required(state, rules, replace(asked, broken=broken))
        deciding = {row.evidence for one in judged for row in one.criteria if row.evidence}
        more = {
            digest: why
            for digest in deciding - broken.keys()
            if (why := why_broken(store, state.evidence[digest])) is not None
            and state.evidence[digest].shows
        }
        if not more:
            return judged, holds, broken
        broken |= more


def check_intact(store: Store, state: LedgerState, request: r.PermitRequest, rules: Rules) -> None:
    """Refuse a permit on evidence whose attachments do not read any more.

    Raises:
        Refused: `safeguards_stale`, with what is gone.
    """
    report = state.report_of(request.packet.record) if request.packet else None
    if report is None or report.judgement is None or request.packet is None:
        return
    signed = state.expect(report.judgement.record, r.SafeguardsJudgement)
    asked = Asked(
        verdict=request.verdict.record,
        ledger_index=state.length,
        at=state.last_at or request.at,
        interim=signed.interim.record if signed.interim else None,
        broken=signed.broken,
        packet=request.packet.record,
    )
    lost = judge_intact(store, state, rules, asked)[2].keys() - signed.broken.keys()
    if lost:
        named = ", ".join(sorted(short(one) for one in lost))
        raise Refused(
            "safeguards_stale",
            f"Since they were judged the attachments of the evidence {named} were lost or changed. "
            "Restore them, or add evidence anew and have it judged.",
        )


def why_broken(store: Store, piece: SafeguardEvidence) -> str | None:
    """Why a piece of evidence cannot be read as it was added; None: it can."""
    lost = [one.name for one in piece.attachments if not _reads(store, one)]
    if not lost:
        return None
    return (
        f"the attachment {', '.join(lost)} is gone or does not have the digest that its evidence "
        "names"
    )


def _reads(store: Store, attachment: BlobRef) -> bool:
    try:
        return len(get_blob(store, attachment.blob)) == attachment.bytes
    except InvalidDocument:
        return False
