"""Worlds under published policies, with a made-up suite: one evaluation for each red line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from include.adapters.policy_files import POLICIES, named_file, read_policy
from include.rsp import records as r
from include.rsp.vocabulary import Outcome
from include.wiring import assessment, registration, screening
from tests.support.evaluated import record_result
from tests.support.factories import changed, small_suite
from tests.support.world import Change, World

RSP_1_0 = named_file(POLICIES, "anthropic-rsp-1.0").read_bytes()
RSP_2_2 = named_file(POLICIES, "anthropic-rsp-2.2").read_bytes()
COMBINED = {RSP_1_0: ["misuse-3"], RSP_2_2: ["cbrn-3", "cbrn-4", "ai-rnd-4", "ai-rnd-5"]}
LOW, NEAR, HIGH = 0, 90, 200


def published_world(root: Path, policy: bytes, *changes: Change) -> World:
    """A run under a published policy, announced."""
    text = changed(policy, *changes)
    world = World(root, policy=text, suite=suite_for(policy, text))
    world.gate()
    return world


def suite_for(published: bytes, policy: bytes) -> bytes:
    """A made-up suite for a published policy, or for a later version of it."""
    read = read_policy(policy, where="test policy")
    lines: Iterable[str] = [one.id for one in read.red_lines if one.decides]
    suite = small_suite(read.id, lines, combined=COMBINED[published], ceilings={"default": 6})
    return yaml.safe_dump(suite.model_dump(mode="json")).encode()


def assess_lines(
    world: World, multiple: float | None, outcome: Outcome | None = None, **right: int
) -> str:
    """Assess a new checkpoint (None: the one there is); of 200, `right` by red line, else none."""
    if multiple is not None:
        world.publish(multiple)
    registration.register_new(world.desk)
    (key,) = registration.raise_due_occasions(world.desk)
    rules = world.desk.rulebook.of_assessment(world.state, key)
    scores = {one.id: right.get(one.red_line.replace("-", "_"), LOW)
              for one in rules.suite.evaluations}  # fmt: skip
    world.finish_jobs(key, scores)
    assessment.pre_flight(world.desk, key)
    for name in assessment.plan(world.desk, key).evaluations:
        record_result(world.desk, key, name)
    assert not screening.is_preliminary(world.desk, key)
    world.validate(key)
    digest, verdict = assessment.reach_verdict(world.desk, key)
    world.notary.step()
    assert outcome in (None, verdict.decision.recommendation)
    return digest


def holds_of(world: World, run_id: str = "run-1") -> list[tuple[str, list[str]]]:
    """(scope, measures) of every hold in force, in order."""
    in_force: dict[str, r.Hold] = world.state.runs[run_id].holds_in_force
    return [(one.scope.value, one.measures) for one in in_force.values()]
