"""The keeper of the toy laboratory's weights: reading takes two people, and leaves a trace.

A file that nobody has any business with, the honeypot, lies among the weights. Whoever reads it is
an intruder, whatever keys they have: the watcher of the access log raises an alert and locks all.
Two people open the lock again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from include.adapters.signing import KeyFile, payload_of
from include.rsp.attestation import statement_about
from include.rsp.canonical import Document, Moment, digest_bytes, iso
from include.rsp.errors import DomainError
from include.rsp.record_parts import Envelope, KeyEntry
from toylab.json_http import Asked, Reply
from toylab.monitor import EventLog, Follower, utc_now
from toylab.switches import write_json

LOG = "weights-access.jsonl"
LOCK = "weights-locked.json"
HONEYPOTS = "honeypots.json"
PREDICATE = "urn:toylab:weight-access:1"
GOOD_FOR = timedelta(seconds=60)
PEOPLE = 2
UNWATCHED = timedelta(seconds=5)


class Authorisation(Document):
    """What one person signs: that this file may be read (or the lock opened), once, now."""

    action: str = Field(pattern="^(read|unlock)$")
    name: str
    request: str = Field(min_length=8, description="the same in both; never used twice")
    at: Moment


class Denied(Exception):  # noqa: N818 - an outcome
    """Access is denied; the message is logged and told."""


def authorise(key: KeyFile, *, action: str, name: str, request: str) -> Envelope:
    """One person's signature."""
    said = {"action": action, "name": name, "request": request, "at": iso(datetime.now(UTC))}
    return key.sign(statement_about(PREDICATE, [("file", digest_bytes(name.encode()))], said))


