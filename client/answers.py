"""What a gate answers: the orders that it verified, the codes, and what to do about each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final


class Code(StrEnum):
    """Why a gate said yes or no."""

    PERMITTED = "permitted"
    UNREADABLE = "unreadable"
    NO_PERMIT = "no_permit"
    REVOKED = "revoked"
    NO_LEASE = "no_lease"
    CLOCK_BEHIND = "clock_behind"
    LEASE_EXPIRED = "lease_expired"
    HELD = "held"
    CEILING = "ceiling"
    PERMIT_EXPIRED = "permit_expired"


NEXT_STEP: Final[dict[Code, str]] = {
    Code.PERMITTED: "go on",
    Code.UNREADABLE: "check the mount or the mirror's copy job, then the trust root you were given",
    Code.NO_PERMIT: "announce the run, and see that the notary runs (rsp status)",
    Code.REVOKED: "read the revocation's reason (rsp log) and ask for a new assessment",
    Code.NO_LEASE: "wait some seconds; if it stays, look at the notary's log",
    Code.CLOCK_BEHIND: "set this machine's clock (NTP) and ask again",
    Code.LEASE_EXPIRED: "see that the notary runs and that the mirror is being copied",
    Code.HELD: "acknowledge the hold; only people release it (DAG release_hold)",
    Code.CEILING: "publish the checkpoint that is due, and wait for its assessment",
    Code.PERMIT_EXPIRED: "ask for a new assessment of this checkpoint",
}


@dataclass(frozen=True, slots=True)
class Order:
    """A verified permit, hold or revocation; `body` is the notary's record."""

    digest: str
    ledger_index: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether to go on, up to which FLOP, when an assessment is due, and why not.

    `lease_seconds_left` counts from when the gate answered and is 0 when no lease was good.
    """

    allowed: bool
    code: Code
    reason: str
    ceiling_flop: float = 0.0
    due_flop: float = 0.0
    hold: Order | None = None
    lease_expires_at: datetime | None = None
    lease_seconds_left: float = 0.0

    @property
    def next_step(self) -> str:
        """What the operator should do."""
        return NEXT_STEP[self.code]

    def __str__(self) -> str:
        """Code, reason and next step on one line."""
        reason = " ".join(self.reason.split())
        return f"[{self.code}] {reason} Next: {self.next_step}."
