"""`TrainingLoop`: the gate around a training loop, with state saved before anything is claimed.

It asks at every boundary and at intervals. An order is obeyed at the next checkpoint boundary,
a lease that runs out at once, by a clock that cannot be set back. It saves, then acknowledges.
Nothing in it raises into a training step but what the step's own code raises.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from client.answers import Answer, Code
from client.gate import State, TrainingGate
from client.pace import Pace
from client.stops import Seen, Stop, TrainingStopped

OBEYED_AT_A_BOUNDARY = frozenset({Code.HELD, Code.REVOKED, Code.UNREADABLE})
"""Mid-stretch these leave a lease that was good; the run goes on at most to the lease's end."""


def to_stderr(line: str) -> None:
    """Tell the operator."""
    sys.stderr.write(f"redline: {line}\n")
    sys.stderr.flush()


class TrainingLoop:
    """Use as a context manager around the loop; ask `may_go_on` before every step.

    Args:
        gate: the run's gate.
        save: saves all that an exact resumption needs; called exactly once for each stop.
        ask_every: seconds between two questions inside a stretch.
        wait_for_boundary: False obeys an order before the next step, not at the next boundary.
        margin: seconds kept free before the lease's end, beside the length of a step.
        agree: makes all ranks decide alike, for example by a broadcast; called once for each
            question with this rank's wish, it returns everybody's.
        last_checkpoint: the digest of the checkpoint that the run went on from.
        tell: gets one line for the operator at each change.
        raise_on_stop: raise `TrainingStopped` from `may_go_on` once a stop is complete.
    """

    def __init__(
        self,
        gate: TrainingGate,
        *,
        save: Callable[[], object],
        ask_every: float = 2.0,
        wait_for_boundary: bool = True,
        margin: float = 0.0,
        agree: Callable[[bool], bool] = bool,
        last_checkpoint: str | None = None,
        tell: Callable[[str], object] = to_stderr,
        raise_on_stop: bool = False,
    ) -> None:
        self.stops: list[Stop] = []
        self.acknowledged: list[str] = []
        self.answer: Answer | None = None
        self._gate = gate
        self._save = save
        self._wait_for_boundary = wait_for_boundary
        self._agree = agree
        self._tell_line = tell
        self._raise_on_stop = raise_on_stop
        self._pace = Pace(gate.monotonic, ask_every=ask_every, margin=margin)
        self._seen: Seen | None = None
        self._moving = self._at_boundary = False
        self._allowed_to = 0.0
        self._step, self._flop = 0, 0.0
        self._checkpoint = last_checkpoint
        self._stood = "stands still since its start, the state it started from is untouched"
        self._save_error: Exception | None = None
        self._told: Code | None = None

    @property
    def order(self) -> Answer | None:
        """The refusal that a moving run obeys at its next boundary: make that boundary soon."""
        return self._seen.answer if self._seen is not None else None

    def may_go_on(self, *, step: int, flop: float, next_flop: float) -> bool:
        """Whether to train the next step.

        `step` and `flop` are what is spent, `next_flop` is the effective compute at the next
        boundary. True lets it go on. False: it has stopped, its state is saved, the hold is
        answered; asking again later may let it go on again, with a fresh True.

        Raises:
            TrainingStopped: it stopped, and `raise_on_stop` was set.
        """
        self._step, self._flop = step, flop
        self._pace.step_ended()
        wish = self._wishes_to_go_on(flop if next_flop < flop else next_flop)
        agreed = bool(self._agree(wish))  # asked whatever the wish is: all ranks wait in it
        if wish and agreed:
            self._moving = True
            self._heartbeat("training")
            self._pace.step_begins()
            return True
        answer = None if wish else self.answer
        self._stop_or_stand(answer)
        self._heartbeat("idle")
        if self._raise_on_stop:
            stop = self.stops[-1] if self.stops else self._stop_of(answer)
            raise TrainingStopped(stop) from self._save_error
        return False

    def checkpointed(self, *, step: int, flop: float, digest: str | None = None) -> None:
        """Say that a boundary was reached with a checkpoint written; `digest` is its manifest's."""
        self._step, self._flop = step, flop
        self._pace.step_ended()
        self._at_boundary = True
        self._checkpoint = digest or self._checkpoint

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]:
        """Send the last heartbeat; a failure of `save` is raised here, no other error is hidden."""
        if error is None and self._moving and self._seen is not None:
            self._stop(self._seen.answer)
        self._heartbeat("stopped")
        if self._save_error is not None and (error is None or isinstance(error, TrainingStopped)):
            raise self._save_error
        return False

    def _wishes_to_go_on(self, next_flop: float) -> bool:
        boundary = self._at_boundary or not self._moving or not next_flop <= self._allowed_to
        if not boundary and not self._pace.is_time_to_ask():
            return True
        self.answer = answer = self._gate.may_continue(next_flop)
        self._pace.asked(answer)
        if answer.allowed and self._pace.fits_the_lease():
            self._go(next_flop)
            return True
        if answer.allowed:
            self.answer = self._pace.too_short(answer)
        return not boundary and self._may_finish_stretch(self.answer)

    def _go(self, next_flop: float) -> None:
        if self._told is not None:
            self._tell(f"goes on at step {self._step}")
        self._told = self._seen = None
        self._at_boundary, self._allowed_to = False, next_flop

    def _may_finish_stretch(self, answer: Answer) -> bool:
        if answer.code not in OBEYED_AT_A_BOUNDARY or not self._wait_for_boundary:
            return False
        self._see(answer)
        return self._pace.fits_the_lease()

    def _see(self, answer: Answer) -> None:
        """Note when an order was first visible; a hold matters more than what hides it."""
        if self._seen is None:
            self._seen = Seen(answer, self._gate.clock(), self._step)
            left = self._pace.seconds_left()
            self._tell(f"stops at the next boundary, at the latest in {left:.1f} s: {answer}")
            self._told = answer.code
        elif answer.hold is not None or self._seen.answer.hold is None:
            self._seen.answer = answer

    def _stop_or_stand(self, answer: Answer | None) -> None:
        if self._moving:
            self._stop(answer)
        elif answer is not None:
            if answer.code != self._told:
                self._tell(f"stands still at step {self._step}: {answer}")
                self._told = answer.code
            self._acknowledge(answer)

    def _stop(self, answer: Answer | None) -> None:
        """Save, then say so: exactly once for each stop."""
        if answer is not None and answer.code in OBEYED_AT_A_BOUNDARY and self._seen is None:
            self._seen = Seen(answer, self._gate.clock(), self._step)
        stop = self._stop_of(answer)
        self._moving = False
        self._heartbeat("idle")
        where = "at a checkpoint boundary" if self._at_boundary else "between checkpoint boundaries"
        try:
            self._save()
            self._stood, self._save_error = f"stopped {where}, training state saved", None
        except Exception as error:  # noqa: BLE001 - raised again when the loop is left
            self._stood, self._save_error = f"stopped, state NOT saved: {error!r}", error
        self.stops.append(stop)
        for one in (self._seen.answer if self._seen else None, answer):
            if one is not None:
                self._acknowledge(one)
        self._tell(f"{self._stood} at step {self._step}: {answer or 'as other ranks asked'}")
        self._told, self._seen = answer.code if answer else None, None

    def _stop_of(self, answer: Answer | None) -> Stop:
        seen, now = self._seen, self._gate.clock()
        orders = (answer, seen.answer if seen is not None else None)
        hold = next((one.hold for one in orders if one is not None and one.hold), None)
        return Stop(
            code=answer.code if answer is not None else None,
            reason=answer.reason if answer is not None else "another rank asked for it",
            step=self._step,
            flop=self._flop,
            order_seen_at=seen.at if seen is not None else None,
            stopped_at=now,
            steps_after_order=self._step - seen.step if seen is not None else 0,
            lease_expires_at=self._pace.lease_expires_at,
            hold=hold.digest if hold is not None else None,
        )

    def _acknowledge(self, answer: Answer) -> None:
        hold = answer.hold
        if hold is None or self._gate.has_answered(hold):
            return
        sent = self._gate.acknowledge(
            hold,
            state=self._stood,
            last_step=self._step,
            last_flop=self._flop,
            last_checkpoint=self._checkpoint,
        )
        if sent:
            self.acknowledged.append(hold.digest)
        elif not self._gate.has_answered(hold):
            self._tell(f"could not acknowledge the hold: {self._gate.last_problem}")

    def _heartbeat(self, state: State) -> None:
        self._gate.heartbeat(state=state, step=self._step, flop=self._flop)

    def _tell(self, line: str) -> None:
        with contextlib.suppress(Exception):
            self._tell_line(f"{self._gate.run_id} {line}")
