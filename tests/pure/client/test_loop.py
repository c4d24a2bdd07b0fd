"""The loop around a training loop: where it stops, what it saves, what it claims, what it tells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from client.answers import Answer, Order
from client.following import FollowingLoop
from client.gate import ACKNOWLEDGEMENT, TrainingGate
from client.loop import TrainingLoop
from client.mailbox import HEARTBEAT
from client.stops import TrainingStopped
from tests.pure.client.mirror import Mirror

BOUNDARY = 10
Hooks = dict[int, Callable[[], object]]


class Watched(TrainingGate):
    """A real gate that keeps what it was asked, in one list with what was saved."""

    def __init__(self, log: list[str], **given: Any) -> None:
        super().__init__(**given)
        self.log = log

    def may_continue(self, to_effective_compute: float) -> Answer:
        answer = super().may_continue(to_effective_compute)
        self.log.append(f"ask:{answer.code}")
        return answer

    def acknowledge(self, hold: Order, **said: Any) -> bool:
        self.log.append(f"acknowledge:{said['state']}")
        return super().acknowledge(hold, **said)


class Run:
    """A run of one FLOP and one second a step, with a boundary after every tenth."""

    def __init__(self, mirror: Mirror, **changes: Any) -> None:
        self.mirror = mirror
        self.log: list[str] = []
        self.told: list[str] = []
        self.step = 0
        self.saved_at: list[int] = []
        self.gate = Watched(self.log, **mirror.given())
        settings: dict[str, Any] = {"save": self.save, "ask_every": 0.0, "tell": self.told.append}
        self.loop = TrainingLoop(self.gate, **(settings | changes))

    def save(self) -> None:
        self.log.append("save")
        self.saved_at.append(self.step)

    def ask(self) -> bool:
        boundary = (self.step // BOUNDARY + 1) * BOUNDARY
        return self.loop.may_go_on(step=self.step, flop=self.step, next_flop=boundary)

    def train(self, to: int, hooks: Hooks | None = None) -> bool:
        """Train to a step; before each step's question its hook runs. False: it was stopped."""
        while self.step < to:
            (hooks or {}).get(self.step, lambda: None)()
            if not self.ask():
                return False
            self.step += 1
            self.mirror.passes(1)
            if self.step % BOUNDARY == 0:
                self.loop.checkpointed(step=self.step, flop=self.step, digest=f"at-{self.step}")
        return True

    def acknowledgements(self) -> list[dict[str, Any]]:
        return self.mirror.sent("outbox", ACKNOWLEDGEMENT)

    def states(self) -> list[tuple[str, int]]:
        return [(one["state"], one["step"]) for one in self.mirror.sent("heartbeats", HEARTBEAT)]


def long_permit(mirror: Mirror, seconds: float = 1000.0) -> str:
    digest = mirror.permit(1000.0, lease=False)
    mirror.lease(digest, seconds=seconds)
    return digest


def test_a_run_that_nothing_forbids_trains_to_its_end(mirror: Mirror) -> None:
    long_permit(mirror)
    run = Run(mirror)
    with run.loop:
        assert run.train(30)
    assert (run.loop.stops, run.saved_at, run.told) == ([], [], [])
    assert run.states()[0] == ("training", 0)
    assert run.states()[-1] == ("stopped", 30)
    assert len(run.states()) == 16, "one in two seconds"


def test_a_hold_is_obeyed_at_the_next_boundary_saved_then_acknowledged(mirror: Mirror) -> None:
    long_permit(mirror, 60)
    run = Run(mirror)
    with run.loop:
        assert not run.train(30, {13: mirror.hold})
    assert run.step == 20
    assert run.log[-3:] == ["ask:held", "save", "acknowledge:" + run.acknowledgements()[0]["state"]]
    assert run.saved_at == [20]
    (stop,) = run.loop.stops
    assert (stop.code, stop.step, stop.steps_after_order) == ("held", 20, 7)
    assert (stop.seconds_after_order, stop.lease_seconds_left) == (7.0, 40.0)
    assert str(stop) == (
        "stopped 7 steps and 7.00 s after the order was visible, 40.0 s before its lease ran out"
    )
    (message,) = run.acknowledgements()
    assert message["state"] == "stopped at a checkpoint boundary, training state saved"
    assert (message["last_step"], message["last_checkpoint"]) == (20, "at-20")
    assert run.loop.acknowledged == [stop.hold]
    assert run.states()[-2:] == [("idle", 20), ("stopped", 20)]
    assert "stops at the next boundary, at the latest in 47.0 s" in run.told[0]
    assert "Next: acknowledge the hold" in run.told[1]


