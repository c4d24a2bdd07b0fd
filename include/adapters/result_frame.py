"""A result table as the frames that validation looks at (lifecycle step 10).

A result table has one row for each sample, epoch and scorer. It comes from the log reader, from a
delivery, or from stored samples; nothing in it is corrected here. A column of another type is named
in `wrong_types` and goes on as text, so that validation says so instead of breaking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd
from pandas.api import types

from include.rsp.canonical import Digest
from include.rsp.quality import ids_digest
from include.rsp.results import EvaluationRun, Sample
from include.rsp.suite import Evaluation

ResultTable: TypeAlias = "pd.DataFrame | ArrowTable"
TEXT = ("sample_id", "scorer", "error", "limit", "model", "variant", "uuid")
NUMBERS = ("epoch", "score", "refusals")
TRUTHS = ("format_failure",)
TIMES = ("started_at", "completed_at")
LISTS = ("flags", "canaries")
ALWAYS = ("sample_id", "epoch", "score", "error")
FROM_A_LOG = (*ALWAYS, "scorer", "limit", "refusals", "format_failure", "flags", "model", "variant",
              "started_at", "completed_at")  # fmt: skip
"""What a table of an automated evaluation has to have. A delivery by people has only `ALWAYS`."""
KNOWN_UNLESS_FAILED = ("scorer", "format_failure", "flags", "started_at", "completed_at")
"""What a log says of every sample that it has a score of, if perhaps not of one that broke."""
KEY = ["sample_id", "epoch"]
NONE = "none"


class ArrowTable(Protocol):
    """A `pyarrow.Table`, as far as it is needed here."""

    def to_pandas(self) -> pd.DataFrame:
        """Its columns as pandas columns."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a result table is held against, beside the definition of its evaluation."""

    run: EvaluationRun
    checkpoint: Digest
    checkpoint_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class Frames:
    """One result table, ready to be looked at.

    Attributes:
        schema: the delivered columns, without rows.
        run: one row that says what the table claims to be a result of.
        whole: at least sample, epoch and scorer of all rows.
        counted: the rows of the scorer that counts, with columns computed from them.
    """

    schema: pd.DataFrame
    run: pd.DataFrame
    whole: pd.DataFrame
    counted: pd.DataFrame


def frames_of(evaluation: Evaluation, table: ResultTable, context: Context) -> Frames:
    """The frames of a table; missing columns are there and empty, and named in `schema`'s place."""
    delivered = plain_frame(table)
    frame, wrong = _typed(delivered)
    counted = _counted(evaluation, frame)
    return Frames(
        schema=pd.DataFrame(columns=list(delivered.columns)),
        run=_run_row(evaluation, counted, context, wrong),
        whole=frame[[*KEY, "scorer"]] if len(frame) > len(counted) else frame,
        counted=_with_computed(evaluation, frame, counted),
    )


def table_of_samples(run: EvaluationRun, samples: Sequence[Sample], *, model: str) -> pd.DataFrame:
    """Stored samples as a result table; what they do not say (times, variant) their run says.

    For results that have no table of their own. `model` is what was evaluated, as Inspect names it.
    """
    frame = pd.DataFrame(
        {name: [getattr(one, name) for one in samples] for name in Sample.model_fields}
    )
    said: dict[str, Any] = {
        "scorer": "counted", "model": model, "variant": run.variant,
        "started_at": pd.Timestamp(run.started_at), "completed_at": pd.Timestamp(run.finished_at),
    }  # fmt: skip
    return frame.assign(refusals=frame["refused"].astype("int64"), **said).drop(columns="refused")


def plain_frame(table: ResultTable) -> pd.DataFrame:
    """The table as it was delivered, its rows numbered from 0."""
    frame = table if isinstance(table, pd.DataFrame) else table.to_pandas()
    return frame.reset_index(drop=True)


