"""`DeploymentGate`: may this checkpoint be deployed? Asked by whoever serves the weights.

The answer is yes only under a deployment permit for that very checkpoint. There is no lease: a
deployment is bounded by the permit's expiry, and ended by a hold or a revocation.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from client.answers import Answer, Code, Order
from client.correspondent import Correspondent
from client.mailbox import Orders

NOT_DEPLOYMENT = frozenset({"training"})


class DeploymentGate(Correspondent):
    """One run's deployments; for the arguments see `Correspondent`."""

    def may_deploy(self, checkpoint_digest: str) -> Answer:
        """May the checkpoint with that manifest digest (`sha256:…`) be deployed?

        Yes only if (1) everything there can be read in time and verifies; (2) there is a
        deployment permit for that checkpoint; (3) the newest is not revoked; (4) it has not
        expired by the later of the clock and the last signed time; (5) no hold on deployment or
        weights has a newer ledger index. Never raises.
        """
        return self._ask(lambda: self._decide(checkpoint_digest))  # (1)

    def acknowledge(self, hold: Order, *, state: str, measures: Sequence[str] = ()) -> bool:
        """Answer a hold: what was done to the deployment. True when it was sent now.

        False when it was answered before, or could not be sent: then `last_problem` says why.
        """
        told = f"{state}; measures: {', '.join(measures)}" if measures else state
        body = {"state": told, "last_step": 0, "last_flop": 0.0, "last_checkpoint": None}
        return self._attempt("acknowledgement", lambda: self._answer_hold(hold, body))

    def _decide(self, checkpoint: str) -> Answer:
        orders = self._mailbox.orders()
        permit = next((one for one in reversed(orders.permits) if _is_for(one, checkpoint)), None)
        seen = permit.ledger_index if permit else -1
        hold = orders.hold_after(seen, other_scopes=NOT_DEPLOYMENT)
        if permit is None:  # (2)
            reason = f"Run {self.run_id!r} has no deployment permit for {checkpoint}."
            return Answer(False, Code.NO_PERMIT, reason, hold=hold)
        revocation = orders.revocation_of(permit)
        if revocation is not None:  # (3)
            reason = f"The permit was revoked: {revocation.body['reason']}"
            return Answer(False, Code.REVOKED, reason, hold=hold)
        until = datetime.fromisoformat(permit.body["expires_at"])
        if self._now(orders) >= until:  # (4)
            reason = f"The deployment permit ran out at {until:%Y-%m-%dT%H:%M:%SZ}."
            return Answer(False, Code.PERMIT_EXPIRED, reason, hold=hold)
        if hold is not None:  # (5)
            return Answer(False, Code.HELD, f"Held: {hold.body['reason']}", hold=hold)
        return Answer(True, Code.PERMITTED, f"permitted until {until:%Y-%m-%dT%H:%M:%SZ}")

    def _now(self, orders: Orders) -> datetime:
        """By the newest of the clock, the orders and the training leases."""
        lease = self._mailbox.newest_lease()
        leased = datetime.fromisoformat(lease["issued_at"]) if lease else None
        signed = [one for one in (orders.signed_at(), leased) if one is not None]
        return self._time.now(max(signed, default=None))


def _is_for(permit: Order, checkpoint: str) -> bool:
    purpose = permit.body.get("purpose", "training")
    return purpose == "deployment" and bool(permit.body["checkpoint"] == checkpoint)
