"""The trainer's gate: yes only below the ceiling and within the lease (DESIGN I2)."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from client.envelopes import NotSigned, Sealer, TrustedKeys, opened
from client.gate import TrainingGate
from include.rsp import records as r
from include.wiring import assessment
from tests.support.factories import X
from tests.support.world import RUN, World


def continued(world: World, multiple: float) -> None:
    world.assess(multiple)
    key = list(world.state.assessments)[-1]
    assessment.request_permit(world.desk, key)


def test_a_genesis_permit_covers_the_first_stretch_only(world: World) -> None:
    gate = world.gate()
    assert gate.may_continue(2.3 * X).allowed
    assert gate.may_continue(2.4 * X).code == "ceiling"


def test_if_redline_never_ran_there_is_no_permit(world: World, tmp_path: Path) -> None:
    gate = TrainingGate(
        store=tmp_path / "empty",
        run_id=RUN,
        keys=TrustedKeys.read(world.folders.trust_root),
        sealer=Sealer(world.folders.trainer),
    )
    gate.announce()
    assert gate.may_continue(1.0).code == "no_permit"


def test_a_dead_notary_stops_the_run_when_the_lease_runs_out(world: World) -> None:
    gate = world.gate()
    world.now += timedelta(seconds=19)
    assert gate.may_continue(X).allowed
    world.now += timedelta(seconds=1)
    answer = gate.may_continue(X)
    assert answer.code == "lease_expired"
    assert "look at Redline" in answer.reason


def test_a_living_notary_renews_the_lease(world: World) -> None:
    gate = world.gate()
    for _ in range(10):
        world.pass_time(seconds=15)
        assert gate.may_continue(X).allowed


def test_a_clock_set_back_does_not_stretch_a_lease(world: World) -> None:
    gate = world.gate()
    world.pass_time(seconds=100)
    assert gate.may_continue(X).allowed
    leases = sorted((world.root / "store/runs" / RUN / "leases").glob("*.json"))
    for newer in leases[1:]:
        newer.unlink()
    world.now -= timedelta(seconds=90)
    assert gate.may_continue(X).code == "lease_expired"


def test_a_hold_stops_before_the_lease_does(world: World) -> None:
    gate = world.gate()
    continued(world, 1)
    assert gate.may_continue(4 * X).allowed
    world.assess(4, addition=190)
    answer = gate.may_continue(4.1 * X)
    assert (answer.allowed, answer.code) == (False, "held")
    assert answer.hold is not None


def test_an_expired_lease_beats_a_hold_and_still_carries_it(world: World) -> None:
    gate = world.gate()
    world.assess(4, addition=190)
    world.pass_time(seconds=60)
    answer = gate.may_continue(4.1 * X)
    assert answer.code == "lease_expired"
    assert answer.hold is not None


def test_an_acknowledgement_is_sent_once_and_chained(world: World) -> None:
    gate = world.gate()
    world.assess(4, addition=190)
    hold = gate.may_continue(X).hold
    assert hold is not None
    given = {"state": "saved", "last_step": 70, "last_flop": 1e9, "last_checkpoint": None}
    assert gate.acknowledge(hold, **given)
    assert not gate.acknowledge(hold, **given)
    world.notary.step()
    (answer,) = world.state.runs[RUN].acknowledgements.values()
    assert answer.last_step == 70


def test_a_missing_acknowledgement_is_a_deviation(world: World) -> None:
    world.gate()
    continued(world, 1)
    world.assess(4, addition=190)
    world.pass_time(seconds=61)
    world.pass_time(seconds=61)
    found = [one for one in world.state.records.values() if isinstance(one, r.Deviation)]
    assert [one.finding for one in found] == ["not_acknowledged"]


def test_training_on_after_the_acknowledgement_is_a_deviation(world: World) -> None:
    from include.wiring import registration

    gate = world.gate()
    continued(world, 1)
    world.assess(4, addition=190)
    hold = gate.may_continue(X).hold
    assert hold is not None
    gate.acknowledge(hold, state="x", last_step=70, last_flop=1, last_checkpoint=None)
    world.notary.step()
    world.publish(5.5)
    registration.register_new(world.desk)
    world.notary.step()
    found = [one for one in world.state.records.values() if isinstance(one, r.Deviation)]
    assert [one.finding for one in found] == ["trained_while_held"]


def test_a_checkpoint_beyond_every_ceiling_is_a_deviation(world: World) -> None:
    from include.wiring import registration

    world.gate()
    world.publish(16)
    registration.register_new(world.desk)
    world.notary.step()
    found = [one for one in world.state.records.values() if isinstance(one, r.Deviation)]
    assert [one.finding for one in found] == ["ceiling_exceeded"]


def test_a_message_of_another_run_is_not_believed(world: World) -> None:
    world.gate()
    other = world.root / "store/runs/run-2"
    (world.root / "store/runs" / RUN).rename(other)
    gate = TrainingGate(
        store=world.root / "store",
        run_id="run-2",
        keys=TrustedKeys.read(world.folders.trust_root),
        sealer=Sealer(world.folders.trainer),
        clock=lambda: world.now,
    )
    assert gate.may_continue(1.0).code == "unreadable"


@pytest.mark.parametrize("box", ["orders", "leases"])
def test_one_changed_byte_in_a_message_stops_the_run(world: World, box: str) -> None:
    world.gate()
    (path,) = (world.root / "store/runs" / RUN / box).glob("*.json")
    plain = json.loads(path.read_bytes())
    payload = plain["payload"]
    plain["payload"] = payload[:40] + ("A" if payload[40] != "A" else "B") + payload[41:]
    path.write_text(json.dumps(plain))
    fresh = TrainingGate(
        store=world.root / "store",
        run_id=RUN,
        keys=TrustedKeys.read(world.folders.trust_root),
        sealer=Sealer(world.folders.trainer),
        clock=lambda: world.now,
    )
    assert fresh.may_continue(1.0).code == "unreadable"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"payload": 1}'])
def test_what_is_no_message_says_so(world: World, content: bytes) -> None:
    keys = TrustedKeys.read(world.folders.trust_root)
    with pytest.raises(NotSigned):
        opened(content, keys.permit, "urn:redline:permit:1")


def test_a_lease_signed_with_the_holds_key_is_not_believed(world: World) -> None:
    world.gate()
    keys = TrustedKeys.read(world.folders.trust_root)
    (path,) = (world.root / "store/runs" / RUN / "leases").glob("*.json")
    with pytest.raises(NotSigned):
        opened(path.read_bytes(), keys.hold, "urn:redline:lease:1")


def test_a_strangers_announcement_is_refused(world: World) -> None:
    from include.adapters.signing import KeyFile

    KeyFile.create(world.root / "stranger.pem")
    gate = TrainingGate(
        store=world.root / "store",
        run_id="run-9",
        keys=TrustedKeys.read(world.folders.trust_root),
        sealer=Sealer(world.root / "stranger.pem"),
    )
    gate.announce()
    world.notary.step()
    assert "run-9" not in world.state.runs
    assert [one.code for one in world.state.records.values() if isinstance(one, r.Refusal)] == [
        "bad_signature"
    ]
