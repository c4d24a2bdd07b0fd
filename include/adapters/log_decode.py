"""The parts of an Inspect log that Redline reads, per schema version, and how JSON becomes them.

msgspec skips what no structure names: transcripts are passed over without becoming objects. What is
passed over is still checked to be JSON in UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct

from include.adapters.log_source import LIMITS, Limits
from include.rsp.errors import InvalidDocument

SCHEMA_VERSION = 2  # of inspect_ai 0.3.285; versions are added here, one set of structures each
FINISHED = "success"
STATUSES = (FINISHED, "started", "error", "cancelled")
UNREADABLE_VERSION = (
    "Write it anew with the Inspect version that this project pins (`inspect log convert`), or "
    "update Redline."
)

# Inspect writes NaN and infinities as bare words, which are no JSON. They become text outside
# strings, and text is never a number. Possessive, so that a damaged log costs linear time.
_BARE_WORD = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?|-?\b(?:NaN|Infinity)\b', re.DOTALL)

Count = Annotated[int, Meta(ge=0, le=2**53)]
Epoch = Annotated[int, Meta(ge=1, le=1_000_000)]
Name = Annotated[str, Meta(max_length=1000)]  # of what every row repeats
Kind = TypeVar("Kind")


class Skipped(Struct, gc=False):
    """An object of which only the presence matters."""


class Message(Struct, gc=False):
    """An error; `message` is for people."""

    message: str = ""


class Limit(Struct, gc=False):
    """What stopped a sample."""

    type: Name


class Usage(Struct, gc=False):
    """Tokens of one model, and dollars if the price is known."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    total_tokens: Count = 0
    input_tokens_cache_write: Count | None = None
    input_tokens_cache_read: Count | None = None
    reasoning_tokens: Count | None = None
    total_cost: float | None = None


class ScoreNotes(Struct):
    """The keys of a score's metadata that Redline knows."""

    flags: Any = None
    format_failure: Any = None


class Score(Struct):
    """One scorer's opinion; `value` is whatever the scorer returned."""

    value: Any
    answer: str | None = None
    reason: str | None = None
    metadata: ScoreNotes | None = None
    history: list[Skipped] = []


class Choice(Struct, gc=False):
    """One completion."""

    stop_reason: str = "unknown"


class Output(Struct):
    """The last answer of the model under test."""

    choices: list[Choice] = []


class Provenance(Struct, gc=False):
    """Who invalidated a sample, and why."""

    author: str = ""
    reason: str | None = None


class SampleNotes(Struct):
    """The keys of a sample's metadata that Redline knows."""

    flags: Any = None
    cluster: Any = UNSET


class LoggedSample(Struct):
    """One sample of schema version 2; times in UTC, durations in seconds."""

    id: int | Name
    epoch: Epoch
    scores: dict[str, Score] | None = None
    metadata: SampleNotes | None = None
    output: Output | None = None
    model_usage: dict[str, Usage] = {}
    started_at: datetime | None = None
    completed_at: datetime | None = None
    total_time: float | None = None
    working_time: float | None = None
    uuid: Name | None = None
    error: Message | None = None
    error_retries: list[Skipped] | None = None
    limit: Limit | None = None
    invalidation: Provenance | None = None


class Summary(Struct):
    """One entry of the summaries of schema version 2."""

    id: int | Name
    epoch: Epoch
    scores: dict[str, Score] | None = None
    model_usage: dict[str, Usage] = {}
    error: str | None = None
    limit: str | None = None
    retries: Count | None = None
    completed: bool = False
    uuid: Name | None = None


class Dataset(Struct):
    """Which samples were put to the model."""

    name: str | None = None
    sample_ids: Annotated[list[int | Name], Meta(max_length=1_000_000)] | None = None


class Configuration(Struct, gc=False):
    """How often each sample was put."""

    epochs: Epoch | None = None


class Scorer(Struct, gc=False):
    """A scorer by name."""

    name: str


class Specification(Struct):
    """What was run."""

    task: Name
    model: Name
    dataset: Dataset
    config: Configuration
    task_version: int | str = 0
    eval_id: str = ""
    run_id: str = ""
    created: datetime | None = None
    scorers: list[Scorer] | None = None


class Results(Struct, gc=False):
    """What Inspect counted when it ended."""

    total_samples: Count = 0
    completed_samples: Count = 0


class Header(Struct):
    """A log without its samples; a start record lacks all that is known at the end."""

    version: int
    eval: Specification
    status: str = "started"
    results: Results | None = None
    error: Message | None = None
    invalidated: bool = False


class WholeLog(Header):
    """The `.json` format: one document with all samples."""

    samples: list[LoggedSample] | None = None


class _Version(Struct, gc=False):
    version: int


@lru_cache(maxsize=64)
def sample_decoder(cluster_key: str | None) -> msgspec.json.Decoder[Any]:
    """Decodes a `LoggedSample`, its cluster from the metadata key of this name."""
    return msgspec.json.Decoder(_samples_with(cluster_key))


@lru_cache(maxsize=64)
def whole_decoder(cluster_key: str | None) -> msgspec.json.Decoder[Any]:
    """Decodes a `WholeLog`, the clusters from the metadata key of this name."""
    sample = _samples_with(cluster_key)
    fields: list[Any] = [("samples", list[sample] | None, None)]  # type: ignore[valid-type]
    return msgspec.json.Decoder(msgspec.defstruct("WholeLog", fields, bases=(WholeLog,)))


def _samples_with(cluster_key: str | None) -> type[LoggedSample]:
    if cluster_key is None:
        return LoggedSample
    if cluster_key == "flags":
        raise InvalidDocument(
            "The metadata key 'flags' holds flags (expected another for clusters)"
        )
    name = msgspec.field(name=cluster_key, default=UNSET)
    notes = msgspec.defstruct("Notes", [("flags", Any, None), ("cluster", Any, name)])
    found: type[LoggedSample] = msgspec.defstruct(  # type: ignore[assignment]
        "Clustered", [("metadata", notes | None, None)], bases=(LoggedSample,)
    )
    return found


HEADER: msgspec.json.Decoder[Header] = msgspec.json.Decoder(Header)
SUMMARIES: msgspec.json.Decoder[list[Summary]] = msgspec.json.Decoder(list[Summary])
_VERSION: msgspec.json.Decoder[_Version] = msgspec.json.Decoder(_Version)
_FIELDS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_KEPT = frozenset(LoggedSample.__struct_fields__) | frozenset(Summary.__struct_fields__)


def decoded(decode: Callable[[bytes], Kind], content: bytes, *, where: str) -> Kind:
    """JSON bytes as what the decoder says.

    Raises:
        InvalidDocument: no JSON, no UTF-8, nested too deeply, or not of that form.
    """
    try:
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


def check_fields(content: bytes, *, where: str, limits: Limits = LIMITS) -> None:
    """What is kept of a large sample is small; the bulk of it is transcript.

    Raises:
        InvalidDocument: a field that would become objects is larger than the limits allow.
    """
    if len(content) <= limits.field_bytes:
        return
    for name, raw in decoded(_FIELDS.decode, content, where=where).items():
        if name in _KEPT and memoryview(raw).nbytes > limits.field_bytes:
            raise InvalidDocument(
                f"{where} has {memoryview(raw).nbytes} bytes in {name!r} (expected at most "
                f"{limits.field_bytes})"
            )


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
