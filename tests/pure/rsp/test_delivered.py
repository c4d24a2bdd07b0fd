"""What people deliver answers a planned run, or is refused: one row for each way of not fitting."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from include.rsp.delivered import (
    SIGNATURE,
    STATEMENT,
    DeliveredFile,
    Imported,
    contradictions,
)
from include.rsp.errors import Refused
from include.rsp.suite import Evaluation
from include.rsp.wanted_results import mismatches, wanted_results
from tests.support.deliveries import COLUMNS, HOLDER, shares_csv, stated, study
from tests.support.factories import ADDITION, CHECKPOINT, START, toy_suite

OTHER = "sha256:" + "d" * 64
MINUTE = timedelta(minutes=1)


def found(evaluation: Evaluation | None = None, /, **more: Any) -> list[str]:
    planned: dict[str, Any] = {
        "job": "j", "run": "r", "variant": "final", "checkpoint": CHECKPOINT,
        "checkpoint_at": START, "planned_at": START,
    }  # fmt: skip
    signed: dict[str, Any] = {
        "holder": HOLDER, "signed_at": START + 3 * MINUTE, "at": START + 4 * MINUTE,
    }  # fmt: skip
    wanted = more.pop("wanted", {})
    also = {name: more.pop(name) for name in list(more) if name in signed}
    asked = wanted_results(evaluation or study(), **planned | wanted)
    return mismatches(stated(**more), asked, **signed | also)


def test_a_delivery_that_is_what_was_asked_for_answers() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"evaluation": "maximum"}, "results of maximum@1 (expected two-digit-addition@1)"),
        ({"evaluation_version": "2"}, "results of two-digit-addition@2"),
        ({"checkpoint": OTHER}, f"results of checkpoint {OTHER} (expected {CHECKPOINT})"),
        ({"variant": "small"}, "results of the variant 'small' (expected 'final')"),
        ({"elicitation": {"variant": "small"}}, "elicited from the variant 'small'"),
        ({"holder": "institute-b"}, "signed by institute-b (expected institute-a, as it says)"),
        ({"wanted": {"checkpoint_at": START + 2 * MINUTE}}, "before the checkpoint was there"),
        ({"finished_at": START.isoformat()}, "before it began"),
        ({"signed_at": START + MINUTE}, "before it ended"),
        ({"at": START + 2 * MINUTE}, "in the future"),
    ],
)
def test_a_delivery_that_is_not_what_was_asked_for_says_why(
    change: dict[str, Any], said: str
) -> None:
    (problem,) = found(**change)
    assert said in problem


def test_an_engine_or_a_holder_that_the_suite_does_not_take_is_refused() -> None:
    assert "results by csv (expected one of ['inspect'])" in found(study(formats=["inspect"]))[0]
    assert "by the suite" in found(study(producers=["institute-b"]))[0]
    assert found(study(producers=["institute-b", HOLDER])) == []


def test_results_of_an_evaluation_that_redline_runs_are_not_taken_from_others() -> None:
    with pytest.raises(Refused, match="is run by Redline itself"):
        found(toy_suite().evaluation(ADDITION))


def test_every_mismatch_is_said() -> None:
    assert len(found(evaluation="maximum", variant="helpful-only", holder="institute-b")) == 3


LOG = ("inspect", b"log")
TABLE = ("csv", shares_csv())


@pytest.mark.parametrize(
    ("files", "change", "said"),
    [
        ({"a.csv": TABLE, "b.csv": TABLE}, {}, "2 files of the kind csv (expected 1 to 1"),
        ({"a.txt": ("attachment", b"")}, {}, "0 files of the kind csv"),
        ({"a.csv": TABLE, "b.eval": LOG}, {}, "'b.eval' is of the kind inspect"),
        ({"a.csv": TABLE}, {"columns": None}, "columns belong to the engines csv and parquet"),
        ({"a.eval": LOG}, {"engine": "inspect", "model": "m"}, "columns belong to the engines"),
        ({"a.eval": LOG}, {"engine": "inspect", "columns": None}, "names the model that it ran"),
        ({"a.csv": TABLE}, {"columns": COLUMNS | {"group": "points"}}, "more than once"),
        ({"a.csv": TABLE}, {"engine": "excel"}, "Input should be"),
        ({"a.csv": TABLE}, {"started_at": "2026-11-01T12:00:00"}, "without a zone"),
        ({"a.csv": TABLE}, {"anything": "else"}, "Extra inputs"),
        (
            {"a.csv": TABLE},
            {"format": "redline/delivered-results@2"},
            "redline/delivered-results@1",
        ),
    ],
)
def test_a_statement_that_is_none_does_not_read(
    files: dict[str, tuple[str, bytes]], change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match="validation error") as caught:
        stated(files, **change)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "../a", "a\\b", "a\nb", "é.csv", STATEMENT, SIGNATURE]
)
def test_a_file_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="without a folder"):
        DeliveredFile.model_validate({"name": name, "kind": "csv", "sha256": OTHER, "bytes": 1})


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"model": "other"}, "the files are of the model 'other' (stated: 'm')"),
        ({"version": "0.4.9"}, "written by lm-eval 0.4.9 (stated: 0.4.13)"),
        ({"started_at": START - 10 * MINUTE}, "the files are dated"),
        ({"finished_at": START + 10 * MINUTE}, "the files are dated"),
    ],
)
def test_files_that_say_something_else_than_the_statement_contradict_it(
    said: dict[str, Any], problem: str
) -> None:
    files = {"r.json": ("lm-eval-results", b"{}")}
    one = stated(files, engine="lm-eval", engine_version="0.4.13", model="m", columns=None)
    fitting = {"model": "m", "version": "0.4.13", "started_at": START, "finished_at": START}
    assert contradictions(one, Imported(samples=[], **fitting)) == []  # type: ignore[arg-type]
    assert contradictions(one, Imported(samples=[])) == []
    (got,) = contradictions(one, Imported(samples=[], **fitting | said))  # type: ignore[arg-type]
    assert problem in got
