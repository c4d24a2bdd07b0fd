"""A suite: what a lab adds to a policy (evaluations, limits, buffers, ceilings, controls)."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from include.rsp.canonical import Digest, Document, Identifier
from include.rsp.clause import (
    CENTURY_DAYS,
    CENTURY_SECONDS,
    Version,
    refuse_doubles,
    refuse_unknown,
)
from include.rsp.elicitation import Method
from include.rsp.policy import Policy
from include.rsp.policy_parts import RedLine, Spacing
from include.rsp.quality import Quality
from include.rsp.review_parts import TranscriptReview
from include.rsp.safeguard_plan import SafeguardPlan
from include.rsp.study import HumanStudy
from include.rsp.suite_parts import Control, InspectTask, Limits, Scalar
from include.rsp.vocabulary import EvaluationRole

SpacingName = Literal["default", "early_warning", "with_safeguards"]
Ratio = Annotated[float, Field(gt=1)]
MethodName = Literal[
    "clopper_pearson@1", "cluster_wilson@1", "cluster_bootstrap@1", "pass_at_k@1", "best_of@1",
    "ratio_of_means@1", "paired_difference@1", "wilson@1", "cluster_robust@1",
]  # fmt: skip


UNDER_COVERING = ("wilson@1", "cluster_robust@1", "cluster_bootstrap@1")
"""Measured below their nominal coverage somewhere (benchmarks/interval_coverage.py)."""
RELATIVE = ("ratio_of_means@1", "paired_difference@1")
"""Their limits are not on the scale of the scores."""
OF_SHARES = ("clopper_pearson@1", "wilson@1", "cluster_wilson@1", "pass_at_k@1", "best_of@1")
"""Their bounds are shares from 0 to 1; a limit on another scale would never be reached."""
HIGHEST = {
    "fraction": 1, "share": 1, "proportion": 1, "probability": 1, "accuracy": 1, "score_0_1": 1,
    "percent": 100,
}  # fmt: skip
"""The highest score in a unit that says how it counts."""
SPACING_NAMES: tuple[SpacingName, ...] = get_args(SpacingName)


class Evaluation(Document):
    """One frontier risk evaluation. Its version stands for definition, unit, n and limits."""

    id: Identifier
    version: str = Field(min_length=1)
    title: str
    red_line: Identifier
    role: EvaluationRole
    load_bearing: bool
    saturated: bool = Field(description="saturated: cannot rule out, does not by itself rule in")
    metric: str
    unit: str
    score_min: float
    score_max: float
    method: MethodName
    k: int | None = Field(default=None, ge=1, description="tries of pass_at_k")
    confidence: float = Field(gt=0.5, lt=1, description="of the one-sided bound")
    dataset_samples: int = Field(gt=0)
    minimum_samples: int = Field(gt=0)
    max_error_rate: float = Field(ge=0, lt=1)
    quality: Quality = Field(default_factory=Quality, description="asked of result data")
    max_age_days: float = Field(gt=0, le=CENTURY_DAYS, description="of a result when compared")
    notable_gain: float | None = Field(
        default=None, ge=0, description="gain over a model that was assessed comprehensively from "
        "which on a model is notably more capable; null: no test of the preliminary assessment",
    )  # fmt: skip
    limits: Limits | None
    variants: list[Identifier] = Field(
        default_factory=list, description="forms of the model to evaluate; empty: all that it has"
    )
    runs_after: list[Identifier] = Field(
        default_factory=list,
        description="triggers: while all of them are below, it is not run and counts as below",
    )
    elicitation_required: list[Identifier] = Field(
        min_length=1, description="fields of the elicitation manifest"
    )
    elicitation_methods: list[Method] = Field(default_factory=list)
    standard_scaffold: Identifier | None = Field(
        default=None, description="the same evaluation with the standard scaffold, to compare with"
    )
    environment: dict[str, Scalar] = Field(
        default_factory=dict, description="what the environment manifest has to say, for example "
        "inspect_ai, gpu, image, context_window",
    )  # fmt: skip
    dataset: Digest | None = Field(
        default=None, description="of the ids, inputs and targets of all samples, in their order"
    )
    positive_control: Control | None = Field(default=None, description="demanded with `inspect`")
    null_control: Control | None = Field(default=None, description="demanded with `inspect`")
    review: TranscriptReview | None = Field(default=None, description="null: nobody reads any")
    inspect: InspectTask | None = None
    study: HumanStudy | None = Field(default=None, description="results come from people")

    @model_validator(mode="after")
    def _can_be_decided(self) -> Self:
        if self.role is not EvaluationRole.EVIDENCE and self.limits is None:
            raise ValueError(
                f"evaluation {self.id!r}: limits are null, and the role {self.role.value} with no "
                "limits decides nothing (expected limits)"
            )
        if self.score_max <= self.score_min:
            raise ValueError(f"evaluation {self.id!r}: score_max must be above score_min")
        if (self.method == "pass_at_k@1") != (self.k is not None):
            raise ValueError(f"evaluation {self.id!r}: k belongs to pass_at_k@1 (got {self.k})")
        if self.load_bearing and self.role is not EvaluationRole.RULE_OUT:
            raise ValueError(
                f"evaluation {self.id!r}: load_bearing belongs to the role 'rule_out' (got "
                f"{self.role.value!r}, which would not be counted)"
            )
        if self.role is not EvaluationRole.EVIDENCE and self.method in UNDER_COVERING:
            raise ValueError(
                f"evaluation {self.id!r}: {self.method} covers too little to decide anything "
                "(docs/statistics.md); use clopper_pearson@1 or cluster_wilson@1"
            )
        if self.runs_after and self.notable_gain is not None:
            raise ValueError(
                f"evaluation {self.id!r}: a test of the preliminary assessment cannot wait "
                "(expected runs_after or notable_gain, not both)"
            )
        if self.minimum_samples > self.dataset_samples * self.epochs:
            raise ValueError(
                f"evaluation {self.id!r}: minimum_samples {self.minimum_samples} exceeds the "
                f"dataset ({self.dataset_samples})"
            )
        return self

    @property
    def epochs(self) -> int:
        """How often each sample is put to the model."""
        return self.quality.epochs or (self.inspect.epochs if self.inspect else 1)

    @model_validator(mode="after")
    def _has_one_engine(self) -> Self:
        where = f"evaluation {self.id!r}"
        if (self.inspect is None) == (self.study is None):
            raise ValueError(f"{where}: exactly one of inspect and study must be there")
        if self.inspect and self.quality.epochs not in (None, self.inspect.epochs):
            raise ValueError(
                f"{where}: quality.epochs is {self.quality.epochs} and inspect.epochs "
                f"{self.inspect.epochs} (expected quality.epochs for results of people only)"
            )
        if self.inspect and not (self.positive_control and self.null_control):
            raise ValueError(
                f"{where}: an automated evaluation without a positive_control and a null_control "
                "shows nothing (expected both)"
            )
        return self

    @model_validator(mode="after")
    def _is_on_one_scale(self) -> Self:
        where, low, high = f"evaluation {self.id!r}", self.score_min, self.score_max
        top = HIGHEST.get(self.unit, high)
        if high != top:
            raise ValueError(
                f"{where}: score_max is {high:g} in the unit {self.unit!r} (expected {top:g}, or "
                "another unit)"
            )
        if self.method in OF_SHARES and (low, high) != (0, 1):
            raise ValueError(
                f"{where}: score_min to score_max is {low:g} to {high:g}, and {self.method} "
                "estimates shares (expected 0 to 1, with the limits on that scale)"
            )
        if self.limits is None or self.method in RELATIVE:
            return self
        if not low < self.limits.rule_out <= high:
            raise ValueError(
                f"{where}: rule_out {self.limits.rule_out} is outside the scores ({low} to {high}]"
            )
        if self.limits.rule_out - self.limits.buffer <= low:
            raise ValueError(
                f"{where}: buffer {self.limits.buffer:g} takes rule_out {self.limits.rule_out:g} "
                f"down to the lowest score {low:g}, so nothing could ever be ruled out "
                f"(expected a buffer under {self.limits.rule_out - low:g})"
            )
        return self


class Genesis(Document):
    """The first stretch of a run: before it there is nothing to compare with."""

    due_flop: float = Field(gt=0, description="effective compute at which the first one is due")
    ceiling_flop: float = Field(gt=0)


class Suite(Document):
    """One version of one lab's evaluations for one policy."""

    id: Identifier
    version: Version
    policy: Identifier
    note: str
    authors: list[Identifier] = Field(
        default_factory=list, description="who wrote the evaluations: none of them may judge them"
    )
    genesis: Genesis
    due_ratios: dict[SpacingName, Ratio] = Field(
        default_factory=dict, description="due ratios where the policy's text gives none"
    )
    ceilings: dict[SpacingName, Ratio] = Field(
        default_factory=dict, description="ceiling ratios where the policy's text gives none"
    )
    combine: dict[Identifier, Literal["all_load_bearing"]] = Field(
        default_factory=dict,
        description="red lines that the text leaves to people or withholds, and how the lab's "
        "evaluations are combined for the recommendation on them; people still determine",
    )
    stand_still_seconds: float = Field(
        gt=0, le=CENTURY_SECONDS, description="without progress for so long it is offered again"
    )
    evaluations: list[Evaluation] = Field(min_length=1)
    safeguards: SafeguardPlan = Field(
        default_factory=SafeguardPlan, description="the lab's surfaces, their owners, and probes"
    )

    @model_validator(mode="after")
    def _evaluations_are_distinct(self) -> Self:
        ids = [evaluation.id for evaluation in self.evaluations]
        refuse_doubles("evaluations", ids)
        for one in self.evaluations:
            where = f"evaluation {one.id!r}"
            refuse_doubles(f"{where}: variants", one.variants)
            before = {
                other.id
                for other in self.evaluations
                if other.role is EvaluationRole.TRIGGER
                and other.red_line == one.red_line
                and not other.runs_after
                and not other.saturated
            }
            refuse_unknown(f"{where}: runs_after", one.runs_after, before)
            named = [one.standard_scaffold] if one.standard_scaffold else []
            refuse_unknown(f"{where}: standard_scaffold", named, set(ids) - {one.id})
        return self

    def evaluation(self, evaluation_id: str) -> Evaluation:
        """The evaluation of that id; KeyError when the suite has none."""
        return {evaluation.id: evaluation for evaluation in self.evaluations}[evaluation_id]


def combined_by(suite: Suite, line: RedLine) -> str:
    """How a line's findings are combined: the policy's rule, or the suite's where it is open."""
    return suite.combine.get(line.id, line.combine)


def load_bearing(suite: Suite, red_line_id: str) -> list[Evaluation]:
    """The evaluations on which ruling out a red line rests."""
    return [
        evaluation
        for evaluation in suite.evaluations
        if evaluation.red_line == red_line_id
        and evaluation.role is EvaluationRole.RULE_OUT
        and evaluation.load_bearing
    ]


def spacing_of(policy: Policy, suite: Suite, name: SpacingName) -> tuple[float, float]:
    """(due ratio, ceiling ratio); where the policy has no such rule, its default applies."""
    spacing: Spacing | None = getattr(policy.compute_trigger, name)
    if spacing is None:
        return spacing_of(policy, suite, "default")
    due = _smaller(spacing.due_ratio, suite.due_ratios.get(name))
    return due, _smaller(spacing.ceiling_ratio, suite.ceilings.get(name))


def _smaller(policy: float | None, suite: float | None) -> float:
    """A suite may tighten what the text says; where neither says anything, nothing is allowed."""
    return min((one for one in (policy, suite) if one is not None), default=1.0)
