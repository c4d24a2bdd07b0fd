"""Many short histories of one Redline: a World with its store in memory, begun from a copy.

The notary is the real one. What it would meet outside (Airflow, a trainer, people with keys) is
here, and can be made to lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from client.envelopes import Sealer
from include.adapters import answers, bootstrap
from include.adapters.ledger import LedgerReader, write_record
from include.adapters.process_evaluator import ProcessEvaluator
from include.adapters.rederivation import RuleBook
from include.adapters.signing import KeyFile
from include.adapters.stamp import code_stamp
from include.adapters.witness import Recalled
from include.notary.notary import Notary
from include.rsp import human_tasks
from include.rsp import records as r
from include.rsp.canonical import canonical_bytes, digest_bytes, iso
from include.rsp.errors import Refused
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Identification, KeyRole
from include.wiring.desk import Desk
from tests.support.memory_store import MemoryStore
from tests.support.world import OFFICE_USERS, RUN, World

DOUBLES = {"ceo-by-rso": ("ceo", "simulated-rso"), "rso-by-trainer": ("rso", "trainer"),
           "second-by-ceo": ("second-line", "simulated-ceo"),
           "ceo-by-author": ("ceo", "simulated-author")}  # fmt: skip
"""Keys of persons who may not use them together with another: (office, holder)."""
STRANGER = "stranger"
ACKNOWLEDGEMENT = "urn:redline:acknowledgement:1"
HEARTBEAT = "urn:redline:heartbeat:1"
ANNOUNCEMENT = "urn:redline:training-run:1"


@cache
def key_file(path: Path) -> KeyFile:
    """A key, read once."""
    return KeyFile(path)


def crowded_trust_root(root: Path, offices: list[str], at: datetime) -> None:
    """Write a trust root in which some people have keys of two offices, before a World begins."""
    folders = bootstrap.KeyFolders(root / "keys")
    trust = bootstrap.make_trust_root(folders, offices, simulated=True, at=at, users=OFFICE_USERS)
    keys = [
        KeyFile.create(folders.officer(name)).entry(
            KeyRole.OFFICER, holder, office=office, simulated=True
        )
        for name, (office, holder) in DOUBLES.items()
    ]
    for name in (STRANGER, "ltbt"):  # keys that the trust root may not know
        KeyFile.create(folders.officer(name))
    more = trust.model_copy(update={"keys": [*trust.keys, *keys]})
    folders.trust_root.write_bytes(canonical_bytes(more))


@dataclass(slots=True)
class FakeAirflow:
    """A witness that says what it was told to say."""

    tasks: dict[tuple[str, str], Recalled] = field(default_factory=dict)
    open_to_all: bool = False

    def recall(self, said: r.AirflowAnswer) -> Recalled:
        """What was answered."""
        if self.open_to_all:
            raise Refused("all_admins", "It answers without an account.")
        found = self.tasks.get((said.dag_run_id, said.task_id))
        if found is None:
            raise Refused("not_answered", "Nobody answered; a mark by hand is no answer.")
        return found


def cloned(value: Any) -> Any:
    """A copy that shares only what cannot change (records)."""
    if isinstance(value, dict):
        return {key: cloned(one) for key, one in value.items()}
    if isinstance(value, set):
        return set(value)
    if is_dataclass(value) and not isinstance(value, type) and hasattr(value, "__slots__"):
        made = copy(value)
        if isinstance(value, BaseModel) or value.__dataclass_params__.frozen:
            return value
        for one in fields(value):
            setattr(made, one.name, cloned(getattr(value, one.name)))
        return made
    return value


class SharedReader(LedgerReader):
    """A desk's reader that looks at the notary's own state, after a pass if anything is new."""

    def __init__(self, history: History) -> None:
        super().__init__(history.store)
        self.history = history

    def refresh(self) -> LedgerState:
        """Let the notary work where there is something new, then look."""
        return self.history.settle()


class History(World):
    """One history, begun from a World that is left as it was."""

    def __init__(self, begun: World, root: Path) -> None:
        self.root, self.now = root, begun.now
        self.policy, self.suite, self.folders = begun.policy, begun.suite, begun.folders
        self.store = MemoryStore.copy_of(begun.store)
        self.airflow = FakeAirflow()
        self.notary = self._new_notary(begun.notary.rulebook)
        self.notary.reader.state = cloned(begun.notary.reader.state)
        self.notary._settled = set(begun.notary._settled)
        self.notary._published = begun.notary._published
        self.notary._leases = dict(begun.notary._leases)
        self.looked_at: tuple[int, datetime] | None = None
        self.desk = Desk(
            store=self.store,
            checkpoints=root / "checkpoints",
            jobs=ProcessEvaluator(root / "jobs"),
            clock=lambda: self.now,
            notary_seconds=0.0,
            author="test",
        )
        self.desk.reader = SharedReader(self)
        self.desk.rulebook = self.notary.rulebook

    def _new_notary(self, rulebook: RuleBook | None) -> Notary:
        keys = {
            role: key_file(self.folders.notary / f"{role.value}.pem")
            for role in bootstrap.NOTARY_KEYS
        }
        made = Notary(store=self.store, keys=keys, clock=lambda: self.now, witness=self.airflow)
        if rulebook is not None:
            made.rulebook._known = rulebook._known
        return made

    def settle(self) -> LedgerState:
        """Let the notary take a pass if anything was written or time passed."""
        seen = (self.store.writes, self.now)
        while self.looked_at != seen:
            self.notary.step()
            self.looked_at, seen = seen, (self.store.writes, self.now)
        return self.notary.reader.state

    def kill_notary(self) -> None:
        """A fresh notary over the same store."""
        before = self.notary.reader.state
        assert before.trust is not None
        self.notary = self._new_notary(self.notary.rulebook)
        self.notary.open(before.trust)
        assert self.notary.reader.state.head == before.head
        self.desk.rulebook, self.looked_at = self.notary.rulebook, None
        self.settle()

    def pass_time(self, **duration: float) -> None:
        """Move the clock and let the notary look at it."""
        self.now += timedelta(**duration)
        self.settle()

    def brought(self, record: r.Record) -> str:
        """Bring a record in; what becomes of it: `chained`, or the code of the refusal."""
        digest = write_record(self.store, record)
        state = self.settle()
        if digest in state.index_of:
            return "chained"
        return state.expect(state.refused[digest], r.Refusal).code

    def signed_answer(
        self, kind: str, about: str, office: str, choice: str, *, key: str, at: datetime,
        **more: Any,
    ) -> r.AnyAnswer:  # fmt: skip
        """An answer as anybody could write it, signed with whatever key they have."""
        said = answers.said_by(
            kind, office=office, choice=choice, reason=more.pop("reason", "so"), at=at, **more
        )
        envelope = answers.sign_answer(key_file(self.folders.officer(key)), kind, about, said)
        plain = self._written(kind, about, said, by=DOUBLES[key][1] if key in DOUBLES else None)
        plain |= {"identification": Identification.SIGNED, "envelope": envelope, "attested": None}
        return answers.KINDS[kind].model_validate(plain)

    def clicked_answer(
        self, kind: str, about: str, office: str, choice: str, *, user: str, at: datetime,
        typed: Mapping[str, Any], **more: Any,
    ) -> r.AnyAnswer:  # fmt: skip
        """An answer in the fake Airflow, and the record that a task would write of it."""
        option = human_tasks.option_for(kind, choice, about)
        task, params = human_tasks.task_for(kind, office), {"reason": "so", **typed}
        said = r.AirflowAnswer(
            dag_id="assess_checkpoint", dag_run_id=f"run-{about[7:19]}", task_id=task, user=user,
            options=[option], params=params,
        )  # fmt: skip
        self.airflow.tasks[said.dag_run_id, task] = Recalled(
            user=user, answered_at=at, options=[option], params=dict(params), assigned=[user]
        )
        body = {"office": office, "choice": choice, "reason": "so", "signed_at": iso(at)}
        plain = self._written(kind, about, {**body, **typed, **more})
        plain |= {"identification": Identification.ATTESTED, "envelope": None, "attested": said}
        return answers.KINDS[kind].model_validate(plain)

    def _written(
        self, kind: str, about: str, said: Mapping[str, Any], by: str | None = None
    ) -> dict[str, Any]:
        return {
            "kind": kind, **said, "at": self.now, "by": by or f"simulated-{said['office']}",
            "stamp": code_stamp(), "about": {"record": about}, "simulated": True,
        }  # fmt: skip

    def trainer_says(
        self,
        predicate: str,
        subject: str,
        body: Mapping[str, Any],
        *,
        run_id: str = RUN,
        at: datetime | None = None,
    ) -> None:
        """A message of the trainer, as the client would write it."""
        said = {**body, "run_id": run_id, "at": iso(at or self.now)}
        content = sealer(self.folders.trainer).seal(predicate, subject, said)
        if predicate == HEARTBEAT:
            name = f"heartbeats/{self.now:%Y%m%dT%H%M%S%fZ}"
            if self.store.get(f"runs/{run_id}/{name}.json") is not None:
                return
        else:
            name = "outbox/" + digest_bytes(content).removeprefix("sha256:")
        self.store.put_new(f"runs/{run_id}/{name}.json", content)
        self.settle()


@cache
def sealer(path: Path) -> Sealer:
    """The trainer's key, read once."""
    return Sealer(path)


def altered(one: Recalled, how: str, now: datetime) -> Recalled | None:
    """What Airflow says after somebody has been at a task."""
    changes: dict[str, dict[str, Any]] = {
        "answered again": {"answered_at": now + timedelta(seconds=1)},
        "by another user": {"user": "mallory"},
        "asked of all": {"assigned": [one.user, "mallory"]},
        "another option": {"options": ["Stricter: nothing goes on (0000000000000000)"]},
        "another reason": {"params": {**one.params, "reason": "no"}},
    }
    return None if how == "cleared" else replace(one, **changes[how])
