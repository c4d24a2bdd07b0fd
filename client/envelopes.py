"""Reading and writing the signed messages between a trainer and the notary (DSSE, in-toto)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import FormatError, VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class NotSigned(Exception):  # noqa: N818 - what is wrong with it
    """The message is not signed by a key that may sign it, or does not read."""


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """The notary's public keys, from the trust root that the trainer was given."""

    permit: list[SSlibKey]
    hold: list[SSlibKey]

    @classmethod
    def read(cls, path: Path) -> TrustedKeys:
        """The keys in a `trust_root.json`."""
        root = json.loads(path.read_bytes())
        by_role: dict[str, list[SSlibKey]] = {"permit": [], "hold": []}
        for entry in root["keys"]:
            if entry["role"] in by_role:
                key = SSlibKey.from_crypto(load_pem_public_key(entry["public"].encode()))
                by_role[entry["role"]].append(key)
        return cls(permit=by_role["permit"], hold=by_role["hold"])


def opened(content: bytes, keys: list[SSlibKey], predicate: str) -> tuple[str, dict[str, Any]]:
    """(subject's digest, predicate) of a signed message.

    Raises:
        NotSigned: no given key signed it, it says something else, or it does not read.
    """
    try:
        envelope = Envelope.from_dict(json.loads(content))
        envelope.verify(keys, 1)
        if envelope.payload_type != PAYLOAD_TYPE:
            raise NotSigned(f"a {envelope.payload_type!r} (expected {PAYLOAD_TYPE!r})")
        statement = json.loads(envelope.payload)
        if (statement["_type"], statement["predicateType"]) != (STATEMENT_TYPE, predicate):
            raise NotSigned(f"a {statement['predicateType']!r} (expected {predicate!r})")
        (subject,) = statement["subject"]
        return "sha256:" + subject["digest"]["sha256"], statement["predicate"]
    except (*_UNREADABLE, VerificationError, FormatError) as error:
        raise NotSigned(f"not a message signed by the notary: {error!r}") from error


class Sealer:
    """Signs the trainer's own messages."""

    def __init__(self, key: Path) -> None:
        self._signer = CryptoSigner(load_pem_private_key(key.read_bytes(), password=None))
        self.public: SSlibKey = self._signer.public_key

    def seal(self, predicate: str, subject: str, body: Mapping[str, Any]) -> bytes:
        """The bytes of a signed message."""
        statement = {
            "_type": STATEMENT_TYPE,
            "subject": [
                {"name": "subject", "digest": {"sha256": subject.rsplit(":", maxsplit=1)[-1]}}
            ],
            "predicateType": predicate,
            "predicate": dict(body),
        }
        payload = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
        envelope = Envelope(payload, PAYLOAD_TYPE, {})
        envelope.sign(self._signer)
        return json.dumps(envelope.to_dict(), sort_keys=True, separators=(",", ":")).encode()
