"""The weight-theft drill: how long from an intruder's read until it is seen, locked, reported."""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.adapters.bootstrap import KeyFolders
from include.adapters.drilling import DrillCall, DrillFailed, Step, steps
from include.adapters.ledger import LedgerReader, write_record
from include.adapters.signing import KeyFile
from include.adapters.stamp import code_stamp
from include.rsp import records as r
from include.rsp.canonical import digest_bytes, short
from toylab.drill_parts import Lab, chained_at, drill_name, reader_of, simulated_officer
from toylab.monitor import Follower
from toylab.switches import write_json
from toylab.weights import HONEYPOTS, LOG
from toylab.weights_client import ask

SETTINGS = {"surfaces", "officers", "detect_seconds"}
LOCKED = 423
HONEYPOT_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Scene:
    """What the drill is played with."""

    call: DrillCall
    lab: Lab
    folder: Path
    honeypot: str
    offices: Sequence[str]
    keys: Sequence[KeyFile]

    def try_with(self, action: str, keys: Sequence[KeyFile]) -> tuple[int, str]:
        """(HTTP status, what was answered)."""
        try:
            status, content = ask(self.lab.url, action, self.honeypot, keys)
        except (OSError, http.client.HTTPException) as error:
            raise DrillFailed(f"The keeper of the weights does not answer: {error!r}.") from error
        return status, content[:200].decode(errors="replace")

    def access(self) -> datetime | None:
        """When the log has the honeypot's being read."""
        for event in Follower(self.lab.home / LOG).new_events():
            if (event.get("name"), event.get("allowed")) == (self.honeypot, True):
                return datetime.fromisoformat(str(event["at"]))
        return None

    def alert(self) -> dict[str, Any] | None:
        """What the watcher says of the honeypot."""
        alerts = self.lab.get("/weights/alerts").plain.get("alerts", [])
        return next((one for one in alerts if one.get("name") == self.honeypot), None)


def scene_of(call: DrillCall, reader: LedgerReader) -> Scene:
    """The running keeper, unlocked, and two officers' SIMULATED keys.

    Raises:
        DrillFailed: something of it is missing.
    """
    lab = Lab.of(call)
    state = lab.get("/weights/state")
    if state.status != http.client.OK or "folder" not in state.plain:
        raise DrillFailed(f"No keeper of weights: {state}. Start toylab.surfaces with --weights.")
    if state.plain.get("locked"):
        raise DrillFailed(f"The weights are locked already: {state.plain['locked']}.")
    offices = call.settings.get("officers", ["rso", "ceo"])
    if not isinstance(offices, list) or len(set(offices)) != 2:
        raise DrillFailed(f"The drill's setting 'officers' is {offices!r} (expected two offices).")
    keys = [simulated_officer(call, reader, one) for one in offices]
    name = f"archive-{secrets.token_hex(3)}/weights.npz"
    return Scene(call, lab, Path(str(state.plain["folder"])), name, offices, keys)


@contextlib.contextmanager
def honeypot(scene: Scene) -> Iterator[str]:
    """Fake weights among the real ones, gone again with the block; yields their digest."""
    path, listed = scene.folder / scene.honeypot, scene.lab.home / HONEYPOTS
    before = json.loads(listed.read_bytes()) if listed.exists() else []
    content = secrets.token_bytes(HONEYPOT_BYTES)
    path.parent.mkdir()
    try:
        write_json(listed, [*before, scene.honeypot])  # first the alarm, then the bait
        path.write_bytes(content)
        yield digest_bytes(content)
    finally:
        path.unlink(missing_ok=True)
        path.parent.rmdir()
        write_json(listed, before)


