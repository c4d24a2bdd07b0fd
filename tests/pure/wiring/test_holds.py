"""Holds: who has to stop, how it is shown that they did, and what is recorded if not (step 19)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from client.answers import Order
from client.envelopes import Sealer
from client.gate import TrainingGate
from client.mailbox import HEARTBEAT
from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.canonical import digest_bytes, iso
from include.wiring import holding, telling
from tests.support.begun import assessed
from tests.support.factories import X
from tests.support.holding import LAST_STEP, hold_of, sent
from tests.support.people import packet_on, permit_on, sign_all
from tests.support.refusing import deviations, refused
from tests.support.world import RUN, World


@pytest.fixture
def held(tmp_path: Path) -> World:
    """A run that is held because its red line was crossed."""
    return assessed(tmp_path, shown=False)


def order_of(world: World) -> Order:
    order = world.gate().may_continue(X).hold
    assert order is not None
    return order


def stopped(world: World, gate: TrainingGate | None = None, **changes: Any) -> TrainingGate:
    """The trainer says that it stopped, and the policy's grace passes."""
    own = gate or world.gate()
    told: dict[str, Any] = {
        "state": "saved", "last_step": LAST_STEP, "last_flop": 4 * X, "last_checkpoint": None,
    }  # fmt: skip
    assert own.acknowledge(order_of(world), **told | changes)
    world.pass_time(seconds=4)
    return own


RUNGS = [(59, 0), (60, 1), (119, 1), (120, 2), (299, 2), (300, 3), (9_000, 3)]


def test_a_silent_trainer_is_recorded_and_told_of_rung_by_rung_and_never_twice(
    held: World,
) -> None:
    hold, start = hold_of(held), held.now
    for seconds, rungs in RUNGS:
        held.pass_time(seconds=seconds - (held.now - start).total_seconds())
        held.notary.step()
        found = holding.escalations_of(held.desk, hold)
        assert [one.rung for one in found.values()] == list(range(1, rungs + 1)), seconds
        late = deviations(held, "not_acknowledged")
        assert len(late) == (seconds > 60), seconds
    assert [one.to for one in found.values()] == [["rso"], ["rso", "ceo"], ["board"]]
    words = telling.escalations_on(held.desk, hold)
    assert [(one.notice, one.to) for one in words] == [
        ("escalation 1", "rso"), ("escalation 2", "rso"), ("escalation 2", "ceo"),
        ("escalation 3", "board"),
    ]  # fmt: skip
    assert "the training hold was not acknowledged" in words[0].text
    assert verify_store(held.store).problems == []


def test_a_notary_that_slept_through_all_rungs_records_them_all(held: World) -> None:
    held.now += timedelta(seconds=301)
    held.start_notary()
    found = holding.escalations_of(held.desk, hold_of(held))
    assert [one.rung for one in found.values()] == [1, 2, 3]
    with refused("not_acknowledged"):  # to the late one, who says nothing, nobody can show a stop
        held.pass_time(seconds=3)
        holding.verify_stop(held.desk, hold_of(held))


def test_who_acknowledges_and_stands_still_is_left_in_peace(held: World) -> None:
    hold = hold_of(held)
    assert not holding.is_acknowledged(held.desk, hold)
    assert holding.to_verify(held.desk) == []
    stopped(held)
    assert holding.is_acknowledged(held.desk, hold)
    assert holding.to_verify(held.desk) == [hold]
    _, check = holding.verify_stop(held.desk, hold)
    assert check.stands_still
    assert check.findings == []
    assert holding.to_verify(held.desk) == []
    held.pass_time(seconds=1_000)
    assert holding.escalations_of(held.desk, hold) == {}
    assert not held.gate().may_continue(X).allowed
    assert verify_store(held.store).problems == []


def test_an_acknowledgement_that_nobody_looked_behind_is_escalated(held: World) -> None:
    stopped(held)
    held.pass_time(seconds=60)
    (first,) = holding.escalations_of(held.desk, hold_of(held)).values()
    assert first.because == "nobody has verified that the run stands still"


def something_that_is_no_checkpoint(world: World, _: TrainingGate) -> None:
    (world.publish(4.5) / "weights.npz").unlink()


def one_more_checkpoint(world: World, _: TrainingGate) -> None:
    world.publish(4.5)


def an_older_step_resumed(world: World, _: TrainingGate) -> None:
    world.publish(3.5)


