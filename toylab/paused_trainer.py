"""`python -m toylab.paused_trainer`: the training run of a pause drill.

The toy model is trained for real, slowly, behind the real client, which is asked before every step
and has a boundary every few. It goes on until somebody stops it, and tells each event in a file.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from client.envelopes import Sealer, TrustedKeys
from client.gate import TrainingGate
from client.loop import TrainingLoop
from toylab.training import FLOP_PER_STEP, Training

EVENTS = "events.jsonl"
POLL_SECONDS = 0.02


@dataclass(slots=True)
class PausedTrainer:
    """One run that is going to be stopped.

    Args:
        pace: the least seconds of a step, so that the permitted compute lasts for the drill.
        boundary: steps between two checkpoint boundaries.
    """

    gate: TrainingGate
    state: Path
    pace: float
    boundary: int

    def run(self) -> int:
        """Train until stopped; 0 once it stands still with its state saved."""
        training = Training()
        loop = TrainingLoop(
            self.gate, save=lambda: self.save(training), ask_every=0.0, tell=lambda _: None
        )
        with loop:
            while not loop.stops:
                ahead = (training.step // self.boundary + 1) * self.boundary
                go = loop.may_go_on(
                    step=training.step, flop=training.flop, next_flop=ahead * FLOP_PER_STEP
                )
                if go:
                    self.train(training, loop)
                elif not loop.stops:
                    time.sleep(POLL_SECONDS)
        (stop,) = loop.stops
        self.tell(
            "stopped",
            code=str(stop.code),
            step=stop.step,
            seen_at=stop.order_seen_at.isoformat() if stop.order_seen_at else None,
            stopped_at=stop.stopped_at.isoformat(),
            steps_after_order=stop.steps_after_order,
            lease_seconds_left=stop.lease_seconds_left,
        )
        return 0

    def train(self, training: Training, loop: TrainingLoop) -> None:
        """One step, and what belongs to a boundary."""
        begun = time.monotonic()
        training.advance(1)
        time.sleep(max(0.0, begun + self.pace - time.monotonic()))
        self.tell("step", step=training.step)
        if training.step % self.boundary == 0:
            loop.checkpointed(step=training.step, flop=training.flop)

    def save(self, training: Training) -> None:
        """All that an exact resumption needs."""
        training.save_state(self.state / "training.npz")
        self.tell("saved", step=training.step)

    def tell(self, event: str, **detail: Any) -> None:
        """A line for the drill."""
        line = {"at": datetime.now(UTC).isoformat(), "event": event, **detail}
        with (self.state / EVENTS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def main() -> int:
    """Train under a store's orders."""
    parser = argparse.ArgumentParser(prog="toylab.paused_trainer", description=__doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--run-id", required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--trust-root", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--pace", type=float, default=0.1)
    parser.add_argument("--boundary", type=int, default=4)
    options = parser.parse_args()
    gate = TrainingGate(
        store=options.store,
        run_id=options.run_id,
        keys=TrustedKeys.read(options.trust_root),
        sealer=Sealer(options.key),
    )
    return PausedTrainer(gate, options.state, options.pace, options.boundary).run()


if __name__ == "__main__":
    raise SystemExit(main())
