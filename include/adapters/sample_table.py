"""The table of an evaluation's results: one row per sample, epoch and scorer; Parquet when stored.

A row has a score or says why it has none. Nothing that could not be read becomes a low score.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]
from pydantic import ValidationError

from include.adapters.log_source import MIB
from include.rsp.canonical import canonical_bytes
from include.rsp.errors import InvalidDocument
from include.rsp.results import Sample

FORMAT = b"redline/sample-rows@1"
ERROR_CHARACTERS = 300
Log = Mapping[str, str | int | bool | None]
ROWS_A_GROUP = 16_384
TABLE_ROWS = 5_000_000
TABLE_BYTES = 4 * 1024 * MIB

_MOMENT = pa.timestamp("us", tz="UTC")
_COLUMNS: tuple[tuple[str, pa.DataType, bool, str], ...] = (
    ("sample_id", pa.string(), False, "the problem's id in the dataset, as text"),
    ("epoch", pa.int32(), False, "which repetition of the problem, from 1"),
    ("scorer", pa.string(), True, "the scorer, or `scorer.key` of a score that is a mapping; null: "
     "the sample has no score at all, and its error holds for every scorer"),
    ("cluster", pa.string(), True, "the family that the problem belongs to; null: itself"),
    ("score", pa.float64(), True, "the scorer's value, in its own unit; C is 1, I is 0; null: see "
     "error"),
    ("error", pa.string(), True, "why there is no score, at most 300 characters"),
    ("answer_characters", pa.int64(), True, "length of the answer that the scorer took, in "
     "characters"),
    ("attempts", pa.int32(), False, "how often the sample was begun: 1 and its retries"),
    ("limit", pa.string(), True, "the limit that stopped the sample (token, time, message, …)"),
    ("refusals", pa.int32(), False, "1 if the last answer was stopped as a refusal or by a content "
     "filter, or the scorer calls it a refusal; else 0"),
    ("format_failure", pa.bool_(), True, "the scorer could not parse the answer; null: not said"),
    ("flags", pa.list_(pa.string()), False, "what scorer, sample or this reader marked for a "
     "person to see"),
    ("input_tokens", pa.int64(), False, "tokens read, cached ones too, all models of the sample"),
    ("output_tokens", pa.int64(), False, "tokens written, reasoning too, all models"),
    ("reasoning_tokens", pa.int64(), True, "tokens of reasoning, all models; null: not said"),
    ("total_tokens", pa.int64(), False, "tokens in all as the providers count them, all models"),
    ("cost", pa.float64(), True, "US dollars, all models; null: no price known"),
    ("started_at", _MOMENT, True, "when the sample began, UTC"),
    ("completed_at", _MOMENT, True, "when the sample ended, UTC"),
    ("total_time", pa.float64(), True, "seconds from begin to end"),
    ("working_time", pa.float64(), True, "seconds without waiting for others"),
    ("model", pa.string(), False, "the model under test, as the log names it"),
    ("variant", pa.string(), False, "snapshot or variant of the checkpoint, as the caller says"),
    ("uuid", pa.string(), True, "Inspect's id of this one run of the sample"),
)  # fmt: skip
SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=nullable, metadata={"description": text})
        for name, kind, nullable, text in _COLUMNS
    ],
    metadata={"format": FORMAT},
)


class Row(NamedTuple):
    """One row, its fields in the order of `SCHEMA`, which says what they mean."""

    sample_id: str
    epoch: int
    scorer: str | None
    cluster: str | None
    score: float | None
    error: str | None
    answer_characters: int | None
    attempts: int
    limit: str | None
    refusals: int
    format_failure: bool | None
    flags: list[str]
    input_tokens: int
    output_tokens: int
    reasoning_tokens: int | None
    total_tokens: int
    cost: float | None
    started_at: datetime | None
    completed_at: datetime | None
    total_time: float | None
    working_time: float | None
    model: str
    variant: str
    uuid: str | None


def batches(rows: Iterable[Row], *, size: int = ROWS_A_GROUP) -> Iterator[pa.RecordBatch]:
    """The rows as Arrow, so many at a time; no batch if there is no row."""
    held: list[Row] = []
    for row in rows:
        held.append(row)
        if len(held) == size:
            yield _batch(held)
            held = []
    if held:
        yield _batch(held)


def _batch(rows: list[Row]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays(
        [pa.array(values, one.type) for values, one in zip(columns, SCHEMA, strict=True)],
        schema=SCHEMA,
    )


def as_table(rows: Iterable[Row], *, log: Log | None = None) -> pa.Table:
    """All rows in memory; `log` is what the log said of itself."""
    return pa.Table.from_batches(list(batches(rows)), schema=SCHEMA).replace_schema_metadata(
        _metadata(log)
    )


def log_of(table: pa.Table) -> Log:
    """What the log that the table comes from said of itself; empty if it comes from none.

    Raises:
        InvalidDocument: it does not read.
    """
    try:
        found = json.loads((table.schema.metadata or {}).get(b"log", b"{}"))
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"its note of the log: {error}") from error
    if not isinstance(found, dict):
        raise _unreadable("its note of the log is none")
    return found


def _metadata(log: Log | None) -> dict[bytes, bytes]:
    return {b"format": FORMAT} | ({} if log is None else {b"log": canonical_bytes(dict(log))})


def table_bytes(table: pa.Table) -> bytes:
    """The table as Parquet, as `read_table` takes it."""
    sink = pa.BufferOutputStream()
    with parquet_writer(sink, log=log_of(table) or None) as writer:
        writer.write_table(table, row_group_size=ROWS_A_GROUP)
    return bytes(sink.getvalue())


def parquet_writer(where: Any, *, log: Log | None = None) -> pq.ParquetWriter:
    """A writer for batches of `SCHEMA`, to a path or a file."""
    return pq.ParquetWriter(where, SCHEMA.with_metadata(_metadata(log)), compression="zstd")


def read_table(content: bytes, *, most: int = TABLE_ROWS) -> pa.Table:
    """A stored table of at most so many rows.

    Raises:
        InvalidDocument: the bytes are no Parquet file, a damaged one, one with other columns, or
            one that is larger than any evaluation.
    """
    try:
        found = pq.ParquetFile(pa.BufferReader(content))
        if found.metadata.num_rows > most:
            raise _unreadable(f"{found.metadata.num_rows} rows (at most {most})")
        form = (found.schema_arrow.metadata or {}).get(b"format")
        if form != FORMAT or not found.schema_arrow.equals(SCHEMA):
            raise _unreadable(f"the columns {found.schema_arrow.names} of other names or types")
        table = pa.Table.from_batches(_bounded(found), schema=found.schema_arrow)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise _unreadable(str(error)[:300]) from error
    schema = SCHEMA.with_metadata(table.schema.metadata)  # as written, without Parquet's own notes
    return pa.Table.from_arrays(table.columns, schema=schema)


def _bounded(found: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """A few rows at a time: one long text, stored once, may fill every row."""
    size = 0
    for batch in found.iter_batches(batch_size=1024):
        size += batch.nbytes
        if size > TABLE_BYTES:
            raise _unreadable(f"more than {TABLE_BYTES} bytes")
        yield batch


def _unreadable(what: str) -> InvalidDocument:
    return InvalidDocument(
        f"The stored table of samples does not read: {what} (expected a Parquet file of the format "
        f"{FORMAT.decode()}). Extract it again from the log."
    )


@dataclass(frozen=True, slots=True)
class _Cell:
    """What the decision needs of a row."""

    score: float | None
    error: str | None
    cluster: str | None
    limit: str | None = None
    refusals: int | None = 0
    format_failure: bool | None = None
    flags: tuple[str, ...] = field(default=(), kw_only=True)


def to_samples(table: pa.Table, *, scorer: str | None) -> list[Sample]:
    """One `Sample` per sample and epoch, in the order of their ids, for the decision.

    `scorer` names whose score counts; null: the only one. A sample that this scorer did not score
    gets an error that says so.

    Raises:
        InvalidDocument: a row is doubled, or is none that this module would write.
    """
    found = _by_sample(table)
    names = sorted({name for cells in found.values() for name in cells if name is not None})
    problem = None
    if scorer is None and len(names) == 1:
        scorer = names[0]
    elif scorer is None:
        problem = f"{len(names)} scorers ({', '.join(names[:5])}) and none named (expected one)"
    try:
        return [
            _sample(sample, epoch, _counted(cells, scorer, problem))
            for (sample, epoch), cells in sorted(found.items())
        ]
    except ValidationError as invalid:
        raise _unreadable(str(invalid)[:300]) from invalid


def _by_sample(table: pa.Table) -> dict[tuple[str, int], dict[str | None, _Cell]]:
    wanted = (
        "sample_id", "epoch", "scorer", "score", "error", "cluster", "limit", "refusals",
        "format_failure", "flags",
    )  # fmt: skip
    found: dict[tuple[str, int], dict[str | None, _Cell]] = {}
    try:
        columns = [table.column(name).to_pylist() for name in wanted]
    except (KeyError, ValueError) as unread:
        raise _unreadable(str(unread)[:300]) from unread
    for sample, epoch, name, *cell, flags in zip(*columns, strict=True):
        if not isinstance(sample, str) or not isinstance(epoch, int):
            raise _unreadable(f"a row of sample {sample!r}, epoch {epoch!r}")
        cells = found.setdefault((sample, epoch), {})
        if name in cells:
            raise _unreadable(f"sample {sample!r}, epoch {epoch}, scorer {name!r} has two rows")
        cells[name] = _Cell(*cell, flags=tuple(flags or ()))
    return found


def _counted(cells: dict[str | None, _Cell], scorer: str | None, problem: str | None) -> _Cell:
    """The named scorer's cell; else the sample's own error; else that the scorer is missing."""
    if problem is None and scorer in cells:
        return cells[scorer]
    if None in cells:
        return cells[None]
    names = ", ".join(sorted(name for name in cells if name is not None)[:5])
    other = next(iter(cells.values()))
    said = problem or f"no score by {scorer!r} (there are: {names})"
    return replace(other, score=None, error=said)


def _sample(sample: str, epoch: int, cell: _Cell) -> Sample:
    score, error = cell.score, cell.error
    if score is not None and not math.isfinite(score):
        score, error = None, error or f"the score {score} is no finite number"
    if error is not None:
        score = None
    elif score is None:
        error = "no score, and no error that says why"
    return Sample(
        sample_id=sample, epoch=epoch, score=score, cluster=cell.cluster,
        error=None if error is None else error[:ERROR_CHARACTERS],
        limit=cell.limit, refused=bool(cell.refusals), format_failure=bool(cell.format_failure),
        flags=list(cell.flags),
    )  # fmt: skip
