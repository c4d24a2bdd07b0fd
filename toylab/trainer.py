"""The laboratory's trainer: trains for real, and only as far as its permit and lease reach.

It asks before each stretch, looks for orders every few steps, obeys a hold at the next checkpoint
boundary with its state saved, acknowledges it, and goes on when a new permit releases it. With
nobody answering it stops by itself: at the ceiling, or when the lease runs out.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from client.gate import Answer, Order, TrainingGate
from client.publish import MANIFEST_NAME, Declared, publish
from toylab.training import BASE_STEPS, FLOP_PER_STEP, Training

MILESTONES = (1, 4, 16, 32, 64, 128)
LOOK_EVERY_STEPS = 4
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
    _refused_since: float | None = None
    _last_code: str = ""
    _hold_seen: tuple[str, int] | None = None

    def __post_init__(self) -> None:
        self.place.state.mkdir(parents=True, exist_ok=True)
        saved = self._saved
        self.training = Training.load_state(saved) if saved.exists() else Training()

    @property
    def _saved(self) -> Path:
        return self.place.state / "training.npz"

    def run(self) -> int:
        """Train to the last milestone; 0 when it is reached, 3 when nobody let the run go on."""
        self.gate.announce()
        self._say("started", linger=self.place.linger)
        last = MILESTONES[-1] * BASE_STEPS
        while self.training.step < last:
            target = self._next_boundary()
            answer = self.gate.may_continue(self._flop_at(target))
            if answer.allowed:
                self._go(target, answer)
            elif not self._wait(answer):
                return 3
        self._say("finished")
        return 0

    def _next_boundary(self) -> int:
        step = self.training.step
        boundary = (step // BASE_STEPS + 1) * BASE_STEPS
        ahead = [one * BASE_STEPS for one in MILESTONES if one * BASE_STEPS > step]
        return min(boundary, *ahead)

    def _flop_at(self, step: int) -> float:
        return FLOP_PER_STEP * step

    def _go(self, target: int, answer: Answer) -> None:
        """Train to a boundary, unless the lease runs out on the way."""
        if self._last_code:
            self._say("resumed", after=self._last_code)
            self._last_code, self._refused_since, self._hold_seen = "", None, None
        while self.training.step < target:
            begun, steps = time.monotonic(), min(LOOK_EVERY_STEPS, target - self.training.step)
            self.training.advance(steps)
            seconds = self._seconds_for(steps, answer)
            time.sleep(max(0.0, seconds - (time.monotonic() - begun)))
            answer = self.gate.may_continue(self._flop_at(target))
            if answer.hold is not None:
                self._see(answer.hold)
            if not answer.allowed and answer.code != "held":
                break  # the lease ran out: stop here, not at the boundary
        self._save()

    def _seconds_for(self, steps: int, answer: Answer) -> float:
        """How long these steps should take: nothing, or slowly once an assessment is due."""
        stretch = answer.ceiling_flop - answer.due_flop
        if not answer.allowed or self.training.flop < answer.due_flop or stretch <= 0:
            return 0.0
        return self.place.linger * steps * FLOP_PER_STEP / stretch

    def _see(self, hold: Order) -> None:
        if self._hold_seen is None or self._hold_seen[0] != hold.digest:
            self._hold_seen = (hold.digest, self.training.step)
            self._say("order_seen", hold=hold.digest)

    def _save(self) -> None:
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

    def _wait(self, answer: Answer) -> bool:
        """Stand still and say why; False once it has waited long enough to give up."""
        now = time.monotonic()
        code = "held" if answer.hold is not None else answer.code
        if code != self._last_code:
            self._save()
            self._say("waiting", code=code, reason=answer.reason)
            self._last_code = code
        if answer.hold is not None:
            self._acknowledge(answer.hold)
        if self._refused_since is None:
            self._refused_since = now
        patience = self.place.give_up_after
        if patience is not None and now - self._refused_since > patience:
            self._say("gave_up", code=answer.code, reason=answer.reason)
            return False
        time.sleep(POLL_SECONDS)
        return True

    def _acknowledge(self, hold: Order) -> None:
        milestones = [one for one in MILESTONES if one * BASE_STEPS <= self.training.step]
        sent = self.gate.acknowledge(
            hold,
            state="stopped at a checkpoint boundary, training state saved",
            last_step=self.training.step,
            last_flop=self.training.flop,
            last_checkpoint=self._digest(milestones[-1]) if milestones else None,
        )
        if sent:
            seen = self._hold_seen[1] if self._hold_seen else self.training.step
            steps = self.training.step - seen
            self._say("acknowledged", hold=hold.digest, steps_from_order_to_stop=steps)

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
