"""Canonical bytes, digests and outward rounding (RFC 8785; DESIGN I6).

Two people who hold the same facts get the same bytes, hence the same digest.
"""

from __future__ import annotations

import hashlib
import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any

import rfc8785
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

from include.rsp.errors import InvalidDocument

QUANTUM = 1e-6
IDENTIFIER_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,99}$"
DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"

Digest = Annotated[str, Field(pattern=DIGEST_PATTERN)]


def checked_identifier(text: str) -> str:
    """The identifier itself, if it is one.

    Raises:
        ValueError: it could name a path (`..`, `/`), or is empty, too long or not lower case.
    """
    if not re.fullmatch(IDENTIFIER_PATTERN, text) or ".." in text:
        raise ValueError(
            f"identifier {text!r} is not allowed (expected 1 to 100 of a-z 0-9 . _ -, "
            "starting with a letter or digit, without '..')"
        )
    return text


Identifier = Annotated[str, AfterValidator(checked_identifier)]


def checked_digest(text: str) -> str:
    """The digest itself, if it is a whole one.

    Raises:
        InvalidDocument: it is not; a shortened one could stand for several things.
    """
    if not re.fullmatch(DIGEST_PATTERN, text):
        raise InvalidDocument(
            f"{text!r} is no full digest (expected sha256: and 64 hexadecimal digits). `rsp log` "
            "and the human task show it."
        )
    return text


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time without a zone is ambiguous (expected UTC, e.g. …T12:00:00Z)")
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time before the year 1 or after 9999 (in UTC)") from error


def iso(value: datetime) -> str:
    """`2026-11-23T12:00:00.000000Z`: fixed width, so that text order is time order."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Moment = Annotated[datetime, AfterValidator(_utc), PlainSerializer(iso, return_type=str)]


class Document(BaseModel):
    """A frozen piece of data that refuses unknown fields and non-finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def canonical_bytes(value: BaseModel | dict[str, Any] | list[Any]) -> bytes:
    """RFC 8785 bytes of a document or of plain JSON.

    Raises:
        InvalidDocument: the value holds something that JSON cannot say (NaN, a huge integer).
    """
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    try:
        return bytes(rfc8785.dumps(plain))
    except (rfc8785.CanonicalizationError, TypeError) as error:
        raise InvalidDocument(f"Not expressible as canonical JSON: {error}") from error


def digest_bytes(content: bytes) -> str:
    """`sha256:<64 hex digits>` of the bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def digest_of(value: BaseModel | dict[str, Any] | list[Any]) -> str:
    """The digest of the canonical bytes."""
    return digest_bytes(canonical_bytes(value))


def short(digest: str) -> str:
    """The first twelve hex digits, for people; never used to look anything up."""
    return digest.removeprefix("sha256:")[:12]


def round_up(value: float) -> float:
    """Rounded to a millionth, never down: upper bounds stay upper bounds on every machine."""
    return round(math.ceil(value / QUANTUM - 1e-4) * QUANTUM, 6)


def round_down(value: float) -> float:
    """Rounded to a millionth, never up: lower bounds stay lower bounds."""
    return round(math.floor(value / QUANTUM + 1e-4) * QUANTUM, 6)
