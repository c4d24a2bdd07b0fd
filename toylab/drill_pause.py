"""The pause drill: how long from an officer's order until the training stands still."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from client.envelopes import Sealer, TrustedKeys
from client.gate import TrainingGate
from include.adapters import answers
from include.adapters.bootstrap import KeyFolders
from include.adapters.drilling import DrillCall, DrillFailed, Step, steps
from include.adapters.heartbeats import newest_heartbeat, read_heartbeat
from include.adapters.ledger import LedgerReader, write_record
from include.adapters.signing import KeyFile
from include.adapters.store import DirectoryStore
from include.rsp.canonical import Digest, short
from include.rsp.errors import DomainError
from toylab.drill_parts import chained_at, drill_name, reader_of, simulated_officer
from toylab.paused_trainer import EVENTS

SETTINGS = {"office", "steps_before", "seconds_per_step", "steps_between_boundaries"}


@dataclass(slots=True)
class Played:
    """The run of one drill."""

    call: DrillCall
    reader: LedgerReader
    run_id: str
    state: Path

    @property
    def store(self) -> Path:
        """The folder that the trainer reads: it is given a directory, or a mirror."""
        if not isinstance(self.reader.store, DirectoryStore):
            raise DrillFailed(
                f"The store is {self.call.store} (expected a folder: the drill's trainer reads it "
                "directly)."
            )
        return self.reader.store.root

    def gate(self) -> TrainingGate:
        """The trainer's gate, to announce the run."""
        folders = KeyFolders(self.call.keys)
        try:
            keys, sealer = TrustedKeys.read(folders.trust_root), Sealer(folders.trainer)
        except (OSError, ValueError, KeyError) as error:
            raise DrillFailed(f"No trainer's key in {self.call.keys}: {error!r}") from error
        return TrainingGate(store=self.store, run_id=self.run_id, keys=keys, sealer=sealer)

    def permit(self) -> Digest | None:
        """The run's genesis permit once it is chained; raises DrillFailed when it is refused."""
        state = self.reader.refresh()
        for refusal in state.refusals.values():
            if refusal.run_id == self.run_id:
                said = f"[{refusal.code}] {refusal.message}"
                raise DrillFailed(f"The notary gives the drill no permit: {said}")
        newest = state.runs[self.run_id].newest_permit if self.run_id in state.runs else None
        return newest[0] if newest else None

    def events(self, name: str) -> list[dict[str, Any]]:
        """What the trainer has told so far, in whole lines."""
        try:
            text = (self.state / EVENTS).read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        lines = map(json.loads, text.rpartition("\n")[0].splitlines())
        return [one for one in lines if one["event"] == name]

    def order(self, office: str, key: KeyFile, permit: Digest) -> tuple[Digest, datetime]:
        """An officer takes the permit back: signed, and written as `rsp sign --submit` does."""
        now = datetime.now(UTC)
        said = answers.said_by(
            "revocation", office=office, choice="revoke", reason="pause drill (SIMULATED)", at=now
        )
        envelope = answers.sign_answer(key, "revocation", permit, said)
        record = answers.signed_record(
            self.reader.state.trust, "revocation", permit, envelope, at=datetime.now(UTC)
        )
        written = datetime.now(UTC)
        return write_record(self.reader.store, record), written

    def stands_still(self, step: int) -> str | None:
        """What the newest signed heartbeat says, once it no longer says that it trains."""
        envelope = newest_heartbeat(self.reader.store, self.run_id, until=datetime.now(UTC))
        if envelope is None:
            return None
        beat = read_heartbeat(self.reader.refresh(), self.run_id, envelope)
        if beat.state == "training" or beat.step != step:
            return None
        return f"state {beat.state!r} at step {beat.step}"


