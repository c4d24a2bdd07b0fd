"""The parts of an Inspect log of schema version 2 that Redline reads; all else is skipped.

One module per schema version; `log_decode` refuses every version that has none. Times are in UTC,
durations in seconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct

SCHEMA_VERSION = 2  # of inspect_ai 0.3.285
FINISHED = "success"
STATUSES = (FINISHED, "started", "error", "cancelled")
Count = Annotated[int, Meta(ge=0, le=2**53)]
Epoch = Annotated[int, Meta(ge=1, le=1_000_000)]
Name = Annotated[str, Meta(max_length=1000)]  # of what every row repeats


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
    """The `.json` format: one document with all samples, each still as it is written."""

    samples: list[msgspec.Raw] | None = None


class SampleKey(Struct, gc=False):
    """Which sample it is."""

    id: int | Name
    epoch: Epoch
