"""Our reader beside Inspect's own, on every shape of log that Inspect writes in these tests."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.analysis import SampleSummary, samples_df
from inspect_ai.log import EvalLog, EvalSample, read_eval_log, read_eval_log_sample_summaries

from include.adapters.log_reader import extract, read_log, read_report
from include.adapters.log_summaries import read_summaries
from include.adapters.sample_table import read_table, to_samples
from tests.support.inspect_logs import MODEL, build
from tests.support.log_making import make_log, make_sample

SHAPES = (
    "attachments", "before-retry", "cancelled", "edited", "epochs", "errors", "messages", "none",
    "refused", "retried", "scored-errors", "scores", "started", "stopped", "tokens",
)  # fmt: skip
ALL = [f"{shape}.{kind}" for shape in SHAPES for kind in ("eval", "json")]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build(tmp_path_factory.mktemp("logs"))


def expected_score(value: Any) -> float | None:
    """Written anew here: a finite number, a truth value, C or I."""
    if isinstance(value, str):
        return {"C": 1.0, "I": 0.0}.get(value)
    if isinstance(value, list | dict):
        return None
    return float(value) if math.isfinite(value) else None


def expected_rows(sample: EvalSample) -> dict[str | None, dict[str, Any]]:
    """By scorer, what Inspect's own objects say."""
    usage = sample.model_usage.values()
    counts = sample.error is None and sample.limit is None and sample.invalidation is None
    common = {
        "attempts": 1 + len(sample.error_retries or []),
        "limit": sample.limit.type if sample.limit else None,
        "input_tokens": sum(one.input_tokens + (one.input_tokens_cache_read or 0) for one in usage),
        "output_tokens": sum(one.output_tokens for one in usage),
        "total_tokens": sum(one.total_tokens for one in usage),
        "reasoning_tokens": sum(one.reasoning_tokens or 0 for one in usage) or None,
        "cost": sum(one.total_cost or 0 for one in usage) or None,
        "started_at": sample.started_at and datetime.fromisoformat(sample.started_at),
        "completed_at": sample.completed_at and datetime.fromisoformat(sample.completed_at),
        "total_time": sample.total_time, "working_time": sample.working_time, "uuid": sample.uuid,
        "model": MODEL, "variant": "final",
    }  # fmt: skip
    found: dict[str | None, dict[str, Any]] = {}
    for name, score in (sample.scores or {}).items():
        values = score.value if isinstance(score.value, dict) else {"": score.value}
        for key, value in values.items():
            found[f"{name}.{key}" if key else name] = common | {
                "score": expected_score(value) if counts else None,
                "answer_characters": None if score.answer is None else len(score.answer),
            }
    return found or {None: common | {"score": None, "answer_characters": None}}


def full(path: Path) -> EvalLog:
    log = read_eval_log(str(path))
    assert log.samples
    return log


def test_every_shape_is_there(logs: dict[str, Path]) -> None:
    assert sorted(logs) == sorted(ALL)


@pytest.mark.parametrize("name", ALL)
def test_rows_are_what_inspect_reads(name: str, logs: dict[str, Path]) -> None:
    log = full(logs[name])
    rows = read_log(logs[name], variant="final", model=MODEL).to_pylist()
    expected = {
        (str(sample.id), sample.epoch, scorer): row
        for sample in log.samples or []
        for scorer, row in expected_rows(sample).items()
    }
    found = {(row["sample_id"], row["epoch"], row["scorer"]): row for row in rows}
    assert len(found) == len(rows)
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        assert {column: found[key][column] for column in row} == row
        assert (found[key]["score"] is None) == (found[key]["error"] is not None)


@pytest.mark.parametrize("name", ALL)
def test_errors_are_what_inspect_reads(name: str, logs: dict[str, Path]) -> None:
    errors = {(str(one.id), one.epoch): one.error.message for one in full(logs[name]).samples or []
              if one.error}  # fmt: skip
    rows = read_log(logs[name], variant="final").to_pylist()
    for row in rows:
        message = errors.get((row["sample_id"], row["epoch"]))
        assert message is None or row["error"] == message[:300]
    assert errors.keys() <= {(row["sample_id"], row["epoch"]) for row in rows}


@pytest.mark.parametrize("name", ALL)
def test_the_header_is_what_inspect_reads(name: str, logs: dict[str, Path]) -> None:
    log, report = full(logs[name]), read_report(logs[name])
    assert log.samples is not None
    assert (report.status, report.model, report.task) == (log.status, MODEL, log.eval.task)
    assert (report.eval_id, report.invalidated) == (log.eval.eval_id, log.invalidated)
    assert (report.present, report.epochs) == (len(log.samples), log.eval.config.epochs)
    assert report.promised == len(log.eval.dataset.sample_ids or []) * report.epochs
    assert report.missing == report.promised - report.present
    assert report.scorers == tuple(one.name for one in log.eval.scorers or [])
    assert (report.error is None) == (log.error is None)
    assert report.finished == (log.status == "success")


