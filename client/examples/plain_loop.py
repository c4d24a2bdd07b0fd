"""A plain training loop behind the gate: least squares by gradient descent, state in one file.

    python -m client.examples.plain_loop --store MIRROR --run RUN --trust-root trust_root.json \\
        --key trainer.pem --state state.json

Exit codes: 0 trained to the end, 1 stopped by the gate with its state saved. Start it again when
the operator has done what the last line says: it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from client.envelopes import Sealer, TrustedKeys
from client.gate import TrainingGate
from client.loop import TrainingLoop

FLOP_PER_STEP = 1e6
STEPS_PER_BOUNDARY = 50
POINTS = [(x / 10.0, 3.0 * x / 10.0 + 1.0) for x in range(20)]


@dataclass(slots=True)
class Job:
    """All that an exact resumption needs."""

    step: int = 0
    slope: float = 0.0
    offset: float = 0.0

    @property
    def flop(self) -> float:
        """Effective compute spent, in FLOP."""
        return self.step * FLOP_PER_STEP

    @property
    def next_boundary(self) -> float:
        """Effective compute at the next checkpoint boundary, in FLOP."""
        boundary = (self.step // STEPS_PER_BOUNDARY + 1) * STEPS_PER_BOUNDARY
        return boundary * FLOP_PER_STEP

    def train_one_step(self) -> None:
        """One step of gradient descent."""
        errors = [(self.slope * x + self.offset - y, x) for x, y in POINTS]
        self.slope -= 0.1 * sum(error * x for error, x in errors) / len(errors)
        self.offset -= 0.1 * sum(error for error, _ in errors) / len(errors)
        self.step += 1

    def save(self, path: Path) -> None:
        """Write beside, then move into place."""
        beside = path.with_name(f".{path.name}")
        beside.write_text(json.dumps(asdict(self)))
        beside.replace(path)


def train(job: Job, gate: TrainingGate, state: Path, steps: int) -> bool:
    """Train to that step; False when the gate stopped it before."""
    with TrainingLoop(gate, save=lambda: job.save(state), ask_every=0.5) as loop:
        while job.step < steps:
            if not loop.may_go_on(step=job.step, flop=job.flop, next_flop=job.next_boundary):
                return False
            job.train_one_step()
            if job.step % STEPS_PER_BOUNDARY == 0 or loop.order is not None:
                job.save(state)
                loop.checkpointed(step=job.step, flop=job.flop)
    job.save(state)
    return True


def main() -> int:
    """Train; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--trust-root", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    gate = TrainingGate(
        store=options.store,
        run_id=options.run,
        keys=TrustedKeys.read(options.trust_root),
        sealer=Sealer(options.key),
    )
    gate.announce()
    state: Path = options.state
    job = Job(**json.loads(state.read_text())) if state.exists() else Job()
    finished = train(job, gate, state, options.steps)
    sys.stdout.write(f"step {job.step}: y = {job.slope:.3f} x + {job.offset:.3f}\n")
    return 0 if finished else 1


if __name__ == "__main__":
    raise SystemExit(main())
