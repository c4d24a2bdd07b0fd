"""The real toy trainer misbehaves against the real notary: the hold stands, a finding names it."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from client.envelopes import Sealer
from client.gate import ACKNOWLEDGEMENT
from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.canonical import iso
from include.rsp.errors import Refused
from include.rsp.vocabulary import Scope
from include.wiring import assessment, holding, registration
from tests.support.airflow_world import LoopingWorld
from tests.support.factories import POLICY_BYTES, changed
from tests.support.people import packet_on, permit_on, sign_all
from tests.support.world import RUN
from toylab.trainer import Trainer, Workplace

pytestmark = pytest.mark.live
ROOT = Path(__file__).resolve().parents[2]


class Deaf(Trainer):
    """Asks nobody and answers nobody: it trains on."""

    def may_go_on(self, target: int) -> bool:
        return True

    def make_loop(self) -> Any:
        loop = super().make_loop()
        loop.checkpointed = lambda **_: None  # type: ignore[method-assign]
        return loop


def hasty(plain: dict[str, Any]) -> None:
    plain["hold"] |= {"acknowledge_within_seconds": 1.5, "verify_after_seconds": 0.3}
    plain["hold"]["escalation"] = [{"after_seconds": 2, "to": ["rso"]}]
    plain["authority"]["lease_seconds"] = 2


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LoopingWorld]:
    made = LoopingWorld(tmp_path, policy=changed(POLICY_BYTES, hasty))
    with made.notary_running():
        yield made


def train(
    world: LoopingWorld, kind: type[Trainer] = Trainer, *, run_id: str = RUN, give_up: float = 0.3
) -> Trainer:
    """One life of the trainer, until it stands still (or, deaf, has reached x004)."""
    place = Workplace(
        run_id=run_id,
        checkpoints=world.root / "checkpoints",
        state=world.root / f"state-{run_id}",
        linger=0.0,
        give_up_after=give_up,
    )
    gate = world.gate(run_id)
    trainer = kind(gate, place)
    if kind is Deaf:
        with trainer.loop:
            while trainer.training.step < 64:
                trainer.train_towards(64)
    else:
        world.wait(lambda: gate.may_continue(1.0).code != "no_permit" or run_id != RUN)
        trainer.run()
    return trainer


def crossed(world: LoopingWorld) -> str:
    """Register what is there and let the next assessment cross the line; the hold."""
    before = set(world.state.runs[RUN].holds)
    registration.register_new(world.desk)
    keys = [*registration.raise_due_occasions(world.desk)]
    world.now = world.desk.now()
    world.evaluate(keys[-1], addition=190)
    assessment.reach_verdict(world.desk, keys[-1])
    held = world.wait(lambda: set(world.state.runs[RUN].held(Scope.TRAINING)) - before)
    return str(held.pop())


def acknowledged(world: LoopingWorld, hold: str) -> None:
    world.wait(lambda: hold in world.state.runs[RUN].acknowledgements)


def finding(world: LoopingWorld, kind: str) -> r.Deviation:
    """The deviation of that kind, once the notary has recorded it."""
    return world.wait(  # type: ignore[no-any-return]
        lambda: next((one for one in world.of_kind(r.Deviation) if one.finding == kind), None)
    )


def stands(world: LoopingWorld, hold: str) -> None:
    """The hold is in force, nothing lets the run go on, and all of it verifies."""
    assert hold in world.state.runs[RUN].held(Scope.TRAINING)
    world.wait(lambda: not world.gate().may_continue(1.0).allowed)
    assert verify_store(world.store).problems == []


def test_it_is_killed(world: LoopingWorld) -> None:
    command = [
        *(sys.executable, "-m", "toylab.train", "--store", str(world.root / "store")),
        *("--checkpoints", str(world.root / "checkpoints"), "--state", str(world.root / "state")),
        *("--key", str(world.folders.trainer), "--trust-root", str(world.folders.trust_root)),
        *("--run-id", RUN, "--linger", "0"),
    ]
    manifest = world.root / "checkpoints" / RUN / "x001" / "manifest.json"
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        world.wait(manifest.exists, 60)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    hold = crossed(world)
    assert "No acknowledgement" in finding(world, "not_acknowledged").message
    assert world.wait(lambda: world.of_kind(r.Escalation))
    train(world)  # it starts again from its saved state, and finds the hold
    acknowledged(world, hold)
    assert world.state.runs[RUN].acknowledgements[hold].last_step <= 18
    stands(world, hold)


def test_it_is_deaf(world: LoopingWorld) -> None:
    train(world)
    hold = crossed(world)
    finding(world, "not_acknowledged")
    train(world, Deaf)
    registration.register_new(world.desk)
    assert "x004" in finding(world, "trained_while_held").message
    assert "x004" in finding(world, "ceiling_exceeded").message
    stands(world, hold)


def test_it_resumes_from_its_last_checkpoint(world: LoopingWorld) -> None:
    train(world)
    hold = crossed(world)
    train(world)
    acknowledged(world, hold)
    train(world, Deaf)  # from the state that was saved
    world.wait(lambda: world.desk.now() > holding.when_to_look(world.desk, hold))
    with pytest.raises(Refused) as caught:
        holding.verify_stop(world.desk, hold)
    assert caught.value.code == "trained_while_held"
    assert "x004" in finding(world, "trained_while_held").message
    stands(world, hold)


def test_it_trains_on_by_its_heartbeats(world: LoopingWorld) -> None:
    train(world)
    hold = crossed(world)
    trainer = train(world)
    acknowledged(world, hold)
    step, flop = trainer.training.step + 4, trainer.training.flop * 1.2
    assert world.gate().heartbeat(state="training", step=step, flop=flop)
    world.wait(lambda: world.desk.now() > holding.when_to_look(world.desk, hold))
    with pytest.raises(Refused) as caught:
        holding.verify_stop(world.desk, hold)
    assert caught.value.code == "heartbeat_while_held"
    assert f"step {step}" in finding(world, "heartbeat_while_held").message
    stands(world, hold)


def test_it_changes_its_run_id(world: LoopingWorld) -> None:
    train(world)
    hold = crossed(world)
    other = train(world, run_id="run-2")
    assert other.training.step == 0
    assert "announced the run run-2" in finding(world, "run_id_changed").message
    stands(world, hold)


def test_it_sends_an_old_acknowledgement_again(world: LoopingWorld) -> None:
    train(world)
    first = crossed(world)
    train(world)
    acknowledged(world, first)
    world.now = world.desk.now()
    world.add_evidence()
    packet = packet_on(world)
    sign_all(world, packet)
    permit_on(world, packet)
    train(world, give_up=0.0)
    second = crossed(world)
    answer = world.state.runs[RUN].acknowledgements[first]
    said = answer.model_dump(mode="json")
    body = {name: said[name] for name in ("state", "last_step", "last_flop", "last_checkpoint")}
    again = body | {"run_id": RUN, "at": iso(world.desk.now())}
    content = Sealer(world.folders.trainer).seal(ACKNOWLEDGEMENT, first, again)
    place = world.root / "store" / "runs" / RUN / "outbox"
    (place / "later").write_bytes(content)
    (place / "later").replace(place / f"{hashlib.sha256(content).hexdigest()}.json")
    assert "acknowledged at" in finding(world, "acknowledgement_refused").message
    finding(world, "not_acknowledged")
    stands(world, second)


def test_it_writes_one_more_checkpoint_after_acknowledging(world: LoopingWorld) -> None:
    train(world)
    hold = crossed(world)
    train(world)
    acknowledged(world, hold)
    folder = world.root / "checkpoints" / RUN / "x001"
    shutil.copytree(folder, world.root / "late")
    world.now = world.desk.now()
    late = world.publish(3, weights=(world.root / "late" / "weights.npz").read_bytes())
    assert late.exists()
    registration.register_new(world.desk)
    assert "x3" in finding(world, "trained_while_held").message
    stands(world, hold)


def test_its_life_ends_with_the_test() -> None:
    """No thread of a trainer is left behind."""
    assert not [one for one in threading.enumerate() if "trainer" in one.name]
