"""What a World does about safeguards: exemptions, plans, drills, reports and approvals."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from include.adapters import exemptions
from include.adapters.ledger import wait_for
from include.adapters.signing import KeyFile
from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.interim import InterimMeasures
from include.rsp.vocabulary import Scenario
from include.wiring import safeguarding
from tests.support.people import say
from tests.support.world import World

DRILL = "tests.support.safeguarded:no_drill"


def with_interim_measures(plain: dict[str, Any]) -> None:
    """Let a policy know interim measures, for a month at most."""
    plain["interim_measures"] = {
        "clause": "toylab 4.6", "longest_days": 30, "approvers": ["rso", "ceo"],
        "notify": ["board"],
        "allowed": ["block_responses", "downgrade_domain", "raise_sensitivity", "isolate_weights"],
    }  # fmt: skip


def with_a_drill(plain: dict[str, Any]) -> None:
    """Let a suite plan one drill."""
    drill = {"scenario": "jailbreak", "run": DRILL, "timeout_seconds": 5}
    plain["safeguards"]["drills"] = [drill]


def exempt(
    world: World,
    requirement: str,
    surface: str,
    *,
    first: str = "ceo",
    second: str = "rso",
    standard: str = "toy-asl-3",
    days: float = 30,
) -> Digest:
    """Two officers sign that a requirement does not apply; the record's digest."""
    claim: Path = world.root / "claim.json"
    exemptions.claim(
        world.state, claim, KeyFile(world.folders.officer(first)),
        standard=standard, criterion=requirement, surface=surface, because="there is no such thing",
        at=world.now, until=world.now + timedelta(days=days),
    )  # fmt: skip
    key = KeyFile(world.folders.officer(second))
    digest = exemptions.accept(world.store, world.state, claim, key, at=world.now)
    return wait_for(world.desk.reader, digest, seconds=5)


def plan_measures(world: World, verdict: Digest, *measures: dict[str, Any], **more: Any) -> Digest:
    """A plan of interim measures for a verdict."""
    plain = {
        "because": "it assures as much",
        "until": world.now + timedelta(days=7),
        "measures": list(measures),
    } | more
    return world.desk.submit(
        r.InterimPlan(
            at=world.now,
            by="test",
            stamp=world.desk.stamp,
            verdict=r.RecordRef(record=verdict),
            plan=InterimMeasures.model_validate(plain),
        )
    )


def measure(
    name: str, kind: str, *replaces: tuple[str, str], standard: str = "toy-asl-3"
) -> dict[str, Any]:
    """One measure that stands in for (requirement, surface) pairs."""
    return {
        "id": name, "kind": kind, "text": f"{kind} instead", "evidence": "measure-check",
        "max_age_days": 5,
        "replaces": [
            {"standard": standard, "requirement": requirement, "surface": surface}
            for requirement, surface in replaces
        ],
    }  # fmt: skip


def drilled(world: World, **changes: Any) -> Digest:
    """A record of a drill that was planned."""
    at = world.now
    plain = {
        "at": at, "by": "test", "stamp": world.desk.stamp, "scenario": Scenario.JAILBREAK,
        "started_at": at, "gaps": [], "run": DRILL, "asked_by": "test", "simulated": True,
        "steps": [{"name": "patched", "at": at, "seconds": 1.0, "done": True, "note": "patched"}],
    } | changes  # fmt: skip
    return world.desk.submit(r.Drill.model_validate(plain))


def reported(world: World, verdict: Digest) -> tuple[Digest, r.SafeguardsJudgement]:
    """(Safeguards Report, judgement) on what there is now."""
    digest, judged = safeguarding.judge(world.desk, verdict)
    return safeguarding.write_report(world.desk, digest), judged


def approve(world: World, report: Digest, *, choice: str = "approve") -> None:
    """Both officers on a Safeguards Report."""
    for office in ("rso", "ceo"):
        say(world, "safeguards_approval", report, office, choice)
