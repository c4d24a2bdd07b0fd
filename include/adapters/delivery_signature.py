"""The signature of a producer under what they state of the results that they deliver.

A detached DSSE envelope over the digest of the statement's bytes, by a key of the trust root with
the role `evaluator`. The statement names every file by digest, so the signature covers them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from include.adapters import signing
from include.adapters.policy_files import explain
from include.adapters.signing import KeyFile
from include.rsp.attestation import Predicate, statement
from include.rsp.canonical import digest_bytes, short
from include.rsp.delivered import STATEMENT, DeliveredResults, Signing
from include.rsp.errors import InvalidDocument, Refused
from include.rsp.records import Envelope, KeyEntry, TrustRoot
from include.rsp.vocabulary import KeyRole


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """What somebody states of results, with whose signature."""

    content: bytes
    stated: DeliveredResults
    envelope: Envelope
    key: KeyEntry
    signed_at: datetime


def read_stated(content: bytes, *, where: str = STATEMENT) -> DeliveredResults:
    """The statement in these bytes.

    Raises:
        InvalidDocument: it does not read; names every wrong field.
    """
    try:
        return DeliveredResults.model_validate_json(content)
    except ValidationError as error:
        raise InvalidDocument(
            f"{where} is no statement of delivered results: {explain(error)}. Correct it and sign "
            "anew."
        ) from error


def sign_statement(key: KeyFile, content: bytes, *, at: datetime) -> Envelope:
    """A producer's signature under the bytes of a statement."""
    body = Signing(signed_at=at)
    return key.sign(statement(Predicate.DELIVERED_RESULTS, digest_bytes(content), body))


def verify_statement(
    content: bytes, envelope: Envelope, trust: TrustRoot | None
) -> SignedStatement:
    """The statement, if a key of the trust root with the role `evaluator` signed just these bytes.

    Raises:
        Refused: no such key did (`bad_signature`), or it signed another statement
            (`other_statement`).
        InvalidDocument: statement or envelope does not read.
    """
    keys = signing.keys_for(trust, KeyRole.EVALUATOR)
    key, subject, body = signing.verify(envelope, keys, Predicate.DELIVERED_RESULTS)
    if subject != digest_bytes(content):
        raise Refused(
            "other_statement",
            f"{key.holder} signed the statement {short(subject)} (this one is "
            f"{short(digest_bytes(content))}). Sign what is delivered: `rsp results sign`.",
        )
    try:
        signed_at = Signing.model_validate(body).signed_at
    except ValidationError as error:
        raise InvalidDocument(f"The signature does not read: {explain(error)}.") from error
    return SignedStatement(content, read_stated(content), envelope, key, signed_at)


def read_envelope(content: bytes, *, where: str) -> Envelope:
    """The envelope in a file.

    Raises:
        InvalidDocument: it is none.
    """
    try:
        return Envelope.model_validate_json(content)
    except ValidationError as error:
        raise InvalidDocument(
            f"{where} is no signature: {explain(error)}. Sign with `rsp results sign`."
        ) from error
