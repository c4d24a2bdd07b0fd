"""Each expectation blocks what it is there for; Great Expectations is imported once, here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.adapters.expectations import on_counted, on_run, on_schema, on_whole
from include.adapters.result_frame import (
    ALWAYS,
    FROM_A_LOG,
    ResultTable,
    table_of_samples,
)
from include.adapters.validation import Validated, Validator, nothing_to_validate
from include.adapters.validation_page import render_page
from include.rsp.canonical import canonical_bytes
from include.rsp.evaluation_plan import RunKey
from include.rsp.quality import ids_digest
from include.rsp.suite import Evaluation
from tests.support.factories import START, make_samples
from tests.support.results import (
    BEGUN,
    ENDED,
    NOW,
    ROWS,
    put,
    small_context,
    small_evaluation,
    small_table,
    with_inspect,
)

Table = pd.DataFrame
SECOND = {"second_grader": {"scorer": "second", "min_agreement": 0.9}}
CANARIES = {"canaries": ["canary-26b5c67b"]}
EARLY, LATE = START - timedelta(hours=1), NOW + timedelta(hours=1)
VALIDATOR: list[Validator] = []


def validator() -> Validator:
    """One for the whole module, as an assessment has one for all of its runs."""
    if not VALIDATOR:
        VALIDATOR.append(Validator())
    return VALIDATOR[0]


def validated(
    rule: Evaluation,
    table: ResultTable,
    *,
    variant: str | None = None,
    claims: dict[str, Any] | None = None,
) -> Validated:
    planned = RunKey(name=rule.id, evaluation=rule.id, variant=variant)
    context = small_context(rule, **claims or {})
    return validator().validate(rule, planned, table=table, context=context)


def failed(found: Validated) -> set[str]:
    """What the failed expectations are about."""
    assert found.valid is (found.problems == []) is found.report["success"]
    return {one.split(": got ")[0] for one in found.problems}


@dataclass(frozen=True)
class Case:
    """A damage to a sound table, and everything that it must be told as."""

    damage: Callable[[Table], Table]
    told: set[str]
    quality: dict[str, Any] | None = None
    table: Callable[[], Table] = small_table

    epochs: int = 1

    def evaluation(self) -> Evaluation:
        return small_evaluation(self.quality, **with_inspect(epochs=self.epochs))


def two_scorers() -> Table:
    return small_table(scorers=("exact", "second"))


def two_epochs() -> Table:
    return small_table(epochs=2)


def looked_for() -> Table:
    return small_table().assign(canaries=[[] for _ in range(ROWS)])


def without_scorer(table: Table, scorer: str) -> Table:
    return table[table["scorer"] != scorer]


RANGE = "Scores"
EITHER = "Samples with either a score or an error"
FIRST_ROW = 2
ROW_CASES: dict[str, tuple[dict[str, Any], str]] = {
    "a score above the range": ({"score": 1.5}, RANGE),
    "a score below the range": ({"score": -0.5}, RANGE),
    "an endless score": ({"score": np.inf}, RANGE),
    "a NaN": ({"score": np.nan}, EITHER),
    "a score and an error": ({"error": "x"}, EITHER),
    "a transcript comes twice": ({"uuid": "p01-1"}, "Transcripts (uuid)"),
    "an epoch that was not planned": ({"epoch": 2}, "Epochs"),
    "no epoch": ({"epoch": None}, "Column epoch"),
    "stopped by a limit": ({"limit": "token"}, "Samples stopped by a limit"),
    "a refusal": ({"refusals": 1}, "Samples that the model refused"),
    "refusals not known": ({"refusals": None}, "Column refusals"),
    "an unreadable answer": ({"format_failure": True}, "Answers that the scorer could not read"),
    "an answer not known to be read": (
        {"format_failure": None}, "Column format_failure of samples without an error"),
    "nobody looked for flags": ({"flags": None}, "Column flags of samples without an error"),
    "no scorer": ({"scorer": None}, "Column scorer of samples without an error"),
    "another variant": ({"variant": "helpful-only"}, "Variant of each sample"),
    "no variant": ({"variant": None}, "Column variant"),
    "another model": ({"model": "toylab/solver"}, "Model of each sample"),
    "no model": ({"model": None}, "Column model"),
    "begun before the checkpoint": ({"started_at": pd.Timestamp(EARLY)}, "Start of each sample"),
    "begun before the run": (
        {"started_at": pd.Timestamp(BEGUN - timedelta(seconds=6))}, "Start of each sample"),
    "ended in the future": ({"completed_at": pd.Timestamp(LATE)}, "End of each sample"),
    "ended after the run": (
        {"completed_at": pd.Timestamp(ENDED + timedelta(seconds=6))}, "End of each sample"),
    "ended before it began": (
        {"started_at": pd.Timestamp(ENDED), "completed_at": pd.Timestamp(BEGUN)},
        "End and start of each sample"),
    "no begin": ({"started_at": pd.NaT}, "Column started_at of samples without an error"),
    "no end": ({"completed_at": pd.NaT}, "Column completed_at of samples without an error"),
}  # fmt: skip


def rounds() -> list[dict[str, int]]:
    """The cases in as few tables as do, each in a row of its own, none told as another is."""
    found: list[dict[str, int]] = []
    for name, (_, told) in ROW_CASES.items():
        fits = (
            one
            for one in found
            if len(one) < ROWS - FIRST_ROW and told not in {ROW_CASES[each][1] for each in one}
        )
        placed = next(fits, None)
        if placed is None:
            found.append(placed := {})
        placed[name] = FIRST_ROW + len(placed)
    return found


@pytest.mark.parametrize("rows", rounds(), ids=lambda rows: f"{len(rows)} cases")
def test_a_sample_that_must_not_be_so_is_told_as_what_it_is(rows: dict[str, int]) -> None:
    table = small_table()
    for name, row in rows.items():
        table = put(table, row, **ROW_CASES[name][0])
    found = validated(small_evaluation(), table)
    assert failed(found) == {ROW_CASES[name][1] for name in rows}
    for name, row in rows.items():
        (problem,) = (one for one in found.problems if one.startswith(f"{ROW_CASES[name][1]}: got"))
        low = 1 if name == "a transcript comes twice" else row  # told by the first of the two
        assert f"in sample 'p{low:02d}' in epoch" in problem, name


CASES: dict[str, Case] = {
    "too many errors": Case(
        lambda t: put(put(put(t, 3, score=np.nan, error="x"), 4, score=np.nan, error="x"), 5,
                      score=np.nan, error="x"),
        {"Samples that ended in an error", "Share of scored samples"}),
    "text for scores": Case(lambda t: t.assign(score="1.0"),
                            {"Columns of another type", "Type of the scores", RANGE}),
    "truth for scores": Case(lambda t: t.assign(score=t["score"] == 1),
                             {"Columns of another type", "Type of the scores", RANGE}),
    "numbers for ids, times without a zone": Case(
        lambda t: t.assign(sample_id=range(ROWS), started_at=t["started_at"].dt.tz_localize(None)),
        {"Columns of another type", "Start of each sample", "End and start of each sample"}),
    "a sample is missing": Case(lambda t: t[1:], {"Samples", "Different sample ids"}),
    "a sample comes twice": Case(
        lambda t: pd.concat([t, t[:1]]), {"Samples", "Samples in an epoch", "Transcripts (uuid)"}),
    "a sample stands for another": Case(
        lambda t: put(t, 3, sample_id="p04"), {"Different sample ids", "Samples in an epoch"}),
    "a sample too many": Case(
        lambda t: pd.concat([t, put(t, 0, sample_id="p99", uuid="u")[:1]]),
        {"Samples", "Different sample ids"}),
    "no samples": Case(lambda t: t[:0], {"Samples", "Different sample ids", "Number of scorers",
                                         "Share of scored samples"}),
    "no sample id": Case(lambda t: put(t, 3, sample_id=None),
                         {"Column sample_id", "Different sample ids"}),
    "another sample than in the manifest": Case(
        lambda t: put(t, 3, sample_id="p99"), {"Digest of the sample ids"},
        quality={"sample_ids": ids_digest(small_table()["sample_id"])}),
    "an epoch is missing": Case(lambda t: t[1:], {"Samples"}, None, two_epochs, 2),
    "an epoch of another sample": Case(lambda t: put(t, 0, sample_id="p01"),
                                       {"Samples in an epoch"}, None, two_epochs, 2),
    "two scorers, none named": Case(lambda t: t, {"Number of scorers", "Samples",
                                    "Samples in an epoch", "Transcripts (uuid)"},
                                    table=two_scorers),
    "graders differ": Case(
        lambda t: t.assign(score=t["score"].where(t["scorer"] == "exact", 1.0)),
        {"Scores on which second agrees"}, SECOND, two_scorers),
    "a second grader said little": Case(
        lambda t: t[~((t["scorer"] == "second") & (t["sample_id"] < "p05"))],
        {"Scores on which second agrees"}, SECOND, two_scorers),
    "a second grader said nothing": Case(
        lambda t: without_scorer(t, "second"),
        {"Number of scorers", "Scorers", "Scores on which second agrees"}, SECOND, two_scorers),
    "a row of a second grader comes twice": Case(
        lambda t: pd.concat([t, t[1:2]]), {"Rows of sample, epoch and scorer"}, SECOND,
        two_scorers),
    "a canary was said": Case(
        lambda t: put(t, 3, canaries=["canary-26b5c67b"]),
        {"Canaries shown to the model or said by it"}, CANARIES, looked_for),
    "nobody looked for canaries": Case(
        lambda t: t.drop(columns="canaries"),
        {"Columns of the result table", "Column canaries_found"}, CANARIES, looked_for),
    "nobody looked for canaries in one": Case(
        lambda t: put(t, 3, canaries=None), {"Column canaries_found"}, CANARIES, looked_for),
}  # fmt: skip


@pytest.mark.parametrize("name", list(CASES))
def test_a_damaged_table_is_told_as_what_it_is_and_as_nothing_else(name: str) -> None:
    case = CASES[name]
    found = validated(case.evaluation(), case.damage(case.table()))
    assert failed(found) == case.told


SOUND = {
    "as it comes": (None, small_table),
    "two graders that agree": (SECOND, two_scorers),
    "canaries that nobody said": (CANARIES, looked_for),
    "its ids are the manifest's": (
        {"sample_ids": ids_digest(small_table()["sample_id"])}, small_table),
    "one of twenty broke, without a scorer": (
        None, lambda: put(small_table(), 3, score=np.nan, error="x", scorer=None,
                          format_failure=None, started_at=pd.NaT)),
    "a scorer that does not say": (
        {"max_format_failure_rate": None}, lambda: small_table().assign(format_failure=None)),
    "as much as the suite allows": (
        {"max_limit_rate": 0.05, "max_refusal_rate": 0.05, "max_format_failure_rate": 0.05},
        lambda: put(small_table(), 3, limit="time", refusals=2, format_failure=True)),
}  # fmt: skip


@pytest.mark.parametrize("name", list(SOUND))
def test_a_sound_table_is_valid(name: str) -> None:
    quality, table = SOUND[name]
    assert validated(small_evaluation(quality), table()).problems == []


def test_each_sample_may_be_put_more_than_once() -> None:
    assert validated(small_evaluation(**with_inspect(epochs=2)), two_epochs()).problems == []


def test_a_scorer_that_is_named_counts_beside_others() -> None:
    evaluation = small_evaluation(**with_inspect(scorer="exact"))
    table = two_scorers()
    table.loc[table["scorer"] == "second", "score"] = 50.0  # another scale, which nobody asked of
    assert validated(evaluation, table).valid
    assert failed(validated(evaluation, without_scorer(table, "exact"))) >= {"Scorers", "Samples"}


RUNS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "of something else, and broken": (
        {"checkpoint": "sha256:" + "9" * 64, "evaluation": "other", "evaluation_version": "0",
         "name": "third", "status": "crashed"},
        {"Checkpoint", "Evaluation", "Version of the evaluation", "Planned run",
         "How the run ended"}),
    "older than the checkpoint, from the future": (
        {"started_at": EARLY, "finished_at": LATE}, {"Start of the run", "End of the run"}),
    "ended before it began": (
        {"finished_at": START}, {"End and start of the run", "Start of each sample",
                                 "End of each sample"}),
}  # fmt: skip


@pytest.mark.parametrize("name", list(RUNS))
def test_results_of_something_else_are_told(name: str) -> None:
    claims, told = RUNS[name]
    assert failed(validated(small_evaluation(), small_table(), claims=claims)) == told


def test_results_of_another_variant_are_told() -> None:
    found = validated(small_evaluation(), small_table(), variant="helpful-only")
    assert failed(found) == {"Variant", "Variant of each sample"}


def test_every_column_of_a_log_is_needed() -> None:
    beside = [name for name in FROM_A_LOG if name not in ALWAYS]
    found = validated(small_evaluation(), small_table().drop(columns=beside))
    (problem,) = (one for one in found.problems if one.startswith("Columns of the result table"))
    assert sorted(problem.split(": got no ")[1].split(" (")[0].split(", ")) == sorted(beside)


def test_a_table_of_nothing_is_not_valid() -> None:
    assert not validated(small_evaluation(), pd.DataFrame()).valid
    assert not nothing_to_validate("no readable result").valid


def test_a_delivery_by_people_needs_no_log() -> None:
    study = {"formats": ["csv"], "due_days": 3, "instructions": "Deliver."}
    evaluation = small_evaluation(
        inspect=None, study=study, positive_control=None, null_control=None
    )
    table = small_table()[["sample_id", "epoch", "score", "error"]]
    assert validated(evaluation, table).problems == []
    assert failed(validated(evaluation, put(table, 3, score=7.0))) == {RANGE}
    assert failed(validated(evaluation, table.drop(columns="error"))) == {
        "Columns of the result table"
    }


def test_a_message_says_what_where_and_what_next() -> None:
    (problem,) = validated(small_evaluation(), put(small_table(), 3, score=1.5)).problems
    assert problem == (
        "Scores: got 1 of 20, first 1.5 in sample 'p03' in epoch 1 (expected finite, 0 to 1), in "
        "two-digit-addition of checkpoint cccccccccccc. Look at these samples in the log; mend "
        "the task or the dataset, and run it again."
    )


def test_arrow_and_pandas_are_judged_alike() -> None:
    for table in (small_table(), put(small_table(), 3, limit="token")):
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        assert validated(small_evaluation(), arrow) == validated(small_evaluation(), table)


def test_stored_samples_are_a_table_too() -> None:
    evaluation = small_evaluation()
    run = small_context(evaluation).run
    samples = make_samples(5, ROWS)
    assert (
        validated(evaluation, table_of_samples(run, samples, model="toylab/checkpoint")).problems
        == []
    )
    samples[3] = samples[3].model_copy(update={"refused": True})
    table = table_of_samples(run, samples, model="toylab/checkpoint")
    assert failed(validated(evaluation, table)) == {"Samples that the model refused"}


def test_every_expectation_is_told_from_the_others_and_has_a_case() -> None:
    evaluation = small_evaluation(SECOND | CANARIES, **with_inspect(scorer="exact"))
    planned = RunKey(name=evaluation.id, evaluation=evaluation.id, variant="final")
    context = small_context(evaluation)
    every = [
        *on_schema(evaluation), *on_run(evaluation, planned, context),
        *on_whole(evaluation, only=False), *on_counted(evaluation, planned, context),
    ]  # fmt: skip
    names = [one.meta["what"] for one in every]
    assert len(set(names)) == len(names) > 35
    told = set().union(*(one.told for one in CASES.values()), *(one for _, one in RUNS.values()))
    told |= {one for _, one in ROW_CASES.values()}
    assert set(names) - told == {"Variant"}  # in a test of its own


Damage = Callable[[Table, int], Table]
DAMAGES: list[Damage] = [
    lambda t, at: t.drop(index=at),
    lambda t, at: pd.concat([t, t.loc[[at]]]),
    lambda t, at: put(t, at, sample_id="another"),
    lambda t, at: put(t, at, epoch=2),
    lambda t, at: put(t, at, score=2.0),
    lambda t, at: put(t, at, score=np.nan),
    lambda t, at: put(t, at, error="x"),
    lambda t, at: put(t, at, limit="token"),
    lambda t, at: put(t, at, refusals=3),
    lambda t, at: put(t, at, format_failure=True),
    lambda t, at: put(t, at, model="other"),
    lambda t, at: put(t, at, variant=None),
    lambda t, at: put(t, at, epoch=None),
    lambda t, at: put(t, at, completed_at=pd.NaT),
    lambda t, at: put(t, at, started_at=pd.Timestamp(EARLY)),
    lambda t, at: t.assign(score=[{"a": at}] * len(t)),
    lambda t, at: t.assign(limit=[object()] * len(t)),
    lambda t, at: t.assign(variant=[b"\xff"] * len(t)),
    lambda t, at: t.assign(refusals=[10**30] * len(t)),
    lambda t, at: t.assign(completed_at="9999-12-31T23:59:59Z"),
]
STRICT = small_evaluation({"sample_ids": ids_digest(small_table()["sample_id"])})


@settings(max_examples=6, deadline=None)
@given(
    damages=st.lists(st.sampled_from(DAMAGES), min_size=1, max_size=3, unique=True),
    rows=st.lists(st.integers(0, ROWS - 1), min_size=3, max_size=3, unique=True),
)
def test_no_forbidden_damage_ever_becomes_valid(damages: list[Damage], rows: list[int]) -> None:
    table = small_table()
    for damage, at in zip(damages, rows, strict=False):
        table = damage(table.reset_index(drop=True), min(at, len(table) - 1))
    found = validated(STRICT, table)
    assert found.problems != []
    assert render_page(found.report)
    assert canonical_bytes(found.report)


def test_the_page_loads_nothing_and_shows_what_failed() -> None:
    hostile = "<img src=http://evil.example/x onerror=alert(1)><script>alert(2)</script>$x"
    table = put(put(small_table(), 3, variant=hostile), 4, score=np.inf)
    found = validated(small_evaluation(), table)
    stored = json.loads(json.dumps(found.report, allow_nan=False))
    page = render_page(stored).decode()
    assert "default-src 'none'" in page
    assert not re.search(r"<(script|img|link|iframe|a|form|object|embed|base)\b", page)
    assert not re.search(r"(src|href|action)\s*=\s*[\"']?(https?:)?//", page.replace(
        "src=http://evil.example/x", ""))  # fmt: skip
    assert "url(" not in page
    assert "Quarantined: 2 of " in page
    assert "first inf in sample" in page or "first &#x27;inf&#x27; in sample" in page
    assert "&lt;script&gt;" in page
    assert page == render_page(stored).decode()


def test_the_page_of_valid_results_and_of_none() -> None:
    valid = render_page(validated(small_evaluation(), small_table()).report).decode()
    assert "expectations hold" in valid
    assert "Quarantined" not in valid
    none = render_page(nothing_to_validate("<b>gone</b>").report).decode()
    assert "Quarantined without a look: &lt;b&gt;gone&lt;/b&gt;" in none