def trains_on(world: World, gate: TrainingGate) -> None:
    gate.heartbeat(state="training", step=LAST_STEP, flop=4 * X)


def a_later_step(world: World, gate: TrainingGate) -> None:
    gate.heartbeat(state="stopped", step=LAST_STEP + 1, flop=4 * X)


def heartbeat(world: World, content: bytes) -> None:
    """A file where the newest heartbeat is looked for."""
    name = f"{world.now:%Y%m%dT%H%M%S%f}Z.json"
    world.store.put_new(f"runs/{RUN}/heartbeats/{name}", content)


def sealed_heartbeat(key: str, **changes: Any) -> Callable[[World, TrainingGate], None]:
    def write(world: World, _: TrainingGate) -> None:
        plain = {
            "run_id": RUN, "at": iso(world.now), "state": "stopped", "step": LAST_STEP, "flop": 1.0,
        }  # fmt: skip
        sealer = Sealer(world.folders.root / key)
        heartbeat(world, sealer.seal(HEARTBEAT, "0" * 64, plain | changes))

    return write


def garbage(world: World, _: TrainingGate) -> None:
    heartbeat(world, b"\xff{}")


def unsigned(world: World, _: TrainingGate) -> None:
    heartbeat(world, b'{"payload":"e30=","payloadType":"x","signatures":[]}')


TRAINER, DEPLOYER = "trainer/trainer.pem", "deployer/deployer.pem"
MOVES: dict[str, tuple[Callable[[World, TrainingGate], None], str]] = {
    "one more checkpoint": (one_more_checkpoint, "trained_while_held"),
    "something that is no checkpoint": (something_that_is_no_checkpoint, "stop_not_shown"),
    "an older step resumed": (an_older_step_resumed, "trained_while_held"),
    "a heartbeat of training": (trains_on, "heartbeat_while_held"),
    "a heartbeat of a later step": (a_later_step, "heartbeat_while_held"),
    "a heartbeat that is garbage": (garbage, "stop_not_shown"),
    "a heartbeat without a signature": (unsigned, "stop_not_shown"),
    "a heartbeat by another key": (sealed_heartbeat(DEPLOYER), "stop_not_shown"),
    "a heartbeat of another run": (sealed_heartbeat(TRAINER, run_id="run-9"), "stop_not_shown"),
    "a heartbeat without a step": (sealed_heartbeat(TRAINER, step=None), "stop_not_shown"),
}


@pytest.mark.parametrize("name", MOVES)
def test_what_still_moves_or_cannot_be_told_is_found_and_escalated(held: World, name: str) -> None:
    move, finding = MOVES[name]
    hold = hold_of(held)
    gate = stopped(held)
    move(held, gate)
    with refused(finding):
        holding.verify_stop(held.desk, hold)
    (check,) = held.state.stop_checks[hold].values()
    assert not check.stands_still
    assert len(deviations(held, finding)) == 1
    held.pass_time(seconds=60)
    (first,) = holding.escalations_of(held.desk, hold).values()
    assert first.because == "; ".join(one.message for one in check.findings)
    assert len(deviations(held, finding)) == 1


def stopped_and_says_so(world: World, gate: TrainingGate) -> None:
    gate.heartbeat(state="stopped", step=LAST_STEP, flop=4 * X)


def idle(world: World, gate: TrainingGate) -> None:
    gate.heartbeat(state="idle", step=LAST_STEP - 1, flop=4 * X)


def nothing(world: World, gate: TrainingGate) -> None:
    """Whoever stopped may fall silent."""


@pytest.mark.parametrize("move", [stopped_and_says_so, idle, nothing])
def test_signs_of_life_that_are_no_training(
    held: World, move: Callable[[World, TrainingGate], None]
) -> None:
    move(held, stopped(held))
    assert holding.verify_stop(held.desk, hold_of(held))[1].stands_still
    assert verify_store(held.store).problems == []


def test_what_was_true_before_the_acknowledgement_is_no_finding(held: World) -> None:
    gate = held.gate()
    gate.heartbeat(state="training", step=LAST_STEP + 9, flop=4 * X)
    held.publish(4.5)
    held.pass_time(seconds=5)
    stopped(held, gate, last_step=LAST_STEP + 9)
    assert holding.verify_stop(held.desk, hold_of(held))[1].stands_still


