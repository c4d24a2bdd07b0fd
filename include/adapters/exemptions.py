"""Saying that a requirement does not apply: claimed by one person, accepted by another."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from include.adapters.evidence_store import exemption_statement, signer_of
from include.adapters.ledger import write_record
from include.adapters.policy_files import bytes_of, explain
from include.adapters.signing import KeyFile
from include.adapters.stamp import code_stamp
from include.adapters.store import Store
from include.rsp import records as r
from include.rsp.canonical import Digest, Document, canonical_bytes
from include.rsp.errors import InvalidDocument
from include.rsp.safeguard_evidence import Exemption
from include.rsp.state import LedgerState


class Claim(Document):
    """What the first person hands to the second."""

    exemption: Exemption
    claimed: r.Envelope


def claim(
    state: LedgerState,
    path: Path,
    key: KeyFile,
    *,
    standard: str,
    criterion: str,
    surface: str,
    because: str,
    at: datetime,
    until: datetime,
) -> None:
    """Write the claim, signed, for somebody else to accept.

    Raises:
        InvalidDocument: the trust root does not know the key.
    """
    signer = signer_of(state.trust, key)
    exemption = Exemption(
        standard=standard,
        criterion=criterion,
        surface=surface,
        because=because,
        claimed_at=at,
        until=until,
    )
    said = Claim(exemption=exemption, claimed=signer.key.sign(exemption_statement(exemption)))
    path.write_bytes(canonical_bytes(said))


def accept(store: Store, state: LedgerState, path: Path, key: KeyFile, *, at: datetime) -> Digest:
    """Write the exemption that somebody claimed, with a second signature.

    Raises:
        InvalidDocument: the file is no claim, or the trust root does not know the key.
    """
    signer = signer_of(state.trust, key)
    try:
        said = Claim.model_validate_json(bytes_of(path))
    except ValidationError as error:
        raise InvalidDocument(f"{path} is no claim: {explain(error)}. Claim it anew.") from error
    return write_record(
        store,
        r.Exempted(
            at=at,
            by=signer.entry.holder,
            stamp=code_stamp(),
            exemption=said.exemption,
            claimed=said.claimed,
            accepted=signer.key.sign(exemption_statement(said.exemption)),
        ),
    )
