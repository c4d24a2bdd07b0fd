"""Is an artifact signed by whom it should be? A DSSE in-toto attestation about a file (SLSA).

Any tool may have made the attestation: what counts is that the given key signed it, that it says
what is expected, and that it is about these very bytes.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib import dsse
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from include.adapters.probes.look_parts import NotShown, refuse_unknown_settings
from include.adapters.probes.plain_json import read_json
from include.adapters.probing import Look, Seen
from include.rsp.attestation import PAYLOAD_TYPE

SETTINGS = frozenset({"attestation", "public_key", "predicate_type", "subject"})
STATEMENT_TYPES = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
MOST_BYTES = 10_000_000
MOST_SIGNATURES = 20


def signature(look: Look) -> Seen:
    """Verify the attestation of a file.

    It shows the safeguard only if (1) the key signed the envelope, (2) it holds an in-toto
    statement with the expected predicate type, and (3) the file's SHA-256 is among its subjects.

    Raises:
        InvalidDocument: a setting is missing or unknown.
    """
    refuse_unknown_settings(look, SETTINGS)
    envelope, pem, subject = (
        Path(look.text(name)) for name in ("attestation", "public_key", "subject")
    )
    expected = look.text("predicate_type")
    raw: dict[str, Any] = {"attestation": str(envelope), "subject": str(subject)}
    try:
        key = _key(pem)
        raw["keyid"] = key.keyid
        payload = _signed(_envelope(envelope), key)  # (1)
        digests = _subjects(payload, expected)  # (2)
        with _opened(subject) as file:
            raw["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
        if raw["sha256"] not in digests:  # (3)
            raise NotShown(f"it is about other bytes than {subject} (sha256 {raw['sha256']})")
    except (OSError, NotShown) as error:
        problem = (
            f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        )
        said = f"{subject.name} is not shown to be signed: {problem} (expected {expected!r} by "
        return Seen(
            shows=False,
            statement=f"{said}the key in {pem.name}).",
            raw={**raw, "problem": problem},
        )
    said = f"{subject.name} (sha256 {raw['sha256'][:12]}…) is signed by the key {key.keyid[:12]}…, "
    return Seen(shows=True, statement=f"{said}as {expected!r}.", raw=raw)


def _opened(path: Path) -> Any:
    if not path.is_file():
        raise NotShown(f"{path} is no file")
    return path.open("rb")


def _content(path: Path) -> bytes:
    with _opened(path) as file:
        content: bytes = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise NotShown(f"{path} holds more than {MOST_BYTES} bytes")
    return content


def _key(path: Path) -> SSlibKey:
    try:
        return SSlibKey.from_crypto(load_pem_public_key(_content(path)))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NotShown(f"{path} holds no public key as PEM that this reads") from error


def _envelope(path: Path) -> dict[str, Any]:
    try:
        plain = read_json(_content(path))
        base64.b64decode(plain["payload"], validate=True)
        if not 1 <= len(plain["signatures"]) <= MOST_SIGNATURES:
            raise ValueError(f"{len(plain['signatures'])} signatures")
        for one in plain["signatures"]:
            base64.b64decode(one["sig"], validate=True)
    except (ValueError, KeyError, TypeError) as error:
        raise NotShown(f"{path} is no DSSE envelope: {error!r}"[:300]) from error
    if plain.get("payloadType") != PAYLOAD_TYPE:
        raise NotShown(f"{path} holds a {plain.get('payloadType')!r}, no in-toto statement")
    return dict(plain)


def _signed(plain: dict[str, Any], key: SSlibKey) -> bytes:
    """The payload, if the key signed it; each tool has its own key ids, so they are not asked."""
    for one in plain["signatures"]:
        alone = {**plain, "signatures": [{"keyid": key.keyid, "sig": one["sig"]}]}
        try:
            envelope = dsse.Envelope.from_dict(alone)
            envelope.verify([key], 1)
        except (VerificationError, ValueError, KeyError, TypeError):
            continue
        return bytes(envelope.payload)
    raise NotShown(f"none of its {len(plain['signatures'])} signatures is of the key")


def _subjects(payload: bytes, expected: str) -> set[str]:
    """The SHA-256 digests that the statement is about."""
    try:
        plain = read_json(payload)
        kind, predicate = plain["_type"], plain["predicateType"]
        found = {one["digest"].get("sha256") for one in plain["subject"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotShown(f"what is signed is no in-toto statement: {error!r}"[:300]) from error
    if kind not in STATEMENT_TYPES or predicate != expected:
        raise NotShown(f"the signed statement is a {predicate!r} of {kind!r}")
    return {one for one in found if isinstance(one, str)}
