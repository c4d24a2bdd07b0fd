"""Where the histories of people begin: worlds after their first verdict, built once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from include.adapters.policy_files import POLICIES, named_file, read_policy
from include.rsp.adoption import offices_of
from include.wiring import assessment
from tests.support.evaluated import record_result
from tests.support.factories import POLICY_BYTES, START, SUITE_BYTES, changed, small_suite
from tests.support.histories import ANNOUNCEMENT, History, crowded_trust_root
from tests.support.world import RUN, World

RSP = named_file(POLICIES, "anthropic-rsp-2.2").read_bytes()
LINES = ("cbrn-3", "cbrn-4", "ai-rnd-4", "ai-rnd-5")
APPROVAL = {
    "id": "approval", "clause": "t 1", "to": ["board"], "event": "determination",
    "before_permit": True, "approval": True, "condition": None,
}  # fmt: skip
CAP = {
    "id": "cap", "kind": "cap_training", "clause": "t 2", "after": "pause", "condition": None,
    "actions": ["cap_training"], "people": ["rso"], "resume_when": None,
}  # fmt: skip
LOCK = {
    "id": "lock", "kind": "lock_down_weights", "clause": "t 3", "after": "pause",
    "condition": "it could be stolen", "actions": ["lock_weights"], "people": ["rso"],
    "resume": ["safeguards_verified"], "resume_when": None,
}  # fmt: skip
BELOW = {"clause": "t 4", "statuses": ["not_ruled_out"]}


def _rich(plain: dict[str, Any]) -> None:
    """Two notices to one office, responses, and officers who may go below."""
    plain["notices"].append(APPROVAL)
    plain["responses"] = [CAP, LOCK]
    plain["sign_off"]["below_recommendation"] = BELOW
    plain["hold"]["scopes"] = ["training", "deployment"]
    plain["hold"]["resume_when"].append("new_determination")


def _nobody(plain: dict[str, Any]) -> None:
    plain["machine_determination"]["outcomes"] = ["genesis"]


def _any_one(plain: dict[str, Any]) -> None:
    plain["sign_off"]["quorum"] = 1


def _next_version(plain: dict[str, Any]) -> None:
    plain["version"] = "1.1"
    plain["authority"]["permit_days"] = 6


def _with_author(plain: dict[str, Any]) -> None:
    plain["authors"] = ["simulated-author"]


SUITE = changed(SUITE_BYTES, _with_author)


def next_version(policy: bytes) -> bytes:
    """The same policy, a little stricter."""
    return changed(policy, _next_version)


def announce(world: World) -> None:
    """The trainer announces its run, which asks for the genesis permit."""
    world.gate()
    world.now += timedelta(seconds=1)
    world.notary.step()


def _toy(
    root: Path, *changes: Callable[[dict[str, Any]], None], multiple: float = 4, **results: Any
) -> World:
    policy = changed(POLICY_BYTES, *changes)
    offices = offices_of(read_policy(policy, where="a scene"))
    crowded_trust_root(root, offices, START)
    world = World(root, policy, SUITE)
    announce(world)
    world.assess(multiple, **results)
    world.pass_time(seconds=5)
    return world


def _published(root: Path) -> World:
    """Under RSP 2.2, with a made-up suite that is near no line."""
    made = small_suite("anthropic-rsp", LINES, combined=LINES, ceilings={"default": 6})
    suite = yaml.safe_dump(made.model_dump(mode="json")).encode()
    offices = offices_of(read_policy(RSP, where="RSP 2.2"))
    crowded_trust_root(root, offices, START)
    world = World(root, RSP, suite)
    announce(world)
    world.publish(4)
    key = world.due()
    world.finish_jobs(key, dict.fromkeys((f"on-{line}" for line in LINES), 5))
    assessment.pre_flight(world.desk, key)
    for name in assessment.plan(world.desk, key).evaluations:
        record_result(world.desk, key, name)
    world.validate(key)
    assessment.reach_verdict(world.desk, key)
    world.pass_time(seconds=5)
    return world


SCENES: dict[str, Callable[[Path], World]] = {
    "crossed, safeguards to be shown": partial(_toy, addition=190),
    "crossed, two notices": lambda root: _toy(root, _rich, addition=190),
    "not ruled out, below allowed": lambda root: _toy(root, _rich, elicitation={}),
    "continue, machines may not": lambda root: _toy(root, _rich, _nobody, addition=5),
    "continue, a machine may": partial(_toy, multiple=1, addition=5),
    "continue, any one officer": lambda root: _toy(root, _rich, _nobody, _any_one, addition=5),
    "RSP 2.2": _published,
}
__all__ = ["ANNOUNCEMENT", "RUN", "SCENES", "History", "announce", "next_version"]
