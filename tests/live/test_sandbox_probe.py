"""The probe of a sandbox in the sandbox of an Inspect task, in a process of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.adapters.probe_runner import run_probes
from tests.support.probing import planned

pytestmark = pytest.mark.live


@pytest.fixture
def listener() -> Iterator[str]:
    """Something outside of the sandbox that answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation of a laboratory, whose sandbox is this machine itself."""
    (tmp_path / "lab_task.py").write_text(
        "from inspect_ai import Task\n"
        "from inspect_ai.dataset import MemoryDataset, Sample\n"
        "def task():\n    return Task(dataset=MemoryDataset([Sample(input='q', target='a')]))\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")


@pytest.mark.usefixtures("lab")
def test_the_sandbox_of_an_inspect_task_is_tried(listener: str) -> None:
    task = {"task": "lab_task:task", "sandbox": "unsafe_local"}
    reached, absent = run_probes(
        [
            planned("sandbox.egress", seconds=120, addresses=[listener], **task),
            planned("sandbox.egress", addresses=[listener], task="lab_task:none"),
        ]
    )
    assert f"it reached {listener}." in reached.seen.statement
    assert "does not load" in absent.seen.statement
    assert not reached.seen.shows
    assert not absent.seen.shows
