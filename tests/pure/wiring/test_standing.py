"""The pretraining monitor and the lineage floor: holds that no verdict of the run has to order."""

from __future__ import annotations

from typing import Any

import pytest

from client.gate import TrainingGate
from client.publish import Declared, publish
from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.errors import Refused
from include.rsp.standing import standing_requirements
from include.rsp.vocabulary import Outcome
from include.wiring import assessment, registration, safeguarding, signing_off
from tests.support.factories import POLICY_BYTES, X, changed
from tests.support.people import packet_on, permit_on, sign_all
from tests.support.refusing import refused
from tests.support.world import RUN, World

OTHER = "run-2"


def with_rules(plain: dict[str, Any]) -> None:
    plain["pretraining_monitor"] = {"clause": "toylab 3.3", "ratio": 1, "standard": "toy-asl-3"}
    plain["lineage_floor"] = {"clause": "toylab 3.4"}


@pytest.fixture
def strict(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"), policy=changed(POLICY_BYTES, with_rules))


def crossed(world: World, multiple: float = 2) -> None:
    """The first run crosses the red line, which needs the toy standard."""
    world.gate()
    verdict = world.state.expect(world.assess(multiple, addition=200), r.Verdict)
    assert verdict.decision.recommendation is Outcome.VERIFY_SAFEGUARDS


def another(world: World, multiple: float, parent: str | None = None) -> TrainingGate:
    """A second run with one checkpoint."""
    gate = world.gate(OTHER)
    folder = world.root / "checkpoints" / OTHER / f"x{multiple:g}"
    folder.mkdir(parents=True)
    (folder / "weights.npz").write_bytes(b"other")
    declared = Declared(
        run_id=OTHER, checkpoint_id=folder.name, parent=parent, step=int(16 * multiple),
        training_flop=X * multiple, algorithmic_efficiency=1.0, created_at=world.now,
    )  # fmt: skip
    publish(folder, declared, ["weights.npz"], variants={"final": "weights.npz"})
    registration.register_new(world.desk)
    world.notary.step()
    return gate


def holds(world: World) -> list[r.Hold]:
    return list(world.state.runs[OTHER].holds_in_force.values())


def parent_of(world: World) -> str:
    (one,) = world.state.runs[RUN].checkpoints.values()
    return one.digest


def test_a_run_that_reaches_the_compute_of_such_a_model_is_held(strict: World) -> None:
    crossed(strict)
    another(strict, 1.9)
    assert holds(strict) == []
    strict.publish(2, run_id=OTHER)
    registration.register_new(strict.desk)
    strict.notary.step()
    (hold,) = holds(strict)
    assert "at least 1 x that of run-1/x2" in hold.reason
    assert "toylab 3.3" in hold.reason
    strict.pass_time(seconds=1)
    assert len(holds(strict)) == 1
    assert verify_store(strict.store).problems == []


def test_the_trainer_of_a_monitored_run_gets_no_lease(strict: World) -> None:
    crossed(strict)
    gate = another(strict, 2)
    assert not gate.may_continue(X * 2.1).allowed


def test_nobody_is_held_while_the_standard_holds_and_all_are_once_its_evidence_ends(
    strict: World,
) -> None:
    strict.add_evidence()
    crossed(strict)
    another(strict, 2)
    assert holds(strict) == []
    strict.pass_time(days=8)  # one criterion's evidence is good for 7 days
    (hold,) = holds(strict)
    assert "toy-asl-3 is not shown to hold" in hold.reason
    assert verify_store(strict.store).problems == []


def test_a_derived_run_needs_what_its_parent_needs_until_it_is_assessed(strict: World) -> None:
    crossed(strict)
    another(strict, 1, parent=parent_of(strict))
    (hold,) = holds(strict)
    assert "it goes on from run-1 (toylab 3.4)" in hold.reason


def test_an_unknown_parent_may_have_needed_anything(strict: World) -> None:
    strict.gate()
    another(strict, 1, parent="sha256:" + "e" * 64)
    (hold,) = holds(strict)
    assert "is not known" in hold.reason


def test_the_floor_is_lifted_by_an_own_verdict_and_the_monitor_is_not(strict: World) -> None:
    crossed(strict)
    another(strict, 1, parent=parent_of(strict))
    state, rules = strict.state, strict.desk.rulebook.in_force(strict.state)
    assert rules is not None
    needed = standing_requirements(state, rules.policy, OTHER)
    assert [one.standard for one in needed] == ["toy-asl-3"]
    key = next(
        one
        for one in registration.raise_due_occasions(strict.desk)
        if state.occasion(one).run_id == OTHER
    )
    strict.evaluate(key)

    verdict, found = assessment.reach_verdict(strict.desk, key)
    assert found.decision.recommendation is Outcome.CONTINUE
    assert standing_requirements(strict.state, rules.policy, OTHER) == []
    with pytest.raises(Refused) as caught:  # the hold stands until people release it
        assessment.request_permit(strict.desk, key)
    assert caught.value.code == "hold_in_force"
    assert verdict in strict.state.runs[OTHER].verdicts


def test_a_hold_of_the_monitor_ends_when_the_standard_holds_and_people_signed(
    strict: World,
) -> None:
    crossed(strict)
    another(strict, 2)
    (key,) = [
        one
        for one in registration.raise_due_occasions(strict.desk)
        if strict.state.occasion(one).run_id == OTHER
    ]
    strict.evaluate(key)

    verdict, found = assessment.reach_verdict(strict.desk, key)
    assert found.decision.recommendation is Outcome.CONTINUE
    _, judgement = safeguarding.judge(strict.desk, verdict)
    assert not judgement.holds
    assert not safeguarding.people_may_go_on(strict.desk, judgement)
    unsafe = packet_on(strict, verdict)
    text = signing_off.text_of(strict.desk, unsafe)
    assert "`accept_recommendation`: nothing goes on" in text
    sign_all(strict, unsafe)
    assert not signing_off.goes_on(strict.desk, unsafe)
    with refused("safeguards_not_verified"):
        permit_on(strict, unsafe)
    strict.pass_time(seconds=1)
    strict.add_evidence()
    packet = packet_on(strict, verdict)
    assert "Safeguards hold" in signing_off.text_of(strict.desk, packet)
    sign_all(strict, packet)
    permit = permit_on(strict, packet)
    assert permit.expires_at <= strict.now.replace(year=2027)
    assert holds(strict) == []
    assert verify_store(strict.store).problems == []


def test_without_these_rules_nobody_is_held(world: World) -> None:
    crossed(world)
    another(world, 4, parent="sha256:" + "e" * 64)
    assert holds(world) == []


def test_a_standard_that_a_standing_rule_asks_for_waits_for_the_next_red_lines_as_well(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def and_next_level(plain: dict[str, Any]) -> None:
        with_rules(plain)
        plain["governance"]["next_level"] = {"clause": "toylab 6.1"}

    world = World(tmp_path_factory.mktemp("world"), policy=changed(POLICY_BYTES, and_next_level))
    world.add_evidence()
    crossed(world)
    another(world, 2)  # the standard holds, so the monitor orders no hold
    (key,) = [
        one
        for one in registration.raise_due_occasions(world.desk)
        if world.state.occasion(one).run_id == OTHER
    ]
    world.evaluate(key)
    verdict, found = assessment.reach_verdict(world.desk, key)
    assert found.decision.recommendation is Outcome.CONTINUE
    packet = packet_on(world, verdict)
    sign_all(world, packet)
    with pytest.raises(Refused) as caught:
        permit_on(world, packet)
    assert caught.value.code == "next_level_unpublished"
