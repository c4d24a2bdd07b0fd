"""Whatever stands in delivered files: samples that say what they say, or one clear refusal."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from include.adapters.delivered_files import read_results
from include.rsp.canonical import canonical_bytes
from include.rsp.delivered import DeliveredResults
from include.rsp.errors import InvalidDocument, Refused
from include.rsp.results import Sample, SampleTable
from include.rsp.study import HumanStudy
from tests.support.deliveries import stated

TEXT = st.text(st.characters(exclude_categories=[]), max_size=5)
"""Halves of characters too, as `\\ud800` in JSON is one."""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                max_size=3),
    max_leaves=6,
)  # fmt: skip
DATE = "2026-11-01T12-00-30.1"
HARNESS = ("doc_id", "filter", "metrics", "acc", "doc")
NEMO = ("problem_idx", "repeat", "reward", "scoring_details", "metadata")


def line_of(fields: tuple[str, ...], good: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A good line in which some fields are something else."""
    wrong = st.dictionaries(st.sampled_from(fields), JSON, max_size=2)
    return wrong.map(lambda change: good | change)


def samples_of(said: DeliveredResults, files: dict[str, bytes]) -> list[Sample]:
    study = HumanStudy(formats=[said.engine], due_days=1, cluster="family", instructions="-")
    try:
        found = read_results(said, study, files)
    except (InvalidDocument, Refused) as error:
        canonical_bytes({"message": str(error)})  # a refusal that says so can be stored
        return []
    if found.table is not None:  # it can be stored, and comes back as it was
        assert SampleTable.model_validate_json(found.table).samples == found.imported.samples
    return found.imported.samples


def check(samples: list[Sample], scores: list[Any]) -> None:
    """No sample has a score that no line gave it."""
    numbers = [float(one) for one in scores if isinstance(one, int | float)]
    assert all(one.score is None or one.score in numbers for one in samples)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        line_of(HARNESS, {"doc_id": 0, "filter": "none", "metrics": ["acc"], "acc": 1.0,
                          "doc": {"family": "a"}}),
        max_size=4,
    )
)  # fmt: skip
def test_lines_of_the_harness(lines: list[dict[str, Any]]) -> None:
    aggregate = {
        "results": {"t": {}}, "lm_eval_version": "0.4.13", "model_name": "m",
        "n-samples": {"t": {"original": 9, "effective": len(lines)}},
    }  # fmt: skip
    files = {
        f"results_{DATE}.json": json.dumps(aggregate).encode(),
        f"samples_t_{DATE}.jsonl": "\n".join(map(json.dumps, lines)).encode(),
    }
    kinds = dict(zip(files, ("lm-eval-results", "lm-eval-samples"), strict=True))
    said = stated({name: (kinds[name], content) for name, content in files.items()},
                  engine="lm-eval", engine_version="0.4.13", model="m", columns=None)  # fmt: skip
    check(samples_of(said, files), [one.get("acc") for one in lines])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        line_of(NEMO, {"problem_idx": 0, "repeat": 0, "reward": 1.0, "scoring_details": {},
                       "metadata": {"family": "a"}}),
        max_size=4,
    )
)  # fmt: skip
def test_rows_of_nemo(lines: list[dict[str, Any]]) -> None:
    problems = {canonical(one.get("problem_idx")) for one in lines}
    bundle = {
        "sdk_version": "0.3.0", "config": {"model": "m"}, "n_results": len(lines),
        "benchmark": {"name": "b", "samples": len(problems)},
    }  # fmt: skip
    files = {
        "eval-x.json": json.dumps(bundle).encode(),
        "results.jsonl": "\n".join(map(json.dumps, lines)).encode(),
    }
    kinds = dict(zip(files, ("nemo-results", "nemo-samples"), strict=True))
    said = stated({name: (kinds[name], content) for name, content in files.items()},
                  engine="nemo-evaluator", engine_version="0.3.0", model="m",
                  columns=None)  # fmt: skip
    check(samples_of(said, files), [one.get("reward") for one in lines])


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["results", "lm_eval_version", "model_name", "date",
                                        "n-samples", "higher_is_better", "config",
                                        "total_evaluation_time_seconds"]), JSON))  # fmt: skip
def test_aggregates_of_the_harness(change: dict[str, Any]) -> None:
    aggregate = {"results": {"t": {}}, "lm_eval_version": "0.4.13", "model_name": "m"} | change
    files = {f"results_{DATE}.json": json.dumps(aggregate).encode()}
    said = stated({f"results_{DATE}.json": ("lm-eval-results", b"")}, engine="lm-eval",
                  engine_version="0.4.13", model="m", columns=None)  # fmt: skip
    assert samples_of(said, files) == []
    assert canonical_bytes(said)
