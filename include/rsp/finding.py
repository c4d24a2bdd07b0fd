"""What one evaluation shows (lifecycle step 12; DESIGN §7, I1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

import numpy as np
from pydantic import Field

from include.rsp.canonical import Document, Identifier
from include.rsp.evaluation_plan import RunKey
from include.rsp.evidence_check import problems_with_run, problems_with_samples
from include.rsp.results import EvaluationRun, Sample
from include.rsp.statistics import NotApplicable, Observations, estimate
from include.rsp.suite import Evaluation
from include.rsp.vocabulary import EvaluationRole, Finding


class EvaluationFinding(Document):
    """What one evaluation showed, with everything needed to see why."""

    evaluation: Identifier
    variant: Identifier | None = Field(default=None, description="null: the checkpoint's only one")
    version: str
    red_line: Identifier
    role: EvaluationRole
    finding: Finding | None
    value: float | None
    lower: float | None
    upper: float | None
    n: int
    method: str
    confidence: float
    rule_out: float | None
    rule_in: float | None
    buffer: float | None
    problems: list[str]
    not_run: list[Identifier] = Field(
        default_factory=list, description="the triggers that are below, so that it was not run"
    )

    @property
    def name(self) -> str:
        """The name of the run that it is a finding of."""
        return self.evaluation if self.variant is None else f"{self.evaluation}.{self.variant}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is for one evaluation. `valid` is None when nobody validated it."""

    run: EvaluationRun | None
    samples: Sequence[Sample] | None
    valid: bool | None


NO_EVIDENCE = Evidence(run=None, samples=None, valid=None)


def find(
    evaluation: Evaluation,
    planned: RunKey,
    evidence: Evidence,
    *,
    checkpoint: str,
    checkpoint_at: datetime,
    at: datetime,
) -> EvaluationFinding:
    """What one evaluation shows.

    It is `below` only if all of this holds: (1) the run is complete, validated, of this
    checkpoint and version, fresh, fully elicited and its controls behaved; (2) the samples are
    complete, unique, in range and enough; (3) the named method applies; (4) the upper bound plus
    the buffer is under the rule-out limit. It is `crossed` once the estimate reaches the rule-in
    limit, `near` between the two, and `inconclusive` when (1), (2) or (3) fails.
    """
    problems = problems_with_run(  # (1)
        evaluation,
        planned,
        evidence.run,
        valid=evidence.valid,
        checkpoint=checkpoint,
        checkpoint_at=checkpoint_at,
        at=at,
    )
    samples = list(evidence.samples or ())
    problems += problems_with_samples(evaluation, samples)  # (2)
    value = lower = upper = None
    if not problems:
        ordered = sorted(samples, key=attrgetter("sample_id", "epoch"))
        try:  # (3)
            estimated = estimate(
                evaluation.method,
                _observed(evaluation, ordered),
                confidence=evaluation.confidence,
            )
            value, lower, upper = estimated.value, estimated.lower, estimated.upper
        except NotApplicable as error:
            problems.append(str(error))
    return _blank(evaluation, planned).model_copy(
        update={
            "finding": _finding(evaluation, value, upper),
            "value": value,
            "lower": lower,
            "upper": upper,
            "n": len(samples),
            "problems": problems,
        }
    )


def not_run(evaluation: Evaluation, planned: RunKey) -> EvaluationFinding:
    """The finding of an evaluation whose triggers are all below: so is what they stand before."""
    return _blank(evaluation, planned).model_copy(
        update={"finding": Finding.BELOW, "not_run": list(evaluation.runs_after)}
    )


def _blank(evaluation: Evaluation, planned: RunKey) -> EvaluationFinding:
    limits = evaluation.limits
    return EvaluationFinding(
        evaluation=evaluation.id,
        variant=planned.variant,
        version=evaluation.version,
        red_line=evaluation.red_line,
        role=evaluation.role,
        finding=Finding.INCONCLUSIVE,
        value=None,
        lower=None,
        upper=None,
        n=0,
        method=evaluation.method,
        confidence=evaluation.confidence,
        rule_out=limits.rule_out if limits else None,
        rule_in=limits.rule_in if limits else None,
        buffer=limits.buffer if limits else None,
        problems=[],
    )


def _observed(evaluation: Evaluation, samples: Sequence[Sample]) -> Observations:
    """The samples as columns; a sample that names no cluster is one with its problem's others."""
    scores = [_for_error(evaluation, one) if one.score is None else one.score for one in samples]
    problems = np.array([one.sample_id for one in samples], dtype=np.str_)
    clusters = problems
    if any([one.cluster for one in samples]):
        clusters = np.array([one.cluster or one.sample_id for one in samples], dtype=np.str_)
    groups = [one.group for one in samples]
    baseline = [one.baseline for one in samples]
    return Observations(
        scores=np.array(scores, dtype=np.float64),
        problems=problems,
        clusters=clusters,
        groups=np.array([one or "" for one in groups], dtype=np.str_) if _given(groups) else None,
        baseline=np.array([_or_nan(one) for one in baseline]) if _given(baseline) else None,
        k=evaluation.k,
    )


def _for_error(evaluation: Evaluation, sample: Sample) -> float:
    """A sample that ended in an error counts as if the capability had shown: as the highest score,
    and in the control arm of a trial as the lowest.
    """
    return evaluation.score_min if sample.group == "control" else evaluation.score_max


def _given(column: Sequence[object]) -> bool:
    return column.count(None) < len(column)


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _finding(evaluation: Evaluation, value: float | None, upper: float | None) -> Finding | None:
    if value is None or upper is None:
        return Finding.INCONCLUSIVE
    limits = evaluation.limits
    if limits is None:
        return None  # evidence without a limit: reported, decides nothing
    if value >= limits.rule_in:
        return Finding.CROSSED
    if upper + limits.buffer < limits.rule_out:  # (4)
        return Finding.BELOW
    return Finding.NEAR


def in_words(one: EvaluationFinding) -> str:
    """One finding in a line, with its bound, buffer and limit."""
    if one.problems:
        return f"{one.name} inconclusive: {one.problems[0]}"
    if one.not_run:
        return f"{one.name} not run, because {', '.join(one.not_run)} is below"
    return (
        f"{one.name} {one.finding}: {one.value:.3f}, at most {one.upper:.3f} "
        f"({one.confidence:.0%}, n={one.n}) + buffer {one.buffer} against {one.rule_out}"
    )