def test_a_lease_that_runs_out_stops_at_once(mirror: Mirror) -> None:
    long_permit(mirror, 14.5)
    run = Run(mirror)
    with run.loop:
        assert not run.train(30)
    assert (run.step, run.saved_at) == (14, [14])
    (stop,) = run.loop.stops
    assert (stop.code, stop.seconds_after_order, stop.lease_seconds_left) == (
        "lease_expired",
        None,
        0.5,
    )
    assert "a step takes 1.00 s" in stop.reason


def test_a_hold_is_never_obeyed_later_than_the_lease(mirror: Mirror) -> None:
    long_permit(mirror, 15.0)
    run = Run(mirror)
    with run.loop:
        assert not run.train(30, {12: mirror.hold})
    assert run.step == 14
    (stop,) = run.loop.stops
    assert (stop.code, stop.steps_after_order, stop.lease_seconds_left) == ("held", 2, 1.0)
    (message,) = run.acknowledgements()
    assert message["state"] == "stopped between checkpoint boundaries, training state saved"


def test_a_stop_that_another_rank_asks_for_under_a_hold_names_the_hold(mirror: Mirror) -> None:
    long_permit(mirror)
    run = Run(mirror, agree=lambda wish: wish and run.step < 15)
    with run.loop:
        assert not run.train(30, {13: mirror.hold})
    (stop,) = run.loop.stops
    assert (stop.code, stop.step, stop.steps_after_order) == (None, 15, 2)
    assert run.loop.acknowledged == [stop.hold]


@pytest.mark.parametrize("back", [0.0, 3600.0])
def test_the_lease_binds_although_nobody_answers_and_the_clock_is_set_back(
    mirror: Mirror, back: float
) -> None:
    long_permit(mirror, 15.0)
    run = Run(mirror)

    def dies() -> None:
        mirror.put("orders/000000000009-hold.json", b"{")
        mirror.now -= timedelta(seconds=back)

    with run.loop:
        assert not run.train(30, {11: dies})
    assert run.step == 14
    assert run.loop.stops[0].code == "unreadable"


def test_a_mirror_that_is_unreadable_for_a_while_stops_nothing_inside_a_stretch(
    mirror: Mirror,
) -> None:
    long_permit(mirror)
    run = Run(mirror)
    path = mirror.folder / "orders/000000000009-hold.json"
    hooks: Hooks = {
        12: lambda: mirror.put("orders/000000000009-hold.json", b"{"),
        15: path.unlink,
    }
    with run.loop:
        assert run.train(30, hooks)
    assert run.log.count("ask:unreadable") == 3
    assert run.loop.stops == []
    assert "goes on at step 15" in run.told[1]


def test_a_mirror_that_is_unreadable_at_a_boundary_stops(mirror: Mirror) -> None:
    long_permit(mirror)
    run = Run(mirror)
    with run.loop:
        assert not run.train(30, {12: lambda: mirror.put("orders/9.json", b"{")})
    assert run.step == 20


def test_a_hold_released_before_the_boundary_stops_nothing(mirror: Mirror) -> None:
    long_permit(mirror)
    run = Run(mirror)
    with run.loop:
        assert run.train(30, {12: mirror.hold, 15: lambda: long_permit(mirror)})
    assert (run.loop.stops, run.loop.order, run.acknowledgements()) == ([], None, [])


@pytest.mark.parametrize("what", ["held", "revoked"])
def test_without_waiting_for_a_boundary_an_order_is_obeyed_before_the_next_step(
    mirror: Mirror, what: str
) -> None:
    permit = long_permit(mirror)
    run = Run(mirror, wait_for_boundary=False)
    order = mirror.hold if what == "held" else lambda: mirror.revoke(permit)
    with run.loop:
        assert not run.train(30, {13: order})
    assert (run.step, run.loop.stops[0].steps_after_order) == (13, 0)
    assert run.loop.stops[0].code == what


def test_a_revocation_is_obeyed_at_the_next_boundary(mirror: Mirror) -> None:
    permit = long_permit(mirror)
    run = Run(mirror)
    with run.loop:
        assert not run.train(30, {13: lambda: mirror.revoke(permit)})
    assert (run.step, run.loop.stops[0].code) == (20, "revoked")


def test_a_loop_can_make_its_boundary_sooner(mirror: Mirror) -> None:
    long_permit(mirror)
    run = Run(mirror)
    with run.loop:
        run.train(3)
        mirror.hold()
        assert run.ask()
        assert run.loop.order is not None
        assert run.loop.order.code == "held"
        run.loop.checkpointed(step=3, flop=3.0, digest=None)
        assert not run.ask()
    assert run.loop.stops[0].step == 3


