"""The records of one assessment, from its occasion to its verdict. Each stage has one place."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from include.rsp.canonical import Digest, Identifier
from include.rsp.comparison import Ground
from include.rsp.decision import Decision
from include.rsp.evaluation_plan import PlannedRun
from include.rsp.forecast import Forecast
from include.rsp.record_parts import RecordBase, RecordRef
from include.rsp.results import BlobRef, EvaluationRun
from include.rsp.vocabulary import OccasionKind


class Occasion(RecordBase):
    """An assessment is due. Its id names checkpoint, policy, suite and reason."""

    kind: Literal["occasion"] = "occasion"
    assessment_id: Identifier
    occasion: OccasionKind
    reason: str
    run_id: Identifier
    checkpoint: RecordRef
    policy: Digest
    suite: Digest


class Plan(RecordBase):
    """Everything that depends on "now", resolved once. The first one chained is the claim."""

    kind: Literal["plan"] = "plan"
    assessment_id: Identifier
    occasion: RecordRef
    ledger_index: int = Field(ge=0)
    evaluations: list[Identifier] = Field(min_length=1, description="names of the runs to do first")
    runs: list[PlannedRun] = Field(min_length=1, description="all that it may come to")
    reference: RecordRef | None = Field(
        default=None, description="the verdict that a preliminary assessment compares with"
    )
    grounds: list[Ground] = Field(
        default_factory=list, description="of the preliminary assessment, without its tests"
    )


class Preflight(RecordBase):
    """What was checked before anything was evaluated."""

    kind: Literal["preflight"] = "preflight"
    assessment_id: Identifier
    plan: RecordRef
    checks: dict[str, str]


class Preliminary(RecordBase):
    """Whether a model is notably more capable than the one in its plan; if so, what is run next.

    Reached before validation: the verdict asks again, with what validation found.
    """

    kind: Literal["preliminary"] = "preliminary"
    assessment_id: Identifier
    plan: RecordRef
    notably_more_capable: bool
    grounds: list[Ground]
    evaluations: list[Identifier]


class ResultSet(RecordBase):
    """The counted run of one evaluation."""

    kind: Literal["result_set"] = "result_set"
    assessment_id: Identifier
    plan: RecordRef
    run: EvaluationRun
    replaces: RecordRef | None = Field(
        default=None, description="the first run's results, which did not pass validation"
    )
    problems: list[str] = Field(
        default_factory=list, description="what validation found in the results that it replaces"
    )


class Validation(RecordBase):
    """What Great Expectations found in the result sets of one assessment."""

    kind: Literal["validation"] = "validation"
    assessment_id: Identifier
    plan: RecordRef
    result_sets: dict[Identifier, RecordRef]
    valid: dict[Identifier, bool]
    problems: dict[Identifier, list[str]]
    report: BlobRef
    to_see: dict[Identifier, list[str]] = Field(
        default_factory=dict, description="anomalies of valid runs, the first ones of each: what "
        "people have to look at where the suite asks for a review, and may everywhere",
    )  # fmt: skip
    pages: dict[Identifier, BlobRef] = Field(
        default_factory=dict, description="of each run that was quarantined, for people"
    )


class Verdict(RecordBase):
    """Statuses and recommendation of one assessment; re-derived by the notary before it counts."""

    kind: Literal["verdict"] = "verdict"
    assessment_id: Identifier
    plan: RecordRef
    validation: RecordRef | None
    checkpoint: RecordRef
    decision: Decision
    forecasts: list[Forecast]
    inherits: RecordRef | None = Field(
        default=None, description="the verdict whose statuses stand after a preliminary assessment"
    )
