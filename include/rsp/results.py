"""Results: one scored sample per row, and how they were obtained."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from include.rsp.canonical import Digest, Document, Identifier, Moment
from include.rsp.vocabulary import ResultStatus


class BlobRef(Document):
    """A stored file, named by the digest of its bytes."""

    blob: Digest
    bytes: int = Field(ge=0)
    name: str


class Sample(Document):
    """One problem put to the model once. Exactly one of score and error is there."""

    sample_id: str = Field(min_length=1)
    epoch: int = Field(ge=1)
    score: float | None = None
    error: str | None = None
    cluster: str | None = Field(default=None, description="a passage or family; null: the problem")
    group: str | None = Field(default=None, description="arm of a trial, snapshot or variant")
    baseline: float | None = Field(default=None, description="score with the baseline checkpoint")

    @model_validator(mode="after")
    def _score_or_error(self) -> Self:
        if (self.score is None) == (self.error is None):
            raise ValueError(
                f"sample {self.sample_id!r}: got score {self.score} and error {self.error!r} "
                "(expected exactly one of them)"
            )
        return self


class SampleTable(Document):
    """All samples of one evaluation of one checkpoint."""

    format: str = Field(default="redline/samples@1", pattern=r"^redline/samples@1$")
    samples: list[Sample]


class ControlResult(Document):
    """How a model of known ability did on the same evaluation, in the same process."""

    model: str
    samples: int = Field(ge=0)
    score: float | None


class EvaluationRun(Document):
    """What the evaluator reports of one evaluation of one checkpoint."""

    job: Identifier
    evaluation: Identifier
    evaluation_version: str
    checkpoint: Digest
    variant: Identifier
    status: ResultStatus
    problem: str | None = None
    started_at: Moment
    finished_at: Moment
    attempts: int = Field(ge=1)
    elicitation: dict[str, str | int | float | bool]
    environment: dict[str, str | int | float]
    positive_control: ControlResult | None
    null_control: ControlResult | None
    samples: BlobRef | None = None
    log: BlobRef | None = None
