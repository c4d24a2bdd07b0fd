"""Validation of result data by Great Expectations (lifecycle step 10).

The expectations are generated from the evaluation's definition, so a new evaluation needs no
validation code. The complete result is stored, whatever it says. What it does to an assessment,
and how to read the stored page, is told in docs/validation.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

from include.adapters.expectations import on_counted, on_run, on_schema, on_whole
from include.adapters.result_frame import KEY, Context, Frames, ResultTable, frames_of
from include.adapters.validation_messages import told
from include.rsp.canonical import short
from include.rsp.evaluation_plan import RunKey
from include.rsp.suite import Evaluation

HOT = "BOOLEAN_ONLY"
"""Measured at half the time of `SUMMARY` on small tables; only what fails is asked for more."""
DETAILS = "SUMMARY"
"""Names the first rows by their number. Asked for sample and epoch of them, Great Expectations
makes a list of all, which took 270 s where a million rows fail; so `_placed` puts them in."""
LARGEST = 2**53 - 1
"""Integers beyond it are not the same everywhere (RFC 8785)."""
Suite = list[gx.expectations.Expectation]


@dataclass(frozen=True, slots=True)
class Validated:
    """Whether the results of one run may be used, and GX's own account of it."""

    valid: bool
    problems: list[str]
    report: dict[str, Any]


class Validator:
    """One Great Expectations context for all runs of an assessment."""

    def __init__(self) -> None:
        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        source = self._context.data_sources.add_pandas("results")
        asset = source.add_dataframe_asset("samples")
        self._definition = asset.add_batch_definition_whole_dataframe("assessment")

    def validate(
        self, evaluation: Evaluation, planned: RunKey, *, table: ResultTable, context: Context
    ) -> Validated:
        """Hold a result table against the expectations of its evaluation.

        Args:
            evaluation: the definition, from the suite.
            planned: the run that the results have to be of.
            table: one row for each sample, epoch and scorer (`result_frame`); a column that is
                missing is treated as empty, and told where it has to be there.
            context: what the run claims, and the checkpoint and time that it is held against.
        """
        frames = frames_of(evaluation, table, context)
        results = []
        for frame, suite in batches(evaluation, planned, context, frames):
            results += self._ask(planned.name, frame, suite)
        name = f"{planned.name}@{evaluation.version}"
        where = f"{planned.name} of checkpoint {short(context.checkpoint)}"
        failed = [one for one in results if not one["success"]]
        return Validated(
            valid=bool(results) and not failed,
            problems=[told(one, where=where) for one in failed],
            report=_report(name, results),
        )

    def _ask(self, name: str, frame: pd.DataFrame, suite: Suite) -> list[dict[str, Any]]:
        """All expectations at once; those that fail again, for the first samples that break them.

        Of both answers the worse one counts: asking for details never makes anything valid.
        """
        batch = self._definition.get_batch(batch_parameters={"dataframe": frame})
        asked = gx.ExpectationSuite(name=name, expectations=suite)
        found = [_as_json(one) for one in batch.validate(asked, result_format=HOT).results]
        if len(found) != len(suite):
            raise RuntimeError(
                f"Great Expectations answered {len(found)} of {len(suite)} expectations on {name} "
                "(expected all). Compare the pinned version with requirements.txt."
            )
        failed = {_config_of(one) for one in found if not one["success"]}
        again = [one for one in suite if _config(one) in failed]
        if not again:
            return found
        asked = gx.ExpectationSuite(name=f"{name}, details", expectations=again)
        details = [_as_json(one) for one in batch.validate(asked, result_format=DETAILS).results]
        better = {_config_of(one): _placed(frame, one) | {"success": False} for one in details}
        return [one if one["success"] else better.get(_config_of(one), one) for one in found]


def nothing_to_validate(reason: str) -> Validated:
    """The outcome for a run without a readable result."""
    return Validated(valid=False, problems=[reason], report={"success": False, "reason": reason})


def batches(
    evaluation: Evaluation, planned: RunKey, context: Context, frames: Frames
) -> Iterator[tuple[pd.DataFrame, Suite]]:
    """Each frame with what is asked of it; where one scorer is all, its rows are the whole."""
    yield frames.schema, on_schema(evaluation)
    yield frames.run, on_run(evaluation, planned, context)
    only = len(frames.whole) == len(frames.counted)
    whole = on_whole(evaluation, only=only)
    counted = on_counted(evaluation, planned, context)
    if only:
        yield frames.counted, [*whole, *counted]
    else:
        yield frames.whole, whole
        yield frames.counted, counted


def _placed(frame: pd.DataFrame, result: dict[str, Any]) -> dict[str, Any]:
    """The result with sample and epoch of the rows that it names by number."""
    rows = result["result"].get("partial_unexpected_index_list")
    if not rows or not set(KEY) <= set(frame.columns):
        return result
    keys = frame.loc[rows, KEY].astype(object)
    places = json.loads(json.dumps(keys.to_dict("records"), default=str))
    return result | {
        "result": result["result"]
        | {"unexpected_index_column_names": KEY, "partial_unexpected_index_list": _sayable(places)}
    }


def _config(expectation: gx.expectations.Expectation) -> str:
    """What tells an expectation from the others of a suite: what it says it means."""
    return str(expectation.meta["what"])


def _config_of(result: dict[str, Any]) -> str:
    return str(result["expectation_config"]["meta"]["what"])


def _as_json(result: Any) -> dict[str, Any]:
    """A result as plain JSON, in which a number that canonical JSON cannot say is text."""
    plain: dict[str, Any] = json.loads(json.dumps(result.to_json_dict(), default=str))
    cleaned: dict[str, Any] = _sayable(plain)
    return cleaned


def _sayable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _sayable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_sayable(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and abs(value) > LARGEST:
        return str(value)
    return value


def _report(name: str, results: list[dict[str, Any]]) -> dict[str, Any]:
    """All answers as one validation result of Great Expectations, in its own form."""
    good = sum(one["success"] for one in results)
    return {
        "success": bool(results) and good == len(results),
        "suite_name": name,
        "suite_parameters": {},
        "results": results,
        "statistics": {
            "evaluated_expectations": len(results),
            "successful_expectations": good,
            "unsuccessful_expectations": len(results) - good,
            "success_percent": 100 * good / len(results) if results else 0.0,
        },
        "meta": {"great_expectations_version": gx.__version__},
    }
