"""`python -m toylab.train`: the trainer as a process."""

from __future__ import annotations

import argparse
from pathlib import Path

from client.envelopes import Sealer, TrustedKeys
from client.gate import TrainingGate
from toylab.trainer import Trainer, Workplace


def main() -> int:
    """Train under the permits of a store; exit code 3 when nobody lets the run go on."""
    parser = argparse.ArgumentParser(prog="toylab.train", description=__doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True, help="the trainer's private key")
    parser.add_argument("--trust-root", type=Path, required=True)
    parser.add_argument("--run-id", default="toy-run-1")
    parser.add_argument("--linger", type=float, default=0.0, help="seconds from due to ceiling")
    parser.add_argument("--give-up-after", type=float, help="seconds without leave; then exit 3")
    options = parser.parse_args()
    gate = TrainingGate(
        store=options.store,
        run_id=options.run_id,
        keys=TrustedKeys.read(options.trust_root),
        sealer=Sealer(options.key),
    )
    place = Workplace(
        run_id=options.run_id,
        checkpoints=options.checkpoints,
        state=options.state,
        linger=options.linger,
        give_up_after=options.give_up_after,
    )
    return Trainer(gate, place).run()


if __name__ == "__main__":
    raise SystemExit(main())
