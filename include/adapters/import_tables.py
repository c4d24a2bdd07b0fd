"""Results in a table: CSV and Parquet, by the columns that the statement names.

Nothing is guessed. A CSV is UTF-8 (a byte order mark may stand before it) with commas, a header,
and decimal points; a cell says what it says.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]

from include.adapters.import_rows import MIB, MOST_ROWS, SampleRows, Source
from include.rsp.delivered import Columns, Imported

MOST_CSV_BYTES = 64 * MIB
MOST_PARQUET_BYTES = 256 * MIB
MOST_INFLATED_BYTES = 1024 * MIB
MOST_COLUMNS = 1_000
NUMBER = re.compile(r"[+-]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,6})?")
WHOLE = re.compile(r"[1-9][0-9]{0,6}")
NOT_A_NUMBER = {"nan", "inf", "-inf", "+inf", "infinity", "-infinity", "na", "n/a", "null", "none"}
"""What programs write where a score should stand. Such a sample is an error, and says so."""


def read_csv(source: Source, columns: Columns) -> Imported:
    """The samples of a CSV.

    Raises:
        InvalidDocument: not UTF-8, no header, a named column missing, a line with another number
            of cells, or a cell that is no number where one is due.
    """
    source.check_size(MOST_CSV_BYTES)
    rows = SampleRows(source)
    for line, cells in _cells(source, columns):
        epoch = cells.get("epoch", "1")
        if not WHOLE.fullmatch(epoch):
            raise source.refusal(f"line {line}: epoch {epoch[:40]!r} (expected 1, 2, …)")
        score, wrong = _number(source, line, "score", cells["score"])
        baseline, odd = _number(source, line, "baseline", cells.get("baseline", ""))
        error = cells.get("error") or None
        if error is not None and (score is not None or wrong):
            error = f"it has a score ({cells['score'][:40]}) and the error: {error}"
        rows.add(
            cells["sample_id"], int(epoch), score=score, error=error or wrong or odd,
            cluster=cells.get("cluster") or None, group=cells.get("group") or None,
            baseline=baseline,
        )  # fmt: skip
    return Imported(samples=rows.samples())


def _cells(source: Source, columns: Columns) -> Iterator[tuple[int, dict[str, str]]]:
    """Each line's number and the cells of the named columns, by what they say."""
    reader = csv.reader(io.StringIO(source.text(), newline=""), strict=True)
    try:
        header = next(reader, [])
        _check_names(source, header, columns)
        places = {name: header.index(column) for name, column in columns.named.items()}
        for row in reader:
            if len(row) != len(header):
                raise source.refusal(
                    f"line {reader.line_num} has {len(row)} cells (expected {len(header)}, as the "
                    "header)"
                )
            yield reader.line_num, {name: row[place] for name, place in places.items()}
    except csv.Error as error:
        raise source.refusal(f"line {reader.line_num} is no CSV: {error}") from error


def _check_names(source: Source, header: list[str], columns: Columns) -> None:
    shown = [one[:60] for one in header[:20]]
    if not header or len(header) > MOST_COLUMNS or any(not one for one in header):
        raise source.refusal(
            f"the header {shown} (expected 1 to {MOST_COLUMNS} names, none of them empty)"
        )
    doubled = {one for one in header if header.count(one) > 1}
    if doubled:
        raise source.refusal(f"the columns {sorted(doubled)[:5]} stand there twice (expected once)")
    missing = sorted(set(columns.named.values()) - set(header))
    if missing:
        raise source.refusal(f"no column {missing} (there are {shown})")


def _number(source: Source, line: int, what: str, cell: str) -> tuple[float | None, str | None]:
    """The number in a cell (None: it is empty), and what is wrong with it."""
    if not cell:
        return None, None
    if NUMBER.fullmatch(cell):
        return float(cell), None
    if cell.lower() in NOT_A_NUMBER:
        return None, f"the {what} is {cell!r}"
    raise source.refusal(
        f"line {line}: {what} {cell[:40]!r} is no number (expected digits with a decimal point, or "
        "an empty cell)"
    )


def read_parquet(source: Source, columns: Columns) -> Imported:
    """The samples of a Parquet file: texts as strings, ids also as whole numbers.

    Raises:
        InvalidDocument: not Parquet, too large, a named column missing or of another type.
    """
    source.check_size(MOST_PARQUET_BYTES)
    table = _table(source, columns)
    found = {name: table.column(column) for name, column in columns.named.items()}
    for name, column in found.items():
        _check_type(source, name, columns.named[name], column.type)
    rows = SampleRows(source)
    try:
        values = {name: column.to_pylist() for name, column in found.items()}
    except (pa.ArrowException, ValueError) as error:
        raise source.refusal(f"a column does not read: {error}") from error
    for number in range(table.num_rows):
        _add(rows, source, number + 1, {name: column[number] for name, column in values.items()})
    return Imported(samples=rows.samples())


def _table(source: Source, columns: Columns) -> pa.Table:
    try:
        opened = pq.ParquetFile(pa.BufferReader(source.content))
        about = opened.metadata
        size = sum(about.row_group(one).total_byte_size for one in range(about.num_row_groups))
        if about.num_rows > MOST_ROWS or size > MOST_INFLATED_BYTES:
            raise source.refusal(
                f"{about.num_rows} rows of {size} bytes (expected at most {MOST_ROWS} rows of "
                f"{MOST_INFLATED_BYTES} bytes)"
            )
        _check_names(source, opened.schema_arrow.names, columns)
        table = opened.read(columns=list(columns.named.values()))
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise source.refusal(f"no Parquet file that reads: {str(error)[:200]}") from error
    return table


def _check_type(source: Source, name: str, column: str, kind: pa.DataType) -> None:
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    text = pa.types.is_string(plain) or pa.types.is_large_string(plain)
    whole = pa.types.is_integer(plain)
    expected, fits = {
        "sample_id": ("text or whole numbers", text or whole),
        "epoch": ("whole numbers", whole),
        "score": ("numbers", whole or pa.types.is_floating(plain)),
        "baseline": ("numbers", whole or pa.types.is_floating(plain)),
    }.get(name, ("text", text))
    if not fits:
        raise source.refusal(f"column {column!r} ({name}) holds {kind} (expected {expected})")


def _add(rows: SampleRows, source: Source, number: int, cells: Mapping[str, Any]) -> None:
    sample, epoch = cells["sample_id"], cells.get("epoch", 1)
    if sample is None or epoch is None:
        raise source.refusal(f"row {number} has no sample id or no epoch")
    score, error = cells["score"], cells.get("error") or None
    if error is not None and score is not None:
        error = f"it has a score ({score}) and the error: {error}"
    rows.add(
        str(sample), epoch, score=_float(score), error=error, cluster=cells.get("cluster") or None,
        group=cells.get("group") or None, baseline=_float(cells.get("baseline")),
    )  # fmt: skip


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
