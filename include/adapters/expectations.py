"""The expectations on the results of one evaluation, made from its definition (lifecycle step 10).

A new evaluation needs no validation code: everything follows from its `Evaluation` with its
`Quality`, from the planned run, and from what the run claims. Each expectation is one of Great
Expectations' own and carries in `meta` what it means, what is expected, and what to do when it
fails. The same rules, as far as they decide, stand in `include.rsp.evidence_check`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import great_expectations.expectations as gxe

from include.adapters.result_frame import (
    ALWAYS,
    FROM_A_LOG,
    KEY,
    KNOWN_UNLESS_FAILED,
    NONE,
    Context,
)
from include.rsp.canonical import short
from include.rsp.evaluation_plan import RunKey
from include.rsp.evidence_check import CLOCK_TOLERANCE
from include.rsp.suite import Evaluation
from include.rsp.vocabulary import ResultStatus

AGAIN = "Run the evaluation again."
READER = "Read the log again with the reader of this version, or correct the delivery."
SAMPLES = "Look at these samples in the log; mend the task or the dataset, and run it again."
PLAN = "Collect the results of the planned run; never relabel those of another."
GRADER = "Look at the samples on which the graders differ; mend the grader, and run it again."
BUDGET = "Raise the budget per sample or allow the share in the suite (quality), and run it again."
SCORER = (
    "Let the scorer say it in the metadata of its scores, or allow silence in the suite "
    "(quality.max_format_failure_rate: null)."
)
LEAK = "Replace the dataset: the model has seen it in training. Open an incident."


def on_schema(evaluation: Evaluation) -> list[gxe.Expectation]:
    """Of the delivered columns, whatever stands in them."""
    needed = FROM_A_LOG if evaluation.inspect else ALWAYS
    if evaluation.quality.canaries:
        needed = (*needed, "canaries")
    return [
        gxe.ExpectTableColumnsToMatchSet(
            column_set=list(needed),
            exact_match=False,
            **_says("Columns of the result table", "at least " + ", ".join(needed), READER),
        )
    ]


def on_run(evaluation: Evaluation, planned: RunKey, context: Context) -> list[gxe.Expectation]:
    """Of what the table claims to be a result of: one row."""
    begins, ends = context.checkpoint_at - CLOCK_TOLERANCE, context.at + CLOCK_TOLERANCE
    claims = {
        "run": ("Planned run", planned.name),
        "status": ("How the run ended", ResultStatus.COMPLETE.value),
        "evaluation": ("Evaluation", evaluation.id),
        "version": ("Version of the evaluation", evaluation.version),
        "checkpoint": ("Checkpoint", context.checkpoint),
        "sample_ids": ("Digest of the sample ids", evaluation.quality.sample_ids or NONE),
        "wrong_types": ("Columns of another type", NONE),
    }
    if planned.variant is not None:
        claims["variant"] = ("Variant", planned.variant)
    next_steps = {"sample_ids": SAMPLES, "wrong_types": READER, "status": AGAIN}
    return [
        gxe.ExpectColumnValuesToBeInSet(
            column=column,
            value_set=[expected],
            **_says(what, expected, next_steps.get(column, PLAN)),
        )
        for column, (what, expected) in claims.items()
    ] + [
        gxe.ExpectColumnValuesToBeBetween(
            column="started_at",
            min_value=begins,
            **_says("Start of the run", f"after the checkpoint, {begins:%Y-%m-%d %H:%M:%S}", AGAIN),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="finished_at",
            max_value=ends,
            **_says("End of the run", f"before now, {ends:%Y-%m-%d %H:%M:%S}", AGAIN),
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="finished_at",
            column_B="started_at",
            or_equal=True,
            **_says("End and start of the run", "an end that is not before the start", AGAIN),
        ),
    ]


def on_whole(evaluation: Evaluation, *, only: bool) -> list[gxe.Expectation]:
    """Of all rows, also those of scorers that do not count.

    Args:
        only: no scorer is there but the one that counts, whose rows are unique without it.
    """
    found: list[gxe.Expectation] = []
    if not only:
        found.append(
            gxe.ExpectCompoundColumnsToBeUnique(
                column_list=[*KEY, "scorer"],
                ignore_row_if="never",
                **_says("Rows of sample, epoch and scorer", "each of them once", READER),
            )
        )
    named = evaluation.inspect.scorer if evaluation.inspect else None
    second = evaluation.quality.second_grader
    if named is None:
        count = 1 if second is None else 2
        found.append(
            gxe.ExpectColumnUniqueValueCountToBeBetween(
                column="scorer",
                min_value=count if evaluation.inspect or second else 0,
                max_value=count,
                **_says("Number of scorers", f"{count}, or inspect.scorer in the suite", READER),
            )
        )
    wanted = [one for one in (named, second.scorer if second else None) if one is not None]
    if wanted:
        found.append(
            gxe.ExpectColumnDistinctValuesToContainSet(
                column="scorer",
                value_set=wanted,
                **_says("Scorers", "among them " + " and ".join(wanted), READER),
            )
        )
    return found


def on_counted(evaluation: Evaluation, planned: RunKey, context: Context) -> list[gxe.Expectation]:
    """Of the rows that count."""
    found = [*_complete(evaluation), *_scores(evaluation), *_rates(evaluation)]
    found += _origins(evaluation, planned, context)
    if not evaluation.inspect:
        return found + [_known(one) for one in KEY]
    found += [_known(one) for one in ALWAYS_KNOWN]
    asked = evaluation.quality.max_format_failure_rate is not None
    return found + [
        gxe.ExpectColumnValuesToBeInSet(
            column=f"{name}_or_error",
            value_set=[True],
            **_says(
                f"Column {name} of samples without an error",
                "known of each",
                SCORER if name == "format_failure" else READER,
            ),
        )
        for name in KNOWN_UNLESS_FAILED
        if name != "format_failure" or asked
    ]


ALWAYS_KNOWN = (*KEY, "refusals", "model", "variant")
"""What a log says of every sample."""


def _complete(evaluation: Evaluation) -> Iterator[gxe.Expectation]:
    """These together say: every sample of the dataset, in every epoch, once, and no other."""
    ids, epochs = evaluation.dataset_samples, evaluation.epochs
    yield gxe.ExpectTableRowCountToEqual(
        value=ids * epochs,
        **_says("Samples", f"{ids} in each of {epochs} epochs: {ids * epochs}", AGAIN),
    )
    yield gxe.ExpectColumnUniqueValueCountToBeBetween(
        column="sample_id", min_value=ids, max_value=ids,
        **_says("Different sample ids", f"{ids}, those of the dataset", AGAIN),
    )  # fmt: skip
    yield gxe.ExpectColumnValuesToBeInSet(
        column="epoch", value_set=list(range(1, epochs + 1)),
        **_says("Epochs", f"1 to {epochs}", READER),
    )  # fmt: skip
    yield gxe.ExpectCompoundColumnsToBeUnique(
        column_list=KEY, ignore_row_if="never",
        **_says("Samples in an epoch", "each of them once", READER),
    )  # fmt: skip
    yield gxe.ExpectColumnValuesToBeUnique(
        column="uuid",
        **_says("Transcripts (uuid)", "another one for each sample and epoch", READER),
    )


def _scores(evaluation: Evaluation) -> Iterator[gxe.Expectation]:
    low, high = evaluation.score_min, evaluation.score_max
    yield gxe.ExpectColumnValuesToBeInTypeList(
        column="score", type_list=["float64", "float32", "int64", "int32"],
        **_says("Type of the scores", "numbers", READER),
    )  # fmt: skip
    yield gxe.ExpectColumnValuesToBeBetween(
        column="score", min_value=low, max_value=high,
        **_says("Scores", f"finite, {low:g} to {high:g}", SAMPLES),
    )  # fmt: skip
    yield gxe.ExpectColumnValuesToBeInSet(
        column="score_or_error", value_set=[True],
        **_says("Samples with either a score or an error", "all of them, never both", READER),
    )  # fmt: skip
    yield gxe.ExpectColumnValuesToNotBeNull(
        column="score", mostly=_rest(evaluation.max_error_rate),
        **_says("Samples that ended in an error", _at_most(evaluation.max_error_rate), AGAIN),
    )  # fmt: skip
    least = evaluation.minimum_samples
    yield gxe.ExpectColumnProportionOfNonNullValuesToBeBetween(
        column="score", min_value=least / (evaluation.dataset_samples * evaluation.epochs),
        **_says("Share of scored samples", f"{least} samples at least", AGAIN),
    )  # fmt: skip


def _rates(evaluation: Evaluation) -> Iterator[gxe.Expectation]:
    quality = evaluation.quality
    yield gxe.ExpectColumnValuesToBeNull(
        column="limit", mostly=_rest(quality.max_limit_rate),
        **_says("Samples stopped by a limit", _at_most(quality.max_limit_rate), BUDGET),
    )  # fmt: skip
    yield gxe.ExpectColumnValuesToBeBetween(
        column="refusals", min_value=0, max_value=0, mostly=_rest(quality.max_refusal_rate),
        **_says("Samples that the model refused", _at_most(quality.max_refusal_rate), SAMPLES),
    )  # fmt: skip
    most = quality.max_format_failure_rate
    if most is not None:
        yield gxe.ExpectColumnValuesToBeInSet(
            column="format_failure", value_set=[False], mostly=_rest(most),
            **_says("Answers that the scorer could not read", _at_most(most), SAMPLES),
        )  # fmt: skip
    second = quality.second_grader
    if second is not None:
        least = second.min_agreement
        yield gxe.ExpectColumnValuesToBeInSet(
            column="agrees", value_set=[1.0], mostly=least,
            **_says(f"Scores on which {second.scorer} agrees", f"{least:.0%} at least", GRADER),
        )  # fmt: skip
    if quality.canaries:
        yield _known("canaries_found", f"looked for in every sample: {len(quality.canaries)}")
        yield gxe.ExpectColumnValuesToBeBetween(
            column="canaries_found", min_value=0, max_value=0,
            **_says("Canaries shown to the model or said by it", "none", LEAK),
        )  # fmt: skip


def _origins(
    evaluation: Evaluation, planned: RunKey, context: Context
) -> Iterator[gxe.Expectation]:
    """Whose results, and when."""
    variant = planned.variant or context.run.variant
    yield gxe.ExpectColumnValuesToBeInSet(
        column="variant", value_set=[variant], **_says("Variant of each sample", variant, PLAN)
    )
    if evaluation.inspect:
        model = evaluation.inspect.model
        yield gxe.ExpectColumnValuesToBeInSet(
            column="model", value_set=[model], **_says("Model of each sample", model, PLAN)
        )
    run = context.run
    begins = max(context.checkpoint_at, run.started_at) - CLOCK_TOLERANCE
    ends = min(context.at, run.finished_at) + CLOCK_TOLERANCE
    between = f"after checkpoint {short(context.checkpoint)} was made, within the run, before now: "
    between += f"{begins:%Y-%m-%d %H:%M:%S} to {ends:%Y-%m-%d %H:%M:%S}"
    for column, what in (("started_at", "Start"), ("completed_at", "End")):
        yield gxe.ExpectColumnValuesToBeBetween(
            column=column, min_value=begins, max_value=ends,
            **_says(f"{what} of each sample", between, AGAIN),
        )  # fmt: skip
    yield gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="completed_at", column_B="started_at", or_equal=True,
        ignore_row_if="either_value_is_missing",
        **_says("End and start of each sample", "an end that is not before the start", READER),
    )  # fmt: skip


def _known(column: str, expected: str = "known of every sample") -> gxe.Expectation:
    return gxe.ExpectColumnValuesToNotBeNull(
        column=column, **_says(f"Column {column}", expected, READER)
    )


def _says(what: str, expected: str, next_step: str) -> dict[str, Any]:
    return {
        "meta": {"what": what, "expected": expected, "next": next_step},
        "notes": f"{what}: expected {expected}. {next_step}",
    }


def _rest(rate: float) -> float:
    """1 - rate as a person would write it: 0.42, not 0.42000000000000004 (stricter by a sample)."""
    return round(1 - rate, 12)


def _at_most(rate: float) -> str:
    return f"{rate:.2%} at most" if rate else "none"
