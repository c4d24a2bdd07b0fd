"""Holds of training, deployment and weights: who answers them, what each stops, and in what order
they are ordered.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from client.deployment import DeploymentGate
from client.envelopes import Sealer, TrustedKeys
from include.adapters import answers
from include.adapters.ledger import write_record
from include.adapters.verification import verify_store
from include.notary.notary import Notary
from include.rsp import records as r
from include.rsp.vocabulary import Scope
from include.wiring import assessment, registration
from tests.support.factories import POLICY_BYTES, X, changed, with_deletion
from tests.support.holding import LAST_STEP, hold_of, sent
from tests.support.people import determine, packet_on, permit_on, sign_all, signed
from tests.support.refusing import deviations, refused
from tests.support.world import RUN, World


def both_scopes(plain: dict[str, Any]) -> None:
    plain["hold"]["scopes"] = ["training", "deployment"]


def restricting(plain: dict[str, Any]) -> None:
    plain["responses"] = [
        {
            "id": "restrict", "kind": "restrict_deployment", "clause": "toylab 8",
            "after": "continue", "condition": "it was under-elicited",
            "actions": ["restrict_deployment"], "people": ["rso"], "resume_when": None,
        }
    ]  # fmt: skip


@pytest.fixture
def stopped_everywhere(tmp_path: Path) -> World:
    """A run whose training, deployment and weights are held."""
    policy = changed(POLICY_BYTES, both_scopes, with_deletion)
    world = World(tmp_path, policy=policy)
    world.gate()
    world.assess(4, addition=190)
    determine(world, packet_on(world), "rso", "stricter", response="delete")
    world.notary.step()
    return world


def test_a_verdict_holds_what_the_policy_names_and_a_response_the_rest(
    stopped_everywhere: World,
) -> None:
    held = stopped_everywhere.state.runs[RUN].holds
    assert [(one.scope, one.measures) for one in held.values()] == [
        (Scope.TRAINING, []), (Scope.DEPLOYMENT, []), (Scope.WEIGHTS, ["lock_weights"]),
    ]  # fmt: skip
    assert [one.epoch for one in held.values()] == [1, 2, 3]


@pytest.mark.parametrize("scope", list(Scope))
def test_only_who_has_to_stop_can_acknowledge(stopped_everywhere: World, scope: Scope) -> None:
    world, hold = stopped_everywhere, hold_of(stopped_everywhere, scope)
    keys = [world.folders.trainer, world.folders.deployer]
    wrong, right = reversed(keys) if scope is Scope.TRAINING else keys
    assert sent(world, wrong, hold) == "bad_signature"
    assert sent(world, world.folders.officer("rso"), hold) == "bad_signature"
    assert sent(world, right, hold) is None
    assert hold in world.state.runs[RUN].acknowledgements
    assert verify_store(world.store).problems == []


def test_the_deployers_word_settles_a_deployment_hold_but_not_training(
    stopped_everywhere: World,
) -> None:
    world = stopped_everywhere
    gate = DeploymentGate(
        store=world.root / "store", run_id=RUN, keys=TrustedKeys.read(world.folders.trust_root),
        sealer=Sealer(world.folders.deployer), clock=world.desk.clock,
    )  # fmt: skip
    newest = gate.may_deploy("sha256:" + "0" * 64).hold
    assert newest is not None
    assert newest.body["measures"] == ["lock_weights"]
    assert gate.acknowledge(newest, state="locked", measures=["lock_weights"])
    world.notary.step()
    assert sent(world, world.folders.deployer, hold_of(world, Scope.DEPLOYMENT)) is None
    world.pass_time(seconds=60)
    found = [one for one in world.state.records.values() if isinstance(one, r.Escalation)]
    assert [world.state.runs[RUN].holds[one.hold.record].scope for one in found] == ["training"]
    with refused("not_derivable"):  # what stands still is asked of training alone
        check = r.StopCheck(
            at=world.now, by="x", stamp=world.desk.stamp, run_id=RUN,
            hold=r.RecordRef(record=hold_of(world, Scope.DEPLOYMENT)),
            ledger_index=world.state.length - 1, heartbeat=None, findings=[], stands_still=True,
        )  # fmt: skip
        world.desk.submit(check)


def test_a_training_permit_leaves_the_deployment_held(tmp_path: Path) -> None:
    world = World(tmp_path, policy=changed(POLICY_BYTES, both_scopes))
    world.gate()
    world.assess(4, addition=190)
    world.add_evidence()
    packet = packet_on(world)
    sign_all(world, packet)
    permit_on(world, packet)
    run = world.state.runs[RUN]
    assert run.held(Scope.TRAINING) == {}
    assert len(run.held(Scope.DEPLOYMENT)) == 1
    assert world.gate().may_continue(4.5 * X).allowed
    world.pass_time(seconds=70)  # leases go on
    assert world.gate().may_continue(4.5 * X).allowed


def test_a_deployment_hold_does_not_stop_training(tmp_path: Path) -> None:
    world = World(tmp_path, policy=changed(POLICY_BYTES, restricting))
    gate = world.gate()
    world.assess(1)
    assessment.request_permit(world.desk, next(iter(world.state.assessments)))
    determine(world, packet_on(world), "rso", response="restrict")
    world.notary.step()
    ((_, hold),) = world.state.runs[RUN].holds_in_force.items()
    assert (hold.scope, hold.measures) == (Scope.DEPLOYMENT, ["restrict_deployment"])
    world.pass_time(seconds=100)
    assert gate.may_continue(5 * X).allowed
    assert verify_store(world.store).problems == []


class DiesAfterOneHold(Notary):
    """A notary that is killed once it has ordered one hold."""

    def _append(self, record: r.Record) -> str:
        digest = Notary._append(self, record)
        if isinstance(record, r.Hold):
            raise KeyboardInterrupt
        return digest


def test_a_notary_killed_between_two_holds_of_a_verdict_orders_the_other(tmp_path: Path) -> None:
    world = World(tmp_path, policy=changed(POLICY_BYTES, both_scopes))
    world.gate()
    World.notary_type = DiesAfterOneHold
    try:
        world.start_notary()
        with pytest.raises(KeyboardInterrupt):
            world.assess(4, addition=190)
    finally:
        World.notary_type = Notary
    world.start_notary()
    world.notary.step()
    scopes = [one.scope for one in world.state.runs[RUN].holds.values()]
    assert scopes == [Scope.TRAINING, Scope.DEPLOYMENT]
    assert verify_store(world.store).problems == []


def test_two_officers_who_stop_a_run_in_the_same_moment_order_one_hold(world: World) -> None:
    world.gate()
    world.assess(1)
    packet, trust = packet_on(world), world.state.trust
    for office in ("rso", "ceo"):  # both are there before the notary looks
        envelope = signed(world, "determination", packet, office, "stricter")
        record = answers.signed_record(trust, "determination", packet, envelope, at=world.now)
        write_record(world.store, record)
    world.notary.step()
    assert len(world.state.runs[RUN].determinations) == 2
    assert len(world.state.runs[RUN].holds) == 1
    assert verify_store(world.store).problems == []


def test_a_checkpoint_under_two_holds_is_one_deviation(world: World) -> None:
    world.gate()
    world.assess(4, addition=190)
    first = hold_of(world)
    world.publish(16)
    registration.register_new(world.desk)
    (key,) = registration.raise_due_occasions(world.desk)
    world.evaluate(key, addition=190)
    assessment.reach_verdict(world.desk, key)
    second = hold_of(world)
    assert first != second
    world.pass_time(seconds=10)
    for last_step, hold in ((LAST_STEP, first), (256, second)):
        assert sent(world, world.folders.trainer, hold, last_step=last_step) is None
    world.publish(17)
    registration.register_new(world.desk)
    world.pass_time(seconds=1)
    late = [one for one in deviations(world, "trained_while_held") if "x17 is" in one.message]
    assert len(late) == 1
    assert f"({LAST_STEP})" in late[0].message
    assert verify_store(world.store).problems == []
