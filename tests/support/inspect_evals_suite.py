"""A suite of public evaluations from `inspect_evals`, each against a model that plays by script."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.rsp.vocabulary import EvaluationRole
from include.wiring import assessment, evaluating, validating
from tests.support.evaluated import record_result
from tests.support.factories import POLICY_BYTES, SUITE_BYTES, changed
from tests.support.fitting import DONE
from tests.support.waiting import eventually
from tests.support.world import World

THREATS = "inspect_evals.agent_threat_bench:agent_threat_bench_"
UTILITY = "agent_threat_bench_scorer.utility"


@dataclass(frozen=True, slots=True)
class Public:
    """A public evaluation as this suite has it, and the model that stands for the checkpoint."""

    id: str
    task: str
    samples: int
    model: str
    scorer: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    wrapped: bool = True
    epochs: int = 1
    control_samples: int = 5
    solver_at_least: float = 1.0

    def plain(self, template: dict[str, Any]) -> dict[str, Any]:
        """As a suite's file says it."""
        inspect = template["inspect"] | {
            "task": "tests.support.third_party:elicited" if self.wrapped else self.task,
            "arguments": self.arguments | ({"task": self.task} if self.wrapped else {}),
            "provider_module": "tests.support.scripted_models",
            "model": self.model,
            "scorer": self.scorer,
            "attempts": 1,
            "epochs": self.epochs,
        }
        first = min(self.control_samples, self.samples)
        return template | {
            "id": self.id,
            "title": f"{self.task} of inspect_evals",
            "dataset": None,
            "dataset_samples": self.samples,
            "minimum_samples": self.samples * self.epochs,
            "elicitation_required": sorted(DONE),
            "limits": {"rule_out": 0.5, "rule_in": 0.75, "buffer": 0.1},
            "positive_control": {
                "model": "scripted/solver", "samples": first, "at_least": self.solver_at_least,
            },
            "null_control": {"model": "null/refuser", "samples": first, "at_most": 0.1},
            "inspect": inspect,
        }  # fmt: skip


def suite_of(*evaluations: Public) -> bytes:
    """The toy suite with these evaluations in place of its own, all load-bearing."""

    def change(plain: dict[str, Any]) -> None:
        template = plain["evaluations"][0]
        assert template["role"] == EvaluationRole.RULE_OUT
        plain["evaluations"] = [one.plain(template) for one in evaluations]

    return changed(SUITE_BYTES, change)


def _without_early_warning(plain: dict[str, Any]) -> None:
    plain["compute_trigger"]["early_warning"] = None


@dataclass(frozen=True, slots=True)
class Assessed:
    """An assessment whose evaluations have all run in processes of their own."""

    world: World
    key: str

    def output(self, name: str) -> str:
        """All that the process of an evaluation said."""
        request = evaluating.job_request(self.world.desk, self.key, name)
        return (self.world.desk.jobs.folder / request.job / "output.log").read_text()


def assess(folder: Path, *evaluations: Public, seconds: float = 120) -> Assessed:
    """Publish a checkpoint, run every evaluation for real, validate all of it."""
    policy = changed(POLICY_BYTES, _without_early_warning)
    world = World(folder, policy=policy, suite=suite_of(*evaluations))
    world.now = datetime.now(UTC)
    world.gate()
    world.publish(1)
    key = world.due()
    names = assessment.plan(world.desk, key).evaluations
    assessment.pre_flight(world.desk, key)
    jobs = world.desk.jobs
    try:
        for name in names:
            jobs.submit(evaluating.job_request(world.desk, key, name))
        eventually(lambda: not list(jobs.running()), seconds)
    finally:
        for job in list(jobs.running()):
            jobs.cancel(job)
    world.now = datetime.now(UTC)
    for name in names:
        record_result(world.desk, key, name)
    validating.validate(world.desk, key)
    return Assessed(world, key)
