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
from include.rsp.published import Determination, PublishedResult, PublishedRules, name_key
from include.rsp.restatement import Restatement
from include.rsp.units import CHANGES, SHARE_UNITS, scale_of

PUBLISHED = INCLUDE / "published"
RULES = SUITES / "published" / "anthropic-rsp.yaml"

RESULT_COLUMNS = (
    "model", "framework_version", "domain", "evaluation", "threshold", "threshold_direction",
    "score", "unit", "source", "threshold_kind",
)  # fmt: skip
DETERMINATION_COLUMNS = ("model", "determination", "required_standard", "published_reason")
RESTATEMENT_COLUMNS = ("model", "evaluation", "value_a", "source_a", "value_b", "source_b")
DIRECTIONS = ("ge", "gt", "le", "lt", "none", "")
SYMBOLS = {">=": "ge", "≥": "ge", ">": "gt", "<=": "le", "≤": "le", "<": "lt"}
MISSING = ("", "-", "–", "—", "n/a", "na", "none", "not reported", "not published", "not run",
           "did not run")  # fmt: skip
"""How a cell says that there is no number. Such a score is inconclusive."""
SIGNED = r"(percent.*_)?(points|change|difference|delta)|.*normali[sz]ed.*|.*log.*|elo|z_score"
HYPHENS = str.maketrans("\u2010\u2011\u2012\u00a0", "--- ")


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


def read_determinations(path: Path) -> list[Determination]:
    """What was published as determined; a model comes once. A standard may name no level."""
    found: dict[str, Determination] = {}
    for number, row in _rows(path, DETERMINATION_COLUMNS, may_be_empty=True):
        if name_key(row["model"]) in found:
            raise _wrong(path, number, "model", row["model"], "each model once")
        found[name_key(row["model"])] = Determination(
            date=row.get("date", ""), **{name: row[name] for name in DETERMINATION_COLUMNS}
        )
    return list(found.values())


def read_restatements(path: Path) -> list[Restatement]:
    """Values that were printed twice, differently, with the kind of difference that is declared.

    What somebody said should be done about them is not read.
    """
    return [
        Restatement(kind=row.get("kind", ""), **{name: row[name] for name in RESTATEMENT_COLUMNS})
        for _, row in _rows(path, RESTATEMENT_COLUMNS, may_be_empty=True)
    ]


def _rows(
    path: Path, columns: tuple[str, ...], *, may_be_empty: bool = False
) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidDocument(f"{path} cannot be read: {error}. Give a UTF-8 CSV file.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        missing = sorted(set(columns) - set(reader.fieldnames or ()))
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise InvalidDocument(f"{path}, line {reader.line_num}: not CSV: {error}") from error
    if missing:
        raise InvalidDocument(
            f"{path}: the columns {missing} are missing (got {list(reader.fieldnames or ())}). "
            "Add them; the order does not matter."
        )
    read = [(number, _cells(path, number, row)) for number, row in rows]
    filled = [(number, row) for number, row in read if any(row.values())]
    if not filled and not may_be_empty:
        raise InvalidDocument(f"{path} has no rows: nothing published shows nothing.")
    for number, row in filled:
        if not row["model"]:
            raise _wrong(path, number, "model", "", "a name")
        yield number, row


def _cells(path: Path, number: int, row: dict[str, str]) -> dict[str, str]:
    if None in row or any(value is None for value in row.values()):
        raise InvalidDocument(
            f"{path}, line {number}: another number of fields than columns. "
            "Quote fields that hold a comma."
        )
    return {name: " ".join(value.translate(HYPHENS).split()) for name, value in row.items()}


def _result(path: Path, number: int, row: dict[str, str]) -> PublishedResult:
    direction = row["threshold_direction"].lower()
    direction = SYMBOLS.get(direction, direction)
    if direction not in DIRECTIONS:
        raise _wrong(
            path, number, "threshold_direction", row["threshold_direction"], f"one of {DIRECTIONS}"
        )
    if not row["evaluation"]:
        raise _wrong(path, number, "evaluation", "", "a name")
    threshold = _number(path, number, "threshold", row["threshold"])
    if (threshold is None) != (direction in ("none", "")):
        raise _wrong(
            path, number, "threshold", f"{row['threshold']!r} with direction "
            f"{row['threshold_direction']!r}", "both a limit and a direction, or neither",
        )  # fmt: skip
    score = _number(path, number, "score", row["score"])
    unit = _word(row["unit"].replace("%", "percent"))
    _check_range(path, number, unit, score)
    return PublishedResult(
        row=number,
        model=row["model"],
        framework=row["framework_version"],
        domain=row["domain"],
        evaluation=row["evaluation"],
        unit=unit,
        score=score,
        threshold=threshold,
        threshold_kind=_word(row["threshold_kind"]),
        lower_is_capable=direction in ("le", "lt"),
        source=row["source"],
        direction=direction,
        aggregation=_word(row.get("aggregation", "")),
    )


def _word(text: str) -> str:
    """One spelling for a word of a closed set: `Rule-in` and `rule_in` are the same."""
    return re.sub(r"[\s-]+", "_", text.lower())


def _check_range(path: Path, number: int, unit: str, score: float | None) -> None:
    if not unit and score is not None:
        raise _wrong(path, number, "unit", "", "a unit, such as percent or score_0_1")
    if re.fullmatch(r".+_of_0+", unit):
        raise _wrong(path, number, "unit", unit, "a count above 0")
    low, top = _range(unit)
    if score is not None and not low <= score <= top:
        raise _wrong(
            path, number, "score", score, f"{low:g} to {top:g} in the unit {unit!r}"
        )  # fmt: skip


def _range(unit: str) -> tuple[float, float]:
    """The least and the greatest number that can be printed in a unit."""
    signed = bool(re.fullmatch(SIGNED, unit))
    if re.fullmatch(CHANGES, unit) and not unit.endswith("points"):
        top = math.inf
    elif unit in SHARE_UNITS:
        top = 1.0
    else:
        top = scale_of(unit) if scale_of(unit) > 1 else math.inf
    return (-top if signed else 0.0), top


def _number(path: Path, number: int, field: str, text: str) -> float | None:
    if text.lower() in MISSING:
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
