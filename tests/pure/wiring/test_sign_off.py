"""Signing off: who may say what about which packet, when, and what follows (DESIGN I5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from include.adapters import answers
from include.adapters.signing import KeyFile
from include.adapters.store import put_blob
from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.vocabulary import Scope
from include.wiring import signing_off
from tests.support.begun import assessed
from tests.support.factories import SUITE_BYTES, changed, with_deletion
from tests.support.people import (
    determine,
    opine,
    packet_on,
    permit_on,
    report_on,
    say,
    sign_all,
    signed,
)
from tests.support.refusing import deviations, held_by, refused
from tests.support.world import RUN, World

Attempt = Callable[[World, str], object]


@pytest.fixture
def held(tmp_path: Path) -> World:
    """A run whose red line was crossed; the safeguards hold, so people may release it."""
    return assessed(tmp_path, with_deletion)


def crossed(world: World) -> World:
    world.gate()
    world.assess(4, addition=190)
    world.add_evidence()
    return world


def before(world: World) -> Any:
    return world.now - timedelta(seconds=1)


def late(kind: str, office: str, choice: str) -> Attempt:
    def attempt(world: World, about: str) -> object:
        world.pass_time(hours=24, seconds=1)
        return say(world, kind, about, office, choice)

    return attempt


def said(kind: str, office: str, choice: str, **more: Any) -> Attempt:
    return lambda world, about: say(world, kind, about, office, choice, **more)


def dated(kind: str, office: str, choice: str, **ahead: float) -> Attempt:
    """Signed at another time than now."""
    return lambda world, about: say(
        world, kind, about, office, choice, at=world.now + timedelta(**ahead)
    )


def record_from_tomorrow(world: World, packet: str) -> object:
    tomorrow = world.now + timedelta(days=1)
    envelope = signed(world, "determination", packet, "rso", "accept_recommendation", at=tomorrow)
    return world.desk.submit(
        answers.signed_record(world.state.trust, "determination", packet, envelope, at=tomorrow)
    )


def signature_of_another_packet(world: World, packet: str) -> object:
    envelope = signed(world, "determination", packet, "rso", "accept_recommendation")
    world.pass_time(seconds=1)
    other = packet_on(world)
    honest = answers.signed_record(
        world.state.trust, "determination", packet, envelope, at=world.now
    )
    about = r.RecordRef(record=other)
    return world.desk.submit(honest.model_copy(update={"about": about}))


def altered_after_signing(**changes: Any) -> Attempt:
    def attempt(world: World, packet: str) -> object:
        envelope = signed(world, "determination", packet, "rso", "accept_recommendation")
        honest = answers.signed_record(
            world.state.trust, "determination", packet, envelope, at=world.now
        )
        return world.desk.submit(honest.model_copy(update=changes))

    return attempt


OPINIONS: dict[str, tuple[Attempt, str]] = {
    "an office that is not the second line": (said("opinion", "rso", "agree"), "wrong_office"),
    "another office's key": (said("opinion", "second-line", "agree", key="rso"), "bad_signature"),
    "before the report was written": (
        dated("opinion", "second-line", "agree", seconds=-1), "signature_out_of_time",
    ),
    "after the policy's time": (
        late("opinion", "second-line", "agree"), "signature_out_of_time",
    ),
    "in the future": (dated("opinion", "second-line", "agree", hours=1), "post_dated"),
    "a determination on a report": (
        said("determination", "rso", "accept_recommendation"), "wrong_subject",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPINIONS)
def test_an_opinion_that_may_not_count(held: World, name: str) -> None:
    attempt, code = OPINIONS[name]
    report = report_on(held)
    with refused(code):
        attempt(held, report)
    assert report not in held.state.answers


DETERMINATIONS: dict[str, tuple[Attempt, str]] = {
    "an office that does not sign": (
        said("determination", "board", "accept_recommendation"), "wrong_office",
    ),
    "the second line": (
        said("determination", "second-line", "accept_recommendation"), "wrong_office",
    ),
    "another officer's key": (
        said("determination", "rso", "accept_recommendation", key="ceo"), "bad_signature",
    ),
    "the second before the first": (
        said("determination", "ceo", "accept_recommendation"), "out_of_turn",
    ),
    "before the packet was closed": (
        dated("determination", "rso", "accept_recommendation", seconds=-1),
        "signature_out_of_time",
    ),
    "after the policy's time": (
        late("determination", "rso", "accept_recommendation"), "signature_out_of_time",
    ),
    "in the future": (
        dated("determination", "rso", "accept_recommendation", hours=1), "post_dated",
    ),
    "a record of the future": (record_from_tomorrow, "clock_ahead"),
    "a signature moved to another packet": (signature_of_another_packet, "wrong_packet"),
    "another reason than the signed one": (altered_after_signing(reason="else"), "bad_signature"),
    "a cap that was not signed for": (altered_after_signing(cap_ratio=2.0), "bad_signature"),
    "a simulated officer as a real one": (altered_after_signing(simulated=False), "bad_signature"),
    "a response that the policy does not have": (
        said("determination", "rso", "stricter", response="nope"), "not_offered",
    ),
    "a notice that the policy does not have": (
        said("determination", "rso", "accept_recommendation", not_applicable=["nope"]),
        "not_offered",
    ),
    "below a crossed line": (
        said("determination", "rso", "below_recommendation"), "below_not_allowed",
    ),
    "an opinion on a packet": (said("opinion", "second-line", "agree"), "wrong_subject"),
    "a receipt before anybody determined": (
        said("receipt", "board", "received", notice="board"), "out_of_turn",
    ),
    "a receipt of an office that is not told": (
        said("receipt", "ceo", "received", notice="board"), "wrong_office",
    ),
    "a receipt of no notice": (said("receipt", "board", "received", notice="nope"), "wrong_office"),
    "deletion that no response asks about": (
        said("deletion_answer", "ceo", "delete"), "wrong_office",
    ),
    "a revocation of what is no permit": (said("revocation", "rso", "revoke"), "wrong_subject"),
}  # fmt: skip


@pytest.mark.parametrize("name", DETERMINATIONS)
def test_an_answer_to_a_packet_that_may_not_count(held: World, name: str) -> None:
    attempt, code = DETERMINATIONS[name]
    packet = packet_on(held)
    with refused(code):
        attempt(held, packet)
    assert packet not in held.state.answers


def test_no_officers_key_at_all_signs_nothing(held: World) -> None:
    packet = packet_on(held)
    said = answers.said_by(
        "determination", office="rso", choice="accept_recommendation", reason="x", at=held.now
    )
    envelope = answers.sign_answer(KeyFile(held.folders.trainer), "determination", packet, said)
    with refused("bad_signature"):
        answers.signed_record(held.state.trust, "determination", packet, envelope, at=held.now)


def test_an_officer_whose_clock_is_before_the_first_signers(held: World) -> None:
    packet = packet_on(held)
    held.pass_time(seconds=5)
    determine(held, packet, "rso")
    with refused("out_of_turn"):
        determine(held, packet, "ceo", at=before(held))


def forged_packet(world: World, report: str, opinion: str) -> str:
    text = put_blob(world.store, b"all is well", name="packet.md")
    return world.desk.submit(
        r.Packet(
            at=world.now, by="mallory", stamp=world.desk.stamp, report=r.RecordRef(record=report),
            opinion=r.RecordRef(record=opinion), document=text, page=text,
        )
    )  # fmt: skip


def test_without_an_opinion_no_packet_is_closed(held: World) -> None:
    first = report_on(held)
    opinion = opine(held, first)
    held.pass_time(seconds=1)
    second = report_on(held)
    assert signing_off.close_packet(held.desk, second) is None
    with refused("opinion_changed"):  # the opinion on another report is none on this one
        forged_packet(held, second, opinion)


def test_a_second_line_that_needs_more_closes_no_packet(held: World) -> None:
    report = report_on(held)
    opinion = opine(held, report, "need_more")
    assert signing_off.close_packet(held.desk, report) is None
    with refused("second_line_needs_more"):
        forged_packet(held, report, opinion)


def test_dissent_closes_a_packet_and_officers_may_still_accept(held: World) -> None:
    report = report_on(held)
    opine(held, report, "disagree", reason="too few tasks")
    closed = signing_off.close_packet(held.desk, report)
    assert closed is not None
    sign_all(held, closed[0])
    assert permit_on(held, closed[0]).releases is not None


@pytest.mark.parametrize("now", ["disagree", "need_more"])
def test_an_opinion_that_changed_after_the_packet_was_closed(held: World, now: str) -> None:
    packet = packet_on(held)
    sign_all(held, packet)
    opine(held, held.state.expect(packet, r.Packet).report.record, now)
    with refused("opinion_changed"):
        permit_on(held, packet)
    assert len(deviations(held, "sign_off_bypassed")) == 1


def an_author(plain: dict[str, Any]) -> None:
    plain["authors"] = ["simulated-second-line", "simulated-ceo"]


@pytest.mark.parametrize("how", ["the run's announcer", "an author of the suite"])
def test_who_made_what_is_judged_gives_no_opinion(tmp_path: Path, how: str) -> None:
    if how == "the run's announcer":
        world = held_by(tmp_path, {}, trainer="simulated-second-line")
    else:
        world = World(tmp_path, suite=changed(SUITE_BYTES, an_author))
    report = report_on(crossed(world))
    with refused("not_independent"):
        opine(world, report)


@pytest.mark.parametrize("how", ["the run's announcer", "an author of the suite"])
def test_who_made_what_is_judged_signs_nothing(tmp_path: Path, how: str) -> None:
    def by_the_ceo(plain: dict[str, Any]) -> None:
        plain["authors"] = ["simulated-ceo"]

    if how == "the run's announcer":
        world = held_by(tmp_path, {}, trainer="simulated-ceo")
    else:
        world = World(tmp_path, suite=changed(SUITE_BYTES, by_the_ceo))
    packet = packet_on(crossed(world))
    determine(world, packet, "rso")
    with refused("not_independent"):
        determine(world, packet, "ceo")
    with refused("not_independent"):  # nor can an author say no as an officer; others can
        determine(world, packet, "ceo", "stricter")


def test_the_second_line_does_not_sign_as_an_officer_as_well(tmp_path: Path) -> None:
    world = crossed(held_by(tmp_path, dict.fromkeys(("second-line", "ceo"), "one-person")))
    packet = packet_on(world)
    determine(world, packet, "rso")
    for choice in ("accept_recommendation", "stricter"):
        with refused("not_distinct"):
            determine(world, packet, "ceo", choice)


def test_under_a_trust_root_that_gives_both_offices_to_one_person_no_policy_begins(
    tmp_path: Path,
) -> None:
    world = held_by(tmp_path, dict.fromkeys(("rso", "ceo"), "one-person"))
    assert world.state.adoption is None
    assert [one.code for one in world.state.refusals.values()] == ["not_distinct"]
    assert world.gate().may_continue(1.0).code == "no_permit"


SECOND: list[tuple[str, str, str, str, bool]] = [
    ("determination", "rso", "accept_recommendation", "accept_recommendation", False),
    ("determination", "rso", "accept_recommendation", "stricter", True),
    ("determination", "rso", "stricter", "accept_recommendation", False),
    ("determination", "rso", "stricter", "stricter", False),
    ("deletion_answer", "ceo", "keep", "delete", True),
    ("deletion_answer", "ceo", "delete", "keep", False),
    ("deletion_answer", "ceo", "keep", "keep", False),
    ("opinion", "second-line", "agree", "need_more", True),
    ("opinion", "second-line", "agree", "disagree", True),
    ("opinion", "second-line", "need_more", "disagree", True),
    ("opinion", "second-line", "disagree", "agree", False),
    ("opinion", "second-line", "disagree", "need_more", False),
    ("opinion", "second-line", "need_more", "agree", False),
    ("receipt", "board", "received", "rejected", True),
    ("receipt", "board", "received", "received", False),
    ("receipt", "board", "rejected", "received", False),
]


@pytest.mark.parametrize(("kind", "office", "first", "second", "counts"), SECOND)
def test_a_second_answer_counts_only_if_it_is_stricter(
    held: World, kind: str, office: str, first: str, second: str, counts: bool
) -> None:
    about, more = prepared(held, kind)
    say(held, kind, about, office, first, **more)
    held.pass_time(seconds=1)
    if counts:
        say(held, kind, about, office, second, reason="thought again", **more)
    else:
        with refused("answered_already"):
            say(held, kind, about, office, second, reason="thought again", **more)
    counted = [one for one in held.state.answers[about].values() if one.kind == kind]
    assert [one.choice for one in counted] == [first, second][: 1 + counts]


def prepared(world: World, kind: str) -> tuple[str, dict[str, Any]]:
    """What an answer of that kind is about, with those before it given."""
    if kind == "opinion":
        return report_on(world), {}
    packet = packet_on(world)
    if kind == "deletion_answer":
        determine(world, packet, "rso", "stricter", response="delete")
    if kind == "receipt":
        determine(world, packet, "rso")
        determine(world, packet, "ceo")
        return packet, {"notice": "board"}
    return packet, {}


def test_an_officer_who_becomes_stricter_ends_what_was_signed(held: World) -> None:
    packet = packet_on(held)
    sign_all(held, packet)
    held.pass_time(seconds=1)
    determine(held, packet, "rso", "stricter", reason="I misread it")
    with refused("signed_to_hold"):
        permit_on(held, packet)
    assert len(deviations(held, "sign_off_bypassed")) == 1
    assert signing_off.next_signer(held.desk, packet) is None
    assert len(held.state.runs[RUN].held(Scope.TRAINING)) == 1
    assert verify_store(held.store).problems == []