def test_it_asks_at_boundaries_and_intervals_only(mirror: Mirror) -> None:
    long_permit(mirror)
    run = Run(mirror, ask_every=4.0)
    with run.loop:
        run.train(20)
    assert len(run.log) == 6  # steps 0, 4, 8, 10, 14, 18
    assert {"ask:permitted"} == set(run.log)


def test_it_asks_when_the_lease_is_nearly_over_although_the_interval_is_not(
    mirror: Mirror,
) -> None:
    permit = long_permit(mirror, 5.0)
    run = Run(mirror, ask_every=100.0)
    with run.loop:
        assert run.train(9, {3: lambda: mirror.lease(permit, seconds=50.0)})
    assert len(run.log) == 2


def test_compute_that_was_not_asked_for_is_asked_for(mirror: Mirror) -> None:
    long_permit(mirror)
    run = Run(mirror, ask_every=100.0)
    with run.loop:
        assert run.loop.may_go_on(step=1, flop=1, next_flop=10)
        assert run.loop.may_go_on(step=2, flop=11, next_flop=10)
        assert not run.loop.may_go_on(step=3, flop=1001, next_flop=10)
        assert not run.loop.may_go_on(step=4, flop=2, next_flop=float("nan"))
    assert run.log.count("ask:ceiling") == 2


def test_at_its_start_a_refused_run_stands_still_and_saves_nothing(mirror: Mirror) -> None:
    run = Run(mirror)
    with run.loop:
        assert not run.ask()
        assert not run.ask()
        long_permit(mirror)
        mirror.hold()
        assert not run.ask()
        long_permit(mirror)
        assert run.train(5)
    assert (run.saved_at, run.loop.stops) == ([], [])
    (message,) = run.acknowledgements()
    assert message["state"].startswith("stands still since its start")
    assert len(run.told) == 3, "no permit, held, goes on: each told once"
    assert [state for state, _ in run.states()][:2] == ["idle", "training"]


def test_a_run_that_stands_can_be_let_go_on_and_stop_again(mirror: Mirror) -> None:
    long_permit(mirror)
    run = Run(mirror)
    with run.loop:
        assert not run.train(50, {3: mirror.hold})
        for _ in range(3):
            assert not run.ask()
        long_permit(mirror)
        assert not run.train(50, {23: mirror.hold})
    assert run.saved_at == [10, 30]
    assert [stop.step for stop in run.loop.stops] == [10, 30]
    assert [one["last_step"] for one in run.acknowledgements()] == [10, 30]


def test_a_hold_that_comes_while_it_stands_is_answered_without_saving_again(
    mirror: Mirror,
) -> None:
    long_permit(mirror, 5.0)
    run = Run(mirror)
    with run.loop:
        assert not run.train(50)
        assert run.acknowledgements() == []
        mirror.hold()
        assert not run.ask()
    assert run.saved_at == [4]
    (message,) = run.acknowledgements()
    assert message["state"] == "stopped between checkpoint boundaries, training state saved"


def full_disk() -> None:
    raise OSError(28, "No space left on device")


def test_a_state_that_could_not_be_saved_is_not_claimed_and_raises_at_the_end(
    mirror: Mirror,
) -> None:
    long_permit(mirror)
    run = Run(mirror, save=full_disk)
    left = False
    with pytest.raises(OSError, match="No space left"), run.loop:
        left = not run.train(50, {3: mirror.hold})
    assert left, "the loop itself ends as always"
    (message,) = run.acknowledgements()
    assert message["state"].startswith("stopped, state NOT saved: OSError(28")
    assert "NOT saved" in run.told[1]
    assert run.states()[-1] == ("stopped", 10)


def test_an_exception_in_the_body_is_never_hidden(mirror: Mirror) -> None:
    long_permit(mirror)
    run = Run(mirror, save=full_disk)
    mirror.put("heartbeats", b"a file where a folder should be")

    def fails() -> None:
        raise KeyError("the step's own")

    with pytest.raises(KeyError, match="the step's own"), run.loop:
        run.train(50, {3: mirror.hold}) or fails()
    assert "heartbeat" in run.gate.last_problem


def test_an_exception_in_the_body_is_told_as_stopped(mirror: Mirror) -> None:
    long_permit(mirror)
    run = Run(mirror)
    with pytest.raises(ZeroDivisionError), run.loop:
        run.train(9, {5: lambda: 1 / 0})
    assert run.states()[-1] == ("stopped", 4)
    assert run.saved_at == []


def test_a_run_that_ends_under_an_order_saves_and_acknowledges(mirror: Mirror) -> None:
    long_permit(mirror)
    run = Run(mirror)
    with run.loop:
        assert run.train(15, {13: mirror.hold})
    assert (run.saved_at, len(run.acknowledgements())) == ([15], 1)


