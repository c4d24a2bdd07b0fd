"""What the demo prints of its trainer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include.adapters.ledger import LedgerReader
from include.adapters.store import DirectoryStore
from toylab.narrator import Narrator

ACKNOWLEDGED = {
    "event": "acknowledged",
    "step": 64,
    "flop": 1.0e10,
    "steps_from_order_to_stop": 0,
    "seconds_from_order_to_stop": None,
    "lease_seconds_left": None,
}


def told(tmp_path: Path, capsys: pytest.CaptureFixture[str], **changes: object) -> str:
    (tmp_path / "store").mkdir()
    events = tmp_path / "events.jsonl"
    events.write_text(json.dumps(ACKNOWLEDGED | changes) + "\n")
    Narrator(LedgerReader(DirectoryStore(tmp_path / "store")), events).catch_up()
    return str(capsys.readouterr().out)


def test_a_run_that_stood_still_before_the_hold_is_told_without_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "it stood still before it came" in told(tmp_path, capsys)


def test_a_run_that_moved_is_told_with_both_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = {"steps_from_order_to_stop": 4, "seconds_from_order_to_stop": 0.021}
    said = told(tmp_path, capsys, **figures, lease_seconds_left=13.25)
    assert "4 steps and 0.02 s after the order" in said
    assert "lease left" in said
