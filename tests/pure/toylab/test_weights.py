"""The keeper of the weights: two people, every time, and a watcher that locks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.adapters.signing import KeyFile
from include.rsp.attestation import statement_about
from include.rsp.canonical import iso
from include.rsp.vocabulary import KeyRole
from toylab import weights
from toylab.json_http import Asked, Reply
from toylab.weights import HONEYPOTS, LOCK, LOG, PREDICATE, Keeper, authorise

NAME = "run-1/x001/weights.npz"


@dataclass(slots=True)
class House:
    """A keeper with one file, two officers, and a stranger."""

    root: Path
    keys: dict[str, KeyFile] = field(init=False)
    keeper: Keeper = field(init=False)

    def __post_init__(self) -> None:
        self.keys = {
            one: KeyFile.create(self.root / f"{one}.pem")
            for one in ("rso", "ceo", "rso-2", "stranger")
        }
        (self.root / "weights/run-1/x001").mkdir(parents=True)
        (self.root / "weights" / NAME).write_bytes(b"the weights")
        (self.root / "secret").write_bytes(b"not the weights")
        self.restart()

    def restart(self) -> None:
        """As a new process would be."""
        holders = {"rso": "ann", "ceo": "bob", "rso-2": "ann"}
        people = [
            self.keys[one].entry(KeyRole.OFFICER, holder, office=one)
            for one, holder in holders.items()
        ]
        self.keeper = Keeper(self.root, (self.root / "weights").resolve(), people)
        self.keeper.watch()

    def sign(self, who: str, **changes: Any) -> dict[str, Any]:
        given = {"action": "read", "name": NAME, "request": "request-1"} | changes
        return authorise(self.keys[who], **given).model_dump(mode="json")

    def say(self, who: str, **changes: Any) -> dict[str, Any]:
        """Something else in a person's signature."""
        now = iso(datetime.now(UTC))
        said = {"action": "read", "name": NAME, "request": "request-1", "at": now} | changes
        predicate = said.pop("predicate", PREDICATE)
        payload = statement_about(predicate, [("file", "sha256:" + "0" * 64)], said)
        return self.keys[who].sign(payload).model_dump(mode="json")

    def ask(self, authorisations: object, *, action: str = "read", name: str = NAME) -> Reply:
        body = {"name": name, "authorisations": authorisations}
        return self.keeper.answer(Asked("POST", f"/weights/{action}", {}, body))

    def both(self, **changes: Any) -> list[dict[str, Any]]:
        return [self.sign("rso", **changes), self.sign("ceo", **changes)]

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(one) for one in (self.root / LOG).read_text().splitlines()]

    def bait(self, name: str = NAME) -> None:
        (self.root / HONEYPOTS).write_text(json.dumps([name]))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_two_people_read_and_it_is_logged(house: House) -> None:
    reply = house.ask(house.both())
    assert (reply.status, reply.body) == (200, b"the weights")
    (line,) = house.log()
    assert (line["allowed"], line["by"], line["name"]) == (True, ["ann", "bob"], NAME)


def later(**by: float) -> str:
    return iso(datetime.now(UTC) + timedelta(**by))


Given = Callable[[House], object]
DENIED: dict[str, tuple[Given, str]] = {
    "nobody": (lambda h: [], "0 authorisations"),
    "nothing": (lambda h: None, "0 authorisations"),
    "one": (lambda h: [h.sign("rso")], "1 authorisations"),
    "three": (lambda h: [*h.both(), h.sign("rso-2")], "3 authorisations"),
    "one twice": (lambda h: [h.sign("rso"), h.sign("rso")], "both authorisations are of ann"),
    "one in two offices": (lambda h: [h.sign("rso"), h.sign("rso-2")], "are of ann"),
    "a stranger": (lambda h: [h.sign("rso"), h.sign("stranger")], "may not sign this"),
    "another file": (lambda h: [h.sign("rso"), h.sign("ceo", name="x")], "not both to read"),
    "two requests": (lambda h: [h.sign("rso"), h.sign("ceo", request="request-2")], "one request"),
    "to unlock": (lambda h: h.both(action="unlock"), "not both to read"),
    "old": (lambda h: [h.sign("rso"), h.say("ceo", at=later(seconds=-61))], "last minute"),
    "ahead": (lambda h: [h.sign("rso"), h.say("ceo", at=later(seconds=5))], "last minute"),
    "another thing": (lambda h: [h.sign("rso"), h.say("ceo", predicate="urn:x")], "was signed"),
    "more said": (lambda h: [h.sign("rso"), h.say("ceo", more=1)], "does not count"),
    "no envelope": (lambda h: [h.sign("rso"), {"payload": 3}], "does not count"),
    "forged": (
        lambda h: [h.sign("rso"), h.sign("ceo") | {"payload": h.say("ceo", name="y")["payload"]}],
        "does not fit",
    ),
}


