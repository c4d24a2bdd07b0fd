"""A PyTorch loop behind the gate, on one process or on many (torchrun).

    torchrun --nproc-per-node 2 -m client.examples.pytorch_loop --store MIRROR --run RUN \\
        --trust-root trust_root.json --key trainer.pem --state state.pt

Only rank 0 has a gate. Before each step all ranks take part in one `broadcast` of its decision,
so that they stop between the same two steps, and `save` ends with a barrier, so that rank 0
acknowledges only what all have saved. Exit codes: 0 trained to the end, 1 stopped by the gate,
3 without PyTorch.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from client.envelopes import Sealer, TrustedKeys
from client.following import FollowingLoop
from client.gate import TrainingGate
from client.loop import TrainingLoop

STEPS_PER_BOUNDARY = 50


class Job(Protocol):
    """What `train` needs of a model in training; nothing of it is PyTorch's."""

    step: int

    def flop_at(self, step: int) -> float:
        """Effective compute spent after so many steps, in FLOP."""
        ...

    def train_one_step(self) -> None:
        """Forward, backward, optimiser; `step` is one more after it."""
        ...

    def save(self) -> None:
        """Write the checkpoint on every rank, and wait until all have."""
        ...


def train(job: Job, loop: TrainingLoop | FollowingLoop, steps: int) -> bool:
    """Train to that step; False when the gate stopped it before."""
    with loop:
        while job.step < steps:
            boundary = (job.step // STEPS_PER_BOUNDARY + 1) * STEPS_PER_BOUNDARY
            if not loop.may_go_on(
                step=job.step, flop=job.flop_at(job.step), next_flop=job.flop_at(boundary)
            ):
                return False
            job.train_one_step()
            if job.step == boundary:
                job.save()
                loop.checkpointed(step=job.step, flop=job.flop_at(job.step))
    return True


class TorchJob:
    """A linear model on random numbers; model, optimiser and generator are its state."""

    def __init__(self, torch: Any, path: Path, rank: int) -> None:
        self._torch = torch
        self._path = path.with_name(f"{path.name}.{rank}")
        self.step = 0
        torch.manual_seed(0)
        self._model = torch.nn.Linear(16, 1)
        self._optimiser = torch.optim.AdamW(self._model.parameters(), lr=1e-2)
        if self._path.exists():
            state = torch.load(self._path, weights_only=True)
            self._model.load_state_dict(state["model"])
            self._optimiser.load_state_dict(state["optimiser"])
            torch.set_rng_state(state["generator"])
            self.step = int(state["step"])

    def flop_at(self, step: int) -> float:
        """6 FLOP for each parameter and example (Kaplan et al. 2020, section 2.1)."""
        return 6.0 * 17 * 64 * step

    def train_one_step(self) -> None:
        """One step."""
        inputs = self._torch.randn(64, 16)
        loss = (self._model(inputs) - inputs.sum(1, keepdim=True)).square().mean()
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        self.step += 1

    def save(self) -> None:
        """Write beside, move into place, wait for the others."""
        beside = self._path.with_name(f".{self._path.name}")
        state = {
            "model": self._model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "generator": self._torch.get_rng_state(),
            "step": self.step,
        }
        self._torch.save(state, beside)
        beside.replace(self._path)
        if self._torch.distributed.is_initialized():
            self._torch.distributed.barrier()


def as_rank_zero_decides(torch: Any) -> Callable[[bool], bool]:
    """The collective that makes every rank do what rank 0 decided."""

    def agree(wish: bool) -> bool:
        if not torch.distributed.is_initialized():
            return wish
        decision = torch.tensor([int(wish)])
        torch.distributed.broadcast(decision, src=0)
        return bool(decision.item())

    return agree


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
    if importlib.util.find_spec("torch") is None:
        sys.stderr.write("This example needs PyTorch: pip install torch (or see plain_loop.py).\n")
        return 3
    torch: Any = importlib.import_module("torch")
    rank = int(os.environ.get("RANK", "0"))
    if "RANK" in os.environ:
        torch.distributed.init_process_group("gloo")
    job = TorchJob(torch, options.state, rank)
    agree = as_rank_zero_decides(torch)
    loop: TrainingLoop | FollowingLoop
    if rank == 0:
        gate = TrainingGate(
            store=options.store,
            run_id=options.run,
            keys=TrustedKeys.read(options.trust_root),
            sealer=Sealer(options.key),
        )
        gate.announce()
        loop = TrainingLoop(gate, save=job.save, agree=agree)
    else:
        loop = FollowingLoop(save=job.save, agree=agree)
    return 0 if train(job, loop, options.steps) else 1


if __name__ == "__main__":
    raise SystemExit(main())
