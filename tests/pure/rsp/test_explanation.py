"""Each kind of explanation, from made-up models; and that it decides nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from include.adapters import published_files as files
from include.adapters.policy_files import POLICIES, named_file, read_policy
from include.rsp.explanation import Explanation, Kind, Record, explain, what_decided
from include.rsp.published import Determination, PublishedResult
from tests.support.published import make_determination, make_result

RULES = files.read_rules()
LAW = read_policy(named_file(POLICIES, RULES.policy).read_bytes(), where=RULES.policy)
UPLIFT, SWE, VCT = "acquisition uplift ratio", "SWE-bench", "VCT"


def rows(model: str, values: dict[str, float], *, start: int = 2) -> list[PublishedResult]:
    return [
        make_result(
            row=start + index,
            model=model,
            evaluation=name,
            score=score,
            domain="Autonomy" if name == SWE else "CBRN",
        )
        for index, (name, score) in enumerate(values.items())
    ]


def explained(
    results: Sequence[PublishedResult], *determined: Determination, model: str = "m"
) -> Explanation:
    return explain(Record.of(LAW, RULES, results, determined), model)


@pytest.mark.parametrize(
    ("values", "standard", "kind", "says"),
    [
        ({UPLIFT: 1.5, SWE: 0.2}, "ASL-2", Kind.NUMBERS, "with the buffer and without"),
        ({UPLIFT: 2.6, SWE: 0.2}, "ASL-3", Kind.BUFFER, "it would be ASL-2"),
        ({UPLIFT: 2.6, SWE: 0.2}, "ASL-2", Kind.BUFFER, "without the buffer, it is ASL-2"),
        ({UPLIFT: 1.5, SWE: 0.2, VCT: 0.4}, "ASL-2", Kind.NUMBERS, "Saturated and not counted"),
        ({UPLIFT: 1.5, SWE: 0.2, VCT: 0.4}, "ASL-3", Kind.SATURATION, "row 4 VCT"),
        ({UPLIFT: 1.5, SWE: 0.2, "long-form virology": 0.7}, "ASL-3", Kind.NUMBERS, "literal"),
        ({UPLIFT: 1.5, SWE: 0.2}, "ASL-3", Kind.JUDGEMENT, "Nothing tried here gives ASL-3"),
        ({SWE: 0.2}, "ASL-2", Kind.JUDGEMENT, "cbrn-3"),
        ({UPLIFT: 2.6, SWE: 0.2, "long-form virology": 0.9}, "ASL-3", Kind.NUMBERS, "row 2"),
    ],
)
def test_the_first_counterfactual_that_gives_the_published_level_explains_it(
    values: dict[str, float], standard: str, kind: Kind, says: str
) -> None:
    found = explained(rows("M", values), make_determination("m", standard))
    assert (found.kind, says in found.sentence) == (kind, True), found


def test_a_model_that_nothing_was_determined_of_is_explained_by_what_decided() -> None:
    assert explained(rows("M", {UPLIFT: 1.5, SWE: 0.2})).kind is Kind.NUMBERS
    assert explained(rows("M", {UPLIFT: 2.6, SWE: 0.2})).kind is Kind.BUFFER
    assert explained(rows("M", {SWE: 0.2})).kind is Kind.JUDGEMENT


def compared(mine: float, other: float, *, level: str, other_level: str, **dates: str) -> Kind:
    """M has no load-bearing CBRN result; it shares two evaluations with Other."""
    results = rows("M", {SWE: 0.2, "Quiz": mine}) + rows(
        "Other", {SWE: 0.2, "Quiz": other}, start=9
    )
    determined = [
        make_determination("M", level, date=dates.get("date", "")),
        make_determination("Other", other_level, date=dates.get("other_date", "")),
    ]
    return explained(results, *determined).kind


def test_a_model_of_the_published_level_explains_it_by_comparison() -> None:
    assert compared(5, 6, level="ASL-2", other_level="ASL-2") is Kind.RELATIVE_COMPARISON
    assert compared(6, 5, level="ASL-3", other_level="ASL-3") is Kind.RELATIVE_COMPARISON


def test_a_model_of_another_level_or_of_a_later_day_explains_nothing() -> None:
    assert compared(5, 6, level="ASL-2", other_level="ASL-3") is Kind.JUDGEMENT
    dates = {"date": "2026-01", "other_date": "2026-02-03"}
    assert compared(5, 6, level="ASL-2", other_level="ASL-2", **dates) is Kind.JUDGEMENT
    dates = {"date": "2026-02", "other_date": "2026-02-03"}
    assert compared(5, 6, level="ASL-2", other_level="ASL-2", **dates) is Kind.RELATIVE_COMPARISON


def test_comparison_names_the_model_and_the_counts() -> None:
    quizzes = {"A": 1.0, "B": 2.0, "C": 3.0}
    results = rows("M", {**quizzes, "C": 4.0}) + rows("Other", quizzes, start=9)
    both = [make_determination(one, "ASL-2") for one in ("M", "Other")]
    found = explained(results, *both)
    assert "than Other (ASL-2) on 2 of the 3 evaluations" in found.sentence


def test_one_shared_evaluation_and_another_unit_are_no_comparison() -> None:
    both = [make_determination(one, "ASL-2") for one in ("M", "Other")]
    results = rows("M", {"A": 1.0}) + rows("Other", {"A": 1.0}, start=9)
    assert explained(results, *both).kind is Kind.JUDGEMENT
    results = rows("M", {"A": 1.0, "B": 1.0}) + [
        one.model_copy(update={"unit": "problems_of_9"})
        for one in rows("Other", {"A": 1.0, "B": 1.0}, start=9)
    ]
    assert explained(results, *both).kind is Kind.JUDGEMENT


def test_a_smaller_number_is_compared_as_more_capable_where_it_is() -> None:
    def of(model: str, score: float, start: int) -> list[PublishedResult]:
        return [
            make_result(row=start, model=model, evaluation="Time", score=score,
                        lower_is_capable=True),
            make_result(row=start + 1, model=model, evaluation="More time", score=score,
                        lower_is_capable=True),
        ]  # fmt: skip

    both = [make_determination(one, "ASL-2") for one in ("M", "Other")]
    assert explained(of("M", 9, 2) + of("Other", 5, 9), *both).kind is Kind.RELATIVE_COMPARISON
    assert explained(of("M", 5, 2) + of("Other", 9, 9), *both).kind is Kind.JUDGEMENT


@pytest.mark.parametrize("standard", ["ASL-2", "ASL-3", "none", ""])
def test_what_was_determined_never_changes_what_decided(standard: str) -> None:
    results = rows("M", {UPLIFT: 2.6, SWE: 0.2})
    plain = Record.of(LAW, RULES, results, [])
    record = Record.of(LAW, RULES, results, [make_determination("M", standard)])
    assert what_decided(record, "m") == what_decided(plain, "m") == Kind.BUFFER
    assert record.replay("m") == plain.replay("m")


def test_a_level_that_the_policy_does_not_know_is_not_comparable() -> None:
    for standard, level in (("ASL-3", "ASL-3"), ("ASL-9", None), ("Tier 2", None)):
        record = Record.of(LAW, RULES, [], [make_determination("M", standard)])
        assert record.level("m") == level
