"""The people of a World: second line, officers, board; each signs with the own key."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from include.adapters import answers
from include.adapters.signing import KeyFile
from include.rsp import records as r
from include.rsp.vocabulary import Scope
from include.wiring import safeguarding, signing_off
from include.wiring.signing_off import Asked
from tests.support.world import RUN, World

TEST = Asked(by="a test", because=None)
Purpose = Literal[Scope.TRAINING, Scope.DEPLOYMENT]


def newest_verdict(world: World, run_id: str = RUN) -> str:
    """The verdict that counts."""
    newest = world.state.runs[run_id].newest_verdict
    assert newest is not None
    return newest[0]


def report_on(
    world: World,
    verdict: str | None = None,
    *,
    purpose: Purpose = Scope.TRAINING,
    judged: bool = True,
) -> str:
    """A Capability Report on the newest verdict."""
    about = verdict or newest_verdict(world)
    judgement = safeguarding.judge(world.desk, about)[0] if judged else None
    return signing_off.write_report(world.desk, about, judgement, purpose=purpose, asked=TEST)[0]


def signed(
    world: World,
    kind: str,
    about: str,
    office: str,
    choice: str,
    *,
    key: str | None = None,
    reason: str = "in a test",
    at: datetime | None = None,
    **more: Any,
) -> r.Envelope:
    """What `rsp sign` prints for somebody."""
    said = answers.said_by(
        kind, office=office, choice=choice, reason=reason, at=at or world.desk.now(), **more
    )
    return answers.sign_answer(KeyFile(world.folders.officer(key or office)), kind, about, said)


def say(world: World, kind: str, about: str, office: str, choice: str, **more: Any) -> str:
    """Somebody answers, and the notary chains it; the record's digest."""
    envelope = signed(world, kind, about, office, choice, **more)
    record = answers.signed_record(world.state.trust, kind, about, envelope, at=world.desk.now())
    return world.desk.submit(record)


def opine(world: World, report: str, choice: str = "agree", **more: Any) -> str:
    """The second line gives its opinion."""
    rules = world.desk.rulebook.in_force(world.state)
    assert rules is not None
    office = rules.policy.sign_off.second_line.office
    return say(world, "opinion", report, office, choice, **more)


def packet_on(world: World, verdict: str | None = None, **more: Any) -> str:
    """A packet on the newest verdict, to which the second line agreed."""
    report = report_on(world, verdict, **more)
    opine(world, report)
    closed = signing_off.close_packet(world.desk, report)
    assert closed is not None
    return closed[0]


def determine(
    world: World, packet: str, office: str, choice: str = "accept_recommendation", **more: Any
) -> str:
    """An officer determines."""
    return say(world, "determination", packet, office, choice, **more)


def receive_all(world: World, packet: str) -> list[str]:
    """Everybody who has to be told says so."""
    return [
        say(
            world, "receipt", packet, office, "approved" if notice.approval else "received",
            notice=notice.id,
        )
        for notice, office in signing_off.receipts_to_come(world.desk, packet)
    ]  # fmt: skip


def sign_all(world: World, packet: str, choice: str = "accept_recommendation", **more: Any) -> None:
    """Every officer determines the same, in order, and everybody is told."""
    verdict = world.state.report_of(packet).verdict.record
    for office in signing_off.rules_of(world.desk, verdict).policy.sign_off.roles:
        determine(world, packet, office, choice, **more)
    receive_all(world, packet)


def permit_on(world: World, packet: str) -> r.Permit:
    """The permit that the packet gets."""
    return signing_off.ask_for_permit(world.desk, packet)[1]
