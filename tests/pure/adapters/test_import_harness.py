"""Output of lm-evaluation-harness 0.4, in the shape that its `result_schema.py` describes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from include.adapters.import_harness import read_harness
from include.adapters.import_rows import TWICE, Source
from include.rsp.delivered import Imported
from include.rsp.errors import InvalidDocument
from include.rsp.results import Sample

DATE = "2026-11-01T12-00-30.123456"
RESULTS = f"results_{DATE}.json"
BEGAN = 1793534400.0  # 2026-11-01T12:00:00Z


def line(doc: int, value: Any, *, filter: str = "none", **more: Any) -> dict[str, Any]:
    """One document's record for one filter."""
    return {
        "doc_id": doc, "doc": {"question": f"q{doc}", "family": f"f{doc // 2}"}, "target": "4",
        "arguments": {"gen_args_0": {"arg_0": f"q{doc}", "arg_1": {"until": ["\n"]}}},
        "resps": [["4"]], "filtered_resps": ["4"], "filter": filter, "metrics": ["exact_match"],
        "doc_hash": "d", "prompt_hash": "p", "target_hash": "t", "exact_match": value,
    } | more  # fmt: skip


def results(tasks: dict[str, int], **more: Any) -> dict[str, Any]:
    """The aggregate of a run over tasks with so many documents each."""
    return {
        "results": {one: {"alias": one, "exact_match,none": 0.5} for one in tasks},
        "configs": {one: {"task": one} for one in tasks},
        "versions": dict.fromkeys(tasks, 1.0),
        "n-shot": dict.fromkeys(tasks, 0),
        "higher_is_better": {one: {"exact_match": True} for one in tasks},
        "n-samples": {one: {"original": n, "effective": n} for one, n in tasks.items()},
        "config": {"model": "local-completions", "model_args": "model=m"},
        "git_hash": "abc", "date": BEGAN, "lm_eval_version": "0.4.13",
        "model_source": "local-completions", "model_name": "m",
        "total_evaluation_time_seconds": "30.5",
    } | more  # fmt: skip


def read(
    lines: dict[str, list[dict[str, Any]]],
    aggregate: dict[str, Any] | None = None,
    *,
    scorer: str | None = None,
    cluster: str | None = None,
    name: str = RESULTS,
) -> Imported:
    plain = aggregate or results({task: len(rows) for task, rows in lines.items()})
    samples = [
        Source(f"samples_{task}_{DATE}.jsonl", "\n".join(map(json.dumps, rows)).encode() + b"\n")
        for task, rows in lines.items()
    ]
    source = Source(name, json.dumps(plain).encode())
    return read_harness(source, samples, scorer=scorer, cluster=cluster)


def test_each_document_is_a_sample_of_its_task() -> None:
    found = read({"addition": [line(0, 1.0), line(1, 0.0)], "max_2": [line(0, True)]})
    assert found.samples == [
        Sample(sample_id="addition/0", epoch=1, score=1.0),
        Sample(sample_id="addition/1", epoch=1, score=0.0),
        Sample(sample_id="max_2/0", epoch=1, score=1.0),
    ]
    assert (found.model, found.version) == ("m", "0.4.13")
    assert found.started_at is not None
    assert found.started_at.timestamp() == BEGAN
    assert found.finished_at is not None
    assert found.finished_at.timestamp() == BEGAN + 30.5


def test_only_the_named_metric_and_filter_count() -> None:
    both = [
        line(doc, value, filter=name, other=9.0, metrics=["exact_match", "other"])
        for name, value in (("strict-match", 0.0), ("flexible-extract", 1.0))
        for doc in range(2)
    ]
    plain = results({"gsm8k": 2})
    found = read({"gsm8k": both}, plain, scorer="exact_match,flexible-extract")
    assert [one.score for one in found.samples] == [1.0, 1.0]
    for scorer in (None, "exact_match", "accuracy,none"):
        with pytest.raises(InvalidDocument, match="expected exactly one"):
            read({"gsm8k": both}, plain, scorer=scorer)


