"""What a suite asks of result data, and that whatever breaks it never counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.rsp.errors import InvalidDocument
from include.rsp.evidence_check import problems_with_samples
from include.rsp.quality import Quality, canaries_in, ids_digest
from include.rsp.results import Sample
from include.rsp.suite import Evaluation
from include.rsp.suite_strictness import suite_loosenings
from include.rsp.vocabulary import AnomalyKind
from tests.support.factories import make_samples, toy_suite
from tests.support.results import ROWS, small_evaluation, with_inspect

DOCS = Path(__file__).resolve().parents[3] / "docs" / "validation.md"
Samples = list[Sample]
IDS = [one.sample_id for one in make_samples(0, ROWS)]


def changed(samples: Samples, index: int, **values: Any) -> Samples:
    """The samples with one changed."""
    return [
        one.model_copy(update=values) if number == index else one
        for number, one in enumerate(samples)
    ]


@pytest.mark.parametrize("name", [*Quality.model_fields, *AnomalyKind, "second_grader"])
def test_what_a_suite_may_ask_and_people_may_see_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCS.read_text()


def test_the_defaults_allow_nothing() -> None:
    quality = Quality()
    assert (quality.max_limit_rate, quality.max_refusal_rate, quality.max_format_failure_rate) == (
        0,
        0,
        0,
    )
    assert quality.regression_tolerance == 0
    assert quality.rerun_once is False


PROBLEMS: dict[str, tuple[Callable[[Samples], Samples], str]] = {
    "stopped by a limit": (lambda all_: changed(all_, 3, limit="token"),
                           "1 of 20 samples were stopped by a limit (at most 0% may)"),
    "refused": (lambda all_: changed(all_, 3, refused=True),
                "1 of 20 samples were refused (at most 0% may)"),
    "unreadable": (lambda all_: changed(all_, 3, format_failure=True),
                   "1 of 20 samples have an answer that could not be read (at most 0% may)"),
    "one is missing": (lambda all_: all_[1:], "19 samples (expected 20)"),
    "one comes twice": (lambda all_: [*all_[1:], all_[1]], "samples come twice"),
    "an epoch too many": (lambda all_: changed(all_, 3, epoch=2), "1 samples of epochs after 1, "
                          "the last that is planned, first 'p0003' in epoch 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_samples_that_break_a_rule_are_told(name: str) -> None:
    damage, problem = PROBLEMS[name]
    evaluation = small_evaluation()
    assert problems_with_samples(evaluation, make_samples(5, ROWS)) == []
    assert problem in problems_with_samples(evaluation, damage(make_samples(5, ROWS)))


def test_as_many_as_the_suite_allows_may_break_and_no_more() -> None:
    rates = dict.fromkeys(("max_limit_rate", "max_refusal_rate", "max_format_failure_rate"), 0.05)
    evaluation, samples = small_evaluation(rates), make_samples(5, ROWS)
    for field in ({"limit": "time"}, {"refused": True}, {"format_failure": True}):
        one = changed(samples, 3, **field)
        assert problems_with_samples(evaluation, one) == []
        assert problems_with_samples(evaluation, changed(one, 4, **field)) != []


def test_another_sample_than_the_dataset_has_is_told() -> None:
    evaluation = small_evaluation({"sample_ids": ids_digest(reversed(IDS))})
    assert problems_with_samples(evaluation, make_samples(5, ROWS)) == []
    (problem,) = problems_with_samples(
        evaluation, changed(make_samples(5, ROWS), 3, sample_id="other")
    )
    assert problem.startswith("the sample ids have the digest sha256:")


def by_people(**quality: Any) -> Evaluation:
    """The same evaluation as a study, without a log."""
    study = {"formats": ["csv"], "due_days": 3, "instructions": "Deliver."}
    return small_evaluation(
        quality, inspect=None, study=study, positive_control=None, null_control=None
    )


def test_epochs_stand_in_one_place() -> None:
    with pytest.raises(InvalidDocument, match=r"quality\.epochs is 2 and inspect\.epochs 1"):
        small_evaluation({"epochs": 2})


@pytest.mark.parametrize(
    "evaluation", [small_evaluation(**with_inspect(epochs=2)), by_people(epochs=2)]
)
def test_every_sample_is_needed_in_every_epoch(evaluation: Evaluation) -> None:
    both = [
        one.model_copy(update={"epoch": epoch}) for one in make_samples(5, ROWS) for epoch in (1, 2)
    ]
    assert problems_with_samples(evaluation, both) == []
    assert problems_with_samples(evaluation, make_samples(5, ROWS)) != []
    elsewhere = changed(both, 1, sample_id="p9999")  # as many rows, no pair twice
    assert problems_with_samples(evaluation, elsewhere) == ["21 sample ids (expected 20)"]


DAMAGES: list[Callable[[Evaluation, Samples, int], Samples]] = [
    lambda _, all_, at: all_[:at] + all_[at + 1 :],
    lambda _, all_, at: [*all_, all_[at]],
    lambda _, all_, at: changed(all_, at, epoch=2),
    lambda _, all_, at: changed(all_, at, sample_id="another"),
    lambda rule, all_, at: changed(all_, at, score=rule.score_max + 0.5),
    lambda rule, all_, at: changed(all_, at, score=rule.score_min - 0.5),
    lambda _, all_, at: changed(all_, at, score=float("nan")),
    lambda _, all_, at: changed(all_, at, limit="token"),
    lambda _, all_, at: changed(all_, at, refused=True),
    lambda _, all_, at: changed(all_, at, format_failure=True),
    lambda _, all_, at: changed(
        changed(all_, at, score=None, error="x"), (at + 1) % len(all_), score=None, error="x"
    ),
]


@given(damages=st.lists(st.tuples(st.sampled_from(DAMAGES), st.integers(0, ROWS - 1)), min_size=1,
                        max_size=1), right=st.integers(0, ROWS))  # fmt: skip
def test_no_forbidden_damage_ever_counts(
    damages: list[tuple[Callable[..., Samples], int]], right: int
) -> None:
    evaluation = small_evaluation({"sample_ids": ids_digest(IDS)})
    samples = make_samples(right, ROWS)
    assert problems_with_samples(evaluation, samples) == []
    for damage, at in damages:
        samples = damage(evaluation, samples, at)
    assert problems_with_samples(evaluation, samples) != []


@pytest.mark.parametrize(
    "text", ["… CANARY-26b5c67b …", "canary-26B5C67B", "one two\n three CANARY-26b5c67b"]
)
def test_a_canary_is_found_whatever_its_case_and_breaks(text: str) -> None:
    assert canaries_in(text, ["canary-26b5c67b", "not-there-1"]) == ["canary-26b5c67b"]
    assert canaries_in("a  long\ncanary", ["A long canary"]) == ["A long canary"]
    assert canaries_in("canary-26b5", ["canary-26b5c67b"]) == []


GRADER = {"scorer": "second", "min_agreement": 0.9}
LOOSER: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "max_limit_rate 0 → 0.1": ({}, {"max_limit_rate": 0.1}),
    "max_refusal_rate 0 → 0.1": ({}, {"max_refusal_rate": 0.1}),
    "max_format_failure_rate 0 → 0.1": ({}, {"max_format_failure_rate": 0.1}),
    "max_format_failure_rate 0 → None": ({}, {"max_format_failure_rate": None}),
    "regression_tolerance 0 → 0.1": ({}, {"regression_tolerance": 0.1}),
    "rerun_once: results that fail may be made once more": ({}, {"rerun_once": True}),
    "canaries lost 1": ({"canaries": ["canary-1", "canary-2"]}, {"canaries": ["canary-2"]}),
    "epochs None → 1: people must compare": ({}, {"epochs": 1}),
    "second_grader is gone": ({"second_grader": GRADER}, {}),
    "second_grader is another one: second → third": (
        {"second_grader": GRADER}, {"second_grader": GRADER | {"scorer": "third"}}),
    "second_grader: min_agreement 0.9 → 0.8": (
        {"second_grader": GRADER}, {"second_grader": GRADER | {"min_agreement": 0.8}}),
    "second_grader: within 0 → 0.1": (
        {"second_grader": GRADER}, {"second_grader": GRADER | {"within": 0.1}}),
    f"sample_ids {ids_digest(IDS)} → None: people must compare": (
        {"sample_ids": ids_digest(IDS)}, {}),
}  # fmt: skip


@pytest.mark.parametrize("words", sorted(LOOSER))
def test_asking_less_of_result_data_is_looser(words: str) -> None:
    def suite(quality: dict[str, Any]) -> Any:
        def change(plain: dict[str, Any]) -> None:
            plain["evaluations"] = [plain["evaluations"][0] | {"quality": quality}]

        return toy_suite(change)

    before, after = (suite(one) for one in LOOSER[words])
    (told,) = suite_loosenings(before, after)
    assert told == f"evaluation two-digit-addition: quality.{words}"
    assert suite_loosenings(before, before) == []
    back = suite_loosenings(after, before)
    assert all("people must compare" in one or "is another one" in one for one in back)
