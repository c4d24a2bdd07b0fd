"""The parts of one evaluation in a suite: limits, controls, budgets, and how Inspect finds it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from include.rsp.canonical import Document
from include.rsp.clause import CENTURY_SECONDS

Scalar = str | int | float | bool


class Limits(Document):
    """`crossed` from `rule_in` on, `below` while bound plus buffer stay under `rule_out`."""

    rule_out: float
    rule_in: float
    buffer: float = Field(ge=0, description="absolute, in the unit of the metric")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.rule_in < self.rule_out:
            raise ValueError(
                f"rule_in {self.rule_in} is below rule_out {self.rule_out}, and a score between "
                "them would be both (expected the other order)"
            )
        return self


class Control(Document):
    """A model of known ability run before the evaluation, to show that the instrument works."""

    model: str
    samples: int = Field(gt=0)
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a control without at_least or at_most shows nothing")
        return self


class SampleBudget(Document):
    """What one sample may use before it is stopped; null: no such limit."""

    tokens: int | None = Field(default=None, gt=0)
    messages: int | None = Field(default=None, gt=0)
    seconds: int | None = Field(default=None, gt=0, le=int(CENTURY_SECONDS))
    cost: float | None = Field(default=None, gt=0, description="in the currency of the price list")


class InspectTask(Document):
    """How Inspect finds the evaluation and the model that it is run against."""

    task: str = Field(pattern=r"^[\w.]+:\w+$", description="module:function")
    arguments: dict[str, Scalar] = Field(default_factory=dict, description="of the task function")
    provider_module: str = Field(description="imported so that the model provider registers itself")
    model: str = Field(description="Inspect model name; the weights are passed as model_path")
    grader: str | None = Field(default=None, description="the model in the role `grader`, if any")
    scorer: str | None = Field(
        default=None, description="whose score counts; null: the evaluation has only one"
    )
    cluster: str | None = Field(
        default=None, description="the metadata key that names a sample's passage or family"
    )
    epochs: int = Field(default=1, ge=1, description="times that each sample is put to the model")
    seed: int | None = Field(default=None, description="of the model's sampling")
    per_sample: SampleBudget = SampleBudget()
    parallel_samples: int | None = Field(default=None, gt=0)
    egress_targets: list[str] = Field(
        default=["1.1.1.1:443", "8.8.8.8:53", "169.254.169.254:80"],
        description="host:port that the sandbox must not reach",
    )
    sandbox: Literal["docker", "unsafe_local"] | None = Field(
        default=None, description="where the model's tools run; null: it has none; unsafe_local: "
        "as the user of the evaluation process, for tests of Redline alone",
    )  # fmt: skip
    time_limit_seconds: float = Field(
        gt=0, le=CENTURY_SECONDS, description="of one attempt of the evaluation process"
    )
    attempts: int = Field(ge=1, description="runs of the evaluation process before it is `crashed`")
