"""Every way in which the evidence of an evaluation can fail to show anything (DESIGN I1; R25)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from include.rsp.elicitation import shortfalls
from include.rsp.evaluation_plan import RunKey
from include.rsp.preflight import unfit
from include.rsp.quality import ids_digest
from include.rsp.results import EvaluationRun, Sample
from include.rsp.suite import Evaluation
from include.rsp.vocabulary import ResultStatus

CLOCK_TOLERANCE = timedelta(seconds=5)


def problems_with_run(
    evaluation: Evaluation,
    planned: RunKey,
    run: EvaluationRun | None,
    *,
    valid: bool | None,
    checkpoint: str,
    checkpoint_at: datetime,
    at: datetime,
) -> list[str]:
    """What keeps the run of an evaluation from counting; empty when nothing does."""
    if run is None:
        return [f"no result for evaluation {planned.name!r}"]
    problems: list[str] = []
    if planned.variant is not None and run.variant != planned.variant:
        problems.append(f"results of the variant {run.variant} (expected {planned.variant})")
    if run.status is not ResultStatus.COMPLETE:
        problems.append(f"the evaluation ended as {run.status.value}: {run.problem}")
    if valid is None:
        problems.append("the results were not validated")
    if valid is False:
        problems.append("validation quarantined the results")
    if (run.evaluation, run.evaluation_version) != (evaluation.id, evaluation.version):
        problems.append(
            f"results of {run.evaluation}@{run.evaluation_version} "
            f"(expected {evaluation.id}@{evaluation.version})"
        )
    if run.checkpoint != checkpoint:
        problems.append(f"results of checkpoint {run.checkpoint} (expected {checkpoint})")
    problems += _problems_with_times(evaluation, run, checkpoint_at, at)
    problems += shortfalls(
        run.elicitation,
        fields=evaluation.elicitation_required,
        methods=evaluation.elicitation_methods,
    )
    return problems + unfit(evaluation, run)


def problems_with_samples(evaluation: Evaluation, samples: Sequence[Sample]) -> list[str]:
    """What keeps the samples from being used; empty when nothing does."""
    if not samples:
        return ["no samples"]
    problems: list[str] = []
    problems += _incomplete(evaluation, samples)
    scores = [one.score for one in samples]
    outside = _out_of_range(evaluation, samples, scores)
    if outside:
        problems.append(
            f"{len(outside)} scores outside {evaluation.score_min} to {evaluation.score_max}, "
            f"first in sample {outside[0]!r}"
        )
    beside = _out_of_range(evaluation, samples, [one.baseline for one in samples])
    if beside:
        problems.append(f"{len(beside)} baseline scores out of range, first in {beside[0]!r}")
    errors = scores.count(None)
    if errors > evaluation.max_error_rate * len(samples):
        problems.append(
            f"{errors} of {len(samples)} samples ended in errors "
            f"(at most {evaluation.max_error_rate:.0%} may)"
        )
    if len(samples) - errors < evaluation.minimum_samples:
        problems.append(
            f"{len(samples) - errors} scored samples (at least {evaluation.minimum_samples} needed)"
        )
    return problems + _too_often(evaluation, samples)


def _incomplete(evaluation: Evaluation, samples: Sequence[Sample]) -> list[str]:
    """Whether each sample of the dataset is there once in each epoch, and no other."""
    problems: list[str] = []
    expected = evaluation.dataset_samples * evaluation.epochs
    if len(samples) != expected:
        problems.append(f"{len(samples)} samples (expected {expected})")
    if len({(one.sample_id, one.epoch) for one in samples}) != len(samples):
        problems.append("samples come twice")
    beyond = [one for one in samples if one.epoch > evaluation.epochs]
    if beyond:
        problems.append(
            f"{len(beyond)} samples of epochs after {evaluation.epochs}, the last that is planned, "
            f"first {beyond[0].sample_id!r} in epoch {beyond[0].epoch}"
        )
    ids, manifest = {one.sample_id for one in samples}, evaluation.quality.sample_ids
    if evaluation.epochs > 1 and len(ids) != evaluation.dataset_samples:
        problems.append(f"{len(ids)} sample ids (expected {evaluation.dataset_samples})")
    if manifest is not None and ids_digest(ids) != manifest:
        problems.append(f"the sample ids have the digest {ids_digest(ids)} (expected {manifest})")
    return problems


def _too_often(evaluation: Evaluation, samples: Sequence[Sample]) -> list[str]:
    """Whether limits, refusals or unreadable answers are more than the suite allows."""
    quality = evaluation.quality
    found = (
        ([one.limit is not None for one in samples], quality.max_limit_rate,
         "were stopped by a limit"),
        ([one.refused for one in samples], quality.max_refusal_rate, "were refused"),
        ([one.format_failure for one in samples], quality.max_format_failure_rate,
         "have an answer that could not be read"),
    )  # fmt: skip
    return [
        f"{sum(those)} of {len(samples)} samples {what} (at most {most:.0%} may)"
        for those, most, what in found
        if most is not None and sum(those) > most * len(samples)
    ]


def _out_of_range(
    evaluation: Evaluation, samples: Sequence[Sample], values: Sequence[float | None]
) -> list[str]:
    """The ids of the samples whose value is not in the evaluation's range."""
    low, high = evaluation.score_min, evaluation.score_max
    return [
        one.sample_id
        for one, value in zip(samples, values, strict=True)
        if value is not None and not low <= value <= high
    ]


def _problems_with_times(
    evaluation: Evaluation, run: EvaluationRun, checkpoint_at: datetime, at: datetime
) -> list[str]:
    if run.finished_at < run.started_at or run.finished_at > at + CLOCK_TOLERANCE:
        return [f"the results are dated {run.finished_at:%Y-%m-%d %H:%M:%S}, which cannot be"]
    if run.started_at < checkpoint_at - CLOCK_TOLERANCE:
        return ["the results are older than the checkpoint"]
    if at - run.finished_at > timedelta(days=evaluation.max_age_days):
        return [f"the results are older than {evaluation.max_age_days:g} days"]
    return []
