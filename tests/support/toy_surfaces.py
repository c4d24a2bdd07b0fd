"""The toy laboratory's service as a process of its own, for tests."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from client.publish import Declared, publish
from tests.support.waiting import eventually
from toylab.training import Training
from toylab.transformer import Transformer

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Running:
    """A service that runs."""

    home: Path
    url: str
    process: subprocess.Popen[bytes]

    def get(self, path: str, **query: str) -> tuple[int, Any]:
        """(status, JSON)."""
        answer = httpx.get(self.url + path, params=query, timeout=10)
        return answer.status_code, answer.json()

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """(status, JSON)."""
        answer = httpx.post(self.url + path, json=body, timeout=10)
        return answer.status_code, answer.json()

    def ask(self, surface: str, prompt: str) -> tuple[int, Any]:
        """A question on a surface."""
        return self.post(f"/{surface}", {"prompt": prompt})


@contextlib.contextmanager
def surfaces(home: Path, *arguments: str) -> Iterator[Running]:
    """Started, waited for, and ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "toylab.surfaces", "--home", str(home), *arguments],
        cwd=PROJECT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    try:
        address = home / "surfaces.json"
        eventually(lambda: address.exists() or process.poll() is not None, 30, every=0.02)
        yield Running(home, json.loads(address.read_text())["url"], process)
    finally:
        process.terminate()
        process.wait(timeout=10)


def checkpoint(folder: Path, model: Transformer | None = None, *, step: int = 16) -> Path:
    """A published checkpoint below a folder; by default of a model that was trained one step."""
    if model is None:
        training = Training()
        training.advance(1)
        model = training.model
    place = folder / "run-1" / f"x{step:03d}"
    place.mkdir(parents=True)
    model.save(place / "weights.npz")
    declared = Declared(
        run_id="run-1",
        checkpoint_id=place.name,
        parent=None,
        step=step,
        training_flop=1.0 * step,
        algorithmic_efficiency=1.0,
        created_at=datetime.now(UTC),
    )
    publish(place, declared, ["weights.npz"], variants={"final": "weights.npz"})
    return place
