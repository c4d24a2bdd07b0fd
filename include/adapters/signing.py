"""Keys and signatures: DSSE envelopes with Ed25519 through securesystemslib (DESIGN §8)."""

from __future__ import annotations

import base64
import copy
import functools
import os
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib import dsse
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from include.rsp.attestation import PAYLOAD_TYPE, Predicate, read_statement
from include.rsp.canonical import Digest
from include.rsp.errors import InvalidDocument, Refused
from include.rsp.records import Envelope, KeyEntry, TrustRoot
from include.rsp.vocabulary import KeyRole


class KeyFile:
    """A private key in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        try:
            private = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError) as error:
            raise InvalidDocument(
                f"No private key can be read from {path}: {error}. Check the path."
            ) from error
        self.signer = CryptoSigner(private)
        self.public = private.public_key()

    @classmethod
    def create(cls, path: Path) -> KeyFile:
        """A new Ed25519 key; an existing one is kept."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            pem = CryptoSigner.generate_ed25519().private_bytes
            with os.fdopen(
                os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
            ) as file:
                file.write(pem)
        return cls(path)

    @property
    def keyid(self) -> str:
        """The key's id: a digest of the public key."""
        return str(self.signer.public_key.keyid)

    @property
    def pem(self) -> str:
        """The public key."""
        return self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def entry(
        self, role: KeyRole, holder: str, *, office: str | None = None, simulated: bool = False
    ) -> KeyEntry:
        """This key as a line of the trust root."""
        return KeyEntry(
            keyid=self.keyid,
            role=role,
            holder=holder,
            office=office,
            public=self.pem,
            simulated=simulated,
        )

    def sign(self, payload: bytes) -> Envelope:
        """A DSSE envelope around the bytes of an in-toto statement."""
        envelope = dsse.Envelope(payload, PAYLOAD_TYPE, {})
        envelope.sign(self.signer)
        return Envelope.model_validate(envelope.to_dict())


def verify(
    envelope: Envelope, keys: Iterable[KeyEntry], predicate: Predicate
) -> tuple[KeyEntry, Digest, dict[str, object]]:
    """(key, subject's digest, predicate) of an envelope signed by one of the keys.

    Raises:
        Refused: no key of these signed it (`bad_signature`).
        InvalidDocument: the envelope or its statement does not read.
    """
    entry, payload = _signed_by(envelope, keys)
    subject, said = read_statement(payload, predicate)
    return entry, subject, said


def payload_of(envelope: Envelope, keys: Iterable[KeyEntry]) -> bytes:
    """The signed bytes, whatever they say; raises as `verify` does."""
    return _signed_by(envelope, keys)[1]


def _signed_by(envelope: Envelope, keys: Iterable[KeyEntry]) -> tuple[KeyEntry, bytes]:
    plain = envelope.model_dump()
    if len(envelope.signatures) != 1:
        raise Refused("bad_signature", f"{len(envelope.signatures)} signatures (expected one)")
    for text in (envelope.payload, envelope.signatures[0].get("sig", "")):
        _refuse_slack(text)
    by_id = {entry.keyid: entry for entry in keys}
    keyid = envelope.signatures[0].get("keyid", "")
    if keyid not in by_id:
        raise Refused(
            "bad_signature",
            f"Signed by the key {keyid or '(none)'}, which may not sign this (expected one of "
            f"{sorted((one.holder, one.keyid[:12]) for one in by_id.values())}).",
        )
    entry = by_id[keyid]
    try:
        signed = dsse.Envelope.from_dict(copy.deepcopy(plain))
        signed.verify([public_key(entry)], 1)
    except VerificationError as error:
        raise Refused("bad_signature", f"The signature of {entry.holder} does not fit.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidDocument(f"Not a DSSE envelope: {error!r}") from error
    if envelope.payloadType != PAYLOAD_TYPE:
        raise InvalidDocument(f"Payload type {envelope.payloadType!r} (expected {PAYLOAD_TYPE!r})")
    return entry, bytes(signed.payload)


def public_entry(pem: str, role: KeyRole, holder: str) -> KeyEntry:
    """Somebody else's public key as a line of the trust root.

    Raises:
        InvalidDocument: it is no public key that this reads, or the holder's name is none.
    """
    try:
        key = SSlibKey.from_crypto(load_pem_public_key(pem.encode()))
        return KeyEntry(
            keyid=key.keyid, role=role, holder=holder, office=None, public=pem, simulated=False
        )
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidDocument(
            f"The public key of {holder!r} does not read: {str(error)[:200]} (expected PEM, as "
            "`rsp results key` prints it)."
        ) from error


@functools.lru_cache(maxsize=256)
def public_key(entry: KeyEntry) -> SSlibKey:
    """The entry's key; its id must be the one that follows from the key itself."""
    key = SSlibKey.from_crypto(load_pem_public_key(entry.public.encode()))
    if key.keyid != entry.keyid:
        raise InvalidDocument(f"Key id {entry.keyid} of {entry.holder} does not fit its key.")
    return key


def keys_for(trust: TrustRoot | None, role: KeyRole) -> list[KeyEntry]:
    """The keys of the trust root that have a role."""
    return [] if trust is None else [entry for entry in trust.keys if entry.role is role]


def _refuse_slack(text: str) -> None:
    """Base64 that could be written otherwise would let a byte change unnoticed."""
    try:
        same = base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except ValueError:
        same = False
    if not same:
        raise InvalidDocument("An envelope holds text that is not canonical base64.")
