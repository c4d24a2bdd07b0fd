"""`rsp decide`: each answer has its exit code, and whatever is not an answer has 3."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from include.cli.main import main
from tests.support.factories import CHECKPOINT, START, make_all_evidence, toy_suite

AT = (START + timedelta(minutes=5)).isoformat()


def written(folder: Path, change: Any = None, **right: int) -> Path:
    found = {
        "format": "redline/evidence@1",
        "checkpoint": CHECKPOINT,
        "checkpoint_at": START.isoformat(),
        "evaluations": [
            {
                "run": one.run.model_dump(mode="json") if one.run else None,
                "samples": [each.model_dump(mode="json") for each in one.samples or ()],
                "valid": one.valid,
            }
            for one in make_all_evidence(toy_suite(), **right).values()
        ],
    }
    if change:
        change(found)
    path = folder / "evidence.json"
    path.write_text(json.dumps(found))
    return path


Decide = Callable[..., "subprocess.CompletedProcess[str]"]


def words(path: Path, *more: str) -> list[str]:
    return ["decide", str(path), "--policy", "toylab", "--suite", "toylab", "--at", AT, *more]


def decided(path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """By a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "include.cli.main", *words(path, *more)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def decided_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Decide:
    """By the same `main`, in this process."""

    def run(path: Path, *more: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["rsp", *words(path, *more)])
        with pytest.raises(SystemExit) as left:
            main()
        assert isinstance(left.value.code, int)
        return subprocess.CompletedProcess(sys.argv, left.value.code, *capsys.readouterr())

    return run


def without_addition(found: dict[str, Any]) -> None:
    del found["evaluations"][0]


@pytest.mark.parametrize(
    ("addition", "change", "code", "word"),
    [
        (5, None, 0, "continue"),
        (200, None, 1, "verify_safeguards"),
        (90, None, 2, "pause"),
        (5, without_addition, 2, "pause"),
    ],
    ids=["low", "crossed", "near", "no result"],
)
def test_the_exit_code_is_the_answer(
    tmp_path: Path, addition: int, change: Any, code: int, word: str
) -> None:
    done = decided(written(tmp_path, change, addition=addition), "--json")
    assert done.returncode == code, done.stderr
    assert json.loads(done.stdout)["recommendation"] == word


def twice(found: dict[str, Any]) -> None:
    found["evaluations"].append(found["evaluations"][0])


def with_a_typing_error(found: dict[str, Any]) -> None:
    found["checkpiont"] = found.pop("checkpoint")


def of_another_suite(found: dict[str, Any]) -> None:
    found["evaluations"][0]["run"]["evaluation"] = "something-else"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (twice, "more than once"),
        (with_a_typing_error, "checkpiont"),
        (of_another_suite, "something-else"),
    ],
)
def test_what_cannot_be_read_is_not_decided(
    tmp_path: Path, decided_here: Decide, change: Any, says: str
) -> None:
    done = decided_here(written(tmp_path, change))
    assert done.returncode == 3
    assert says in done.stderr
    assert not done.stdout


def test_a_wrong_option_a_missing_file_and_a_naive_time_are_no_answer(
    tmp_path: Path, decided_here: Decide
) -> None:
    path = written(tmp_path)
    for done in (
        decided(path, "--nothing"),
        decided_here(path, "--nothing"),
        decided_here(tmp_path / "none.json"),
        decided_here(path, "--at", "2026-11-24T08:00:00"),
        decided_here(path, "--at", "soon"),
        decided_here(path, "--policy", "anthropic-rsp"),
    ):
        assert done.returncode == 3, done.stderr
        assert done.stderr
        assert not done.stdout
