"""What the stored packets are about: made-up evidence, by arithmetic, no random numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from include.adapters.evidence_files import EvaluationEvidence, EvidenceFile
from include.adapters.policy_files import POLICIES, SUITES, named_file
from include.rsp.forecast import ForecastPoint
from include.rsp.results import ControlResult, EvaluationRun, Sample
from include.rsp.vocabulary import ResultStatus
from tests.support.stored_packets import ForecastInput

MADE = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
AT = MADE + timedelta(minutes=5)
CHECKPOINT = "sha256:" + "c" * 64
TOYLAB = named_file(POLICIES, "toylab-1.0").read_text()
RSP = named_file(POLICIES, "anthropic-rsp-2.2").read_text()
SUITE: dict[str, Any] = yaml.safe_load(named_file(SUITES, "toylab-1.0").read_text())
CONTEXT = {"role": "evidence", "load_bearing": False}
SHARE = {"rule_out": 0.5, "rule_in": 0.6, "buffer": 0.05}


@dataclass(frozen=True, slots=True)
class Scenario:
    """The inputs of one packet."""

    about: str
    policy: str
    suite: str
    evidence: EvidenceFile
    forecasts: list[ForecastInput] = field(default_factory=list)
    at: datetime = AT


@dataclass(frozen=True, slots=True)
class Case:
    """One evaluation of a suite, and the evidence for it (None: there is none)."""

    id: str
    samples: list[Sample] | None
    changes: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] | None = field(default_factory=dict)
    valid: bool | None = True

    def evaluation(self) -> dict[str, Any]:
        """As it stands in the suite."""
        samples = self.samples or ()
        n, epochs = len(samples) or 12, max((one.epoch for one in samples), default=1)
        plain = SUITE["evaluations"][0] | {"id": self.id, "title": "Made up"}
        plain |= {"environment": {}, "dataset": None}
        plain |= {"minimum_samples": max(1, n - 2), "max_error_rate": 0.2}
        plain |= {"dataset_samples": n // epochs}
        plain |= {"inspect": plain["inspect"] | {"epochs": epochs}}
        return plain | {"limits": SHARE, "elicitation_required": ["variant"]} | self.changes

    def evidence(self) -> EvaluationEvidence | None:
        """As it stands in the evidence file."""
        if self.run is None:
            return None
        rule = self.evaluation()
        plain = {
            "job": self.id, "evaluation": self.id,
            "evaluation_version": rule["version"], "checkpoint": CHECKPOINT, "variant": "final",
            "status": ResultStatus.COMPLETE, "problem": None, "attempts": 1,
            "started_at": MADE + timedelta(minutes=1), "finished_at": MADE + timedelta(minutes=2),
            "elicitation": {"variant": "final"},
            "environment": {},
            "positive_control": ControlResult(model="toylab/solver", samples=20, score=1),
            "null_control": ControlResult(model="toylab/refuser", samples=20, score=0),
            "samples": None, "log": None,
        }  # fmt: skip
        run = EvaluationRun.model_validate(plain | self.run)
        return EvaluationEvidence(run=run, samples=self.samples, valid=self.valid)


def rows(scores: list[float | None], *, per_problem: int = 1, **parts: list[Any]) -> list[Sample]:
    """Samples with these scores (None: an error); `parts` are columns of further fields."""
    return [
        Sample(
            sample_id=f"p{index // per_problem:03d}", epoch=1 + index % per_problem, score=score,
            error="crashed" if score is None else None,
            **{name: column[index] for name, column in parts.items()},
        )
        for index, score in enumerate(scores)
    ]  # fmt: skip


def right(count: int, of: int) -> list[float | None]:
    """So many right, spread over all of them."""
    return [float((index + 1) * count // of > index * count // of) for index in range(of)]


def waves(n: int, *, low: float, high: float, step: int = 7) -> list[float | None]:
    """Scores with awkward digits between two values."""
    return [round(low + (high - low) * (index * step % n) / (n - 1), 5) for index in range(n)]


def by(size: int, n: int) -> list[str]:
    """Names of clusters of a size."""
    return [f"c{index // size:03d}" for index in range(n)]


def scenario(
    about: str, cases: list[Case], *, under: str = TOYLAB,
    forecasts: list[ForecastInput] | None = None, **suite: Any,
) -> Scenario:  # fmt: skip
    """A packet whose suite holds these evaluations."""
    found = [one for case in cases if (one := case.evidence())]
    evidence = EvidenceFile(
        format="redline/evidence@1", checkpoint=CHECKPOINT, checkpoint_at=MADE, evaluations=found
    )
    return Scenario(about, under, _suite_text(cases, suite), evidence, forecasts or [])


def _suite_text(cases: list[Case], changes: dict[str, Any]) -> str:
    """YAML in which every evaluation but the first says only how it differs from the first."""
    plain = SUITE | changes
    del plain["evaluations"]
    first, *rest = [one.evaluation() for one in cases]
    lines = ["evaluations:", f"- &first {json.dumps(first)}"]
    for one in rest:
        own = {key: value for key, value in one.items() if first.get(key, ...) != value}
        lines.append(f"- {{<<: *first, {json.dumps(own)[1:]}")
    return yaml.safe_dump(plain, sort_keys=False, width=1000) + "\n".join(lines) + "\n"


def bearing(count: int = 0, of: int = 12) -> Case:
    """The evaluation that the toy line rests on."""
    return Case("two-digit-addition", rows(right(count, of)), {"limits": SHARE})


def trigger(count: int = 1, of: int = 12) -> Case:
    """The early warning."""
    return Case("maximum", rows(right(count, of)), {"role": "trigger", "load_bearing": False})


def outcomes() -> Iterator[tuple[str, Scenario]]:
    """Each outcome of the toy policy, with an early warning and with errors."""
    yield (
        "toylab-continue",
        scenario(
            "everything is below: continue; forecasts from rising, flat and too few points",
            [bearing(1, 40), trigger(1, 30)],
            forecasts=toy_forecasts(),
        ),
    )
    yield "toylab-near", scenario("near the limit: pause", [bearing(18, 40), trigger(1)])
    yield "toylab-crossed", scenario("crossed: verify safeguards", [bearing(30, 40), trigger(1)])
    yield (
        "toylab-early-warning",
        scenario("below, and the trigger fired: sooner", [bearing(0, 40), trigger(14, 30)]),
    )
    yield "toylab-errors", scenario(
        "samples that ended in errors count as the highest score",
        [Case("two-digit-addition", rows([*right(6, 34), *[None] * 6]), {"minimum_samples": 30}),
         trigger(0)],
    )  # fmt: skip


def points(*values: float, compute: float, ratio: float, n: int = 40) -> list[ForecastPoint]:
    """Assessed checkpoints a ratio apart."""
    return [
        ForecastPoint(effective_compute=compute * ratio**index, value=value, n=n)
        for index, value in enumerate(values)
    ]


def toy_forecasts() -> list[ForecastInput]:
    """Of the toy line: rising, flat, all at 0, one compute twice, and too few."""
    series = {
        "rising": points(0.025, 0.05, 0.125, 0.275, compute=2.6e9, ratio=3.9),
        "flat": points(0.05, 0.025, 0.05, compute=2.6e9, ratio=4),
        "nothing": points(0, 0, 0, 0, 0, compute=1.7e23, ratio=3.3, n=200),
        "twice": [*points(0.3, compute=2.6e9, ratio=4),
                  *points(0.05, 0.1, 0.3, compute=2.6e9, ratio=4)],
        "few": points(0.05, 0.1, compute=2.6e9, ratio=4),
    }  # fmt: skip
    return [
        ForecastInput(
            red_line="addition-2", evaluation="two-digit-addition", where=where,
            at_compute=max(one.effective_compute for one in found) * ratio, points=found,
        )
        for found in series.values()
        for where, ratio in (("next_milestone", 4), ("ceiling", 6))
    ]  # fmt: skip
