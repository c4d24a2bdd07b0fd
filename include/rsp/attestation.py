"""The in-toto statements that get signed (in-toto Attestation Framework v1, Statement layer).

Everything Redline signs is a DSSE envelope around one of these, so that standard tools read it.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

from include.rsp.canonical import Digest, Document, Moment, canonical_bytes
from include.rsp.errors import InvalidDocument

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


class Predicate(StrEnum):
    """What a signed statement says of its subject."""

    LEDGER_ENTRY = "urn:redline:ledger-entry:1"
    PERMIT = "urn:redline:permit:1"
    LEASE = "urn:redline:lease:1"
    HOLD = "urn:redline:hold:1"
    ADOPTION = "urn:redline:adoption:1"
    DETERMINATION = "urn:redline:determination:1"
    APPROVAL = "urn:redline:policy-approval:1"
    OPINION = "urn:redline:opinion:1"
    RECEIPT = "urn:redline:receipt:1"
    DELETION_ANSWER = "urn:redline:deletion-answer:1"
    TRANSCRIPT_REVIEW = "urn:redline:transcript-review:1"
    REVOCATION = "urn:redline:revocation:1"
    DELIVERED_RESULTS = "urn:redline:delivered-results:1"
    SAFEGUARD_EVIDENCE = "urn:redline:safeguard-evidence:1"
    EXEMPTION = "urn:redline:exemption:1"
    SAFEGUARDS_APPROVAL = "urn:redline:safeguards-approval:1"
    HEARTBEAT = "urn:redline:heartbeat:1"
    TRAINING_RUN = "urn:redline:training-run:1"
    ACKNOWLEDGEMENT = "urn:redline:acknowledgement:1"


class LedgerEntry(Document):
    """One link of the chain; the statement's subject is the record."""

    index: int
    previous: Digest | None
    kind: str
    at: Moment


class Lease(Document):
    """The notary forbids nothing at this moment; good only beside the permit that it names."""

    run_id: str
    permit: Digest
    ledger_index: int
    ledger_head: Digest
    hold_epoch: int
    issued_at: Moment
    expires_at: Moment


class Heartbeat(Document):
    """A sign of life that the trainer signs."""

    run_id: str
    at: Moment
    state: str
    step: int
    flop: float


def statement(predicate: Predicate, subject: Digest, body: Document | dict[str, Any]) -> bytes:
    """The canonical bytes of a statement about the thing of that digest."""
    plain = body.model_dump(mode="json") if isinstance(body, Document) else body
    return statement_about(predicate.value, [("subject", subject)], plain)


def statement_about(
    predicate: str, subjects: list[tuple[str, Digest]], body: dict[str, Any]
) -> bytes:
    """The canonical bytes of a statement about several named things."""
    return canonical_bytes(
        {
            "_type": STATEMENT_TYPE,
            "subject": [
                {"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}
                for name, digest in subjects
            ],
            "predicateType": predicate,
            "predicate": body,
        }
    )


def read_statement(payload: bytes, predicate: Predicate) -> tuple[Digest, dict[str, Any]]:
    """(digest of the subject, predicate) of a statement of the expected type.

    Raises:
        InvalidDocument: not a statement, or one that says something else.
    """
    try:
        plain = json.loads(payload)
        kind = plain["predicateType"]
        (subject,) = plain["subject"]
        digest = "sha256:" + subject["digest"]["sha256"]
        body = plain["predicate"]
        if not isinstance(body, dict):
            raise TypeError("the predicate is no object")
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidDocument(f"Not an in-toto statement about one subject: {error!r}") from error
    if kind != predicate.value or plain.get("_type") != STATEMENT_TYPE:
        raise InvalidDocument(f"The signed statement is a {kind!r} (expected {predicate.value!r})")
    return digest, body
