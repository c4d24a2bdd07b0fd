"""What a human task tells its person to type is what counts when they do."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from include.cli import main as command
from include.rsp import records as r
from include.wiring import asking, signing_off
from include.wiring.signing_off import Answered
from tests.support.begun import scene
from tests.support.histories import History
from tests.support.people import determine, packet_on, permit_on, report_on
from tests.support.world import World


@pytest.fixture
def crossed(tmp_path: Path) -> World:
    """A crossed line, the safeguards shown, and two notices to the board, one asks for approval."""
    history = History(scene("crossed, two notices"), tmp_path / "history")
    history.add_evidence()
    return history


def typed(
    world: World, kind: str, office: str, about: str,
    monkeypatch: pytest.MonkeyPatch, capsys: Any,
) -> r.AnyAnswer:  # fmt: skip
    """The record of what somebody answers who does as the task says."""
    question = asking.question_for(world.desk, kind, office, about)
    assert question is not None
    (line,) = re.findall("`(rsp sign [^`]*)`", question.body)
    words = {"FILE": str(world.folders.officer(office)), "TEXT": "as the task says"}
    monkeypatch.setattr(sys, "argv", [words.get(one, one) for one in shlex.split(line)])
    # the person signs by the real clock, and the world has its own
    monkeypatch.setattr("include.cli.people.datetime", Clock(world))
    with pytest.raises(SystemExit) as left:
        command.main()
    said = capsys.readouterr()
    assert not left.value.code, said.err
    given = Answered(
        dag_id="assess_checkpoint", dag_run_id="one", task_id="any", user=office,
        answered_at=world.now, options=["any"], params={"signature": said.out},
    )  # fmt: skip
    digest = signing_off.record_answer(world.desk, kind, about, office, given)
    return world.state.records[digest]  # type: ignore[return-value]


class Clock:
    """`datetime` of a module, by the world's clock."""

    def __init__(self, world: World) -> None:
        self.world = world

    def now(self, _: Any) -> Any:
        """The world's time."""
        return self.world.now


def test_an_opinion_and_the_officers_as_the_task_says(
    crossed: World, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    report = report_on(crossed)
    assert typed(crossed, "opinion", "second-line", report, monkeypatch, capsys).choice == "agree"
    closed = signing_off.close_packet(crossed.desk, report)
    assert closed is not None
    for office in ("rso", "ceo"):
        said = typed(crossed, "determination", office, closed[0], monkeypatch, capsys)
        assert (said.office, said.choice) == (office, "accept_recommendation")


def test_receipts_as_the_task_says_one_for_each_notice(
    crossed: World, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    packet = packet_on(crossed)
    for office in ("rso", "ceo"):
        determine(crossed, packet, office)
    crossed.pass_time(seconds=1)
    for notice, choice in (("board", "received"), ("approval", "approved")):
        said = typed(crossed, "receipt", "board", packet, monkeypatch, capsys)
        assert isinstance(said, r.Receipt)
        assert (said.notice, said.choice) == (notice, choice)
    assert asking.question_for(crossed.desk, "receipt", "board", packet) is None
    assert permit_on(crossed, packet)


def test_who_is_not_asked_has_no_question(crossed: World) -> None:
    packet = packet_on(crossed)
    assert asking.question_for(crossed.desk, "determination", "ceo", packet) is None
    assert asking.question_for(crossed.desk, "receipt", "ltbt", packet) is None
    assert asking.question_for(crossed.desk, "deletion_answer", "ciso", packet) is None