def test_the_checkpoint_that_the_acknowledgement_names_is_no_finding(held: World) -> None:
    held.now += timedelta(seconds=2)
    folder = held.publish(4)  # the same id again would be refused, so another one
    assert folder.exists()
    saved = held.publish(4.25)
    digest = digest_bytes((saved / "manifest.json").read_bytes())
    held.now -= timedelta(seconds=1)
    stopped(held, last_step=68, last_checkpoint=digest)
    assert holding.verify_stop(held.desk, hold_of(held))[1].stands_still


def test_a_checkpoint_of_a_run_that_never_answered(held: World) -> None:
    held.pass_time(seconds=61)
    held.publish(4.5)
    held.pass_time(seconds=10)
    with refused("trained_while_held"):
        holding.verify_stop(held.desk, hold_of(held))
    (check,) = held.state.stop_checks[hold_of(held)].values()
    assert [one.finding for one in check.findings] == ["trained_while_held", "not_acknowledged"]


def test_a_stop_check_before_the_grace_is_over(held: World) -> None:
    held.gate().acknowledge(
        order_of(held), state="saved", last_step=LAST_STEP, last_flop=1, last_checkpoint=None
    )
    held.notary.step()
    with refused("too_early"):
        holding.verify_stop(held.desk, hold_of(held))
    assert holding.when_to_look(held.desk, hold_of(held)) == held.now + timedelta(seconds=3)
    held.pass_time(seconds=2, milliseconds=999)
    with refused("too_early"):
        holding.verify_stop(held.desk, hold_of(held))
    held.pass_time(milliseconds=1)
    holding.verify_stop(held.desk, hold_of(held))


FORGED: dict[str, dict[str, Any]] = {
    "all is still": {"stands_still": True, "findings": []},
    "found, but still": {"stands_still": True},
    "nothing found, but moving": {"findings": []},
    "a finding of its own": {
        "findings": [r.StopFinding(finding="stop_not_shown", message="I could not look")]
    },
    "of another run": {"run_id": "run-9"},
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_stop_check(held: World, name: str) -> None:
    hold = hold_of(held)
    trains_on(held, stopped(held))
    with refused("heartbeat_while_held"):
        holding.verify_stop(held.desk, hold)
    (honest,) = held.state.stop_checks[hold].values()
    with refused("not_derivable"):
        held.desk.submit(honest.model_copy(update=FORGED[name]))
    assert len(held.state.stop_checks[hold]) == 1


def test_a_second_answer_to_the_same_hold_changes_nothing_and_is_recorded(held: World) -> None:
    stopped(held)
    assert sent(held, held.folders.trainer, hold_of(held)) == "acknowledged_already"
    (answer,) = held.state.runs[RUN].acknowledgements.values()
    assert answer.state == "saved"
    held.pass_time(seconds=1)
    assert len(deviations(held, "acknowledgement_refused")) == 1


def test_an_answer_to_a_hold_that_was_released(held: World) -> None:
    hold = hold_of(held)
    held.add_evidence()
    packet = packet_on(held)
    sign_all(held, packet)
    permit_on(held, packet)
    assert sent(held, held.folders.trainer, hold) == "stale_acknowledgement"


@pytest.mark.parametrize("shift", [timedelta(hours=1), timedelta(hours=-1)])
def test_an_answer_of_another_time(held: World, shift: timedelta) -> None:
    assert sent(held, held.folders.trainer, hold_of(held), at=held.now + shift) == "post_dated"
    assert held.state.runs[RUN].acknowledgements == {}
    held.pass_time(seconds=1)
    assert len(deviations(held, "acknowledgement_refused")) == 1
    assert sent(held, held.folders.trainer, hold_of(held)) is None


def test_an_answer_to_no_hold_and_to_another_runs_hold(held: World) -> None:
    verdict = held.state.runs[RUN].newest_verdict
    assert verdict is not None
    assert sent(held, held.folders.trainer, verdict[0]) == "no_such_hold"
    held.gate("run-2")
    assert sent(held, held.folders.trainer, hold_of(held), run_id="run-2") == "no_such_hold"


def test_a_new_name_is_no_way_out_of_a_hold(held: World) -> None:
    other = held.gate("run-2")
    assert other.may_continue(1.0).code == "no_permit"
    held.pass_time(seconds=1)
    (found,) = deviations(held, "run_id_changed")
    assert "run-2" in found.message
    assert held.state.runs["run-2"].permits == {}
    held.add_evidence()
    packet = packet_on(held)
    sign_all(held, packet)
    permit_on(held, packet)
    assert held.gate("run-3").may_continue(1.0).allowed
    assert verify_store(held.store).problems == []
