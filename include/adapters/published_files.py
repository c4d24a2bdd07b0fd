"""Published results, determinations and restatements from CSV, and the rules of their replay."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from pathlib import Path

from include.adapters.policy_files import INCLUDE, SUITES, read_document
from include.rsp.errors import InvalidDocument
from include.rsp.published import PublishedResult, PublishedRules
from include.rsp.replay import scale_of
from include.rsp.restatement import Restatement

PUBLISHED = INCLUDE / "published"
RULES = SUITES / "published" / "anthropic-rsp.yaml"

RESULT_COLUMNS = (
    "model", "framework_version", "domain", "evaluation", "threshold", "threshold_direction",
    "score", "unit", "source", "threshold_kind",
)  # fmt: skip
DETERMINATION_COLUMNS = ("model", "determination", "required_standard", "published_reason")
RESTATEMENT_COLUMNS = ("model", "evaluation", "value_a", "source_a", "value_b", "source_b")
DIRECTIONS = ("ge", "gt", "le", "lt", "none", "")


def read_rules(path: Path = RULES) -> PublishedRules:
    """The rules of a replay; raises InvalidDocument naming every wrong field, by its line."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidDocument(
            f"{path} cannot be read: {error.strerror}. Check the path."
        ) from error
    return read_document(PublishedRules, content, where=str(path), kind="rules")


def read_results(path: Path) -> list[PublishedResult]:
    """All printed numbers of a CSV. Conclusions and notes in it are not read.

    Raises:
        InvalidDocument: missing columns, or a row that cannot be; names file, row and field.
    """
    return [_result(path, number, row) for number, row in _rows(path, RESULT_COLUMNS)]


def read_determinations(path: Path) -> dict[str, dict[str, str]]:
    """What was published as the determination, by model; a model comes once."""
    found: dict[str, dict[str, str]] = {}
    for number, row in _rows(path, DETERMINATION_COLUMNS):
        if row["model"] in found:
            raise _wrong(path, number, "model", row["model"], "each model once")
        if published_level(row["required_standard"]) is None:
            raise _wrong(
                path, number, "required_standard", row["required_standard"], "a level such as ASL-2"
            )
        found[row["model"]] = row
    return found


def read_restatements(path: Path) -> list[Restatement]:
    """Values that were printed twice, differently; what somebody said of them is not read."""
    return [
        Restatement.model_validate({name: row[name] for name in RESTATEMENT_COLUMNS})
        for _, row in _rows(path, RESTATEMENT_COLUMNS)
    ]


def published_level(required_standard: str) -> str | None:
    """The first ASL level that a published standard names."""
    found = re.search(r"ASL-\d+", required_standard)
    return found[0] if found else None


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidDocument(f"{path} cannot be read: {error}. Give a UTF-8 CSV file.") from error
    reader = csv.DictReader(io.StringIO(text), strict=True)
    missing = sorted(set(columns) - set(reader.fieldnames or ()))
    if missing:
        raise InvalidDocument(
            f"{path}: the columns {missing} are missing (got {list(reader.fieldnames or ())}). "
            "Add them; the order does not matter."
        )
    try:
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise InvalidDocument(f"{path}, line {reader.line_num}: not CSV: {error}") from error
    if not rows:
        raise InvalidDocument(f"{path} has no rows: nothing published shows nothing.")
    for number, row in rows:
        if None in row or any(value is None for value in row.values()):
            raise InvalidDocument(
                f"{path}, line {number}: another number of fields than columns. "
                "Quote fields that hold a comma."
            )
        if not row["model"].strip():
            raise _wrong(path, number, "model", "", "a name")
        yield number, {name: value.strip() for name, value in row.items()}


def _result(path: Path, number: int, row: dict[str, str]) -> PublishedResult:
    if row["threshold_direction"] not in DIRECTIONS:
        raise _wrong(
            path, number, "threshold_direction", row["threshold_direction"], f"one of {DIRECTIONS}"
        )
    if not row["evaluation"]:
        raise _wrong(path, number, "evaluation", "", "a name")
    threshold = _number(path, number, "threshold", row["threshold"])
    if (threshold is None) != (row["threshold_direction"] in ("none", "")):
        raise _wrong(
            path, number, "threshold", f"{row['threshold']!r} with direction "
            f"{row['threshold_direction']!r}", "both a limit and a direction, or neither",
        )  # fmt: skip
    score = _number(path, number, "score", row["score"])
    _check_range(path, number, row["unit"], score)
    return PublishedResult(
        row=number,
        model=row["model"],
        framework=row["framework_version"],
        domain=row["domain"],
        evaluation=row["evaluation"],
        unit=row["unit"],
        score=score,
        threshold=threshold,
        threshold_kind=row["threshold_kind"],
        lower_is_capable=row["threshold_direction"] in ("le", "lt"),
        source=row["source"],
    )


def _check_range(path: Path, number: int, unit: str, score: float | None) -> None:
    if not unit:
        raise _wrong(path, number, "unit", "", "a unit, such as percent or score_0_1")
    if re.fullmatch(r".+_of_0+", unit):
        raise _wrong(path, number, "unit", unit, "a count above 0")
    share = unit in ("score_0_1", "accuracy", "fraction", "share")
    top = 1.0 if share else scale_of(unit) if scale_of(unit) > 1 else math.inf
    if score is not None and not 0 <= score <= top:
        raise _wrong(path, number, "score", score, f"0 to {top:g} in the unit {unit!r}")


def _number(path: Path, number: int, field: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _wrong(path, number, field, text, "a finite number, or nothing")
    return value


def _wrong(path: Path, number: int, field: str, got: object, expected: str) -> InvalidDocument:
    return InvalidDocument(
        f"{path}, line {number}, {field}: got {got!r} (expected {expected}). Correct the row; "
        "nothing was replayed."
    )