@contextlib.contextmanager
def trainer(played: Played) -> Iterator[subprocess.Popen[bytes]]:
    """The trainer in a process of its own, in this drill's group, ended with the block."""
    folders, call = KeyFolders(played.call.keys), played.call
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "toylab.paused_trainer"),
            *("--store", str(played.store), "--run-id", played.run_id),
            *("--key", str(folders.trainer), "--trust-root", str(folders.trust_root)),
            *("--state", str(played.state)),
            *("--pace", str(call.number("seconds_per_step", 0.1))),
            *("--boundary", str(int(call.number("steps_between_boundaries", 4)))),
        ],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@steps(
    "announced", "permitted", "training", "order-written", "order-chained", "order-seen",
    "last-step", "saved", "stands-still",
)  # fmt: skip
def pause(call: DrillCall) -> Iterator[Step]:
    """A run of its own is permitted, trains, is ordered to stop, and is seen to stand still.

    Settings: `office` whose SIMULATED key gives the order (rso), `steps_before` (4) it,
    `seconds_per_step` (0.1), `steps_between_boundaries` (4).
    """
    call.check(SETTINGS)
    reader, office = reader_of(call), call.text("office", "rso")
    key = simulated_officer(call, reader, office)
    with tempfile.TemporaryDirectory(prefix="drill-") as state:
        played = Played(call, reader, drill_name(call, "pause"), Path(state))
        gate = played.gate()
        if not gate.announce():
            raise DrillFailed(f"The run cannot be announced: {gate.last_problem}")
        yield Step("announced", f"run {played.run_id}, with the trainer's key")
        permit = call.wait("the genesis permit", played.permit)
        yield Step("permitted", f"genesis permit {short(permit)}")
        with trainer(played) as process:
            yield from _stop(played, permit, office, key, process)


def _stop(
    played: Played,
    permit: Digest,
    office: str,
    key: KeyFile,
    process: subprocess.Popen[bytes],
) -> Iterator[Step]:
    call = played.call
    before = int(call.number("steps_before", 4))

    def moving() -> int | None:
        if process.poll() is not None:
            raise DrillFailed("The trainer ended by itself before any order was given.")
        done = len(played.events("step"))
        return done if done >= before else None

    yield Step("training", f"{call.wait(f'{before} training steps', moving)} steps trained")
    order, written = played.order(office, key, permit)
    yield Step(
        "order-written", f"revocation {short(order)} by the {office} (SIMULATED)", at=written
    )
    chained = call.wait("the order in the ledger", lambda: chained_at(played.reader, order))
    yield Step("order-chained", "by the notary's signed ledger entry", at=chained)
    stopped = call.wait("the stop", lambda: played.events("stopped") or None)[-1]
    yield from _seen(played, stopped)


def _seen(played: Played, stopped: dict[str, Any]) -> Iterator[Step]:
    """The trainer's part, by its own times."""
    if stopped["code"] != "revoked" or stopped["seen_at"] is None:
        raise DrillFailed(f"The trainer stopped by itself ({stopped['code']}), not by the order.")
    seen, last = (datetime.fromisoformat(stopped[one]) for one in ("seen_at", "stopped_at"))
    yield Step("order-seen", "by the trainer's client, which verified it", at=seen)
    yield Step(
        "last-step",
        f"step {stopped['step']}, {stopped['steps_after_order']} after the order was seen, with "
        f"{stopped['lease_seconds_left']:.1f} s of its lease left",
        at=last,
    )
    saved = played.events("saved")
    if not saved or saved[-1]["step"] != stopped["step"]:
        raise DrillFailed("The trainer did not save the state that it stopped with.")
    yield Step("saved", "training state", at=datetime.fromisoformat(saved[-1]["at"]))
    try:
        shown = played.call.wait(
            "a heartbeat that shows a standstill", lambda: played.stands_still(stopped["step"])
        )
    except DomainError as error:
        raise DrillFailed(f"The heartbeat of the run does not read: {error}") from error
    note = f"signed heartbeat: {shown}. The protocol has no acknowledgement of a revocation."
    yield Step("stands-still", note)
