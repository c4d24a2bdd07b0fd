"""If Redline never starts, or dies for good, the trainer stops by itself and says why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.adapters.bootstrap import KeyFolders
from tests.support.factories import POLICY_BYTES, SUITE_BYTES, changed
from tests.support.waiting import eventually

pytestmark = pytest.mark.live
ROOT = Path(__file__).resolve().parents[2]
LEASE_SECONDS = 4


def begin(home: Path, *, ceiling: float) -> KeyFolders:
    """Keys, trust root and an adoption with short leases."""

    def short_leases(plain: dict[str, Any]) -> None:
        plain["authority"]["lease_seconds"] = LEASE_SECONDS

    def reach(plain: dict[str, Any]) -> None:
        plain["genesis"]["ceiling_flop"] = ceiling

    (home / "policy.yaml").write_bytes(changed(POLICY_BYTES, short_leases))
    (home / "suite.yaml").write_bytes(changed(SUITE_BYTES, reach))
    assert yaml.safe_load((home / "suite.yaml").read_text())["genesis"]["ceiling_flop"] == ceiling
    command = [
        *(sys.executable, "-m", "include.cli.main", "init"),
        *("--store", str(home / "store"), "--keys", str(home / "keys")),
        *("--policy", str(home / "policy.yaml"), "--suite", str(home / "suite.yaml")),
    ]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    return KeyFolders(home / "keys")


@contextmanager
def running(home: Path, name: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of this project, ended with the block."""
    with (home / f"{name}.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def trainer(home: Path, folders: KeyFolders, *more: str) -> tuple[str, ...]:
    return (
        "toylab.train",
        *("--store", str(home / "store"), "--checkpoints", str(home / "checkpoints")),
        *("--state", str(home / "trainer"), "--key", str(folders.trainer)),
        *("--trust-root", str(folders.trust_root), *more),
    )


def notary(home: Path, folders: KeyFolders) -> tuple[str, ...]:
    return ("include.notary", "--store", str(home / "store"), "--keys", str(folders.notary))


@contextmanager
def started(home: Path, folders: KeyFolders) -> Iterator[subprocess.Popen[bytes]]:
    """A notary that has begun its ledger: a busy machine takes its time to start one."""
    with running(home, "notary", *notary(home, folders)) as process:
        ledger = home / "store" / "ledger"
        eventually(lambda: any(ledger.glob("*.json")) or process.poll() is not None, timeout=60)
        yield process


def events(home: Path) -> list[dict[str, Any]]:
    path = home / "trainer" / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def said(home: Path, event: str, code: str | None = None) -> dict[str, Any] | None:
    return next(
        (one for one in events(home) if one["event"] == event and code in (None, one.get("code"))),
        None,
    )


def test_a_trainer_without_redline_never_starts(tmp_path: Path) -> None:
    folders = begin(tmp_path, ceiling=4.5e9)
    with running(tmp_path, "trainer", *trainer(tmp_path, folders, "--give-up-after", "1")) as run:
        assert run.wait(timeout=30) == 3
    last = events(tmp_path)[-1]
    assert (last["event"], last["code"], last["step"]) == ("gave_up", "no_permit", 0)
    assert "Is Redline running?" in last["reason"]


def test_a_trainer_stops_at_its_ceiling_when_no_assessment_comes(tmp_path: Path) -> None:
    folders = begin(tmp_path, ceiling=9e9)
    with (
        started(tmp_path, folders),
        running(tmp_path, "trainer", *trainer(tmp_path, folders, "--give-up-after", "2")) as run,
    ):
        assert run.wait(timeout=60) == 3
    last = events(tmp_path)[-1]
    assert last["code"] == "ceiling"
    assert 0 < last["flop"] <= 9e9


def test_a_trainer_stops_within_its_lease_when_the_notary_dies_for_good(tmp_path: Path) -> None:
    folders = begin(tmp_path, ceiling=1e12)
    paced = trainer(tmp_path, folders, "--give-up-after", "2", "--linger", "3000")
    with (
        started(tmp_path, folders) as notary_process,
        running(tmp_path, "trainer", *paced) as run,
    ):
        eventually(lambda: said(tmp_path, "checkpoint"), timeout=60)
        notary_process.send_signal(signal.SIGKILL)
        assert run.wait(timeout=60) == 3
    stopped = said(tmp_path, "waiting", "lease_expired")
    assert stopped is not None
    leases = sorted((tmp_path / "store" / "runs").glob("*/leases/*.json"))
    assert leases
    assert "the notary no longer says" in stopped["reason"]
    assert stopped["flop"] < 1e12
    assert (tmp_path / "trainer" / "training.npz").exists()


def test_a_notary_that_comes_back_lets_the_run_go_on(tmp_path: Path) -> None:
    folders = begin(tmp_path, ceiling=1e12)
    paced = trainer(tmp_path, folders, "--linger", "3000")
    with running(tmp_path, "trainer", *paced):
        with started(tmp_path, folders) as first:
            eventually(lambda: said(tmp_path, "checkpoint"), timeout=60)
            first.send_signal(signal.SIGKILL)
            eventually(lambda: said(tmp_path, "waiting", "lease_expired"), timeout=60)
        with running(tmp_path, "notary-2", *notary(tmp_path, folders)):
            eventually(
                lambda: any(
                    one["event"] == "resumed" and one["after"] == "lease_expired"
                    for one in events(tmp_path)
                ),
                timeout=60,
            )


def test_a_second_notary_on_the_same_keys_refuses_to_start(tmp_path: Path) -> None:
    folders = begin(tmp_path, ceiling=9e9)
    with started(tmp_path, folders):
        eventually(lambda: list((tmp_path / "store").glob("ledger/*.json")), timeout=30)
        with running(tmp_path, "second", *notary(tmp_path, folders)) as second:
            assert second.wait(timeout=30) == 1
    assert "only one sequencer" in (tmp_path / "second.log").read_text()
