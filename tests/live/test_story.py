"""The story of `make demo` with a real scheduler, while its processes are killed with SIGKILL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from include.adapters.ledger import LedgerReader
from include.adapters.store import DirectoryStore
from include.adapters.verification import verify_store
from include.cli import stack
from include.local_stack.lifecycle import status
from include.rsp import records as r
from include.rsp.errors import RedlineError
from include.rsp.state import LedgerState
from toylab.milestones import verdict_on

pytestmark = pytest.mark.live
ROOT = Path(__file__).resolve().parents[2]
Blow = tuple[str, Callable[[LedgerState, Path], bool], Callable[[Path], None]]


def tell(home: Path, port: int, blows: list[Blow]) -> tuple[int, str]:
    """Run the demo; strike each blow once its moment has come. (exit code, output)."""
    output = home.parent / "demo.log"
    with output.open("wb") as file:
        demo = subprocess.Popen(
            [
                *(sys.executable, "-m", "toylab.demo", "--home", str(home)),
                *("--port", str(port), "--linger", "120"),
            ],
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        waiting = list(blows)
        while demo.poll() is None:
            state = read(home)
            if waiting and state is not None and waiting[0][1](state, home):
                waiting.pop(0)[2](home)
            time.sleep(0.1)
    assert waiting == [], f"never struck: {[name for name, _, _ in waiting]}\n{output.read_text()}"
    return demo.returncode, output.read_text()


def read(home: Path) -> LedgerState | None:
    """What the ledger says, if there is one yet."""
    if not (home / "store" / "ledger").is_dir():
        return None
    try:
        return LedgerReader(DirectoryStore(home / "store")).refresh()
    except RedlineError:
        return None


def ended_right(home: Path, output: str) -> LedgerState:
    """The end of the story, whatever happened on the way."""
    report = verify_store(DirectoryStore(home / "store"))
    assert report.problems == [], output
    state = report.state
    verdicts = [one for one in state.records.values() if isinstance(one, r.Verdict)]
    counted = Counter(one.assessment_id for one in verdicts)
    assert set(counted.values()) == {1}
    assert len(counted) == len(state.assessments) == 5
    outcomes = [one.decision.recommendation.value for one in verdicts]
    assert outcomes == ["continue"] * 4 + ["verify_safeguards"]
    run = state.runs["toy-run-1"]
    assert len(run.holds) == 1
    assert not run.holds_in_force
    assert len(run.acknowledgements) == 1
    assert [permit.releases is not None for permit in run.permits.values()] == [False] * 5 + [True]
    assert not any(isinstance(one, r.Deviation) for one in state.records.values())
    assert "the story is complete" in output
    assert (home / "capability.png").stat().st_size > 10_000
    return state


def kill_program(name: str) -> Callable[[Path], None]:
    """SIGKILL to one supervised process."""

    def strike(home: Path) -> None:
        programs = status(stack.layout_of(home, 0)).programs
        pid = next(one.pid for one in programs if one.name == name)
        assert pid > 0
        os.kill(pid, signal.SIGKILL)

    return strike


def kill_evaluation(home: Path) -> None:
    """SIGKILL to the evaluation process of a job that is running."""
    pid_file = running_job(home)
    assert pid_file is not None
    os.kill(int(pid_file.read_text()), signal.SIGKILL)


def running_job(home: Path) -> Path | None:
    """The pid file of a job without an outcome."""
    for pid_file in sorted((home / "jobs").glob("two-digit-addition-*/pid")):
        if not (pid_file.parent / "outcome.json").exists():
            return pid_file
    return None


def is_registered(name: str) -> Callable[[LedgerState, Path], bool]:
    return lambda state, _: any(
        one.manifest.checkpoint_id == name
        for run in state.runs.values()
        for one in run.checkpoints.values()
    )


def planned_and_running(name: str) -> Callable[[LedgerState, Path], bool]:
    registered = is_registered(name)
    return lambda state, home: registered(state, home) and running_job(home) is not None


def decided(name: str) -> Callable[[LedgerState, Path], bool]:
    return lambda state, _: verdict_on(state, name) is not None


def test_the_story_with_scheduler_evaluation_and_notary_killed(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    blows: list[Blow] = [
        ("scheduler, while x004 is evaluated", planned_and_running("x004"),
         kill_program("scheduler")),
        ("evaluation of x016", planned_and_running("x016"), kill_evaluation),
        ("notary, when x032 lands", is_registered("x032"), kill_program("notary")),
        ("triggerer, while x064 is evaluated", planned_and_running("x064"),
         kill_program("triggerer")),
        ("notary, right after the crossing", decided("x064"), kill_program("notary")),
    ]  # fmt: skip
    code, output = tell(tmp_path / "demo", unused_tcp_port, blows)
    assert code == 0, output
    state = ended_right(tmp_path / "demo", output)
    attempts = [one.run.attempts for one in state.records.values() if isinstance(one, r.ResultSet)]
    assert max(attempts) >= 2