def test_a_metric_alone_is_enough_where_there_is_one_filter() -> None:
    rows = [line(0, 1.0, acc_norm=0.0, metrics=["exact_match", "acc_norm"])]
    assert [one.score for one in read({"t": rows}, scorer="acc_norm").samples] == [0.0]


def test_a_document_names_its_family() -> None:
    found = read({"t": [line(0, 1.0), line(1, 0.0), line(2, 1.0) | {"doc": {}}]}, cluster="family")
    assert [one.cluster for one in found.samples] == ["f0", "f0", None]
    assert [one.score for one in found.samples] == [1.0, 0.0, None]
    assert "no 'family' in its document" in str(found.samples[2].error)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_an_error(value: float) -> None:
    (one,) = read({"t": [line(0, value)]}).samples
    assert one.score is None
    assert "no finite number" in str(one.error)


def test_a_value_that_is_not_there_is_an_error() -> None:
    missing = line(0, None)
    del missing["exact_match"]
    found = read({"t": [missing, line(1, None), line(2, 1.0)]})
    assert [one.score for one in found.samples] == [None, None, 1.0]
    assert found.samples[0].error == "no value of exact_match"


def test_a_document_that_is_there_twice_is_an_error() -> None:
    (one,) = read({"t": [line(0, 1.0), line(0, 0.0)]}).samples
    assert (one.score, one.error) == (None, TWICE)


def test_an_aggregate_without_samples_gives_none_and_says_so() -> None:
    found = read({}, results({"addition": 200}))
    assert found.samples == []
    assert "without samples" in found.notes[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lm_eval_version": "0.5.0"}, "written by lm-eval '0.5.0' (expected 0.4.*"),
        ({"lm_eval_version": "0.3.0"}, "written by lm-eval '0.3.0'"),
        ({"lm_eval_version": None}, "written by lm-eval None"),
        ({"results": {"other": {}}}, "samples of the task 't' (the results are of ['other'])"),
        ({"n-samples": {"t": {"original": 9, "effective": 9}}}, "2 samples with the filter"),
        ({"n-samples": {}}, "(the results say None)"),
        ({"higher_is_better": {"t": {"exact_match": False}}}, "a lower value is better"),
        ({"date": 1e300}, "expected seconds since 1970"),
        ({"total_evaluation_time_seconds": "long"}, "expected seconds since 1970"),
    ],
)
def test_an_aggregate_that_does_not_fit_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        read({"t": [line(0, 1.0), line(1, 0.0)]}, results({"t": 2}, **change))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (line(0, [1.0, 2.0]), "exact_match is a list (expected a number"),
        (line(0, "1.0"), "exact_match is a str"),
        (line(0, 1.0) | {"doc_id": "0"}, "doc_id '0' (expected a whole number)"),
        (line(0, 1.0) | {"doc_id": True}, "doc_id True"),
        (line(0, 1.0) | {"filter": 3}, "expected exactly one"),
    ],
)
def test_a_line_that_would_have_to_be_guessed_is_refused(row: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidDocument, match=r"^samples_t_") as caught:
        read({"t": [row]})
    assert said in str(caught.value)


def test_files_of_two_runs_are_not_put_together() -> None:
    with pytest.raises(InvalidDocument, match="not of the same run"):
        read({"t": [line(0, 1.0)]}, name="results_2026-11-02T12-00-30.123456.json")
    with pytest.raises(InvalidDocument, match="not of the same run"):
        read({"t": [line(0, 1.0)]}, name="results.json")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "line 1 is not JSON"),
        (b"[]", "line 1 is no JSON object"),
        (b'{"doc_id": 0, "doc_id": 1}', "the key 'doc_id' stands there twice"),
        (b"\xff", "expected UTF-8"),
        (b"[" * 100_000, "line 1 is not JSON"),
        (b'{"doc_id": ' + b"1" * 5000 + b"}", "line 1 is not JSON"),
    ],
)
def test_lines_that_are_no_json_are_refused(content: bytes, said: str) -> None:
    source = Source(RESULTS, json.dumps(results({"t": 1})).encode())
    samples = Source(f"samples_t_{DATE}.jsonl", content)
    with pytest.raises(InvalidDocument) as caught:
        read_harness(source, [samples], scorer=None, cluster=None)
    assert said in str(caught.value)
