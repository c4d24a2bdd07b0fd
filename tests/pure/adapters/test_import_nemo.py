"""Output of NeMo Evaluator: 0.2's aggregate and records, 0.3's bundle and rows."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import yaml

from include.adapters.import_nemo import AGGREGATE, read_nemo
from include.adapters.import_rows import TWICE, Source
from include.rsp.delivered import Imported
from include.rsp.errors import InvalidDocument
from include.rsp.results import Sample


def row(problem: int, reward: Any, *, repeat: int = 0, **more: Any) -> dict[str, Any]:
    """One line of `results.jsonl`."""
    return {
        "problem_idx": problem, "repeat": repeat, "reward": reward, "scorer_rewards": {},
        "prompt": "2+2", "model_response": "4", "extracted_answer": "4", "expected_answer": "4",
        "scoring_details": {"method": "exact"}, "metadata": {"category": f"c{problem // 2}"},
        "tokens": 9, "latency_ms": 1.5,
    } | more  # fmt: skip


def bundle(rows: int, problems: int, **more: Any) -> dict[str, Any]:
    """The bundle of a run."""
    return {
        "run_id": "eval-20261101T120000Z-addition", "config_hash": "sha256:0",
        "sdk_version": "0.3.0", "timestamp": "2026-11-01T12:00:00+00:00",
        "config": {"model": "m", "repeats": 1},
        "benchmark": {"name": "addition", "samples": problems, "repeats": 1,
                      "scores": {"pass@1": {"value": 0.5}}},
        "n_results": rows,
    } | more  # fmt: skip


def aggregate(**more: Any) -> dict[str, Any]:
    """A `results.yml` of 0.2."""
    score = {"value": 0.5, "stats": {"count": 2, "stderr": 0.1}}
    return {
        "git_hash": "", "command": "lm-eval", "config": {"type": "addition", "output_dir": "/r"},
        "target": {"api_endpoint": {"model_id": "m", "type": "chat", "url": "http://x"}},
        "results": {"tasks": {"addition": {"metrics": {"acc": {"scores": {"acc": score}}}}}},
        "metadata": {"versioning": {"nemo_evaluator": "0.2.8"}},
    } | more  # fmt: skip


def lines(rows: list[dict[str, Any]]) -> Source:
    return Source("results.jsonl", "".join(json.dumps(one) + "\n" for one in rows).encode())


def read(
    rows: list[dict[str, Any]] | None, plain: dict[str, Any] | None = None, **more: Any
) -> Imported:
    given = rows or []
    made = plain or bundle(len(given), len({one.get("problem_idx") for one in given}))
    legacy = "results" in made
    content = yaml.safe_dump(made) if legacy else json.dumps(made)
    return read_nemo(
        Source("results.yml" if legacy else "eval-x.json", content.encode()),
        None if rows is None else lines(rows),
        version="0.3.0",
        **{"scorer": None, "cluster": None} | more,
    )


def test_each_problem_and_repeat_is_a_sample() -> None:
    found = read([row(0, 1.0), row(0, 0.0, repeat=1), row(1, 0.25)], cluster="category")
    assert found.samples == [
        Sample(sample_id="0", epoch=1, score=1.0, cluster="c0"),
        Sample(sample_id="0", epoch=2, score=0.0, cluster="c0"),
        Sample(sample_id="1", epoch=1, score=0.25, cluster="c0"),
    ]
    assert (found.model, found.version) == ("m", "0.3.0")


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ({"error": "503", "error_category": "infra_error", "method": "infra_error"}, "infra_error"),
        ({"error": "timeout", "error_category": "graceful", "method": "solve_failed"}, "graceful"),
        ({"error": "x", "error_category": "system", "method": "system_error"}, "system"),
        ({"method": "graceful_error"}, "graceful_error"),
        ({"judge": {"error": "no judge_client configured", "total": None}}, "the judge broke"),
        ({"needs_judge": True}, "it waits for its judge"),
    ],
)
def test_a_reward_of_zero_for_what_was_never_run_is_an_error_and_not_a_low_score(
    details: dict[str, Any], said: str
) -> None:
    (one,) = read([row(0, 0.0, scoring_details=details)]).samples
    assert one.score is None
    assert said in str(one.error)


@pytest.mark.parametrize("reward", [None, "1.0", math.nan, [1.0]])
def test_a_reward_that_is_no_number_is_an_error(reward: Any) -> None:
    (one,) = read([row(0, reward)]).samples
    assert one.score is None
    assert one.error


def test_a_named_scorer_counts_instead_of_the_reward() -> None:
    with_scorer = {"scorer:strict": {"reward": 0.5}}
    broken = {"scorer:strict": {"error": "boom", "reward": 0.0}}
    found = read(
        [row(0, 1.0, scoring_details=with_scorer), row(1, 1.0, scoring_details=broken),
         row(2, 1.0)],
        scorer="strict",
    )  # fmt: skip
    assert [one.score for one in found.samples] == [0.5, None, None]
    assert found.samples[1].error == "the scorer strict broke: boom"
    assert found.samples[2].error == "no score by 'strict'"


def test_a_row_without_the_named_family_or_there_twice_is_an_error() -> None:
    (one,) = read([row(0, 1.0, metadata={})], cluster="category").samples
    assert "no 'category' in its metadata" in str(one.error)
    (twice,) = read([row(0, 1.0), row(0, 0.0)]).samples
    assert (twice.score, twice.error) == (None, TWICE)


def test_an_aggregate_alone_gives_no_samples_and_says_so() -> None:
    for plain in (bundle(200, 200), aggregate()):
        found = read(None, plain)
        assert (found.samples, found.notes, found.model) == ([], [AGGREGATE], "m")


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        (bundle(2, 1), "1 rows of 1 problems (the bundle says 2 of 1)"),
        (bundle(1, 2), "1 rows of 1 problems (the bundle says 1 of 2)"),
        (bundle(1, 1, sdk_version="0.4.0"), "written by NeMo Evaluator '0.4.0' (expected 0.3.*"),
        (bundle(1, 1, sdk_version=None), "written by NeMo Evaluator None"),
        ({"scores": {}}, "the keys ['scores'] (expected those of a bundle"),
        (
            aggregate(metadata={"versioning": {"nemo_evaluator": "1.0.0"}}),
            "'1.0.0' (expected 0.1.*",
        ),
        (aggregate(metadata={}), "'0.3.0' (expected 0.1.* or 0.2.*"),
    ],
)
def test_an_aggregate_that_does_not_fit_is_refused(plain: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        read([row(0, 1.0)], plain)
    assert said in str(caught.value)


@pytest.mark.parametrize("change", [{"problem_idx": "0"}, {"problem_idx": None}, {"repeat": 0.5}])
def test_a_row_whose_problem_cannot_be_told_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument, match="expected whole numbers"):
        read([row(0, 1.0) | change], bundle(1, 1))


def record(name: str, score: Any, **more: Any) -> dict[str, Any]:
    """One sample as 0.2.8 writes it beside `results.yml`."""
    return {
        "id": name, "generation": "4", "num_generated_tokens": 1, "num_prompt_tokens": 3,
        "sub_query_id": 0, "score": score, "score_name": "symbolic_correct", "query": "2+2",
    } | more  # fmt: skip


def test_records_of_the_older_form_are_samples() -> None:
    found = read([record("a", 1), record("b", 0), record("c", None)], aggregate())
    assert [(one.sample_id, one.score) for one in found.samples] == [
        ("a", 1.0), ("b", 0.0), ("c", None),
    ]  # fmt: skip
    assert found.version == "0.2.8"


def test_records_that_cannot_be_told_apart_or_have_several_scores_are_refused() -> None:
    with pytest.raises(InvalidDocument, match="cannot be told apart"):
        read([record("a", 1, sub_query_id=1)], aggregate())
    with pytest.raises(InvalidDocument, match=r"scores by \['judgement', 'symbolic_correct'\]"):
        read([record("a", 1), record("b", 1, score_name="judgement")], aggregate())


def test_a_record_scored_by_another_scorer_than_the_named_one_is_an_error() -> None:
    (one,) = read([record("a", 0)], aggregate(), scorer="judgement").samples
    assert one.error == "scored by 'symbolic_correct' (expected 'judgement')"


@pytest.mark.parametrize("content", [b"a: [", b"- 1", b"a: 1\na: 2\n", b"\xff", b""])
def test_a_file_that_is_no_mapping_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidDocument, match=r"^results\.yml: "):
        read_nemo(Source("results.yml", content), None, version="0.2.8", scorer=None, cluster=None)
