"""What follows once people have signed: permits, caps, receipts, holds (DESIGN I5)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.errors import Refused
from include.rsp.vocabulary import Scope
from include.wiring import assessment, registration, signing_off
from tests.support.begun import assessed
from tests.support.factories import X, changed
from tests.support.people import (
    determine,
    newest_verdict,
    packet_on,
    permit_on,
    receive_all,
    report_on,
    say,
    sign_all,
)
from tests.support.refusing import deviations, refused
from tests.support.world import RUN, Change, World

BELOW = "below_recommendation"


def may_go_below(plain: dict[str, Any]) -> None:
    plain["sign_off"]["below_recommendation"] = {
        "clause": "toylab 9",
        "statuses": ["not_ruled_out"],
    }
    plain["hold"]["resume_when"].append("new_determination")


def one_of_two(plain: dict[str, Any]) -> None:
    plain["sign_off"]["quorum"] = 1


def always_told(plain: dict[str, Any]) -> None:
    plain["notices"][0]["condition"] = None


def board_approves(plain: dict[str, Any]) -> None:
    plain["notices"][0] |= {"approval": True, "condition": None}


def determination_resumes(plain: dict[str, Any]) -> None:
    plain["hold"]["resume_when"].append("new_determination")


def made(root: Path, *changes: Change, multiple: float = 4, addition: int = 190) -> World:
    """A run with a verdict; by default the line is crossed and the safeguards hold."""
    return assessed(root, *changes, multiple=multiple, addition=addition)


def request(world: World, **changes: Any) -> r.PermitRequest:
    plain: dict[str, Any] = {
        "at": world.now, "by": "test", "stamp": world.desk.stamp, "purpose": "training",
        "run_id": RUN, "verdict": {"record": newest_verdict(world)}, "packet": None, "hold": None,
        "seen_index": world.state.length - 1,
    }  # fmt: skip
    return r.PermitRequest.model_validate(plain | changes)


def another_verdict(world: World, multiple: float, **results: int) -> str:
    """A newer checkpoint of the run, assessed."""
    world.publish(multiple)
    registration.register_new(world.desk)
    (key,) = registration.raise_due_occasions(world.desk)
    world.evaluate(key, **results)
    return assessment.reach_verdict(world.desk, key)[0]


def test_one_signature_of_two_is_not_enough_and_the_other_is_asked(tmp_path: Path) -> None:
    world = made(tmp_path)
    packet = packet_on(world)
    assert signing_off.next_signer(world.desk, packet) == "rso"
    determine(world, packet, "rso")
    assert signing_off.next_signer(world.desk, packet) == "ceo"
    with refused("signature_missing"):
        permit_on(world, packet)
    assert len(deviations(world, "sign_off_bypassed")) == 1


def test_where_one_of_two_suffices_either_may_sign_first_and_alone(tmp_path: Path) -> None:
    world = made(tmp_path, one_of_two)
    packet = packet_on(world)
    determine(world, packet, "ceo")
    assert signing_off.next_signer(world.desk, packet) is None
    receive_all(world, packet)
    assert permit_on(world, packet).releases is not None


def test_where_one_of_two_suffices_a_no_of_the_other_still_stops(tmp_path: Path) -> None:
    world = made(tmp_path, one_of_two)
    packet = packet_on(world)
    determine(world, packet, "ceo")
    receive_all(world, packet)
    determine(world, packet, "rso", "stricter")
    with refused("signed_to_hold"):
        permit_on(world, packet)


@pytest.mark.parametrize(
    ("caps", "ratio"),
    [((None, None), (4, 6)), ((5, None), (4, 5)), ((3, 2), (2, 2)), ((9, 9), (4, 6))],
)
def test_the_smallest_cap_of_the_officers_bounds_what_is_due_and_the_ceiling(
    tmp_path: Path, caps: tuple[float | None, ...], ratio: tuple[float, float]
) -> None:
    world = made(tmp_path)
    packet = packet_on(world)
    for office, cap in zip(("rso", "ceo"), caps, strict=True):
        determine(world, packet, office, cap_ratio=cap)
    receive_all(world, packet)
    permit = permit_on(world, packet)
    compute = 4 * X
    assert (permit.due_flop, permit.ceiling_flop) == pytest.approx(
        (compute * ratio[0], compute * ratio[1])
    )


BELOW_REFUSED: dict[str, tuple[tuple[Change, ...], int, str]] = {
    "a crossed line, though the policy has the rule": ((may_go_below,), 190, "below_not_allowed"),
    "a line that is not ruled out, without the rule": ((), 85, "below_not_allowed"),
    "a verdict to continue": ((may_go_below,), 5, "not_offered"),
}


@pytest.mark.parametrize("name", BELOW_REFUSED)
def test_below_the_recommendation_only_where_the_policy_lets_people(
    tmp_path: Path, name: str
) -> None:
    changes, addition, code = BELOW_REFUSED[name]
    world = made(tmp_path, *changes, addition=addition)
    packet = packet_on(world)
    with refused(code):
        determine(world, packet, "rso", BELOW)


def test_below_the_recommendation_by_all_releases_and_every_later_report_says_so(
    tmp_path: Path,
) -> None:
    world = made(tmp_path, may_go_below, addition=85)
    packet = packet_on(world)
    assert "`below_recommendation`: training goes on" in signing_off.text_of(world.desk, packet)
    sign_all(world, packet, BELOW, reason="the tasks are easier than the line")
    permit = permit_on(world, packet)
    assert permit.below_recommendation
    assert permit.releases is not None
    assert world.state.runs[RUN].held(Scope.TRAINING) == {}
    world.pass_time(seconds=1)
    another_verdict(world, 16, addition=5)
    text = signing_off.text_of(world.desk, report_on(world))
    assert "**Below the recommendation before:**" in text
    assert verify_store(world.store).problems == []


def test_not_all_go_below(tmp_path: Path) -> None:
    world = made(tmp_path, may_go_below, addition=85)
    packet = packet_on(world)
    determine(world, packet, "rso", BELOW)
    determine(world, packet, "ceo")
    receive_all(world, packet)
    with refused("no_agreement"):
        permit_on(world, packet)
    assert len(deviations(world, "sign_off_bypassed")) == 1


def test_accepting_to_pause_lets_nothing_go_on(tmp_path: Path) -> None:
    world = made(tmp_path, addition=85)
    packet = packet_on(world)
    sign_all(world, packet)
    world_holds = world.state.runs[RUN].held(Scope.TRAINING)
    digest, _ = next(iter(world_holds.items()))
    assert signing_off.goes_on(world.desk, packet)  # the safeguards hold, and people accepted that
    assert permit_on(world, packet).releases == r.RecordRef(record=digest)


def test_what_always_applies_cannot_be_waived(tmp_path: Path) -> None:
    world = made(tmp_path, always_told)
    packet = packet_on(world)
    with refused("not_offered"):
        determine(world, packet, "rso", not_applicable=["board"])


def test_that_a_standard_is_required_is_not_for_officers_to_waive(tmp_path: Path) -> None:
    world = made(tmp_path)
    packet = packet_on(world)
    with refused("not_offered"):
        determine(world, packet, "rso", not_applicable=["board"])


@pytest.mark.parametrize("waiving", [["rso", "ceo"], ["rso"], ["ceo"], []])
def test_a_conditional_notice_falls_away_only_if_all_say_so(
    tmp_path: Path, waiving: list[str]
) -> None:
    def on_condition(plain: dict[str, Any]) -> None:
        plain["notices"][0]["event"] = "determination"

    world = made(tmp_path, on_condition)
    packet = packet_on(world)
    for office in ("rso", "ceo"):
        waived = ["board"] if office in waiving else []
        determine(world, packet, office, not_applicable=waived)
    if waiving == ["rso", "ceo"]:
        assert signing_off.receipts_to_come(world.desk, packet) == []
        assert permit_on(world, packet).releases is not None
        return
    assert [office for _, office in signing_off.receipts_to_come(world.desk, packet)] == ["board"]
    with refused("receipt_missing"):
        permit_on(world, packet)
    assert len(deviations(world, "sign_off_bypassed")) == 1


def test_who_was_told_before_the_last_officer_signed_has_to_be_told_again(tmp_path: Path) -> None:
    world = made(tmp_path, one_of_two)
    packet = packet_on(world)
    determine(world, packet, "rso")
    receive_all(world, packet)
    world.pass_time(seconds=1)
    determine(world, packet, "ceo")
    with refused("receipt_too_early"):
        permit_on(world, packet)
    say(world, "receipt", packet, "board", "received", notice="board", reason="told again")
    assert permit_on(world, packet).releases is not None
    assert verify_store(world.store).problems == []


def test_a_receipt_that_is_dated_before_the_signatures(tmp_path: Path) -> None:
    world = made(tmp_path)
    packet = packet_on(world)
    world.pass_time(seconds=5)
    early = world.now
    world.pass_time(seconds=5)
    determine(world, packet, "rso")
    determine(world, packet, "ceo")
    with refused("out_of_turn"):
        say(world, "receipt", packet, "board", "received", notice="board", at=early)


@pytest.mark.parametrize(
    ("policy", "choice", "code"),
    [
        (board_approves, "received", "approval_needed"),
        (board_approves, "rejected", "rejected"),
        (always_told, "rejected", "rejected"),
        (board_approves, "approved", None),
        (always_told, "approved", None),
    ],
)
def test_what_the_board_says(tmp_path: Path, policy: Change, choice: str, code: str | None) -> None:
    world = made(tmp_path, policy)
    packet = packet_on(world)
    determine(world, packet, "rso")
    determine(world, packet, "ceo")

    def told_then_asked() -> r.Permit:
        say(world, "receipt", packet, "board", choice, notice="board")
        return permit_on(world, packet)

    if code is None:
        assert told_then_asked().releases is not None
        return
    with refused(code):
        told_then_asked()
    assert len(deviations(world, "sign_off_bypassed")) == (code == "rejected")


def test_a_policy_that_was_replaced_between_signature_and_request(tmp_path: Path) -> None:
    world = made(tmp_path)
    packet = packet_on(world)
    sign_all(world, packet)
    world.adopt(changed(world.policy, lambda plain: plain.update(version="1.1")))
    with refused("policy_replaced"):
        permit_on(world, packet)


def about_another_verdict(world: World) -> r.PermitRequest:
    old = packet_on(world)
    sign_all(world, old)
    another_verdict(world, 16, addition=190)
    newest = world.state.runs[RUN].newest_hold(Scope.TRAINING)
    return request(world, packet={"record": old}, hold={"record": newest})


def about_no_hold(world: World) -> r.PermitRequest:
    packet = packet_on(world, purpose=Scope.DEPLOYMENT)
    sign_all(world, packet)
    newest = world.state.runs[RUN].newest_hold(Scope.TRAINING)
    return request(world, packet={"record": packet}, hold={"record": newest})


def about_training(world: World) -> r.PermitRequest:
    another_verdict(world, 16, addition=5)
    packet = packet_on(world)
    sign_all(world, packet)
    return request(world, packet={"record": packet}, purpose="deployment")


def about_an_opinion(world: World) -> r.PermitRequest:
    packet = packet_on(world)
    opinion = world.state.expect(packet, r.Packet).opinion
    newest = world.state.runs[RUN].newest_hold(Scope.TRAINING)
    return request(world, packet=opinion, hold={"record": newest})


OTHERS: dict[Callable[[World], r.PermitRequest], tuple[str, str]] = {
    about_another_verdict: ("wrong_packet", "another verdict"),
    about_no_hold: ("wrong_packet", "another hold"),
    about_training: ("wrong_packet", "another hold"),
    about_an_opinion: ("invalid_document", "Opinion|opinion"),
}


@pytest.mark.parametrize("asked", OTHERS)
def test_a_packet_about_something_else(
    tmp_path: Path, asked: Callable[[World], r.PermitRequest]
) -> None:
    code, says = OTHERS[asked]
    world = made(tmp_path)
    with pytest.raises(Refused, match=says) as caught:
        world.desk.ask(asked(world))
    assert caught.value.code == code


@pytest.mark.parametrize("purpose", [Scope.TRAINING, Scope.DEPLOYMENT])
def test_a_packet_for_the_other_purpose(tmp_path: Path, purpose: Any) -> None:
    world = made(tmp_path, multiple=1, addition=5)
    packet = packet_on(world, purpose=purpose)
    sign_all(world, packet)
    other = "deployment" if purpose is Scope.TRAINING else "training"
    with pytest.raises(Refused, match="another purpose") as caught:
        world.desk.ask(request(world, packet={"record": packet}, purpose=other))
    assert caught.value.code == "wrong_packet"
    assert len(deviations(world, "sign_off_bypassed")) == 1


def stopped_by_an_officer(root: Path, *changes: Change) -> tuple[World, str]:
    """A run whose verdict continues, held because the ceo said so; (world, hold)."""
    world = made(root, *changes, multiple=1, addition=5)
    said = determine(world, packet_on(world), "ceo", "stricter", reason="something is odd")
    world.notary.step()
    ((digest, hold),) = world.state.runs[RUN].held(Scope.TRAINING).items()
    assert hold.reply_to.record == said
    assert hold.reason == "the ceo determines to hold: something is odd"
    return world, digest


def test_a_stricter_officer_orders_a_hold_that_no_machine_and_no_old_verdict_ends(
    tmp_path: Path,
) -> None:
    world, _ = stopped_by_an_officer(tmp_path)
    assert world.gate().may_continue(X).code == "held"
    with refused("hold_in_force"):
        world.desk.ask(request(world))
    world.pass_time(seconds=1)
    packet = packet_on(world)
    sign_all(world, packet)
    with refused("not_resumable"):
        permit_on(world, packet)
    world.pass_time(seconds=1)
    world.notary.step()
    assert len(world.state.runs[RUN].holds) == 1


def test_a_stricter_officers_hold_ends_by_a_new_assessment_that_all_sign(tmp_path: Path) -> None:
    world, hold = stopped_by_an_officer(tmp_path)
    another_verdict(world, 4, addition=5)
    packet = packet_on(world)
    sign_all(world, packet)
    assert permit_on(world, packet).releases == r.RecordRef(record=hold)
    world.pass_time(seconds=1)
    assert world.gate().may_continue(X).allowed
    assert len(world.state.runs[RUN].holds) == 1  # nobody orders it again
    assert verify_store(world.store).problems == []


def test_a_stricter_officers_hold_ends_by_a_new_determination_where_the_policy_says_so(
    tmp_path: Path,
) -> None:
    world, hold = stopped_by_an_officer(tmp_path, determination_resumes)
    world.pass_time(seconds=1)
    packet = packet_on(world)
    sign_all(world, packet)
    assert permit_on(world, packet).releases == r.RecordRef(record=hold)
    world.pass_time(seconds=1)
    assert len(world.state.runs[RUN].holds) == 1


def test_a_new_determination_does_not_end_a_verdicts_hold(tmp_path: Path) -> None:
    world = made(tmp_path, determination_resumes)
    world.add_evidence(shows=False, collected_at=world.now)
    world.pass_time(seconds=1)
    packet = packet_on(world)
    sign_all(world, packet)
    with refused("safeguards_not_verified"):
        permit_on(world, packet)
