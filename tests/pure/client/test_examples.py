"""The examples run as processes against really signed messages, and stop as they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.examples import plain_loop, pytorch_loop
from client.gate import ACKNOWLEDGEMENT
from client.loop import TrainingLoop
from client.mailbox import HEARTBEAT
from tests.pure.client.mirror import RUN, Mirror

ROOT = Path(__file__).resolve().parents[3]
PROLOG = ROOT / "client/examples/slurm_prolog.sh"


@pytest.fixture
def present(mirror: Mirror) -> Mirror:
    """The mirror, in the present: the processes read this machine's clock."""
    mirror.now = datetime.now(UTC)
    return mirror


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def example(mirror: Mirror, name: str, state: Path) -> list[str]:
    return [
        *(sys.executable, "-m", f"client.examples.{name}"),
        *("--store", str(mirror.store), "--run", RUN),
        *("--trust-root", str(mirror.trust_root), "--key", str(mirror.trainer_key)),
        *("--state", str(state)),
    ]


def test_the_plain_loop_stops_at_its_ceiling_and_goes_on_from_its_state(
    present: Mirror, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    present.permit(100 * plain_loop.FLOP_PER_STEP)
    stopped = run(example(present, "plain_loop", state))
    assert stopped.returncode == 1, stopped.stderr
    assert json.loads(state.read_text())["step"] == 100
    assert "[ceiling]" in stopped.stderr
    assert "Next: publish the checkpoint that is due" in stopped.stderr
    present.now = datetime.now(UTC)
    present.permit(1000 * plain_loop.FLOP_PER_STEP)
    finished = run(example(present, "plain_loop", state))
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.startswith("step 200: y = 2.9")
    assert present.sent("heartbeats", HEARTBEAT)[-1]["state"] == "stopped"


def test_the_plain_loop_obeys_a_hold_with_its_state_saved(mirror: Mirror, tmp_path: Path) -> None:
    class Held(plain_loop.Job):
        def train_one_step(self) -> None:
            super().train_one_step()
            if self.step == 60:
                mirror.hold()

    mirror.permit(1e12)
    state, job = tmp_path / "state.json", Held()
    assert not plain_loop.train(job, mirror.gate(), state, 200)
    assert json.loads(state.read_text())["step"] == job.step == 100
    (message,) = mirror.sent("outbox", ACKNOWLEDGEMENT)
    assert message["last_step"] == 100
    assert message["state"] == "stopped at a checkpoint boundary, training state saved"


def test_the_pytorch_example_says_that_it_needs_pytorch(present: Mirror, tmp_path: Path) -> None:
    block = tmp_path / "without"
    block.mkdir()
    (block / "sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "found = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'torch' else found(name, *more)\n"
    )
    told = run(
        example(present, "pytorch_loop", tmp_path / "state.pt"), PYTHONPATH=f"{block}:{ROOT}"
    )
    assert (told.returncode, told.stdout) == (3, "")
    assert told.stderr.splitlines() == [
        "This example needs PyTorch: pip install torch (or see plain_loop.py)."
    ]


class Counting:
    """A job that is nothing but a count."""

    def __init__(self, mirror: Mirror, hold_at: int) -> None:
        self.step = 0
        self.saved: list[int] = []
        self._mirror = mirror
        self._hold_at = hold_at

    def flop_at(self, step: int) -> float:
        return float(step)

    def train_one_step(self) -> None:
        self.step += 1
        if self.step == self._hold_at:
            self._mirror.hold()

    def save(self) -> None:
        self.saved.append(self.step)


@pytest.mark.parametrize(("hold_at", "finished", "last"), [(60, False, 100), (999, True, 120)])
def test_the_pytorch_loop_stops_at_its_boundary_whatever_the_model(
    mirror: Mirror, hold_at: int, finished: bool, last: int
) -> None:
    mirror.permit(1e12)
    job = Counting(mirror, hold_at)
    loop = TrainingLoop(mirror.gate(), save=job.save, ask_every=0.0, tell=lambda _: None)
    assert pytorch_loop.train(job, loop, 120) is finished
    assert job.step == last
    assert job.saved == ([50, 100] if finished else [50, 100, 100])
    assert len(mirror.sent("outbox", ACKNOWLEDGEMENT)) == int(not finished)


def prolog(mirror: Mirror, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    conf = tmp_path / "prolog.conf"
    if not conf.exists():
        conf.write_text(
            f"REDLINE_PYTHON={sys.executable}\n"
            f"REDLINE_STORE={mirror.store}\n"
            f"REDLINE_TRUST_ROOT={mirror.trust_root}\n"
        )
    given = {
        "REDLINE_CONF": str(conf),
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_COMMENT": f"redline:{RUN}:50",
    }
    return run(["bash", str(PROLOG)], **(given | environment))


def test_the_prolog_lets_a_permitted_job_start(present: Mirror, tmp_path: Path) -> None:
    present.permit(100.0)
    started = prolog(present, tmp_path)
    assert started.returncode == 0, started.stderr
    assert "job 7 may start: [permitted]" in started.stdout


def test_the_prolog_refuses_a_held_job_with_the_reason(present: Mirror, tmp_path: Path) -> None:
    present.permit(100.0)
    present.hold("a red line")
    refused = prolog(present, tmp_path)
    assert refused.returncode == 1
    assert "job 7 does not start: exit code 1: [held] Held: a red line" in refused.stderr


@pytest.mark.parametrize(
    ("conf", "environment", "told"),
    [
        (None, {"SLURM_JOB_COMMENT": ""}, "--comment=redline:RUN:FLOP"),
        (None, {"SLURM_JOB_COMMENT": "redline:../x:1"}, "--comment=redline:RUN:FLOP"),
        (None, {"SLURM_JOB_COMMENT": f"redline:{RUN}:nan"}, "--comment=redline:RUN:FLOP"),
        (None, {"SLURM_JOB_COMMENT": f"redline:{RUN}:101"}, "[ceiling]"),
        (None, {"REDLINE_CONF": "/nowhere"}, "cannot read /nowhere"),
        ("", {}, "REDLINE_PYTHON"),
        ("REDLINE_PYTHON=/nowhere/python\nREDLINE_STORE=x\nREDLINE_TRUST_ROOT=x\n", {}, "nowhere"),
        ("REDLINE_PYTHON=python3\nREDLINE_STORE=x\n", {}, "REDLINE_TRUST_ROOT"),
        ("exit_code=0\nreturn 1\n", {}, ""),
    ],
)
def test_the_prolog_fails_closed(
    present: Mirror, tmp_path: Path, conf: str | None, environment: dict[str, str], told: str
) -> None:
    present.permit(100.0)
    if conf is not None:
        (tmp_path / "prolog.conf").write_text(conf)
    refused = prolog(present, tmp_path, **environment)
    assert refused.returncode != 0
    assert "may start" not in refused.stdout
    assert told in refused.stderr


def test_the_prolog_refuses_when_the_question_hangs(present: Mirror, tmp_path: Path) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    (tmp_path / "prolog.conf").write_text(
        f"REDLINE_PYTHON={slow}\nREDLINE_STORE=x\nREDLINE_TRUST_ROOT=x\nREDLINE_SECONDS=0.1\n"
    )
    refused = prolog(present, tmp_path)
    assert refused.returncode == 1
    assert "no answer in time" in refused.stderr