@steps(
    "planted", "one-person-refused", "read-by-intruder", "detected", "locked",
    "next-read-refused", "incident-written", "incident-chained", "unlocked-by-two",
)  # fmt: skip
def weight_theft(call: DrillCall) -> Iterator[Step]:
    """Fake weights are planted, and read by a process with the keys of two people.

    Settings: `surfaces` (path of the service's surfaces.json, else TOYLAB_SURFACES),
    `officers` (rso, ceo), `detect_seconds` (10).
    """
    call.check(SETTINGS)
    reader = reader_of(call)
    scene = scene_of(call, reader)
    with honeypot(scene) as digest:
        yield Step("planted", f"{HONEYPOT_BYTES} random bytes as {scene.honeypot}")
        status, said = scene.try_with("read", scene.keys[:1])
        refused = status == http.client.FORBIDDEN
        yield Step("one-person-refused", f"HTTP {status} {said}", done=refused)
        yield from _stolen(scene, digest)
        yield from _reported(scene, reader)
    status, said = scene.try_with("unlock", scene.keys)
    who = " and ".join(scene.offices)
    note = f"by the {who} (SIMULATED): HTTP {status} {said}"
    yield Step("unlocked-by-two", note, done=status == http.client.OK)


def _stolen(scene: Scene, digest: str) -> Iterator[Step]:
    """The read, and what stands in its way afterwards; times are the keeper's own."""
    seconds = scene.call.number("detect_seconds", 10.0)
    with tempfile.TemporaryDirectory(prefix="drill-") as loot:
        got = _intrude(scene, Path(loot) / "weights.npz")
    if got != digest:
        raise DrillFailed("What the intruder got is not the honeypot.")
    read = scene.call.wait("the read in the access log", scene.access)
    note = f"a process with two stolen keys (SIMULATED) got {HONEYPOT_BYTES} bytes"
    yield Step("read-by-intruder", note, at=read)
    alert = scene.call.wait("an alert of the honeypot", scene.alert, seconds=seconds)
    yield Step("detected", str(alert["why"]), at=datetime.fromisoformat(alert["at"]))

    def locked() -> dict[str, Any] | None:
        found = scene.lab.get("/weights/state").plain.get("locked")
        return found if isinstance(found, dict) and "at" in found else None

    lock = scene.call.wait("a lock on the weights", locked, seconds=seconds)
    yield Step("locked", "by the watcher", at=datetime.fromisoformat(str(lock["at"])))
    status, said = scene.try_with("read", scene.keys)
    yield Step("next-read-refused", f"HTTP {status} {said}", done=status == LOCKED)


def _intrude(scene: Scene, loot: Path) -> str:
    """The digest of what a process of its own gets."""
    keys = [KeyFolders(scene.call.keys).officer(one) for one in scene.offices]
    command = [
        *(sys.executable, "-m", "toylab.weights_client", "read"),
        *("--url", scene.lab.url, "--name", scene.honeypot, "--out", str(loot)),
        *(word for key in keys for word in ("--key", str(key))),
    ]
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, timeout=max(1.0, scene.call.seconds_left)
        )
    except subprocess.TimeoutExpired as error:
        raise DrillFailed("The intruder was not answered in time.") from error
    if done.returncode != 0:
        raise DrillFailed(f"The intruder got nothing: {done.stderr[-300:].decode()!r}")
    return digest_bytes(loot.read_bytes())


def _reported(scene: Scene, reader: LedgerReader) -> Iterator[Step]:
    """An incident record. It names a run that is nobody's, so that no run is assessed for it."""
    now, run_id = datetime.now(UTC), drill_name(scene.call, "weight-theft")
    record = r.Incident(
        at=now, by="toylab.drills weight_theft", stamp=code_stamp(), run_id=run_id,
        category="theft", known_at=now,
        what=f"DRILL (SIMULATED): {scene.honeypot} was read with two stolen keys",
    )  # fmt: skip
    digest = write_record(reader.store, record)
    yield Step(
        "incident-written", f"{short(digest)}, for the run {run_id} that is nobody's", at=now
    )
    at = scene.call.wait("the incident in the ledger", lambda: chained_at(reader, digest))
    yield Step("incident-chained", "by the notary's signed ledger entry", at=at)
