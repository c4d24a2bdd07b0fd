"""The laboratory's trainer: trains for real, and only as far as its permit and lease reach.

It asks before each stretch, looks for orders every few steps, obeys a hold at the next checkpoint
boundary with its state saved, acknowledges it, and goes on when a new permit releases it. With
nobody answering it stops by itself: at the ceiling, or when the lease runs out. All of that is
the client's `TrainingLoop`; what is here is training, checkpoints, and an account of events.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from client.gate import TrainingGate
from client.loop import TrainingLoop
from client.publish import MANIFEST_NAME, Declared, publish
from toylab.training import BASE_STEPS, FLOP_PER_STEP, Training

MILESTONES = (1, 4, 16, 32, 64, 128)
LOOK_EVERY_STEPS = 4
LOOK_EVERY_SECONDS = 1.0
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where the trainer keeps its things.

    `linger` is a SETTING OF THE DEMO: the least seconds for the stretch between the compute at
    which an assessment is due and the permit's ceiling, so that training is still moving while
    the assessment runs. 0 trains as fast as it can.
    """

    run_id: str
    checkpoints: Path
    state: Path
    linger: float
    give_up_after: float | None


@dataclass(slots=True)
class Trainer:
    """One training run."""

    gate: TrainingGate
    place: Workplace
    training: Training = field(init=False)
    loop: TrainingLoop = field(init=False)
    _refused_since: float | None = None
    _last_code: str = ""
    _holds_seen: set[str] = field(default_factory=set)
    _told_acknowledged: int = 0

    def __post_init__(self) -> None:
        self.place.state.mkdir(parents=True, exist_ok=True)
        saved = self._saved
        self.training = Training.load_state(saved) if saved.exists() else Training()
        self.loop = self.make_loop()

    def make_loop(self) -> TrainingLoop:
        """The client's loop around this training; it looks whenever it is asked."""
        return TrainingLoop(
            self.gate,
            save=self.save,
            ask_every=0.0,
            last_checkpoint=self._newest_digest(),
            tell=lambda _: None,
        )

    @property
    def _saved(self) -> Path:
        return self.place.state / "training.npz"

    def run(self) -> int:
        """Train to the last milestone; 0 when it is reached, 3 when nobody let the run go on."""
        self.gate.announce()
        self._say("started", linger=self.place.linger)
        last = MILESTONES[-1] * BASE_STEPS
        with self.loop:
            while self.training.step < last:
                target = self._next_boundary()
                if self.may_go_on(target):
                    self.train_towards(target)
                elif not self._wait():
                    return 3
        self._say("finished")
        return 0

    def may_go_on(self, target: int) -> bool:
        """Ask whether to train on to that step, and tell of what has changed."""
        allowed = self.loop.may_go_on(
            step=self.training.step, flop=self.training.flop, next_flop=FLOP_PER_STEP * target
        )
        self._tell_of_orders()
        if allowed and self._last_code:
            self._say("resumed", after=self._last_code)
            self._last_code, self._refused_since = "", None
        return allowed

    def train_towards(self, target: int) -> None:
        """Train some steps; at the boundary write the checkpoint."""
        begun, steps = time.monotonic(), min(LOOK_EVERY_STEPS, target - self.training.step)
        self.training.advance(steps)
        self._linger(begun + self._seconds_for(steps), target)
        if self.training.step == target:
            self.save()
            self.loop.checkpointed(
                step=self.training.step, flop=self.training.flop, digest=self._newest_digest()
            )

    def _linger(self, until: float, target: int) -> None:
        """Take so much longer, but go on asking; whatever stops the run ends it."""
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(LOOK_EVERY_SECONDS, left))
            if left > LOOK_EVERY_SECONDS and not self.may_go_on(target):
                return

    def _next_boundary(self) -> int:
        step = self.training.step
        boundary = (step // BASE_STEPS + 1) * BASE_STEPS
        ahead = [one * BASE_STEPS for one in MILESTONES if one * BASE_STEPS > step]
        return min(boundary, *ahead)

    def _seconds_for(self, steps: int) -> float:
        """How long these steps should take: nothing, or slowly once an assessment is due."""
        answer = self.loop.answer
        if answer is None or not answer.allowed or self.training.flop < answer.due_flop:
            return 0.0
        stretch = answer.ceiling_flop - answer.due_flop
        return self.place.linger * steps * FLOP_PER_STEP / stretch if stretch > 0 else 0.0

    def _tell_of_orders(self) -> None:
        """Tell of a hold once when a run that was moving saw it, on the way or at its boundary."""
        order = self.loop.order
        if order is not None:
            hold = order.hold.digest if order.hold is not None else None
        else:
            hold = self.loop.stops[-1].hold if self.loop.stops else None
        if hold is not None and hold not in self._holds_seen:
            self._holds_seen.add(hold)
            self._say("order_seen", hold=hold)

    def save(self) -> None:
        """Keep the training state; at a milestone publish the checkpoint."""
        beside = self.place.state / f"beside-{self._saved.name}"
        self.training.save_state(beside)
        beside.replace(self._saved)
        multiple, rest = divmod(self.training.step, BASE_STEPS)
        if rest == 0 and multiple in MILESTONES:
            self._publish(multiple)

    def _publish(self, multiple: int) -> None:
        folder = self._folder(multiple)
        if (folder / MANIFEST_NAME).exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        self.training.model.save(folder / "weights.npz")
        earlier = [one for one in MILESTONES if one < multiple]
        parent = self._digest(earlier[-1]) if earlier else None
        declared = Declared(
            run_id=self.place.run_id,
            checkpoint_id=folder.name,
            parent=parent,
            step=self.training.step,
            training_flop=self.training.flop,
            algorithmic_efficiency=1.0,
            created_at=datetime.now(UTC),
        )
        digest = publish(folder, declared, ["weights.npz"], variants={"final": "weights.npz"})
        self._say("checkpoint", checkpoint=folder.name, digest=digest)

    def _folder(self, multiple: int) -> Path:
        return self.place.checkpoints / self.place.run_id / f"x{multiple:03d}"

    def _digest(self, multiple: int) -> str | None:
        manifest = self._folder(multiple) / MANIFEST_NAME
        if not manifest.exists():
            return None
        return "sha256:" + hashlib.sha256(manifest.read_bytes()).hexdigest()

    def _newest_digest(self) -> str | None:
        reached = [one for one in MILESTONES if one * BASE_STEPS <= self.training.step]
        return self._digest(reached[-1]) if reached else None

    def _wait(self) -> bool:
        """Stand still and say why; False once it has waited long enough to give up."""
        answer, now = self.loop.answer, time.monotonic()
        if answer is None:
            raise RuntimeError("The trainer waits although it never asked.")
        code = "held" if answer.hold is not None else str(answer.code)
        if code != self._last_code:
            self._say("waiting", code=code, reason=answer.reason)
            self._last_code = code
        self._tell_of_acknowledgements()
        if self._refused_since is None:
            self._refused_since = now
        patience = self.place.give_up_after
        if patience is not None and now - self._refused_since > patience:
            self._say("gave_up", code=str(answer.code), reason=answer.reason)
            return False
        time.sleep(POLL_SECONDS)
        return True

    def _tell_of_acknowledgements(self) -> None:
        """The two measured figures: from the order's being visible to the stop, and what was left
        of the lease.
        """
        for digest in self.loop.acknowledged[self._told_acknowledged :]:
            stop = next((one for one in self.loop.stops if one.hold == digest), None)
            self._say(
                "acknowledged",
                hold=digest,
                steps_from_order_to_stop=stop.steps_after_order if stop else 0,
                seconds_from_order_to_stop=stop.seconds_after_order if stop else None,
                lease_seconds_left=stop.lease_seconds_left if stop else None,
            )
        self._told_acknowledged = len(self.loop.acknowledged)

    def _say(self, event: str, **detail: Any) -> None:
        line = {
            "at": datetime.now(UTC).isoformat(),
            "event": event,
            "step": self.training.step,
            "flop": self.training.flop,
            **detail,
        }
        with (self.place.state / "events.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)
