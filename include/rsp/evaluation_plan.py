"""Which runs an assessment is made of: evaluations x variants, in their order (lifecycle step 8).

Everything follows from the suite and from the variants that the checkpoint's manifest names, so
the notary can derive it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field

from include.rsp.canonical import Digest, Document, Identifier
from include.rsp.suite import Evaluation, Suite
from include.rsp.suite_parts import SampleBudget, Scalar
from include.rsp.vocabulary import Finding


class RunKey(Document):
    """One run that an assessment needs: an evaluation of one variant."""

    name: Identifier = Field(description="of the run, its task and its job")
    evaluation: Identifier
    variant: Identifier | None = Field(description="null: the checkpoint's only one")


class PlannedRun(RunKey):
    """All that is fixed about a run before it starts."""

    version: str
    runs_after: list[Identifier] = Field(description="run only if one of these is not below")
    model: str | None = Field(description="as the engine names it; null: results are delivered")
    engine: str = Field(description="`module:function` of an Inspect task, or `delivered`")
    arguments: dict[str, Scalar]
    grader: str | None
    scorer: str | None = Field(description="whose score counts; null: the only one")
    epochs: int
    seed: int | None
    per_sample: SampleBudget
    time_limit_seconds: float | None
    attempts: int
    environment: dict[str, Scalar] = Field(description="what the environment manifest has to say")
    dataset: Digest | None


def runs_of(evaluation: Evaluation, variants: Sequence[str]) -> list[RunKey]:
    """The runs of one evaluation.

    The variants that the suite names, whether the checkpoint has them or not (a run of one that is
    missing has no result); else all that the checkpoint has. A run is named after its evaluation
    alone where there is only one variant and the suite names none.
    """
    wanted = list(evaluation.variants or variants)
    if not evaluation.variants and len(wanted) <= 1:
        return [RunKey(name=evaluation.id, evaluation=evaluation.id, variant=None)]
    return [
        RunKey(name=f"{evaluation.id}.{one}", evaluation=evaluation.id, variant=one)
        for one in wanted
    ]


def all_runs(evaluations: Iterable[Evaluation], variants: Sequence[str]) -> list[RunKey]:
    """The runs of several evaluations, in order."""
    return [run for one in evaluations for run in runs_of(one, variants)]


def first_runs(evaluations: Iterable[Evaluation], variants: Sequence[str]) -> list[RunKey]:
    """Those that wait for no trigger."""
    return all_runs([one for one in evaluations if not one.runs_after], variants)


def planned(suite: Suite, variants: Sequence[str]) -> list[PlannedRun]:
    """Every run that the assessment may come to, cheap triggers first."""
    ordered = sorted(suite.evaluations, key=lambda one: bool(one.runs_after))
    return [
        _planned(evaluation, run) for evaluation in ordered for run in runs_of(evaluation, variants)
    ]


def _planned(evaluation: Evaluation, run: RunKey) -> PlannedRun:
    task = evaluation.inspect
    return PlannedRun(
        **run.model_dump(),
        version=evaluation.version,
        runs_after=evaluation.runs_after,
        model=task.model if task else None,
        engine=task.task if task else "delivered",
        arguments=task.arguments if task else {},
        grader=task.grader if task else None,
        scorer=task.scorer if task else _study_scorer(evaluation),
        epochs=evaluation.epochs,
        seed=task.seed if task else None,
        per_sample=task.per_sample if task else SampleBudget(),
        time_limit_seconds=task.time_limit_seconds if task else None,
        attempts=task.attempts if task else 1,
        environment=evaluation.environment,
        dataset=evaluation.dataset,
    )


def _study_scorer(evaluation: Evaluation) -> str | None:
    return evaluation.study.scorer if evaluation.study else None


def is_quiet(evaluation: Evaluation, findings: Mapping[str, Sequence[Finding | None]]) -> bool:
    """Whether every trigger that an evaluation waits for is shown to be below its limit.

    Args:
        findings: by evaluation id, the findings of all of its runs. One that is missing, empty or
            holds anything but `below` is not quiet: the evaluation has to be run.
    """
    return bool(evaluation.runs_after) and all(
        findings.get(one) and all(found is Finding.BELOW for found in findings[one])
        for one in evaluation.runs_after
    )
