"""Validation of result data by Great Expectations (lifecycle step 10).

The expectations are generated from the evaluation's definition, so a new evaluation needs no
validation code. The complete result is stored, whatever it says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

from include.rsp.results import EvaluationRun, Sample
from include.rsp.suite import Evaluation

COLUMNS = ["sample_id", "epoch", "score", "error", "checkpoint", "evaluation", "version", "variant"]
SAMPLE_COLUMNS = ["sample_id", "epoch", "score", "error"]


@dataclass(frozen=True, slots=True)
class Validated:
    """Whether the results of one evaluation may be used, and GX's own account of it."""

    valid: bool
    problems: list[str]
    report: dict[str, Any]


def result_frame(run: EvaluationRun, samples: list[Sample]) -> pd.DataFrame:
    """One row per sample: what was scored, beside what it claims to be a result of."""
    frame = pd.DataFrame([one.model_dump() for one in samples], columns=SAMPLE_COLUMNS).astype(
        {"score": "float64"}
    )
    for name, value in {
        "checkpoint": run.checkpoint,
        "evaluation": run.evaluation,
        "version": run.evaluation_version,
        "variant": run.variant,
    }.items():
        frame[name] = value
    return frame


def expectations(evaluation: Evaluation, checkpoint: str) -> list[gxe.Expectation]:
    """What must be true of the result frame of an evaluation of one checkpoint."""
    return [
        gxe.ExpectTableColumnsToMatchSet(column_set=COLUMNS, exact_match=False),
        gxe.ExpectTableRowCountToEqual(value=evaluation.dataset_samples),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["sample_id", "epoch"]),
        gxe.ExpectColumnValuesToNotBeNull(column="sample_id"),
        gxe.ExpectColumnValuesToBeBetween(
            column="score", min_value=evaluation.score_min, max_value=evaluation.score_max
        ),
        gxe.ExpectColumnValuesToNotBeNull(column="score", mostly=1 - evaluation.max_error_rate),
        gxe.ExpectColumnDistinctValuesToEqualSet(column="checkpoint", value_set=[checkpoint]),
        gxe.ExpectColumnDistinctValuesToEqualSet(column="evaluation", value_set=[evaluation.id]),
        gxe.ExpectColumnDistinctValuesToEqualSet(column="version", value_set=[evaluation.version]),
    ]


class Validator:
    """One Great Expectations context for all evaluations of an assessment."""

    def __init__(self) -> None:
        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        source = self._context.data_sources.add_pandas("results")
        asset = source.add_dataframe_asset("samples")
        self._batches = asset.add_batch_definition_whole_dataframe("assessment")

    def validate(self, evaluation: Evaluation, frame: pd.DataFrame, checkpoint: str) -> Validated:
        """Hold a result frame against the expectations of its evaluation."""
        suite = gx.ExpectationSuite(
            name=f"{evaluation.id}@{evaluation.version}",
            expectations=expectations(evaluation, checkpoint),
        )
        batch = self._batches.get_batch(batch_parameters={"dataframe": frame})
        result = batch.validate(suite, result_format="SUMMARY")
        problems = [_say(one) for one in result.results if not one.success]
        scored = int(frame["score"].notna().sum()) if "score" in frame else 0
        if scored < evaluation.minimum_samples:
            problems.append(f"{scored} scored samples (at least {evaluation.minimum_samples})")
        report = json.loads(json.dumps(result.to_json_dict(), default=str))
        return Validated(
            valid=bool(result.success) and not problems, problems=problems, report=report
        )


def nothing_to_validate(reason: str) -> Validated:
    """The outcome for an evaluation without a readable result."""
    return Validated(valid=False, problems=[reason], report={"success": False, "reason": reason})


def _say(result: Any) -> str:
    """Which expectation, on what, got what."""
    config = result.expectation_config
    kwargs = {key: value for key, value in config.kwargs.items() if key != "batch_id"}
    column = kwargs.pop("column", None) or kwargs.pop("column_list", "table")
    got = result.result.get("observed_value", result.result.get("unexpected_count"))
    if result.exception_info and result.exception_info.get("raised_exception"):
        got = result.exception_info.get("exception_message")
    return f"{config.type} on {column}: got {got}, expected {kwargs}"