def _typed(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The known columns as far as they are what they should be, and those that are not."""
    columns, wrong = {}, []
    for names, read in _READERS:
        for name in names:
            given = frame.get(name)
            if isinstance(given, pd.DataFrame):  # the name stands there twice
                given = given.iloc[:, 0]
                wrong.append(f"{name} (twice)")
            if given is None or given.isna().all():  # empty, of whatever type its file gave it
                columns[name] = pd.Series(None, frame.index, dtype=_EMPTY.get(name, "float64"))
                continue
            found = read(given)
            if found is None:
                wrong.append(f"{name} ({given.dtype})")
            columns[name] = _as_text(given) if found is None else found
    return pd.DataFrame(columns, copy=False), wrong


def _as_text(column: pd.Series) -> pd.Series:
    """What is of another type, as text: no expectation on it holds, and its values can be shown."""
    return column.astype(object).where(column.isna(), column.map(repr))


def _text(column: pd.Series) -> pd.Series | None:
    if column.dtype != object:
        return column if types.is_string_dtype(column.dtype) else None
    kind = types.infer_dtype(column, skipna=True)
    return column.astype("str") if kind == "string" else None


def _number(column: pd.Series) -> pd.Series | None:
    if types.is_bool_dtype(column.dtype):
        return None
    if types.is_integer_dtype(column.dtype) or types.is_float_dtype(column.dtype):
        return column if isinstance(column.dtype, np.dtype) else column.astype("float64")
    return None


def _truth(column: pd.Series) -> pd.Series | None:
    if column.dtype == bool:
        return column
    kind = types.infer_dtype(column, skipna=True)
    return column.astype(object) if kind == "boolean" else None


def _time(column: pd.Series) -> pd.Series | None:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column
    if types.is_datetime64_dtype(column.dtype):
        return None  # without a zone it is ambiguous
    if not (
        column.isna().all() or types.infer_dtype(column, skipna=True) in ("string", "datetime")
    ):
        return None
    try:
        return pd.to_datetime(column, utc=True, format="ISO8601")
    except (ValueError, TypeError):
        return None


def _list(column: pd.Series) -> pd.Series | None:
    return column if set(map(type, column)) <= {list, tuple, np.ndarray, type(None)} else None


_EMPTY = dict.fromkeys(TEXT, "str") | dict.fromkeys((*TRUTHS, *LISTS), "object")
_EMPTY |= dict.fromkeys(TIMES, "datetime64[us, UTC]")
_READERS: tuple[tuple[Iterable[str], Callable[[pd.Series], pd.Series | None]], ...] = (
    (TEXT, _text), (NUMBERS, _number), (TRUTHS, _truth), (TIMES, _time), (LISTS, _list),
)  # fmt: skip


def _counted(evaluation: Evaluation, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the scorer that counts; with no name for it, those of all but a second grader.

    A row without a scorer is a sample that no scorer came to; its error counts for all of them.
    """
    named = evaluation.inspect.scorer if evaluation.inspect else None
    second = evaluation.quality.second_grader
    if named is not None:
        counts = frame["scorer"].isna() | (frame["scorer"] == named)
    elif second is not None:
        counts = frame["scorer"] != second.scorer
    else:
        return frame
    return frame if counts.all() else frame[counts]


def _run_row(
    evaluation: Evaluation, counted: pd.DataFrame, context: Context, wrong: list[str]
) -> pd.DataFrame:
    run, ids = context.run, NONE
    if evaluation.quality.sample_ids is not None:
        ids = ids_digest(counted["sample_id"].dropna().astype(str))
    row = {
        "run": run.key, "status": run.status.value, "evaluation": run.evaluation,
        "version": run.evaluation_version, "variant": run.variant, "checkpoint": run.checkpoint,
        "sample_ids": ids, "wrong_types": "; ".join(wrong) or NONE,
        "started_at": pd.Timestamp(run.started_at), "finished_at": pd.Timestamp(run.finished_at),
    }  # fmt: skip
    return pd.DataFrame([row])


def _with_computed(
    evaluation: Evaluation, frame: pd.DataFrame, counted: pd.DataFrame
) -> pd.DataFrame:
    failed = counted["error"].notna()
    computed: dict[str, Any] = {"score_or_error": counted["score"].notna() != failed}
    if evaluation.inspect is not None:
        for name in KNOWN_UNLESS_FAILED:
            computed[f"{name}_or_error"] = counted[name].notna() | failed
    if evaluation.quality.canaries:
        computed["canaries_found"] = counted["canaries"].map(_length).astype("float64")
    if evaluation.quality.second_grader is not None:
        computed["agrees"] = _agreement(evaluation, frame, counted)
    return counted.drop(columns=list(LISTS)).assign(**computed)


def _agreement(evaluation: Evaluation, frame: pd.DataFrame, counted: pd.DataFrame) -> pd.Series:
    """1 where the second grader says the same, 0 where not or nothing, NaN without a score."""
    second = evaluation.quality.second_grader
    if second is None:
        return pd.Series(np.nan, counted.index)
    theirs = frame.loc[frame["scorer"] == second.scorer, [*KEY, "score"]].drop_duplicates(KEY)
    both = counted[[*KEY, "score"]].merge(theirs, on=KEY, how="left", suffixes=("", "_second"))
    gap = (_numeric(both["score"]) - _numeric(both["score_second"])).abs()
    agrees = (gap <= second.within).astype("float64").where(both["score"].notna())
    return pd.Series(agrees.to_numpy(), counted.index)


def _numeric(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column, errors="coerce")


def _length(value: object) -> float:
    """How many; NaN where nobody looked."""
    return float(len(value)) if isinstance(value, list | tuple | np.ndarray) else np.nan


def _names(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple | np.ndarray) else []


def _unread(evaluation: Evaluation, frame: pd.DataFrame) -> pd.Series:
    """Which answers the scorer could not read; asked for and not said, of a scored one, is one."""
    said = frame["format_failure"]
    silent = frame["score"].notna() & (evaluation.quality.max_format_failure_rate is not None)
    return said.where(said.notna(), silent).astype(bool)