@pytest.mark.parametrize("moved", [True, False])
def test_a_stop_is_raised_when_asked_for(mirror: Mirror, moved: bool) -> None:
    if moved:
        long_permit(mirror)
    run = Run(mirror, raise_on_stop=True)
    why = "red line" if moved else "no permit"
    with pytest.raises(TrainingStopped, match=why) as caught, run.loop:
        run.train(50, {3: mirror.hold} if moved else {})
    assert caught.value.stop.step == (10 if moved else 0)
    assert run.saved_at == ([10] if moved else [])


def test_raising_a_stop_does_not_hide_that_nothing_was_saved(mirror: Mirror) -> None:
    long_permit(mirror)
    run = Run(mirror, raise_on_stop=True, save=full_disk)
    with pytest.raises(OSError, match="No space left"), run.loop:
        run.train(50, {3: mirror.hold})


def test_a_hold_that_cannot_be_answered_is_told_and_tried_again(mirror: Mirror) -> None:
    long_permit(mirror)
    mirror.put("outbox", b"a file where a folder should be")
    run = Run(mirror)
    with run.loop:
        assert not run.train(50, {3: mirror.hold})
        assert any("could not acknowledge" in line for line in run.told)
        (mirror.folder / "outbox").unlink()
        assert not run.ask()
    assert len(run.acknowledgements()) == 1


def test_an_operator_who_cannot_be_told_stops_nothing(mirror: Mirror) -> None:
    def broken_pipe(_: str) -> None:
        raise BrokenPipeError

    long_permit(mirror)
    run = Run(mirror, tell=broken_pipe)
    with run.loop:
        assert not run.train(50, {3: mirror.hold})
    assert len(run.acknowledgements()) == 1


def test_the_operator_is_told_on_standard_error(
    mirror: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    with TrainingLoop(mirror.gate(), save=full_disk) as loop:
        assert not loop.may_go_on(step=0, flop=0.0, next_flop=1.0)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("redline: run-1 stands still at step 0: [no_permit]")


def test_a_margin_is_kept_free_before_the_leases_end(mirror: Mirror) -> None:
    long_permit(mirror, 15.0)
    run = Run(mirror, margin=5.0)
    with run.loop:
        assert not run.train(30)
    assert run.step == 9


def test_a_long_checkpoint_is_not_taken_for_a_long_step(mirror: Mirror) -> None:
    permit = long_permit(mirror, 20.0)
    run = Run(mirror)
    with run.loop:
        assert run.train(9)
        assert run.ask()
        run.step = 10
        mirror.passes(60)  # the tenth step, and the checkpoint after it
        run.loop.checkpointed(step=10, flop=10)
        mirror.lease(permit, seconds=5.0)
        assert run.train(13)


class Ranks:
    """A collective: the leader's wish, as the follower hears it."""

    def __init__(self) -> None:
        self.wishes: list[bool] = []

    def lead(self, wish: bool) -> bool:
        self.wishes.append(wish)
        return wish

    def follow(self, wish: bool) -> bool:
        assert wish, "a follower always wishes to go on"
        return self.wishes[-1]


def test_all_ranks_stop_between_the_same_two_steps(mirror: Mirror) -> None:
    long_permit(mirror)
    ranks, saved = Ranks(), []
    run = Run(mirror, agree=ranks.lead)
    with run.loop, FollowingLoop(save=lambda: saved.append(run.step), agree=ranks.follow) as other:
        for step in range(30):
            run.step = step
            if step == 3:
                mirror.hold()
            if step % BOUNDARY == 0:
                run.loop.checkpointed(step=step, flop=step)
                other.checkpointed(step=step, flop=step)
            go = run.ask()
            assert other.may_go_on(step=step, flop=step, next_flop=0) is go
    assert len(ranks.wishes) == 30, "once for each question, whatever the answer"
    assert (run.saved_at, saved) == ([10], [10])


def test_another_rank_can_stop_the_run_but_not_move_it(mirror: Mirror) -> None:
    votes = {"all": True}
    run = Run(mirror, agree=lambda _: votes["all"])
    with run.loop:
        assert not run.ask(), "no permit: whatever the others wish"
        long_permit(mirror)
        assert run.train(3)
        votes["all"] = False
        assert not run.ask()
    (stop,) = run.loop.stops
    assert (stop.code, stop.reason, run.saved_at) == (None, "another rank asked for it", [3])
    assert "as other ranks asked" in run.told[-1]


def test_a_followers_failed_save_is_raised_when_it_leaves() -> None:
    answers = iter([True, False, False])
    loop = FollowingLoop(save=full_disk, agree=lambda _: next(answers))
    heard = [loop.may_go_on(step=0, flop=0, next_flop=1) for _ in range(3)]
    assert heard == [True, False, False]
    with pytest.raises(OSError, match="No space left"), loop:
        pass
