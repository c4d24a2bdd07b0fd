"""Values printed twice: what a validator notices, from the numbers alone."""

from __future__ import annotations

import pytest

from include.adapters import published_files as files
from include.rsp.printed import numbers_in
from include.rsp.restatement import (
    DECLARED,
    NEXT_STEP,
    Flag,
    Restatement,
    check_restatement,
)

RULES = files.read_rules()
RESULTS = files.read_results(files.PUBLISHED / "published_results.csv")


def flags(evaluation: str, before: str, after: str, *, source_b: str = "B card p2") -> list[Flag]:
    one = Restatement(
        model="a model that nobody knows",
        evaluation=evaluation,
        value_a=before,
        source_a="A card p1",
        value_b=after,
        source_b=source_b,
    )
    return check_restatement(RULES, one, RESULTS)


@pytest.mark.parametrize(
    ("evaluation", "before", "after", "expected"),
    [
        ("Quadruped RL", "1.25", "0.769", [Flag.DECISION_CHANGING, Flag.OVER_TOLERANCE]),
        ("Quadruped RL", "0.769", "1", [Flag.DECISION_CHANGING, Flag.OVER_TOLERANCE]),
        ("Text-based RL best", "0.64", "0.675", [Flag.ANOTHER_MODELS_VALUE]),
        ("Kernels (hard)", "72x", "49x", [Flag.OVER_TOLERANCE]),
        ("Kernels (hard)", "60x", "61x", [Flag.WITHIN]),
        ("Bioweapons knowledge questions", "16/33", "17.2/33", [Flag.REGRADED]),
        ("Some count", "21/42", "22/45", [Flag.DENOMINATOR_CHANGED]),
        ("Anything", "rendered wrongly", "corrected", [Flag.NOT_A_NUMBER]),
        ("Anything", "0.5", "-", [Flag.NOT_A_NUMBER]),
        ("Acquisition uplift (ratio)", "2.5x", "150%", [Flag.OVER_TOLERANCE, Flag.UNIT_CHANGED]),
        ("SWE-bench", "12 of 45", "30 of 45",
         [Flag.DECISION_CHANGING, Flag.OVER_TOLERANCE, Flag.REGRADED]),
        ("SWE-bench", "12 of 45", "12 of 42", [Flag.DENOMINATOR_CHANGED]),
        ("Kernels", "1,234x", "1.3x", [Flag.DECISION_CHANGING, Flag.OVER_TOLERANCE]),
        ("Kernels", "0.5", "rule-out 60%", [Flag.NOT_A_NUMBER]),
        ("Some time", "12 hours", "12 minutes", [Flag.UNIT_CHANGED]),
    ],
)  # fmt: skip
def test_each_kind_is_noticed(
    evaluation: str, before: str, after: str, expected: list[Flag]
) -> None:
    assert flags(evaluation, before, after) == expected


def test_one_document_with_two_values_is_refused() -> None:
    assert flags("Kernels", "74x", "73x", source_b="A card p9") == [
        Flag.SUMMARY_DIFFERS_FROM_DETAIL
    ]


def test_numbers_are_read_as_they_are_printed() -> None:
    assert numbers_in("~74x") == [74]
    assert numbers_in("52.96%") == [pytest.approx(0.5296)]
    assert numbers_in("17/33") == [pytest.approx(17 / 33)]
    assert numbers_in("0.84 / 0.85") == [0.84, 0.85]
    assert numbers_in("0.45+-0.08") == [0.45]
    assert numbers_in("1/0") == []
    assert numbers_in("1,234x") == [1234]
    assert numbers_in("12 out of 48 problems") == [0.25]
    assert numbers_in("~1 (at threshold)") == [1]
    for text in ("1e3", "0,5", "12,34x", "0.69 (10-shot)", "0.5 / about 0.6", "1.2.3", "-"):
        assert numbers_in(text) == [], text


def test_the_published_restatements_include_two_that_reopen_a_case() -> None:
    restated = files.read_restatements(files.PUBLISHED / "restatements.csv")
    found = [check_restatement(RULES, one, RESULTS) for one in restated]
    assert len(found) == 14
    assert sum(Flag.DECISION_CHANGING in one for one in found) == 2
    assert sum(Flag.SUMMARY_DIFFERS_FROM_DETAIL in one for one in found) == 3
    assert sum(Flag.ANOTHER_MODELS_VALUE in one for one in found) == 1


ASKED = [
    ("another rubric: keep both, never compare across", {Flag.RUBRIC_CHANGED}),
    ("a reason for the re-grading", {Flag.REGRADED}),
    ("the snapshot, and the most capable one", {Flag.SNAPSHOTS_DIFFER, Flag.DECISION_CHANGING}),
    ("a summary that is not its detail is refused", {Flag.SUMMARY_DIFFERS_FROM_DETAIL}),
    ("the same", {Flag.SUMMARY_DIFFERS_FROM_DETAIL}),
    ("more than a tenth is flagged", {Flag.OVER_TOLERANCE}),
    ("equal to another model's value", {Flag.ANOTHER_MODELS_VALUE}),
    ("the case is reopened", {Flag.DECISION_CHANGING}),
    ("accept and log", {Flag.WITHIN}),
    ("accept and log", {Flag.WITHIN}),
    ("an erratum that is linked", {Flag.ERRATUM}),
    ("flagged", {Flag.OVER_TOLERANCE}),
    ("helpful-only in the manifest", {Flag.UNDER_ELICITED}),
    ("flagged", {Flag.ORDER_REVERSED}),
]


@pytest.mark.parametrize("number", range(14))
def test_each_published_restatement_gets_what_its_last_column_asks_for(number: int) -> None:
    one = files.read_restatements(files.PUBLISHED / "restatements.csv")[number]
    asked, expected = ASKED[number]
    found = set(check_restatement(RULES, one, RESULTS))
    assert expected <= found, asked
    assert (Flag.WITHIN in found) == (expected == {Flag.WITHIN}), "accepted only where asked"


def test_a_declared_kind_adds_a_flag_and_takes_none_away() -> None:
    plain = flags("Quadruped RL", "1.25", "0.769")
    for kind in ("rubric changed", "Different Snapshot", "published error", "restated", ""):
        one = Restatement(
            model="M", evaluation="Quadruped RL", value_a="1.25", source_a="A card p1",
            value_b="0.769", source_b="B card p2", kind=kind,
        )  # fmt: skip
        assert set(plain) <= set(check_restatement(RULES, one, RESULTS))


def test_every_flag_has_a_next_step() -> None:
    assert set(NEXT_STEP) == set(Flag)
    assert set(DECLARED.values()) <= set(Flag)


def test_two_values_that_change_places_are_noticed_though_each_is_within_a_tenth() -> None:
    assert flags("Anything", "0.50 / 0.52", "0.52 / 0.51") == [Flag.ORDER_REVERSED]
    assert flags("Anything", "0.50 / 0.52", "0.51 / 0.53") == [Flag.WITHIN]