@pytest.mark.parametrize("what", list(DENIED))
def test_anything_else_is_denied_and_logged(house: House, what: str) -> None:
    given, because = DENIED[what]
    reply = house.ask(given(house))
    assert reply.status == 403
    assert because in str(reply.body)
    (line,) = house.log()
    assert (line["allowed"], because in line["why"]) == (False, True)
    assert house.ask(house.both()).status == 200, "the right way is still open"


def test_authorisations_are_used_once_also_after_a_restart(house: House) -> None:
    both = house.both()
    assert house.ask(both).status == 200
    assert "used before" in str(house.ask(both).body)
    house.restart()
    assert "used before" in str(house.ask(both).body)


@pytest.mark.parametrize("name", ["../secret", "nowhere.npz", "run-1", ""])
def test_only_files_of_the_folder_are_read(house: House, name: str) -> None:
    reply = house.ask(house.both(name=name), name=name)
    assert (reply.status, "no file of the weights" in str(reply.body)) == (403, True)


def test_a_link_out_of_the_folder_leads_nowhere(house: House) -> None:
    (house.root / "weights/link").symlink_to(house.root / "secret")
    assert house.ask(house.both(name="link"), name="link").status == 403


def test_a_honeypot_that_is_read_locks_everything_until_two_people_open(house: House) -> None:
    house.bait()
    assert house.ask(house.both()).status == 200
    house.keeper.watch()
    (alert,) = house.keeper.alerts
    assert "ann" in alert["why"]
    assert house.ask(house.both(request="request-2")).status == 423
    assert house.ask([house.sign("rso", action="unlock")], action="unlock").status == 423
    both = house.both(action="unlock", request="request-3")
    assert house.ask(both, action="unlock").status == 200
    house.keeper.watch()
    assert house.ask(house.both(request="request-4"), name=NAME).status == 200


def test_a_lock_and_an_unseen_theft_outlive_the_process(house: House) -> None:
    house.bait()
    house.ask(house.both())
    house.restart()  # before anybody watched
    assert house.ask(house.both(request="request-2")).status == 423
    (house.root / HONEYPOTS).unlink()
    house.restart()
    assert house.ask(house.both(request="request-2")).status == 423


def test_a_theft_that_was_dealt_with_does_not_lock_again(house: House) -> None:
    house.bait()
    house.ask(house.both())
    house.keeper.watch()
    house.ask(house.both(action="unlock", request="request-2"), action="unlock")
    house.restart()
    assert house.ask([], name=NAME).status == 403, "denied, but not locked"


def test_a_denied_read_of_the_honeypot_locks_nobody_out(house: House) -> None:
    house.bait()
    house.ask([house.sign("rso")])
    house.keeper.watch()
    assert house.keeper.alerts == []
    assert house.ask([]).status == 403


def test_a_full_disk_keeps_nothing_open(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    house.bait()
    house.ask(house.both())
    monkeypatch.setattr(weights, "write_json", full)
    with pytest.raises(OSError, match="No space"):
        house.keeper.watch()
    assert house.ask(house.both(request="request-2")).status == 423


def test_without_a_watcher_nothing_is_given_out(house: House) -> None:
    for watched in (None, datetime.now(UTC) - timedelta(seconds=6)):
        house.keeper.watched = watched
        reply = house.ask(house.both())
        assert (reply.status, "nobody watches" in str(reply.body)) == (403, True)


def test_what_cannot_be_logged_is_not_given_out(house: House) -> None:
    (house.root / LOG).mkdir()
    reply = house.ask(house.both())
    assert reply.status == 503
    assert b"the weights" not in (reply.body if isinstance(reply.body, bytes) else b"")


@pytest.mark.parametrize("content", ["{", "[]", "null"])
def test_a_lock_that_does_not_read_is_a_lock(house: House, content: str) -> None:
    (house.root / LOCK).write_text(content)
    assert house.ask(house.both()).status == 423


def test_its_state_and_its_alerts_are_told(house: House) -> None:
    told: Sequence[Reply] = [
        house.keeper.answer(Asked("GET", f"/weights/{one}", {}, {})) for one in ("state", "alerts")
    ]
    state, alerts = (one.body for one in told)
    assert isinstance(state, dict)
    assert state["locked"] is None
    assert alerts == {"alerts": []}
    assert house.keeper.answer(Asked("GET", "/weights/read", {}, {})).status == 404
