"""Values printed twice: what a validator notices, from the numbers alone."""

from __future__ import annotations

import pytest

from include.adapters import published_files as files
from include.rsp.restatement import Flag, Restatement, check_restatement, numbers_in

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
    ],
)
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


def test_the_published_restatements_include_two_that_reopen_a_case() -> None:
    restated = files.read_restatements(files.PUBLISHED / "restatements.csv")
    found = [check_restatement(RULES, one, RESULTS) for one in restated]
    assert len(found) == 14
    assert sum(Flag.DECISION_CHANGING in one for one in found) == 2
    assert sum(Flag.SUMMARY_DIFFERS_FROM_DETAIL in one for one in found) == 3
    assert sum(Flag.ANOTHER_MODELS_VALUE in one for one in found) == 1
