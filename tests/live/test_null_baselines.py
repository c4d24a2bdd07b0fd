"""The recorded baselines of models that do nothing are what those models score now."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from benchmarks.null_baselines import DOCS, MODELS, QUICK, TASKS, recorded

pytestmark = pytest.mark.live
ROOT = Path(__file__).resolve().parents[2]
CLOSED = (
    "from tests.support.no_network import close_the_network; close_the_network(); "
    "import sys; sys.argv = ['null_baselines', '--quick']; "
    "from benchmarks.null_baselines import main; main()"
)


def test_the_recorded_baselines_are_what_null_models_score_now(tmp_path: Path) -> None:
    """Without a network, for the quick tasks; in a process, since it closes its network."""
    done = subprocess.run(
        [sys.executable, "-c", CLOSED],
        cwd=ROOT,
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    now = [line for line in done.stdout.splitlines() if line.startswith("| `")]
    assert len(now) == sum(len(one.scorers) for one in QUICK)
    known = recorded(DOCS.read_text())
    assert [line for line in now if line not in known] == []


def test_every_task_of_the_list_has_its_recorded_baseline() -> None:
    assert f"inspect_evals {version('inspect_evals')} " in DOCS.read_text()
    known = recorded(DOCS.read_text())
    assert len(known) == sum(len(one.scorers) for one in TASKS)
    for one in TASKS:
        assert [line for line in known if f"`{one.name}`" in line]
        assert all(f"`{scorer}`" in "\n".join(known) for scorer in one.scorers)


def test_tasks_on_which_a_refuser_scores_high_are_named() -> None:
    """Those that the table calls unfit are those on which a refuser is above the limit."""
    assert MODELS[0] == "null/refuser"
    cells = [[cell.strip() for cell in line.strip("|").split("|")]
             for line in recorded(DOCS.read_text())]  # fmt: skip
    unfit = [one for one in cells if one[-1] == "**no**"]
    assert len(unfit) >= 3
    assert all(float(one[3]) > 0.1 for one in unfit)
    assert all(float(one[3]) <= 0.1 for one in cells if one not in unfit)
