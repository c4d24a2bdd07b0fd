"""The responses of the published policies: offered where they belong, carried out, and kept to.

RSP 1.0, response protocol (2a) to (2d); RSP 2.2 §3.3 and §6.2.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.errors import Refused
from include.rsp.vocabulary import Outcome, ResponseKind, Scope
from include.wiring import responding, signing_off
from tests.support.factories import X, changed
from tests.support.people import determine, packet_on, permit_on, receive_all, say, sign_all
from tests.support.published_worlds import (
    HIGH,
    NEAR,
    RSP_1_0,
    RSP_2_2,
    assess_lines,
    holds_of,
    published_world,
    suite_for,
)
from tests.support.refusing import refused
from tests.support.world import RUN, World

CONTINUE, VERIFY, PAUSE = Outcome.CONTINUE, Outcome.VERIFY_SAFEGUARDS, Outcome.PAUSE
BOTH: list[tuple[str, list[str]]] = [("training", []), ("deployment", [])]
STANDING: tuple[str, list[str]] = ("training", [])
"""RSP 2.2 §6.2, pretraining monitor: the run is at the compute that needs the standard."""


def without_next_level(plain: dict[str, Any]) -> None:
    """So that what a response asks for can be taken away piece by piece."""
    plain["governance"]["next_level"] = None


def reversioned(plain: dict[str, Any]) -> None:
    plain["version"] += ".1"


def updated(world: World, published: bytes) -> None:
    """Another version of the policy, all the way into force."""
    world.pass_time(seconds=1)
    policy = changed(world.policy, reversioned)
    world.adopt(policy, suite_for(published, policy))


def chosen(world: World, response: str, *, choice: str = "stricter") -> str:
    """An officer chooses a response on a packet; the packet."""
    packet = packet_on(world)
    determine(world, packet, "rso", choice, response=response)
    world.pass_time(seconds=1)
    return packet


def released(world: World) -> r.Permit:
    """Everybody signs a packet on the newest verdict, and the notary is asked."""
    world.pass_time(seconds=1)
    packet = packet_on(world)
    sign_all(world, packet)
    return permit_on(world, packet)


def not_resumable(world: World, missing: str) -> None:
    with pytest.raises(Refused, match=missing) as caught:
        released(world)
    assert caught.value.code == "not_resumable"


OFFERED: list[tuple[bytes, dict[str, int], Outcome, list[str]]] = [
    (RSP_1_0, {}, CONTINUE, []),
    (
        RSP_1_0, {"misuse_3": NEAR}, PAUSE,
        ["pause-and-analyse", "over-conservative", "near", "under-elicited"],
    ),
    (
        RSP_1_0, {"autonomy_3": HIGH}, VERIFY,
        [
            "activate-next-level", "not-ready", "pause-and-analyse", "over-conservative", "near",
            "already-passed", "under-elicited", "under-elicited-and-passed",
        ],
    ),
    (RSP_2_2, {}, CONTINUE, ["cap-just-below"]),
    (
        RSP_2_2, {"cbrn_3": NEAR}, VERIFY,
        [
            "interim-measures", "stronger-restrictions", "delete-weights",
            "stronger-restrictions-when-paused", "pause-training",
        ],
    ),
    (
        RSP_2_2, {"cbrn_3": HIGH, "cbrn_4": NEAR}, PAUSE,
        ["stronger-restrictions-when-paused", "pause-training"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "scores", "outcome", "names"), OFFERED, ids=lambda one: str(one)[:20]
)
def test_what_is_offered_after_an_outcome_and_nothing_else(
    tmp_path: Path, policy: bytes, scores: dict[str, int], outcome: Outcome, names: list[str]
) -> None:
    world = published_world(tmp_path, policy)
    verdict = assess_lines(world, 4, outcome, **scores)
    packet = packet_on(world)
    text = signing_off.text_of(world.desk, packet)
    law = signing_off.rules_of(world.desk, verdict).policy
    for one in law.responses:
        assert (f"- response `{one.id}` " in text) == (one.id in names)
        if one.id not in names:
            with refused("not_offered"):
                determine(world, packet, "rso", "stricter", response=one.id)
    assert packet not in world.state.answers


CHOSEN: list[tuple[bytes, dict[str, int], str, list[tuple[str, list[str]]]]] = [
    (RSP_1_0, {"misuse_3": NEAR}, "over-conservative", []),
    (RSP_1_0, {"misuse_3": NEAR}, "near", []),
    (RSP_1_0, {"misuse_3": HIGH}, "already-passed", [("weights", ["lock_weights"])]),
    (
        RSP_1_0, {"misuse_3": NEAR}, "under-elicited",
        [("deployment", ["halt_new_customers", "restrict_deployment"])],
    ),
    (
        RSP_1_0, {"misuse_3": HIGH}, "under-elicited-and-passed",
        [("deployment", ["halt_new_customers", "restrict_deployment"])],
    ),
    (
        RSP_2_2, {"cbrn_3": HIGH}, "stronger-restrictions",
        [STANDING, ("deployment", ["de_deploy"]), ("weights", ["lock_weights"])],
    ),
    (RSP_2_2, {"cbrn_3": HIGH}, "delete-weights", [STANDING]),
    (RSP_2_2, {"cbrn_3": HIGH}, "interim-measures", [STANDING]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "scores", "response", "more"), CHOSEN, ids=lambda one: str(one)[:20]
)
def test_a_chosen_response_orders_its_measures_once(
    tmp_path: Path, policy: bytes, scores: dict[str, int], response: str, more: list[Any]
) -> None:
    world = published_world(tmp_path, policy)
    verdict = assess_lines(world, 4, None, **scores)
    packet = chosen(world, response)
    assert holds_of(world) == [*BOTH, *more]
    (named,) = signing_off.chosen_responses(world.desk, packet)
    assert named.id == response
    carried = {one: responding.carried_out(world.desk, packet, one) for one in ResponseKind}
    ordered = {hold for holds in carried.values() for hold in holds}
    expected = [one for one in more if one != STANDING]
    assert sorted(world.state.runs[RUN].holds[one].scope for one in ordered) == sorted(
        scope for scope, _ in expected
    )
    determine(world, packet, "ceo", "stricter", response=response)  # the second one who says so
    world.pass_time(seconds=1)
    assert {scope for scope, _ in holds_of(world)} == {scope for scope, _ in [*BOTH, *more]}
    assert world.state.runs[RUN].newest_verdict == (verdict, world.state.get(verdict))
    assert verify_store(world.store).problems == []


def test_a_response_that_stops_something_lets_nothing_go_on_even_when_all_accept(
    tmp_path: Path,
) -> None:
    world = published_world(tmp_path, RSP_2_2)
    assess_lines(world, 4, VERIFY, cbrn_3=HIGH)
    world.add_evidence()
    packet = packet_on(world)
    determine(world, packet, "rso")
    determine(world, packet, "ceo", response="interim-measures")
    receive_all(world, packet)
    assert not signing_off.goes_on(world.desk, packet)
    with refused("response_chosen"):
        permit_on(world, packet)


def test_2a_over_conservative_asks_for_a_new_policy_and_a_new_assessment(tmp_path: Path) -> None:
    world = published_world(tmp_path, RSP_1_0)
    assess_lines(world, 4, PAUSE, misuse_3=NEAR)
    chosen(world, "over-conservative")
    assess_lines(world, 16, CONTINUE)
    not_resumable(world, "'over-conservative'.* asks for policy_updated and new|policy_updated")
    updated(world, RSP_1_0)
    with refused("policy_replaced"):  # the assessment was of the old one
        released(world)
    assess_lines(world, None, CONTINUE)
    assert released(world).releases is not None
    assert {scope for scope, _ in holds_of(world)} == {"deployment"}
    assert verify_store(world.store).problems == []


def test_2a_a_new_policy_alone_is_not_enough(tmp_path: Path) -> None:
    world = published_world(tmp_path, RSP_1_0, without_next_level)
    assess_lines(world, 4, PAUSE, misuse_3=NEAR)
    chosen(world, "over-conservative")
    updated(world, RSP_1_0)
    assess_lines(world, None, PAUSE, misuse_3=NEAR)
    world.add_evidence()
    not_resumable(world, "ends it asks for new_assessment")


def test_2b_near_asks_for_a_new_policy_and_the_safeguards(tmp_path: Path) -> None:
    world = published_world(tmp_path, RSP_1_0, without_next_level)
    assess_lines(world, 4, PAUSE, misuse_3=NEAR)
    chosen(world, "near")
    with refused("safeguards_not_verified"):
        released(world)
    world.add_evidence()
    not_resumable(world, "'near' .*asks for policy_updated")
    updated(world, RSP_1_0)
    assess_lines(world, None, PAUSE, misuse_3=NEAR)
    assert released(world).releases is not None
    assert {scope for scope, _ in holds_of(world)} == {"deployment"}


def test_2b_a_calm_new_assessment_does_not_replace_the_safeguards(tmp_path: Path) -> None:
    world = published_world(tmp_path, RSP_1_0)
    assess_lines(world, 4, PAUSE, misuse_3=NEAR)
    chosen(world, "near")
    updated(world, RSP_1_0)
    assess_lines(world, None, CONTINUE)
    not_resumable(world, "asks for safeguards_verified")


def test_under_1_0_no_safeguards_release_before_the_next_level_is_defined(tmp_path: Path) -> None:
    world = published_world(tmp_path, RSP_1_0)
    assess_lines(world, 4, VERIFY, misuse_3=HIGH)
    world.add_evidence()
    with refused("next_level_unpublished"):
        released(world)


def test_2c_already_passed_locks_the_weights_and_asks_two_people_about_deletion(
    tmp_path: Path,
) -> None:
    world = published_world(tmp_path, RSP_1_0, without_next_level)
    assess_lines(world, 4, VERIFY, misuse_3=HIGH)
    packet = packet_on(world)
    with refused("wrong_office"):  # nobody has chosen a response that asks about it
        say(world, "deletion_answer", packet, "ciso", "delete")
    world.pass_time(seconds=1)
    determine(world, packet, "ceo", "stricter", response="already-passed")
    for office, code in (("rso", "wrong_office"), ("ciso", None), ("ceo", None)):
        if code is not None:
            with refused(code):
                say(world, "deletion_answer", packet, office, "delete")
        else:
            say(world, "deletion_answer", packet, office, "keep" if office == "ceo" else "delete")
    answered = [x for x in world.state.answers[packet].values() if isinstance(x, r.DeletionAnswer)]
    assert [(one.office, one.choice) for one in answered] == [("ciso", "delete"), ("ceo", "keep")]
    world.add_evidence()
    not_resumable(world, "asks for policy_updated")
    updated(world, RSP_1_0)
    assess_lines(world, None, VERIFY, misuse_3=HIGH)
    assert released(world).releases is not None
    assert {scope for scope, _ in holds_of(world)} == {
        "deployment"
    }  # the weights may be used for training again
    assert verify_store(world.store).problems == []


def test_2c_while_the_weights_are_locked_nothing_is_deployed(tmp_path: Path) -> None:
    world = published_world(tmp_path, RSP_1_0, without_next_level)
    assess_lines(world, 4, VERIFY, misuse_3=HIGH)
    chosen(world, "already-passed")
    world.add_evidence()
    updated(world, RSP_1_0)
    assess_lines(world, None, VERIFY, misuse_3=HIGH)
    packet = packet_on(world, purpose=Scope.DEPLOYMENT)
    sign_all(world, packet)
    with refused("weights_locked"):
        permit_on(world, packet)


def test_2d_under_elicited_restricts_the_deployment_until_it_is_assessed_anew(
    tmp_path: Path,
) -> None:
    world = published_world(tmp_path, RSP_1_0, without_next_level)
    assess_lines(world, 4, PAUSE, misuse_3=NEAR)
    chosen(world, "under-elicited")
    world.add_evidence()
    for purpose in (Scope.TRAINING, Scope.DEPLOYMENT):
        world.pass_time(seconds=1)
        packet = packet_on(world, purpose=purpose)
        sign_all(world, packet)
        with pytest.raises(Refused, match="asks for new_assessment") as caught:
            permit_on(world, packet)
        assert caught.value.code == "not_resumable"
    assess_lines(world, 16, CONTINUE)
    world.pass_time(seconds=1)
    packet = packet_on(world, purpose=Scope.DEPLOYMENT)
    sign_all(world, packet)
    permit = permit_on(world, packet)
    assert permit.purpose is Scope.DEPLOYMENT
    assert permit.ceiling_flop == pytest.approx(16 * X)
    assert holds_of(world) == [("training", [])]
    assert verify_store(world.store).problems == []


def test_2d_for_a_model_that_passed_a_new_assessment_is_not_enough(tmp_path: Path) -> None:
    world = published_world(tmp_path, RSP_1_0)
    assess_lines(world, 4, VERIFY, misuse_3=HIGH)
    chosen(world, "under-elicited-and-passed")
    assess_lines(world, 16, CONTINUE)
    not_resumable(world, "asks for safeguards_verified")


@pytest.mark.parametrize("response", ["stronger-restrictions", "delete-weights"])
def test_2_2_restrictions_end_by_the_standard_and_by_nothing_else(
    tmp_path: Path, response: str
) -> None:
    world = published_world(tmp_path, RSP_2_2)
    assess_lines(world, 4, VERIFY, cbrn_3=HIGH)
    packet = chosen(world, response)
    if response == "delete-weights":
        with refused("wrong_office"):
            say(world, "deletion_answer", packet, "board", "delete")
        for office in ("ceo", "rso"):
            say(world, "deletion_answer", packet, office, "delete")
    with refused("safeguards_not_verified"):
        released(world)
    world.add_evidence()
    assert released(world).releases is not None
    left = [("deployment", []), ("deployment", ["de_deploy"])]
    assert holds_of(world) == left[: 2 if response == "stronger-restrictions" else 1]
    assert verify_store(world.store).problems == []


def without_monitor(plain: dict[str, Any]) -> None:
    plain["pretraining_monitor"] = None


@pytest.mark.parametrize("restricted", [True, False])
def test_2_2_a_determination_below_the_recommendation_does_not_lift_chosen_restrictions(
    tmp_path: Path, restricted: bool
) -> None:
    """What officers chose to restrict ends by what the policy says, not by their judgement."""
    world = published_world(tmp_path, RSP_2_2, without_monitor)
    assess_lines(world, 4, VERIFY, ai_rnd_4=NEAR)
    if restricted:
        chosen(world, "stronger-restrictions")
    packet = packet_on(world)
    sign_all(world, packet, "below_recommendation", reason="far away all the same")
    if restricted:
        with refused("not_resumable"):
            permit_on(world, packet)
    else:
        assert permit_on(world, packet).below_recommendation


def test_2_2_the_monitor_does_not_hold_a_run_by_a_verdict_that_officers_went_below(
    tmp_path: Path,
) -> None:
    world = published_world(tmp_path, RSP_2_2)
    assess_lines(world, 4, VERIFY, ai_rnd_4=NEAR)
    packet = packet_on(world)
    sign_all(world, packet, "below_recommendation", reason="far away all the same")
    assert permit_on(world, packet).below_recommendation
    world.pass_time(seconds=1)
    assert not world.state.runs[RUN].held(Scope.TRAINING)
    assert verify_store(world.store).problems == []


def test_2_2_a_paused_model_can_be_taken_back_and_its_weights_locked(tmp_path: Path) -> None:
    world = published_world(tmp_path, RSP_2_2)
    assess_lines(world, 4, PAUSE, cbrn_3=HIGH, cbrn_4=HIGH)
    chosen(world, "stronger-restrictions-when-paused")
    world.notary.step()
    held = world.state.runs[RUN].holds_in_force.values()
    assert {one.scope: one.measures for one in held if one.measures} == {
        Scope.DEPLOYMENT: ["de_deploy"], Scope.WEIGHTS: ["lock_weights"],
    }  # fmt: skip


def test_2_2_pausing_for_the_next_standard_ends_by_a_new_assessment(tmp_path: Path) -> None:
    world = published_world(tmp_path, RSP_2_2)
    assess_lines(world, 4, PAUSE, cbrn_3=HIGH, cbrn_4=HIGH)
    world.add_evidence()
    chosen(world, "pause-training")
    with refused("safeguards_not_verified"):  # ASL-4 is not written, so it never holds
        released(world)
    assess_lines(world, 16, VERIFY, cbrn_3=HIGH)
    not_resumable(world, "asks for new_assessment")
    assess_lines(world, 64, CONTINUE)
    assert released(world).releases is not None


def test_2_2_cap_just_below_lets_training_go_on_to_the_cap(tmp_path: Path) -> None:
    world = published_world(tmp_path, RSP_2_2)
    assess_lines(world, 4, CONTINUE)
    packet = packet_on(world)
    determine(world, packet, "rso", response="cap-just-below", cap_ratio=1.5)
    determine(world, packet, "ceo")
    receive_all(world, packet)
    assert signing_off.goes_on(world.desk, packet)
    permit = permit_on(world, packet)
    assert (permit.due_flop, permit.ceiling_flop) == pytest.approx((6 * X, 6 * X))
    assert holds_of(world) == []
    assert world.gate().may_continue(5.9 * X).allowed
    assert world.gate().may_continue(6.1 * X).code == "ceiling"
    assert verify_store(world.store).problems == []


def test_2_2_a_cap_says_how_far(tmp_path: Path) -> None:
    """Choosing to cap training without a number would cap nothing."""
    world = published_world(tmp_path, RSP_2_2)
    assess_lines(world, 4, CONTINUE)
    with refused("cap_missing"):
        determine(world, packet_on(world), "rso", response="cap-just-below")
