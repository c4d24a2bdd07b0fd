"""Progress of an attempt that goes on where an earlier one was killed."""

from __future__ import annotations

import os
from pathlib import Path

from include.adapters.evaluation import PROGRESS, Progress
from include.adapters.inspect_progress import Counter, taken_over
from tests.support.log_making import make_log, make_sample


def logged(logs: Path, name: str, *, of: int, errors: int = 0, age: int = 0) -> None:
    """A log with so many samples, written `age` seconds ago."""
    logs.mkdir(exist_ok=True)
    file = logs / name
    error = {"message": "crashed", "traceback": "", "traceback_ansi": ""}
    samples = [
        make_sample(f"s{index}", **({"error": error} if index < errors else {}))
        for index in range(of)
    ]
    file.write_bytes(make_log(samples))
    os.utime(file, (1_700_000_000 - age, 1_700_000_000 - age))


def progress(folder: Path) -> Progress:
    return Progress.model_validate_json((folder / PROGRESS).read_bytes())


def test_what_was_taken_over_is_done_and_no_part_of_the_rate(tmp_path: Path) -> None:
    logged(tmp_path / "logs", "a.eval", of=90, age=60)
    logged(tmp_path / "logs", "b.eval", of=150)
    counter = Counter(tmp_path, total=300, before=taken_over(tmp_path / "logs"))
    begun = progress(tmp_path)
    assert (begun.done, begun.before, begun.total) == (150, 150, 300)
    assert "150 of 300 samples (0 with errors, 150 of earlier attempts), 0.00/s" in begun.in_words()
    for _ in range(150):
        counter.count(failed=False, tokens=2, cost=None)
    ended = progress(tmp_path)
    assert (ended.done, ended.before) == (300, 150)
    assert ended.tokens == begun.tokens + 300


def test_a_sample_with_an_error_is_put_to_the_model_again_and_not_taken_over(
    tmp_path: Path,
) -> None:
    logged(tmp_path / "logs", "a.eval", of=50, errors=7)
    assert len(taken_over(tmp_path / "logs")) == 43


def test_a_first_attempt_and_a_log_that_does_not_read_take_nothing_over(tmp_path: Path) -> None:
    assert taken_over(tmp_path / "logs") == []
    logged(tmp_path / "logs", "a.eval", of=50, age=60)
    (tmp_path / "logs" / "b.eval").write_bytes(b"half a log")
    assert taken_over(tmp_path / "logs") == []
