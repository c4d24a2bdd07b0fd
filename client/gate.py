"""`TrainingGate`: may this run go on to that much effective compute? (DESIGN I2, §9)

The answer is yes only below the ceiling of the newest permit *and* within its lease. Everything
else is no, with the reason and what to do: no permit, an expired lease, a hold, a message that
does not verify, a mirror that cannot be read. If the notary dies, leases stop coming and the
run stops by itself.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from client.envelopes import NotSigned, Sealer, TrustedKeys, opened

CLOCK_TOLERANCE = timedelta(seconds=10)
PERMIT = "urn:redline:permit:1"
LEASE = "urn:redline:lease:1"
HOLD = "urn:redline:hold:1"
TRAINING_RUN = "urn:redline:training-run:1"
ACKNOWLEDGEMENT = "urn:redline:acknowledgement:1"


@dataclass(frozen=True, slots=True)
class Order:
    """A verified permit or hold."""

    digest: str
    ledger_index: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the run may go on, up to which FLOP, when an assessment is due, and why not."""

    allowed: bool
    code: str
    reason: str
    ceiling_flop: float
    due_flop: float
    hold: Order | None


class TrainingGate:
    """One training run's view of what the notary published.

    Args:
        store: the store's directory, or a mirror of its `runs/<run_id>` part.
        run_id: the run.
        keys: the notary's keys (`TrustedKeys.read(trust_root.json)`).
        sealer: the trainer's own key.
        clock: returns the time in UTC; the later of it and the last signed time is used.
        monotonic: seconds of a clock that is never set back.
    """

    def __init__(
        self,
        *,
        store: Path,
        run_id: str,
        keys: TrustedKeys,
        sealer: Sealer,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = store / "runs" / run_id
        self.run_id = run_id
        self._keys = keys
        self._sealer = sealer
        self._clock = clock
        self._monotonic = monotonic
        self._seen_at: dict[str, float] = {}
        self._orders: dict[str, Order] = {}
        self._last_signed: datetime | None = None

    def announce(self) -> None:
        """Announce the run, which asks for its genesis permit; again is harmless."""
        if self._has_announced():
            return
        self._send(TRAINING_RUN, hashlib.sha256(self.run_id.encode()).hexdigest(), {})

    def may_continue(self, to_flop: float) -> Answer:
        """May the run train on until it has spent `to_flop` FLOP of effective compute?

        Yes only if (1) everything there can be read and verifies; (2) there is a permit of this
        run; (3) there is a lease and it has not run out; (4) no hold is newer than the lease;
        (5) the lease names that permit; (6) `to_flop` is not above the permit's ceiling. A hold
        in force is part of every refusal, so that the trainer can acknowledge it.
        """
        try:
            permits, holds = self._read_orders()
            lease = self._newest_lease()
        except (NotSigned, OSError) as error:  # (1)
            return _no("unreadable", f"{error}. Check the mirror at {self._folder}.")
        if not permits:  # (2)
            return _no("no_permit", f"Run {self.run_id!r} has no permit. Is Redline running?")
        seen = int(lease["ledger_index"]) if lease else -1
        hold = next((one for one in reversed(holds) if one.ledger_index > seen), None)
        return self._within(permits[-1], lease, hold, to_flop)

    def _within(
        self, permit: Order, lease: dict[str, Any] | None, hold: Order | None, to_flop: float
    ) -> Answer:
        ceiling = float(permit.body["ceiling_flop"])
        if lease is None:
            return _no("no_lease", "There is no lease beside the permit.", ceiling, hold)
        issued = _time(lease["issued_at"])
        clock = self._clock()
        if issued > clock + CLOCK_TOLERANCE:
            return _no(
                "clock_behind",
                f"This machine's clock says {clock:%H:%M:%S}, the lease was signed at "
                f"{issued:%H:%M:%S}. Correct the clock: it decides when the lease runs out.",
                ceiling,
                hold,
            )
        now = self._later(clock, issued, str(lease["issued_at"]))
        until = min(_time(lease["expires_at"]), _time(permit.body["expires_at"]))
        if now >= until:  # (3)
            return _no(
                "lease_expired",
                f"The lease ran out at {lease['expires_at']}: the notary no longer says that "
                "nothing forbids this run. Stop, and look at Redline.",
                ceiling,
                hold,
            )
        if hold is not None:  # (4)
            return _no("held", f"Held: {hold.body['reason']}", ceiling, hold)
        return _below(permit, lease, to_flop, ceiling)

    def _later(self, clock: datetime, issued: datetime, lease: str) -> datetime:
        """The latest of what the clock says, what was signed, and what has passed since this lease
        was first seen by a clock that nobody can set back.
        """
        ticked = self._monotonic()
        if lease not in self._seen_at:
            self._seen_at = {lease: ticked}
        self._last_signed = max(issued, self._last_signed or issued)
        passed = issued + timedelta(seconds=ticked - self._seen_at[lease])
        return max(clock, self._last_signed, passed)

    def acknowledge(
        self,
        hold: Order,
        *,
        state: str,
        last_step: int,
        last_flop: float,
        last_checkpoint: str | None,
    ) -> bool:
        """Answer a hold: stopped, with what was saved. False when it was answered before."""
        if any(self._acknowledges(path, hold) for path in self._outbox()):
            return False
        body = {
            "state": state,
            "last_step": last_step,
            "last_flop": last_flop,
            "last_checkpoint": last_checkpoint,
        }
        self._send(ACKNOWLEDGEMENT, hold.digest, body)
        return True

    def _read_orders(self) -> tuple[list[Order], list[Order]]:
        folder = self._folder / "orders"
        names = sorted(path.name for path in folder.glob("*.json")) if folder.is_dir() else []
        for name in names:
            if name in self._orders:
                continue
            predicate, keys = (
                (PERMIT, self._keys.permit) if "permit" in name else (HOLD, self._keys.hold)
            )
            digest, body = opened((folder / name).read_bytes(), keys, predicate)
            record = body["record"]
            if record["run_id"] != self.run_id:
                raise NotSigned(f"{name} is for the run {record['run_id']!r}")
            self._orders[name] = Order(digest, int(body["ledger_index"]), record)
        known = sorted(self._orders.items())
        permits = [order for name, order in known if "permit" in name]
        return permits, [order for name, order in known if "hold" in name]

    def _newest_lease(self) -> dict[str, Any] | None:
        folder = self._folder / "leases"
        names = sorted(path.name for path in folder.glob("*.json")) if folder.is_dir() else []
        if not names:
            return None
        _, lease = opened((folder / names[-1]).read_bytes(), self._keys.permit, LEASE)
        if lease["run_id"] != self.run_id:
            raise NotSigned(f"the lease {names[-1]} is for the run {lease['run_id']!r}")
        return lease

    def _outbox(self) -> list[Path]:
        folder = self._folder / "outbox"
        return sorted(folder.glob("*.json")) if folder.is_dir() else []

    def _has_announced(self) -> bool:
        return bool(self._outbox())

    def _acknowledges(self, path: Path, hold: Order) -> bool:
        try:
            subject, _ = opened(path.read_bytes(), [self._sealer.public], ACKNOWLEDGEMENT)
        except NotSigned:
            return False
        return subject == hold.digest

    def _send(self, predicate: str, subject: str, body: dict[str, Any]) -> None:
        stamp = self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        content = self._sealer.seal(predicate, subject, body | {"run_id": self.run_id, "at": stamp})
        folder = self._folder / "outbox"
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{hashlib.sha256(content).hexdigest()}.json"
        beside = folder / f".{secrets.token_hex(8)}"
        beside.write_bytes(content)
        os.replace(beside, target)


def _below(permit: Order, lease: dict[str, Any], to_flop: float, ceiling: float) -> Answer:
    if lease["permit"] != permit.digest:  # (5)
        return _no("no_lease", "The newest permit has no lease yet.", ceiling)
    if to_flop > ceiling:  # (6)
        return _no(
            "ceiling",
            f"{to_flop:.4g} FLOP is above the permit's ceiling of {ceiling:.4g}. Wait for the "
            "assessment that is due.",
            ceiling,
        )
    due = float(permit.body["due_flop"])
    reason = f"below the ceiling of {ceiling:.4g} FLOP; the next assessment is due at {due:.4g}"
    return Answer(True, "permitted", reason, ceiling, due, None)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _no(code: str, reason: str, ceiling: float = 0.0, hold: Order | None = None) -> Answer:
    return Answer(False, code, reason, ceiling, 0.0, hold)
