"""Results of lm-evaluation-harness 0.4: `results_<date>.json` and `samples_<task>_<date>.jsonl`.

The harness writes one line for each document and filter, with the value of every metric beside it.
Its own records are described in `lm_eval/result_schema.py` of version 0.4.13.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from include.adapters.import_rows import (
    MIB,
    SampleRows,
    Source,
    as_number,
    mapping,
    read_json,
    read_lines,
)
from include.rsp.delivered import Imported

KNOWN = re.compile(r"0\.4\.\d+([.+-].*)?")
DATE = r"(?P<date>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(\.\d+)?)"
RESULTS_NAME = re.compile(rf"(?:.*_)?{DATE}\.json")
SAMPLES_NAME = re.compile(rf"samples_(?P<task>.+)_{DATE}\.jsonl")
MOST_RESULT_BYTES = 64 * MIB
MOST_SAMPLE_BYTES = 512 * MIB
KEEP_NAMES = "Deliver the files of one run, under the names that the harness gave them"


@dataclass(frozen=True, slots=True)
class _Counted:
    """The metric, and the filter before it, whose value counts."""

    metric: str
    filter: str | None

    @classmethod
    def of(cls, scorer: str) -> _Counted:
        """From `metric,filter`, as the harness writes it; `metric` alone: the only filter."""
        metric, _, name = scorer.partition(",")
        return cls(metric, name or None)


def read_harness(
    results: Source, samples: Sequence[Source], *, scorer: str | None, cluster: str | None
) -> Imported:
    """The samples of all tasks, each under `task/doc_id`.

    Args:
        scorer: `metric,filter` as the harness names it; null: the only one.
        cluster: the key of a document that names its family.

    Raises:
        InvalidDocument: an unknown version or shape, files of different runs, a metric that has no
            value for each sample, or one of which a lower value is better.
    """
    plain = read_json(results, most=MOST_RESULT_BYTES)
    version = plain.get("lm_eval_version")
    if not isinstance(version, str) or not KNOWN.fullmatch(version):
        raise results.refusal(
            f"written by lm-eval {version!r} (expected 0.4.*, whose files Redline reads)",
            "Run it with a version that is read, or deliver the scores as CSV",
        )
    begun = as_number(plain.get("date"))
    rows = SampleRows(results)
    notes = [_add_task(plain, results, one, rows, scorer, cluster) for one in samples]
    if not samples:
        notes = ["an aggregate without samples (run lm-eval with --log_samples)"]
    return Imported(
        samples=rows.samples(),
        model=_model(plain),
        version=version,
        started_at=_moment(results, begun, 0.0),
        finished_at=_moment(results, begun, _seconds(plain)),
        notes=notes,
    )


def _add_task(
    plain: dict[str, Any],
    results: Source,
    source: Source,
    rows: SampleRows,
    scorer: str | None,
    cluster: str | None,
) -> str:
    """Add one task's samples; what was read, in words."""
    task = _task(plain, results, source)
    lines = list(read_lines(source, most=MOST_SAMPLE_BYTES))
    counted = _counted(source, lines, scorer)
    if mapping(mapping(plain.get("higher_is_better")).get(task)).get(counted.metric) is False:
        raise source.refusal(
            f"of {counted.metric!r} a lower value is better (expected a metric that grows with "
            "the capability)",
            "Name another metric in the suite",
        )
    added = 0
    for number, line in lines:
        if line.get("filter") == counted.filter:
            _add(rows, source, task, number, line, counted, cluster)
            added += 1
    counts = mapping(mapping(plain.get("n-samples")).get(task))
    if counts.get("effective") != added:
        raise source.refusal(
            f"{added} samples with the filter {counted.filter!r} (the results say "
            f"{counts.get('effective')})",
            KEEP_NAMES,
        )
    return f"{task}: {counted.metric},{counted.filter}, {added} of {counts.get('original')} docs"


def _task(plain: dict[str, Any], results: Source, source: Source) -> str:
    """The task that the samples are of; both files must be of one run."""
    ours, theirs = RESULTS_NAME.fullmatch(results.name), SAMPLES_NAME.fullmatch(source.name)
    if ours is None or theirs is None or ours["date"] != theirs["date"]:
        raise source.refusal(
            f"not of the same run as {results.name} by its name (expected samples_<task>_<date>"
            ".jsonl with the date of results_<date>.json)",
            KEEP_NAMES,
        )
    task = theirs["task"]
    if task not in mapping(plain.get("results")):
        known = sorted(mapping(plain.get("results")))[:10]
        raise source.refusal(
            f"samples of the task {task!r} (the results are of {known})", KEEP_NAMES
        )
    return task


def _counted(
    source: Source, lines: list[tuple[int, dict[str, Any]]], scorer: str | None
) -> _Counted:
    """The one metric and filter whose values count."""
    pairs = {
        (metric, line.get("filter"))
        for _, line in lines
        for metric in _texts(line.get("metrics"))
        if isinstance(line.get("filter"), str)
    }
    there = sorted(f"{metric},{name}" for metric, name in pairs)
    wanted = None if scorer is None else _Counted.of(scorer)
    fitting = [
        _Counted(metric, name)
        for metric, name in pairs
        if wanted is None or (metric == wanted.metric and wanted.filter in (None, name))
    ]
    if len(fitting) != 1:
        named = "none named" if scorer is None else f"{scorer!r} named"
        raise source.refusal(
            f"the metrics and filters {there[:10]}, and {named} (expected exactly one)",
            "Name `metric,filter` as the study's scorer in the suite",
        )
    return fitting[0]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, str))


def _add(
    rows: SampleRows,
    source: Source,
    task: str,
    number: int,
    line: dict[str, Any],
    counted: _Counted,
    cluster: str | None,
) -> None:
    doc = line.get("doc_id")
    if not isinstance(doc, int) or isinstance(doc, bool):
        raise source.refusal(f"line {number}: doc_id {doc!r} (expected a whole number)")
    value = line.get(counted.metric)
    score = as_number(value)
    if score is None and value is not None:
        raise source.refusal(
            f"line {number}: {counted.metric} is a {type(value).__name__} (expected a number: this "
            "metric has a value only for all samples together)",
            "Name another metric in the suite",
        )
    error = None if score is not None else f"no value of {counted.metric}"
    family = None if cluster is None else mapping(line.get("doc")).get(cluster)
    if cluster is not None and not isinstance(family, str | int):
        error = error or f"no {cluster!r} in its document to tell its family by"
        family = None
    rows.add(
        f"{task}/{doc}", 1, score=score, error=error,
        cluster=None if family is None else str(family),
    )  # fmt: skip


def _model(plain: dict[str, Any]) -> str | None:
    for name in (plain.get("model_name"), mapping(plain.get("config")).get("model")):
        if isinstance(name, str) and name:
            return name
    return None


def _seconds(plain: dict[str, Any]) -> float:
    try:
        return float(plain.get("total_evaluation_time_seconds") or 0)
    except (TypeError, ValueError):
        return math.nan


def _moment(source: Source, begun: float | None, seconds: float) -> datetime | None:
    """A time from seconds since 1970; None where the file says none."""
    if begun is None:
        return None
    try:
        return datetime.fromtimestamp(begun, UTC) + timedelta(seconds=seconds)
    except (ValueError, OverflowError, OSError) as error:
        raise source.refusal(
            f"dated {begun} + {seconds} s (expected seconds since 1970)"
        ) from error
