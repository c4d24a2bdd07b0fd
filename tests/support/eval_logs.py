"""Small logs in Inspect's `.eval` format, as an evaluation process leaves them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from include.rsp.results import Sample


def eval_log(
    samples: Sequence[Sample],
    *,
    model: str,
    scorer: str = "exact",
    status: str = "success",
    at: str = "2026-11-01T00:00:00+00:00",
) -> bytes:
    """A log with those samples, all put to the model at one moment; the same bytes for the same."""
    rows = tuple((one.sample_id, one.epoch, one.score, one.error) for one in samples)
    return _log(rows, model, scorer, status, at)


@lru_cache(maxsize=256)
def _log(rows: tuple[tuple[str, int, float | None, str | None], ...], model: str,
         scorer: str, status: str, at: str) -> bytes:  # fmt: skip
    spec = {
        "eval_id": "e",
        "run_id": "r",
        "created": at,
        "task": "a_task",
        "task_id": "t",
        "model": model,
        "dataset": {"name": "d", "samples": len(rows), "sample_ids": _ids(rows)},
        "config": {"epochs": max((epoch for _, epoch, _, _ in rows), default=1)},
    }
    header = {
        "version": 2,
        "status": status,
        "eval": spec,
        "results": {"total_samples": len(rows), "completed_samples": len(rows)},
    }
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        _put(archive, "_journal/start.json", {"version": 2, "eval": spec, "plan": {}})
        for name, epoch, score, error in rows:
            sample: dict[str, Any] = {"id": name, "epoch": epoch, "input": name, "target": "x"}
            sample |= {"started_at": at, "completed_at": at}
            sample["messages"] = [
                {"role": "user", "content": f"the problem {name}"},
                {"role": "assistant", "content": f"the answer to {name}"},
            ]
            if score is not None:
                sample["scores"] = {scorer: {"value": score}}
            if error is not None:
                sample["error"] = {"message": error, "traceback": "", "traceback_ansi": ""}
            _put(archive, f"samples/{name}_epoch_{epoch}.json", sample)
        _put(archive, "header.json", header)
    return written.getvalue()


def _ids(rows: tuple[tuple[str, int, float | None, str | None], ...]) -> list[str]:
    return list(dict.fromkeys(name for name, _, _, _ in rows))


def _put(archive: zipfile.ZipFile, name: str, content: Any) -> None:
    archive.writestr(zipfile.ZipInfo(name, (2026, 11, 1, 0, 0, 0)), json.dumps(content))
