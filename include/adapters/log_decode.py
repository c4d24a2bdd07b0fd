"""How the JSON of an Inspect log becomes the structures of its schema version.

msgspec skips what no structure names: transcripts are passed over without becoming objects. What is
passed over is still checked to be JSON in UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct

from include.adapters.log_schema import (
    SCHEMA_VERSION,
    Header,
    LoggedSample,
    SampleKey,
    Summary,
    WholeLog,
)
from include.adapters.log_source import LIMITS, Limits
from include.rsp.errors import InvalidDocument

UNREADABLE_VERSION = (
    "Write it anew with the Inspect version that this project pins (`inspect log convert`), or "
    "update Redline."
)

# Inspect writes NaN and infinities as bare words, which are no JSON. They become text outside
# strings, and text is never a number. Possessive, so that a damaged log costs linear time.
_BARE_WORD = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?|-?\b(?:NaN|Infinity)\b', re.DOTALL)

Kind = TypeVar("Kind")
Json = bytes | msgspec.Raw


class _Version(Struct, gc=False):
    version: int


@lru_cache(maxsize=64)
def sample_decoder(cluster_key: str | None) -> msgspec.json.Decoder[Any]:
    """Decodes a `LoggedSample`, its cluster from the metadata key of this name."""
    return msgspec.json.Decoder(_samples_with(cluster_key))


def _samples_with(cluster_key: str | None) -> type[LoggedSample]:
    if cluster_key is None:
        return LoggedSample
    if cluster_key == "flags" or set(cluster_key) & {'"', "\\"} or not cluster_key.isprintable():
        raise InvalidDocument(
            f"The metadata key {cluster_key!r} cannot name clusters (expected printable text "
            "without quotes and backslashes, and not 'flags'). Change it in the suite."
        )
    name = msgspec.field(name=cluster_key, default=UNSET)
    notes = msgspec.defstruct("Notes", [("flags", Any, None), ("cluster", Any, name)])
    found: type[LoggedSample] = msgspec.defstruct(  # type: ignore[assignment]
        "Clustered", [("metadata", notes | None, None)], bases=(LoggedSample,)
    )
    return found


HEADER: msgspec.json.Decoder[Header] = msgspec.json.Decoder(Header)
WHOLE: msgspec.json.Decoder[WholeLog] = msgspec.json.Decoder(WholeLog)
KEY: msgspec.json.Decoder[SampleKey] = msgspec.json.Decoder(SampleKey)
SUMMARIES: msgspec.json.Decoder[list[Summary]] = msgspec.json.Decoder(list[Summary])
SUMMARY: msgspec.json.Decoder[Summary] = msgspec.json.Decoder(Summary)
PIECES: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_VERSION: msgspec.json.Decoder[_Version] = msgspec.json.Decoder(_Version)
_FIELDS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_KEPT = frozenset(LoggedSample.__struct_fields__) | frozenset(Summary.__struct_fields__)


def decoded(decode: Callable[[Json], Kind], content: Json, *, where: str) -> Kind:
    """JSON as what the decoder says; a piece of a document that was decoded is known to be text.

    Raises:
        InvalidDocument: no JSON, no UTF-8, nested too deeply, or not of that form.
    """
    try:
        if not isinstance(content, bytes):
            return decode(content)
        if not content.isascii():
            content.decode()
        try:
            return decode(content)
        except msgspec.DecodeError:
            if b"NaN" not in content and b"Infinity" not in content:
                raise
            return decode(_BARE_WORD.sub(_as_text, content))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise InvalidDocument(
            f"{where} does not read as a part of an Inspect log: {error}. "
            "Take the log again from where it was written."
        ) from error


def _as_text(found: re.Match[bytes]) -> bytes:
    word = found.group()
    return word if word[:1] == b'"' else b'"' + word + b'"'


def check_fields(content: Json, *, where: str, limits: Limits = LIMITS) -> None:
    """What is kept of a large sample is small; the bulk of it is transcript.

    Raises:
        InvalidDocument: a field that would become objects is larger than the limits allow.
    """
    if memoryview(content).nbytes <= limits.field_bytes:
        return
    for name, raw in decoded(_FIELDS.decode, content, where=where).items():
        size = memoryview(raw).nbytes
        if name in _KEPT and size > limits.field_bytes:
            raise InvalidDocument(
                f"{where} has {size} bytes in {name!r} (expected at most {limits.field_bytes})"
            )


def check_number(found: int, *, where: str, limits: Limits = LIMITS) -> None:
    """A list of samples is no longer than that of any evaluation.

    Raises:
        InvalidDocument: it is.
    """
    if found > limits.members:
        raise InvalidDocument(f"{where} lists {found} samples (expected at most {limits.members})")


def check_version(content: bytes, *, where: str) -> None:
    """The log's schema version is one that is known here.

    Raises:
        InvalidDocument: it is another, or none is given.
    """
    version = decoded(_VERSION.decode, content, where=where).version
    if version != SCHEMA_VERSION:
        raise InvalidDocument(
            f"{where} has the schema version {version} (expected {SCHEMA_VERSION}, of inspect_ai "
            f"0.3.285). {UNREADABLE_VERSION}"
        )
