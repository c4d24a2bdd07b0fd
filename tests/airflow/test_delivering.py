"""`assess_checkpoint` waits for people, without a slot, and takes the good delivery."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.rsp import records as r
from include.rsp.canonical import iso
from include.rsp.vocabulary import OccasionKind, RedLineStatus, ResultStatus
from include.rsp.wanted_results import WantedResults
from include.wiring import delivery_trigger, registration
from tests.airflow.test_assess_checkpoint import AGREED, acknowledging_trainer
from tests.support.airflow_world import LoopingWorld, People, states
from tests.support.deliveries import (
    HOLDER,
    evaluator_key,
    trust_with,
    with_a_study,
    write_delivery,
)
from tests.support.factories import ADDITION, SUITE_BYTES, changed
from tests.support.world import RUN

pytestmark = pytest.mark.airflow


def world_of(root: Path, *changes: Any) -> LoopingWorld:
    trust_with(root / "keys", HOLDER, at=datetime.now(UTC))
    return LoopingWorld(root, suite=changed(SUITE_BYTES, with_a_study, *changes))


@pytest.fixture
def pointed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tasks of this process work in this folder, and look often."""
    for name in ("store", "checkpoints", "jobs", "inbox"):
        monkeypatch.setenv(f"REDLINE_{name.upper()}", str(tmp_path / name))
    monkeypatch.setattr(delivery_trigger, "LOOK_SECONDS", 0.05)
    return tmp_path


def assess(bag: Any, world: LoopingWorld) -> Any:
    world.gate()
    world.publish(1.5)
    checkpoint = registration.register_by_name(world.desk, RUN, "x1.5")
    key = registration.raise_occasion(world.desk, RUN, checkpoint, OccasionKind.OFFICER, "a test")
    world.finish_jobs(key, {"maximum": 10, "copying": 100})
    names = ("assessment_id", "run_id", "checkpoint_id", "reason")
    conf = dict.fromkeys(names) | {"run_id": RUN, "checkpoint_id": "x1.5", "reason": "a test"}
    return bag.dags["assess_checkpoint"].test(run_conf=conf)


def institute(world: LoopingWorld) -> None:
    """Delivers once it is asked: first for another variant, then, when that is refused, well."""
    inbox = world.root / "inbox"
    (path,) = world.wait(lambda: list(inbox.glob("*/wanted.json")), 60)
    wanted = WantedResults.model_validate_json(path.read_bytes())
    for name, variant in (("bad", "helpful-only"), ("good", "final")):
        now = datetime.now(UTC)
        beside = world.root / name
        write_delivery(
            beside, evaluator_key(world.root / "keys"), checkpoint=wanted.checkpoint,
            variant=variant, started_at=iso(now), finished_at=iso(now), signed_at=now,
        )  # fmt: skip
        beside.rename(path.parent / name)
        if name == "bad":
            world.wait(lambda: world.of_kind(r.Refusal), 60)


def test_it_waits_past_a_bad_delivery_for_a_good_one(bag: Any, pointed: Path) -> None:
    world = world_of(pointed)
    with world.notary_running():
        thread = threading.Thread(target=institute, args=(world,), daemon=True)
        thread.start()
        run = assess(bag, world)
        thread.join()
    assert run.state == "success", states(run)
    counted = {one.run.evaluation: one.run for one in world.of_kind(r.ResultSet)}
    assert counted[ADDITION].status is ResultStatus.COMPLETE
    assert counted[ADDITION].delivered.holder == HOLDER
    assert [one.code for one in world.of_kind(r.Refusal)] == ["wrong_results"]
    (verdict,) = world.of_kind(r.Verdict)
    assert verdict.decision.red_lines[0].status is RedLineStatus.RULED_OUT


def due_at_once(plain: dict[str, Any]) -> None:
    plain["evaluations"][0]["study"]["due_days"] = 1e-6


def test_a_study_that_nobody_delivers_in_time_is_inconclusive_and_pauses(
    bag: Any, pointed: Path
) -> None:
    world = world_of(pointed, due_at_once)
    with world.notary_running(), People(world, **AGREED).answering():
        threading.Thread(target=acknowledging_trainer, args=(world,), daemon=True).start()
        run = assess(bag, world)
    found = states(run)
    assert (found["evaluate"], found["pause"], found["continue"]) == (
        "success", "success", "skipped",
    )  # fmt: skip
    (verdict,) = world.of_kind(r.Verdict)
    assert verdict.decision.red_lines[0].status is RedLineStatus.NOT_RULED_OUT
    assert world.state.runs[RUN].holds_in_force
