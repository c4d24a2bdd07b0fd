"""`rsp packet`, `rsp sign`, `rsp permit`: read what is shown, sign it, see what it led to."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from include.adapters.store import get_blob
from include.cli import main as command
from include.rsp import records as r
from include.rsp.canonical import digest_of
from include.rsp.vocabulary import Scope
from include.wiring import signing_off
from include.wiring.signing_off import Answered
from tests.support.begun import assessed
from tests.support.factories import changed, with_deletion
from tests.support.people import (
    determine,
    newest_verdict,
    opine,
    packet_on,
    permit_on,
    report_on,
    sign_all,
)
from tests.support.refusing import refused
from tests.support.world import RUN, World

BEGUN = datetime.now(UTC) - timedelta(minutes=5)
Rsp = Callable[..., tuple[int, str]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A held run whose safeguards hold, by the real clock: the command line reads that one."""
    return assessed(tmp_path, with_deletion, now=BEGUN)


@pytest.fixture
def rsp(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Rsp:
    """The command line on the world's store; (exit code, what it said)."""

    def run(*words: str) -> tuple[int, str]:
        store = ["--store", str(world.root / "store")]
        monkeypatch.setattr(sys, "argv", ["rsp", *words, *store])
        with pytest.raises(SystemExit) as left:
            command.main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out + said.err

    return run


def signing(world: World, about: str, office: str, answer: str, *more: str) -> list[str]:
    return [
        "sign", "--about", about, "--office", office, "--answer", answer, "--reason", "as it is",
        "--key", str(world.folders.officer(office)), *more,
    ]  # fmt: skip


def chained(world: World, said: str) -> r.Answer:
    """The record that --submit printed, once the notary has seen it."""
    world.now = datetime.now(UTC)
    world.notary.step()
    record = world.state.get(said.strip())
    assert isinstance(record, r.Answer)
    return record


def on_report(world: World) -> str:
    return report_on(world)


def signed_for(world: World) -> str:
    packet = packet_on(world)
    for office in ("rso", "ceo"):
        determine(world, packet, office)
    return packet


def to_delete(world: World) -> str:
    packet = packet_on(world)
    determine(world, packet, "rso", "stricter", response="delete")
    return packet


def permitted(world: World) -> str:
    packet = packet_on(world)
    sign_all(world, packet)
    return digest_of(permit_on(world, packet))


KINDS: dict[str, tuple[Callable[[World], str], str, list[str], type[r.Answer], dict[str, Any]]] = {
    "agree": (on_report, "second-line", [], r.Opinion, {}),
    "disagree": (on_report, "second-line", [], r.Opinion, {}),
    "need_more": (on_report, "second-line", [], r.Opinion, {}),
    "accept_recommendation": (
        packet_on, "rso",
        ["--detail", "cap_ratio=2.5"], r.Determination,
        {"cap_ratio": 2.5, "not_applicable": [], "response": None},
    ),
    "stricter": (
        packet_on, "rso", ["--detail", "response=delete"], r.Determination,
        {"response": "delete", "cap_ratio": None, "not_applicable": []},
    ),
    "received": (
        signed_for, "board", ["--detail", "notice=board"], r.Receipt, {"notice": "board"},
    ),
    "approved": (
        signed_for, "board", ["--detail", "notice=board"], r.Receipt, {"notice": "board"},
    ),
    "rejected": (
        signed_for, "board", ["--detail", "notice=board"], r.Receipt, {"notice": "board"},
    ),
    "keep": (to_delete, "ceo", [], r.DeletionAnswer, {}),
    "delete": (to_delete, "ceo", [], r.DeletionAnswer, {}),
    "revoke": (permitted, "ceo", [], r.Revocation, {}),
}  # fmt: skip


@pytest.mark.parametrize("answer", KINDS)
def test_each_kind_of_answer_is_signed_and_submitted(world: World, rsp: Rsp, answer: str) -> None:
    prepare, office, details, kind, more = KINDS[answer]
    about = prepare(world)
    code, said = rsp(*signing(world, about, office, answer, *details, "--submit"))
    assert code == 0, said
    record = chained(world, said)
    assert type(record) is kind
    assert (record.choice, record.office, record.reason) == (answer, office, "as it is")
    assert (record.by, record.simulated) == (f"simulated-{office}", True)
    for name, value in more.items():
        assert getattr(record, name) == value


def test_below_the_recommendation_is_signed_like_the_others_and_judged_by_the_notary(
    world: World, rsp: Rsp
) -> None:
    code, said = rsp(*signing(world, packet_on(world), "rso", "below_recommendation", "--submit"))
    assert code == 0
    world.now = datetime.now(UTC)
    refusal = world.state.expect(world.state.refused[said.strip()], r.Refusal)
    assert refusal.code == "below_not_allowed"


def test_what_is_printed_is_pasted_into_the_task(world: World, rsp: Rsp) -> None:
    packet = packet_on(world)
    code, line = rsp(*signing(world, packet, "rso", "accept_recommendation"))
    assert (code, line.count("\n")) == (0, 1)
    assert packet not in world.state.answers
    world.now = datetime.now(UTC)
    given = Answered(
        dag_id="d", dag_run_id="r", task_id="t", user="rso", answered_at=world.now,
        options=[], params={"signature": line},
    )  # fmt: skip
    digest = signing_off.record_answer(world.desk, "determination", packet, "rso", given)
    assert world.state.expect(digest, r.Determination).reason == "as it is"
    other = packet_on(world)
    with refused("wrong_packet"):  # the line says nothing about another packet
        signing_off.record_answer(world.desk, "determination", other, "rso", given)


def test_with_another_offices_key_nothing_counts(world: World, rsp: Rsp) -> None:
    words = signing(world, packet_on(world), "rso", "accept_recommendation", "--submit")
    words[words.index("--key") + 1] = str(world.folders.officer("ceo"))
    code, said = rsp(*words)
    assert code == 0
    world.now = datetime.now(UTC)
    refusal = world.state.expect(world.state.refused[said.strip()], r.Refusal)
    assert refusal.code == "bad_signature"


WRONG: dict[str, tuple[str, list[str], str]] = {
    "an answer that is none": ("maybe", [], "--answer 'maybe' (expected one of"),
    "a detail without a value": ("stricter", ["response="], "'response=' (expected name=value"),
    "a detail without a name": ("stricter", ["delete"], "--detail 'delete' (expected name=value"),
    "a cap that is no number": ("stricter", ["cap_ratio=much"], "cap_ratio='much' (expected a num"),
    "a cap of one": ("stricter", ["cap_ratio=1"], "cap_ratio: Input should be greater than 1"),
    "a cap that is none": ("stricter", ["cap_ratio=nan"], "cap_ratio: Input should be"),
    "a cap without end": ("stricter", ["cap_ratio=inf"], "cap_ratio: Input should be"),
    "a detail that nobody knows": (
        "stricter",
        ["mood=bad"],
        "'mood=bad' (expected name=value with",
    ),
    "a notice in a determination": ("stricter", ["notice=board"], "notice: Extra inputs are not"),
    "a receipt of nothing": ("received", [], "notice: Field required"),
    "another office": ("stricter", ["office=ceo"], "'office=ceo' (expected name=value with"),
    "another time": ("stricter", ["signed_at=2026-01-01"], "(expected name=value with"),
    "two caps": ("stricter", ["cap_ratio=2", "cap_ratio=3"], "cap_ratio is given twice"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_nobody_can_sign_is_one_line_and_nothing_is_written(
    world: World, rsp: Rsp, name: str
) -> None:
    answer, details, says = WRONG[name]
    packet = packet_on(world)
    before = sorted((world.root / "store").rglob("*"))
    more = [word for one in details for word in ("--detail", one)]
    code, said = rsp(*signing(world, packet, "rso", answer, *more, "--submit"))
    assert (code, said.count("\n")) == (3, 1)
    assert said.startswith("rsp: ")
    assert says in said
    assert sorted((world.root / "store").rglob("*")) == before


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--about", "sha256:12", "expected"),
        ("--about", "packet", "expected"),
        ("--key", "/nowhere/rso.pem", "No private key can be read from /nowhere/rso.pem"),
        ("--reason", "", "reason: String should have at least 1 character"),
        ("--office", "", "at least 1 character"),
    ],
)
def test_what_is_given_wrongly_says_what_was_expected(
    world: World, rsp: Rsp, option: str, value: str, says: str
) -> None:
    words = signing(world, packet_on(world), "rso", "stricter")
    words[words.index(option) + 1] = value
    code, said = rsp(*words)
    assert (code, says in said) == (3, True), said


def test_a_trainers_key_submits_nothing(world: World, rsp: Rsp) -> None:
    words = signing(world, packet_on(world), "rso", "stricter", "--submit")
    words[words.index("--key") + 1] = str(world.folders.trainer)
    code, said = rsp(*words)
    assert (code, "may not sign this" in said) == (3, True)


class Headings(HTMLParser):
    found: list[str]

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append(tag)


def test_a_report_and_a_packet_are_printed_or_written_as_a_page(
    world: World, rsp: Rsp, tmp_path: Path
) -> None:
    report = report_on(world)
    opine(world, report, "disagree", reason="<b>no</b>")
    closed = signing_off.close_packet(world.desk, report)
    assert closed is not None
    for digest in (report, closed[0], closed[0][:20], closed[0].removeprefix("sha256:")):
        code, said = rsp("packet", digest)
        assert (code, said.startswith("# Capability Report: checkpoint run-1/x4\n")) == (0, True)
        page = tmp_path / "page.html"
        code, said = rsp("packet", digest, "--html", str(page))
        assert code == 0
        assert said.startswith(f"{page}: ")
    record = world.state.expect(closed[0], r.Packet)
    assert page.read_bytes() == get_blob(world.store, record.page.blob)
    tags = Headings()
    tags.found = []
    tags.feed(page.read_text())
    assert "table" in tags.found
    assert "b" not in tags.found
    assert "&lt;b&gt;no&lt;/b&gt;" in page.read_text()


def test_what_is_shown_to_nobody_is_not_printed(world: World, rsp: Rsp, tmp_path: Path) -> None:
    for digest, says in (
        (newest_verdict(world), "expected a capability_report, safeguards_report, packet,"),
        ("sha256:" + "0" * 64, "0 of the"),
        ("", "records begin with ''"),
    ):
        code, said = rsp("packet", digest)
        assert (code, says in said) == (3, True), said
    review = world.propose(changed(world.policy, lambda plain: plain.update(version="1.1")))
    code, said = rsp("packet", review, "--html", str(tmp_path / "page.html"))
    assert (code, "has no page" in said) == (3, True)
    code, said = rsp("packet", report_on(world), "--html", str(tmp_path / "no" / "page.html"))
    assert (code, "cannot be used" in said) == (3, True)


def test_permits_are_listed_with_what_they_are_good_for(world: World, rsp: Rsp) -> None:
    code, said = rsp("permit", "list")
    (genesis,) = said.splitlines()
    assert (code, "training" in genesis, "MACHINE, SIMULATED" in genesis) == (0, True, True)
    training = permitted(world)
    world.pass_time(seconds=1)
    packet = packet_on(world, purpose=Scope.DEPLOYMENT)
    sign_all(world, packet)
    deployment = digest_of(permit_on(world, packet))
    lines = rsp("permit", "list")[1].splitlines()
    assert [line.split()[:3] for line in lines] == [
        [digest.removeprefix("sha256:")[:12], purpose, RUN]
        for digest, purpose in zip(
            world.state.runs[RUN].permits, ("training", "training", "deployment"), strict=True
        )
    ]
    assert ["no more" in line for line in lines] == [True, False, False]
    assert all("SIGNED, SIMULATED" in line for line in lines[1:])
    for about in (training, deployment):
        world.now = datetime.now(UTC)
        code, said = rsp(*signing(world, about, "rso", "revoke", "--submit"))
        assert code == 0
        chained(world, said)
    lines = rsp("permit", "list")[1].splitlines()
    assert ["no more" in line for line in lines] == [True, True, True]


def test_a_permit_is_verified_on_the_command_line(world: World, rsp: Rsp) -> None:
    (checkpoint,) = world.state.runs[RUN].checkpoints.values()
    words = ("permit", "verify", "--digest", checkpoint.digest)
    assert rsp(*words)[0] == 1
    packet = packet_on(world, purpose=Scope.DEPLOYMENT)
    sign_all(world, packet)
    permit_on(world, packet)
    code, said = rsp(*words, "--json")
    found = json.loads(said)
    assert (code, found["admitted"], found["permit"] is not None) == (0, True, True)
    code, said = rsp(*words, "--trust-root", str(world.folders.trust_root))
    assert (code, said.startswith("ADMITTED: ")) == (0, True)
    assert rsp("permit", "verify", "--digest", "x")[0] == 3
