"""What both gates share: bounded calls that never raise, and the signed messages they send."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from client.answers import Answer, Code, Order
from client.bounded import TimeLimit
from client.envelopes import NotSigned, Sealer, TrustedKeys
from client.mailbox import ACKNOWLEDGEMENT, Mailbox
from client.signed_time import SignedTime


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


class Correspondent:
    """One run's view of what the notary published, and its answers to it.

    Args:
        store: the store's directory, or a mirror of its `runs/<run_id>` part.
        run_id: the run.
        keys: the notary's keys (`TrustedKeys.read(trust_root.json)`).
        sealer: the own key; without it nothing can be sent.
        clock: returns the time in UTC; the later of it and the last signed time is used.
        monotonic: seconds of a clock that is never set back.
        seconds: how long one call may take, all its reading and writing included.

    Raises:
        ValueError: the run id could name a path.
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
    ) -> None:
        self.run_id = run_id
        self.clock = clock
        self.monotonic = monotonic
        self._mailbox = Mailbox(Path(store), run_id, keys)
        self._sealer = sealer
        self._time = SignedTime(clock, monotonic)
        self._limit = TimeLimit(seconds, f"the mirror {self._mailbox.folder}")
        self._answered: set[str] = set()
        self._problems: dict[str, str] = {}

    @property
    def last_problem(self) -> str:
        """Why announcements, heartbeats or acknowledgements fail; empty when none does."""
        return "; ".join(self._problems.values())

    def has_answered(self, hold: Order) -> bool:
        """Whether this gate knows that the hold was acknowledged; looks nothing up."""
        return hold.digest in self._answered

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        """The answer, within the time limit; whatever goes wrong is `unreadable`."""
        try:
            return self._limit.run(question)
        except (NotSigned, OSError) as error:
            reason = f"{error}."
        except Exception as error:  # noqa: BLE001 - a training step must not die of the gate
            reason = f"The gate met what it did not expect: {error!r}."
        return Answer(
            False, Code.UNREADABLE, f"{reason} Check the mirror at {self._mailbox.folder}."
        )

    def _attempt(self, what: str, work: Callable[[], bool]) -> bool:
        """Whether it was done, within the time limit; the reason is kept in `last_problem`."""
        try:
            done = self._limit.run(work)
        except Exception as error:  # noqa: BLE001 - a training step must not die of the gate
            self._problems[what] = f"{what}: {error or type(error).__name__} ({error!r})"
            return False
        self._problems.pop(what, None)
        return done

    def _answer_hold(self, hold: Order, body: dict[str, Any]) -> bool:
        """Send an acknowledgement unless one was sent. Runs under the time limit."""
        if hold.digest in self._answered:
            return False
        own = self._key().public
        known = self._mailbox.has_sent(ACKNOWLEDGEMENT, own, hold.digest)
        if not known:
            self._mailbox.send(self._sealed(ACKNOWLEDGEMENT, hold.digest, body))
        self._answered.add(hold.digest)
        return not known

    def _sealed(
        self, predicate: str, subject: str, body: dict[str, Any], at: datetime | None = None
    ) -> bytes:
        stamp = (at or self.clock()).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return self._key().seal(predicate, subject, body | {"run_id": self.run_id, "at": stamp})

    def _key(self) -> Sealer:
        if self._sealer is None:
            raise ValueError(
                f"no key to sign with (expected the trainer's private key, for {self.run_id!r}); "
                "give the gate a sealer, or the command line --key"
            )
        return self._sealer