@dataclass(slots=True)
class Keeper:
    """Stands between everybody and the folder of weights."""

    home: Path
    folder: Path
    people: Sequence[KeyEntry]
    alerts: list[dict[str, Any]] = field(default_factory=list)
    log: EventLog = field(init=False)
    watched: datetime | None = None
    _used: set[str] = field(default_factory=set)
    _follower: Follower = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _alarmed: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Requests of an earlier process stay used, and what it may not have seen is seen now."""
        self.log = EventLog(self.home / LOG)
        self._follower = Follower(self.home / LOG)
        earlier = Follower(self.home / LOG).new_events()
        self._used = {str(one.get("request")) for one in earlier}

    @property
    def locked(self) -> dict[str, Any] | None:
        """Why everything is locked, if it is; a lock that does not read is a lock."""
        if self._alarmed is not None:
            return self._alarmed
        try:
            plain = json.loads((self.home / LOCK).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            return {"why": f"the lock does not read: {error}"}
        return plain if isinstance(plain, dict) else {"why": "the lock does not read"}

    def answer(self, asked: Asked) -> Reply:
        """Serve what is below `/weights/`."""
        match (asked.method, asked.path):
            case ("POST", "/weights/read" | "/weights/unlock"):
                return self._act(asked.path.rsplit("/", 1)[1], asked.body)
            case ("GET", "/weights/alerts"):
                return Reply(200, {"alerts": list(self.alerts)})
            case ("GET", "/weights/state"):
                at = iso(self.watched) if self.watched else None
                state = {"folder": str(self.folder), "locked": self.locked, "watched_at": at}
                return Reply(200, state)
        return Reply(404, {"error": f"there is no {asked.method} {asked.path}"})

    def watch(self) -> None:
        """One pass over the access log: a honeypot that was read locks everything.

        It is locked in this process first, so that a full disk does not keep it open.
        """
        alarm = None
        for event in self._follower.new_events():
            if event.get("allowed") is not True:
                continue
            if event.get("action") == "unlock":
                alarm = None
            elif event.get("name") in self._honeypots():
                name, by = event.get("name"), event.get("by")
                why = f"the honeypot {name} was read with the keys of {by}"
                alarm = {"at": utc_now(), "why": why}
                self.alerts.append({**alarm, "name": name})
        if alarm is not None:
            self._alarmed = {**alarm, "at": utc_now()}
            write_json(self.home / LOCK, self._alarmed)
        self.watched = datetime.now(UTC)

    def _honeypots(self) -> list[str]:
        try:
            found = json.loads((self.home / HONEYPOTS).read_bytes())
        except (OSError, ValueError):
            return []
        return [str(one) for one in found] if isinstance(found, list) else []

    def _act(self, action: str, body: dict[str, Any]) -> Reply:
        """Do it if it may be done; what cannot be logged is not done."""
        name = str(body.get("name"))
        try:
            by, request = self._allowed(action, name, body.get("authorisations"))
            content = self._content(name) if action == "read" else b""
            self.log.append(action=action, name=name, allowed=True, by=by, request=request)
        except Denied as error:
            self.log.append(action=action, name=name, allowed=False, why=str(error))
            return Reply(423 if self.locked else 403, {"error": str(error)})
        except OSError as error:
            return Reply(503, {"error": f"the access cannot be logged: {error}"})
        if action == "unlock":
            self._alarmed = None
            (self.home / LOCK).unlink(missing_ok=True)
            return Reply(200, {"unlocked": True})
        return Reply(200, content)

    def _allowed(self, action: str, name: str, given: object) -> tuple[list[str], str]:
        """(who, request) if it may be done.

        Only if (1) the log is being watched and nothing is locked, or it is to unlock; (2) two
        authorisations are given, each signed by an officer; (3) by two people; (4) both for this
        action and file, and for one request; (5) both of the last minute; (6) the request was
        never used before.

        Raises:
            Denied: otherwise.
        """
        if action == "read":  # (1)
            self._refuse_while_locked()
        if not isinstance(given, list) or len(given) != PEOPLE:  # (2)
            count = len(given) if isinstance(given, list) else 0
            raise Denied(f"{count} authorisations (expected {PEOPLE}, of two people)")
        read = [self._authorised(one) for one in given]
        holders = sorted({holder for holder, _ in read})
        if len(holders) != PEOPLE:  # (3)
            raise Denied(f"both authorisations are of {holders[0]} (expected two people)")
        requests = {one.request for _, one in read}
        if {(one.action, one.name) for _, one in read} != {(action, name)} or len(requests) != 1:
            raise Denied(f"the authorisations are not both to {action} {name}, for one request")
        now = datetime.now(UTC)
        if not all(now - GOOD_FOR <= one.at <= now for _, one in read):  # (5)
            raise Denied("an authorisation is not of the last minute")
        (request,) = requests
        with self._lock:  # (6)
            if request in self._used:
                raise Denied("the authorisations were used before")
            self._used.add(request)
        return holders, request

    def _refuse_while_locked(self) -> None:
        if self.watched is None or datetime.now(UTC) - self.watched > UNWATCHED:
            raise Denied("nobody watches the access log; the weights are not given out")
        if self.locked:
            raise Denied(f"the weights are locked: {self.locked['why']}")

    def _authorised(self, given: object) -> tuple[str, Authorisation]:
        try:
            envelope = Envelope.model_validate(given)
            said = json.loads(payload_of(envelope, self.people))
            if said["predicateType"] != PREDICATE:
                raise Denied(f"a {said['predicateType']!r} was signed (expected {PREDICATE!r})")
            keyid = envelope.signatures[0]["keyid"]
            holder = next(one.holder for one in self.people if one.keyid == keyid)
            return holder, Authorisation.model_validate(said["predicate"])
        except (DomainError, ValidationError, ValueError, KeyError, TypeError) as error:
            raise Denied(f"an authorisation does not count: {str(error)[:200]}") from error

    def _content(self, name: str) -> bytes:
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder) or not path.is_file():
            raise Denied(f"{name!r:.99} is no file of the weights")
        return path.read_bytes()
