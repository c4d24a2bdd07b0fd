"""Logs of Inspect that others made."""

from __future__ import annotations

import pytest

from include.adapters.import_inspect import inspect_table, read_inspect
from include.adapters.import_rows import Source
from include.rsp.errors import InvalidDocument
from include.rsp.results import Sample
from tests.support.eval_logs import eval_log
from tests.support.factories import make_samples

SAMPLES = make_samples(1, of=3, errors=1)


def read(content: bytes, *, model: str = "lab/model", scorer: str | None = None) -> list[Sample]:
    table = inspect_table(Source("a.eval", content), model=model, variant="final", cluster=None)
    found = read_inspect(table, scorer=scorer)
    assert found.model == model
    return found.samples


def test_the_samples_of_a_log_come_out_as_they_went_in() -> None:
    found = read(eval_log(SAMPLES, model="lab/model"))
    assert [(one.sample_id, one.epoch, one.score) for one in found] == [
        (one.sample_id, one.epoch, one.score) for one in SAMPLES
    ]
    assert found[2].error


def test_a_scorer_that_the_log_does_not_have_gives_no_scores() -> None:
    found = read(eval_log(SAMPLES, model="lab/model"), scorer="other")
    assert [one.score for one in found] == [None] * 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "a.eval: "),
        (b"PK\x03\x04 broken", "a.eval: "),
        (eval_log(SAMPLES, model="other/model"), "is of the model 'other/model'"),
        (eval_log(SAMPLES, model="lab/model")[:-40], "a.eval: "),
    ],
)
def test_a_log_that_does_not_read_or_is_of_another_model_is_refused(
    content: bytes, said: str
) -> None:
    with pytest.raises(InvalidDocument) as caught:
        read(content)
    assert said in str(caught.value)


def test_a_log_that_did_not_end_well_is_refused() -> None:
    content = b'{"version": 2, "status": "error", "eval": {"eval_id": "e", "run_id": "r", ' \
        b'"created": "2026-11-01T00:00:00+00:00", "task": "t", "task_id": "t", ' \
        b'"model": "lab/model", "dataset": {"samples": 1}, "config": {}}}'  # fmt: skip
    with pytest.raises(InvalidDocument, match=r"ended as 'error'.*Finish the evaluation"):
        read(content)
