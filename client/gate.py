"""`TrainingGate`: may this run go on to that much effective compute? (DESIGN I2, §9)

The answer is yes only below the ceiling of the newest permit *and* within its lease. Everything
else is no, with the reason and what to do: no permit, an expired lease, a hold, a message that
does not verify, a mirror that cannot be read. If the notary dies, leases stop coming and the
run stops by itself. No call takes longer than its limit, and none raises.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from client.answers import Answer, Code, Order
from client.correspondent import Correspondent, utc_now
from client.envelopes import Sealer, TrustedKeys
from client.mailbox import ACKNOWLEDGEMENT, HEARTBEAT, HOLD, LEASE, PERMIT, TRAINING_RUN

__all__ = ["ACKNOWLEDGEMENT", "HOLD", "LEASE", "PERMIT", "Answer", "Order", "TrainingGate"]

CLOCK_TOLERANCE = timedelta(seconds=10)
NOT_TRAINING = frozenset({"deployment", "weights"})
State = Literal["training", "idle", "stopped"]


class TrainingGate(Correspondent):
    """One training run's gate; for the arguments see `Correspondent`.

    Args:
        heartbeat_every: least seconds between two heartbeats of the same state.
    """

    def __init__(
        self,
        *,
        store: Path,
        run_id: str,
        keys: TrustedKeys,
        sealer: Sealer | None = None,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        seconds: float = 5.0,
        heartbeat_every: float = 2.0,
    ) -> None:
        super().__init__(
            store=store,
            run_id=run_id,
            keys=keys,
            sealer=sealer,
            clock=clock,
            monotonic=monotonic,
            seconds=seconds,
        )
        self._heartbeat_every = heartbeat_every
        self._last_stamp: datetime | None = None
        self._last_beat: tuple[State, float, bool] | None = None

    def announce(self) -> bool:
        """Announce the run, which asks for its genesis permit; again is harmless.

        False when it could not be done: `last_problem` says why, and so does `no_permit`.
        """
        return self._attempt("announcement", self._announce)

    def may_continue(self, to_effective_compute: float) -> Answer:
        """May the run train on until it has spent that much effective compute, in FLOP?

        Yes only if (1) everything there can be read in time and verifies; (2) there is a training
        permit of this run; (3) the newest is not revoked; (4) there is a lease and it has not run
        out; (5) no training hold is newer than the lease; (6) the lease names that permit;
        (7) the compute is not above the permit's ceiling. A hold in force is part of every
        refusal, so that the trainer can acknowledge it. Never raises.
        """
        return self._ask(lambda: self._decide(to_effective_compute))  # (1)

    def acknowledge(
        self,
        hold: Order,
        *,
        state: str,
        last_step: int,
        last_flop: float,
        last_checkpoint: str | None,
    ) -> bool:
        """Answer a hold: stopped, with what was saved. True when it was sent now.

        False when it was answered before, or could not be sent: then `last_problem` says why.
        """
        body = {
            "state": state,
            "last_step": last_step,
            "last_flop": last_flop,
            "last_checkpoint": last_checkpoint,
        }
        return self._attempt("acknowledgement", lambda: self._answer_hold(hold, body))

    def heartbeat(self, *, state: State, step: int, flop: float) -> bool:
        """Say that the run is alive, and what it does. Never raises.

        True when it was written. Within `heartbeat_every` seconds of the last attempt with the
        same state nothing is tried, and the last outcome stands. False when it could not be
        written: then `last_problem` says why.
        """
        last, now = self._last_beat, self.monotonic()
        if last is not None and last[0] == state and now - last[1] < self._heartbeat_every:
            return last[2]
        body = {"state": state, "step": step, "flop": flop}
        written = self._attempt("heartbeat", lambda: self._beat(body))
        self._last_beat = (state, now, written)
        return written

    def _announce(self) -> bool:
        if not self._mailbox.has_sent(TRAINING_RUN, self._key().public, f"sha256:{self._subject}"):
            self._mailbox.send(self._sealed(TRAINING_RUN, self._subject, {}))
        return True

    def _beat(self, body: dict[str, Any]) -> bool:
        at = self.clock().astimezone(UTC)
        if self._last_stamp is not None:  # names stay apart and in order when the clock does not
            at = max(at, self._last_stamp + timedelta(microseconds=1))
        self._last_stamp = at
        content = self._sealed(HEARTBEAT, self._subject, body, at)
        name = f"{at:%Y%m%dT%H%M%S%fZ}.json"
        self._mailbox.write("heartbeats", name, content, durable=False)
        return True

    @property
    def _subject(self) -> str:
        return hashlib.sha256(self.run_id.encode()).hexdigest()

    def _decide(self, wanted: float) -> Answer:
        orders = self._mailbox.orders()
        lease = self._mailbox.newest_lease()
        permits = [one for one in orders.permits if _purpose(one) == "training"]
        seen = int(lease["ledger_index"]) if lease else -1
        hold = orders.hold_after(seen, other_scopes=NOT_TRAINING)
        if not permits:  # (2)
            failed = f" {self.last_problem}." if self.last_problem else ""
            reason = f"Run {self.run_id!r} has no permit. Is Redline running?{failed}"
            return Answer(False, Code.NO_PERMIT, reason, hold=hold)
        permit = permits[-1]
        ceiling = float(permit.body["ceiling_flop"])
        revocation = orders.revocation_of(permit)
        if revocation is not None:  # (3)
            reason = f"The permit was revoked: {revocation.body['reason']}"
            return Answer(False, Code.REVOKED, reason, ceiling, hold=hold)
        if lease is None:
            reason = "There is no lease beside the permit."
            return Answer(False, Code.NO_LEASE, reason, ceiling, hold=hold)
        return self._within(permit, lease, hold, wanted)

    def _within(
        self, permit: Order, lease: dict[str, Any], hold: Order | None, wanted: float
    ) -> Answer:
        ceiling = float(permit.body["ceiling_flop"])
        issued, clock = _time(lease["issued_at"]), self.clock()
        if issued > clock + CLOCK_TOLERANCE:
            reason = (
                f"This machine's clock says {clock:%H:%M:%S}, the lease was signed at "
                f"{issued:%H:%M:%S}. Correct the clock: it decides when the lease runs out."
            )
            return Answer(False, Code.CLOCK_BEHIND, reason, ceiling, hold=hold)
        now = self._time.now(issued)
        until = min(_time(lease["expires_at"]), _time(permit.body["expires_at"]))
        if now >= until:  # (4)
            reason = (
                f"The lease ran out at {until:%Y-%m-%dT%H:%M:%SZ}: the notary no longer says that "
                "nothing forbids this run. Stop, and look at Redline."
            )
            return Answer(False, Code.LEASE_EXPIRED, reason, ceiling, hold=hold)
        left = (until - now).total_seconds()
        if hold is not None:  # (5)
            reason = f"Held: {hold.body['reason']}"
            return Answer(False, Code.HELD, reason, ceiling, 0.0, hold, until, left)
        if lease["permit"] != permit.digest:  # (6)
            return Answer(False, Code.NO_LEASE, "The newest permit has no lease yet.", ceiling)
        if not wanted <= ceiling:  # (7); written so that NaN is refused
            reason = (
                f"{wanted:.4g} FLOP is above the permit's ceiling of {ceiling:.4g}. Wait for the "
                "assessment that is due."
            )
            return Answer(False, Code.CEILING, reason, ceiling)
        due = float(permit.body["due_flop"])
        reason = f"below the ceiling of {ceiling:.4g} FLOP; the next assessment is due at {due:.4g}"
        return Answer(True, Code.PERMITTED, reason, ceiling, due, None, until, left)


def _purpose(permit: Order) -> str:
    return str(permit.body.get("purpose", "training"))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
