"""Results: one scored sample per row, and how they were obtained."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from include.rsp.canonical import Digest, Document, Identifier, Moment
from include.rsp.elicitation import Elicitation
from include.rsp.record_parts import Envelope
from include.rsp.suite_parts import Scalar
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
    limit: str | None = Field(default=None, description="the limit that stopped it, e.g. token")
    refused: bool = False
    format_failure: bool = Field(default=False, description="the scorer could not read the answer")
    flags: list[str] = Field(default_factory=list, description="of cheating, sandbagging, ...")

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


class EgressProbe(Document):
    """What the evaluation's sandbox could reach. It must reach nothing, and be able to tell."""

    tried: list[str] = Field(description="host:port of each attempt")
    reached: list[str]
    probe_works: bool = Field(description="it did reach a listener of its own inside the sandbox")


class LeakCheck(Document):
    """Whether the model could read the answers in what it was given."""

    checked: int = Field(ge=0, description="samples with an answer long enough to tell")
    leaked: list[str] = Field(description="ids of samples whose answer stands in their input")


class Conditions(Document):
    """What the pre-flight found of the instrument, before the model was asked anything."""

    environment: dict[str, Scalar]
    dataset: Digest | None = Field(default=None, description="of what is put to the model")
    leaks: LeakCheck | None = None
    egress: EgressProbe | None = Field(default=None, description="null: there is no sandbox")
    sandboxes: list[str] = Field(
        default_factory=list, description="types that the task and its samples bring themselves"
    )
    positive_control: ControlResult | None
    null_control: ControlResult | None


class Delivered(Document):
    """Who delivered the results of a study, and all that was delivered, as it came."""

    organisation: str
    holder: Identifier = Field(description="of the evaluator's key")
    keyid: str
    signed_at: Moment
    statement: BlobRef = Field(description="what was signed: `include.rsp.delivered`")
    envelope: Envelope
    files: list[BlobRef]
    others: list[BlobRef] = Field(
        default_factory=list, description="files of valid deliveries that came besides; not counted"
    )


class EvaluationRun(Conditions):
    """What the evaluator reports of one evaluation of one variant of one checkpoint."""

    job: Identifier
    name: Identifier | None = Field(
        default=None, description="of the planned run; null: it is the evaluation's only one"
    )
    evaluation: Identifier
    evaluation_version: str
    checkpoint: Digest
    variant: Identifier
    status: ResultStatus
    problem: str | None = None
    started_at: Moment
    finished_at: Moment
    attempts: int = Field(ge=1)
    elicitation: Elicitation
    samples: BlobRef | None = None
    log: BlobRef | None = None
    delivered: Delivered | None = Field(default=None, description="null: a machine ran it")

    @property
    def key(self) -> str:
        """The name of the planned run, under which an assessment counts it."""
        return self.name or self.evaluation