@pytest.mark.parametrize("name", ALL)
def test_summaries_are_what_inspect_reads(name: str, logs: dict[str, Path]) -> None:
    found = read_summaries(logs[name])
    theirs = read_eval_log_sample_summaries(str(logs[name]))
    ours = {(one.sample_id, one.epoch): one for one in found.samples}
    assert len(theirs) == len(found.samples) == len(ours)
    for one in theirs:
        mine = ours[str(one.id), one.epoch]
        assert (mine.error, mine.limit, mine.completed) == (one.error, one.limit, one.completed)
        assert mine.attempts == 1 + (one.retries or 0)
        assert mine.tokens == sum(usage.total_tokens for usage in one.model_usage.values())
        for scorer, score in (one.scores or {}).items():
            if not isinstance(score.value, dict):
                assert mine.scores[scorer] == expected_score(score.value)


@pytest.mark.parametrize("name", [name for name in ALL if name.endswith(".eval")])
def test_columns_are_those_of_inspects_own_table(name: str, logs: dict[str, Path]) -> None:
    theirs = samples_df(str(logs[name]), columns=SampleSummary, quiet=True)
    ours = {(row["sample_id"], row["epoch"]): row
            for row in read_log(logs[name], variant="final").to_pylist()}  # fmt: skip
    assert len(theirs) == len(ours)
    for row in theirs.to_dict("records"):
        mine = ours[row["id"], row["epoch"]]
        assert mine["total_tokens"] == row["total_tokens"]
        assert mine["total_time"] == pytest.approx(row["total_time"], nan_ok=True)
        assert mine["working_time"] == pytest.approx(row["working_time"], nan_ok=True)
        assert (mine["limit"] or "") == ("" if row["limit"] != row["limit"] else row["limit"] or "")


def test_both_formats_give_the_same_table(logs: dict[str, Path]) -> None:
    for shape in SHAPES:
        both = [
            sorted(read_log(logs[f"{shape}.{kind}"], variant="x").to_pylist(), key=str)
            for kind in ("eval", "json")
        ]
        assert both[0] == both[1], shape


def test_an_unfinished_log_says_what_is_missing(logs: dict[str, Path]) -> None:
    report = read_report(logs["started.eval"])
    assert (report.status, report.finished) == ("started", False)
    assert report.missing_samples == ("samples/s3_epoch_1.json",)
    summaries = read_summaries(logs["started.eval"])
    assert (summaries.status, summaries.promised, len(summaries.samples)) == ("started", 4, 3)


def test_what_a_person_must_see_is_marked(logs: dict[str, Path]) -> None:
    edited = read_log(logs["edited.eval"], variant="x").to_pylist()
    assert [row["flags"] for row in edited] == [["score-edited"], []]
    assert edited[1]["error"] == "invalidated by reviewer: grader erred"
    (refused,) = read_log(logs["refused.eval"], variant="x").to_pylist()
    assert (refused["refusals"], refused["flags"]) == (1, ["x"])
    scores = read_log(logs["scores.eval"], variant="x").to_pylist()
    assert {row["format_failure"] for row in scores if row["scorer"] == "exact"} == {None}
    assert {row["format_failure"] for row in scores if row["scorer"] == "parts.care"} == {True}


@pytest.mark.parametrize("kind", ["eval", "json"])
def test_clusters_come_from_the_metadata(kind: str, logs: dict[str, Path]) -> None:
    rows = read_log(logs[f"epochs.{kind}"], variant="x", cluster="family").to_pylist()
    assert {row["cluster"] for row in rows} == {"7"}
    without = read_log(logs[f"scores.{kind}"], variant="x", cluster="family").to_pylist()
    assert {row["score"] for row in without} == {None}
    assert {row["error"] for row in without} == {"no cluster in the metadata key 'family'"}


@pytest.mark.parametrize("name", ALL)
def test_a_log_on_disk_becomes_parquet(name: str, logs: dict[str, Path], tmp_path: Path) -> None:
    target = tmp_path / "table.parquet"
    report = extract(logs[name], target, variant="final", cluster=None)
    table = read_table(target.read_bytes())
    assert table.equals(read_log(logs[name], variant="final"), check_metadata=True)
    assert report.present == len({(one.sample_id, one.epoch) for one in to_samples(
        table, scorer="exact")})  # fmt: skip


def test_of_a_sample_written_twice_both_readers_take_the_last(tmp_path: Path) -> None:
    error = {"message": "boom", "traceback": "", "traceback_ansi": ""}
    failed = make_sample(scores=None, error=error, events=[])
    path = tmp_path / "twice.eval"
    path.write_bytes(make_log([failed, make_sample(events=[])]))
    (theirs,) = full(path).samples or []
    (ours,) = read_log(path, variant="x").to_pylist()
    assert theirs.scores is not None
    assert (theirs.scores["exact"].value, theirs.error) == ("C", None)
    assert (ours["score"], ours["error"], ours["uuid"]) == (1.0, None, theirs.uuid)
