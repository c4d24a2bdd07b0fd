"""Who is told what, and when: notices of a determination, reminders by the policy's clock."""

from __future__ import annotations

import pytest

from include.wiring import telling
from include.wiring.notifying import Delivery
from tests.support.factories import POLICY_BYTES
from tests.support.people import determine, packet_on
from tests.support.world import World


@pytest.fixture
def packet(world: World) -> str:
    """A packet on a crossed line; toylab gives 24 hours, reminds every hour, tells the board."""
    assert b"remind_after_hours: 1\n" in POLICY_BYTES
    assert b"escalate_to: [board]\n" in POLICY_BYTES
    world.gate()
    world.assess(4, addition=190)
    return packet_on(world)


def reminded(world: World, packet: str) -> list[tuple[str, str]]:
    return [(one.to, one.notice) for one in telling.reminders(world.desk, packet)]


def test_whose_turn_it_is_is_reminded_every_hour(world: World, packet: str) -> None:
    world.pass_time(minutes=59)
    assert reminded(world, packet) == []
    world.pass_time(minutes=1)
    assert reminded(world, packet) == [("rso", "reminder 1")]
    world.pass_time(hours=1)
    assert reminded(world, packet) == [("rso", "reminder 2")]
    determine(world, packet, "rso")
    assert reminded(world, packet) == [("ceo", "reminder 2")]


def test_from_half_of_the_time_on_others_are_told_as_well(world: World, packet: str) -> None:
    world.pass_time(hours=11, minutes=59)
    assert reminded(world, packet) == [("rso", "reminder 11")]
    world.pass_time(minutes=1)
    assert reminded(world, packet) == [("rso", "reminder 12"), ("board", "reminder 12")]


@pytest.mark.parametrize("offices", [[], ["rso"]])
def test_when_the_time_is_over_nobody_is_reminded(
    world: World, packet: str, offices: list[str]
) -> None:
    for office in offices:
        determine(world, packet, office)
    world.pass_time(hours=24)
    assert len(reminded(world, packet)) == 2
    world.pass_time(seconds=1)
    assert reminded(world, packet) == []


@pytest.mark.parametrize("said", [["accept_recommendation"] * 2, ["stricter"]])
def test_who_has_been_heard_is_not_reminded(world: World, packet: str, said: list[str]) -> None:
    for office, choice in zip(("rso", "ceo"), said, strict=False):
        determine(world, packet, office, choice)
    world.pass_time(hours=2)
    assert reminded(world, packet) == []


@pytest.mark.parametrize(
    ("delivery", "again"),
    [
        (Delivery("email", "redline_notify_rso", delivered=True, problem=None), False),
        (Delivery("email", "redline_notify_rso", delivered=False, problem="refused"), True),
        (Delivery("none", "redline_notify_rso", delivered=False, problem="no connection"), False),
    ],
)
def test_what_was_told_or_has_no_channel_is_not_sent_again(
    world: World, packet: str, delivery: Delivery, again: bool
) -> None:
    world.pass_time(hours=1)
    (word,) = telling.reminders(world.desk, packet)
    telling.record_delivery(world.desk, word, [delivery])
    assert [*telling.untold(world.desk, [word])] == ([word] if again else [])
    world.pass_time(hours=1)
    assert len([*telling.untold(world.desk, telling.reminders(world.desk, packet))]) == 1


def test_who_has_to_be_told_of_a_required_standard_is_told_whatever_officers_say(
    world: World, packet: str
) -> None:
    told = [(one.to, one.notice) for one in telling.notices_on(world.desk, packet)]
    assert told == [("board", "board")]
    world.add_evidence()
    for office in ("rso", "ceo"):
        determine(world, packet, office)
    assert [one.to for one in telling.notices_on(world.desk, packet)] == ["board"]
