"""The toy trainer under orders: where it stops, what it tells, how a test makes it misbehave."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client.gate import ACKNOWLEDGEMENT
from client.mailbox import HEARTBEAT
from tests.pure.client.mirror import RUN, Mirror
from toylab import trainer as module
from toylab.trainer import Trainer, Workplace
from toylab.training import FLOP_PER_STEP, Training


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """A mirror, and a trainer with boundaries after 4, 8 and 12 steps, which looks at every one."""
    monkeypatch.setattr(module, "MILESTONES", (1, 2, 3))
    monkeypatch.setattr(module, "BASE_STEPS", 4)
    monkeypatch.setattr(module, "LOOK_EVERY_STEPS", 1)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)
    return Mirror(tmp_path)


class Told(Trainer):
    """A trainer that does something of the test's at a step, before it asks."""

    hooks: dict[int, Callable[[], object]]

    def may_go_on(self, target: int) -> bool:
        self.hooks.pop(self.training.step, lambda: None)()
        return super().may_go_on(target)


class Misbehaving(Told):
    """It asks, as it must to tell of orders, and trains on whatever the answer is."""

    def may_go_on(self, target: int) -> bool:
        super().may_go_on(target)
        return True


def start(
    mirror: Mirror,
    hooks: dict[int, Callable[[], object]],
    *,
    kind: type[Told] = Told,
    give_up_after: float | None = 0.0,
) -> tuple[Told, int]:
    place = Workplace(
        run_id=RUN,
        checkpoints=mirror.root / "checkpoints",
        state=mirror.root / "state",
        linger=0.0,
        give_up_after=give_up_after,
    )
    trainer = kind(mirror.gate(), place)
    trainer.hooks = hooks
    return trainer, trainer.run()


def events(mirror: Mirror) -> list[dict[str, Any]]:
    lines = (mirror.root / "state/events.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def names(mirror: Mirror) -> list[str]:
    return [one["event"] for one in events(mirror)]


def test_a_hold_is_obeyed_at_the_next_boundary_with_the_measured_figures(mirror: Mirror) -> None:
    mirror.permit(1e12)

    def hold() -> None:
        mirror.passes(3)
        mirror.hold()

    trainer, code = start(mirror, {5: hold, 7: lambda: mirror.passes(2)})
    assert (code, trainer.training.step) == (3, 8)
    told = names(mirror)
    assert told == [
        "started",
        "checkpoint",
        "order_seen",
        "checkpoint",
        "waiting",
        "acknowledged",
        "gave_up",
    ]
    (answered,) = [one for one in events(mirror) if one["event"] == "acknowledged"]
    assert answered["steps_from_order_to_stop"] == 3
    assert answered["seconds_from_order_to_stop"] == 2.0
    assert answered["lease_seconds_left"] == 15.0
    (message,) = mirror.sent("outbox", ACKNOWLEDGEMENT)
    assert (message["last_step"], message["last_flop"]) == (8, 8 * FLOP_PER_STEP)
    assert message["last_checkpoint"] == events(mirror)[3]["digest"]


def test_a_hold_that_is_first_seen_at_a_boundary_is_told_and_costs_no_step(mirror: Mirror) -> None:
    mirror.permit(1e12)

    def hold() -> None:
        mirror.passes(3)
        mirror.hold()

    trainer, code = start(mirror, {8: hold})
    assert (code, trainer.training.step) == (3, 8)
    assert names(mirror)[-4:] == ["order_seen", "waiting", "acknowledged", "gave_up"]
    (answered,) = [one for one in events(mirror) if one["event"] == "acknowledged"]
    assert answered["steps_from_order_to_stop"] == 0
    assert answered["seconds_from_order_to_stop"] == 0.0


def test_a_lease_that_runs_out_stops_it_at_once_with_its_state_saved(mirror: Mirror) -> None:
    mirror.permit(1e12)
    trainer, code = start(mirror, {6: lambda: mirror.passes(20)})
    assert (code, trainer.training.step) == (3, 6)
    assert names(mirror)[-2:] == ["waiting", "gave_up"]
    assert events(mirror)[-1]["code"] == "lease_expired"
    assert Training.load_state(mirror.root / "state/training.npz").step == 6


def test_it_goes_on_when_a_permit_releases_it_and_finishes(mirror: Mirror) -> None:
    mirror.permit(4 * FLOP_PER_STEP)

    def release() -> None:
        mirror.passes(1)
        mirror.permit(1e12)

    class Released(Told):
        def _wait(self) -> bool:
            self.hooks.pop(-1, lambda: None)()
            return super()._wait()

    trainer, code = start(mirror, {-1: release}, kind=Released, give_up_after=None)
    assert (code, trainer.training.step) == (0, 12)
    (resumed,) = [one for one in events(mirror) if one["event"] == "resumed"]
    assert resumed["after"] == "ceiling"
    states = [one["state"] for one in mirror.sent("heartbeats", HEARTBEAT)]
    assert states == ["training", "idle", "training", "stopped"]


def test_started_under_a_hold_it_answers_it_without_training(mirror: Mirror) -> None:
    mirror.permit(1e12)
    mirror.hold()
    trainer, code = start(mirror, {})
    assert (code, trainer.training.step) == (3, 0)
    assert names(mirror) == ["started", "waiting", "acknowledged", "gave_up"]
    assert not (mirror.root / "state/training.npz").exists()


def test_a_subclass_can_misbehave(mirror: Mirror) -> None:
    mirror.permit(1e12)
    trainer, code = start(mirror, {6: lambda: mirror.passes(20)}, kind=Misbehaving)
    assert (code, trainer.training.step) == (0, 12)
    assert names(mirror)[-1] == "finished"
