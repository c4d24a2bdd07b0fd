"""The evaluation process: runs one Inspect task and its controls, then writes the outcome.

`python -m include.adapters.inspect_job <job folder>`. The model provider and the task are the
ones that the suite names; nothing here knows a laboratory.
"""

from __future__ import annotations

import fcntl
import importlib
import math
import os
import platform
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from include.adapters.checkpoint_files import measure
from include.adapters.evaluation import JobOutcome, JobRequest
from include.rsp.canonical import canonical_bytes
from include.rsp.results import ControlResult, Sample, SampleTable
from include.rsp.suite import Control

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample


def main(folder: Path) -> int:
    """Run the job in a folder; a second process for the same job ends at once."""
    with (folder / "lock").open("w") as lock:
        if not _locked(lock):
            return 0
        if (folder / "outcome.json").exists():
            return 0
        (folder / "pid").write_text(str(os.getpid()))
        request = JobRequest.model_validate_json((folder / "request.json").read_bytes())
        outcome = run(request, folder)
        beside = folder / ".outcome.json"
        beside.write_bytes(canonical_bytes(outcome))
        beside.replace(folder / "outcome.json")
    return 0


def _locked(lock: IO[str], seconds: float = 2.0) -> bool:
    """Take the job's lock; whoever only looks at it holds it for an instant, so try for a while."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def run(request: JobRequest, folder: Path) -> JobOutcome:
    """Evaluate the checkpoint and both controls in this process."""
    evaluation = request.evaluation
    importlib.import_module(evaluation.inspect.provider_module)
    started = datetime.now(UTC)
    _check_weights(request)
    positive = _control(request, evaluation.positive_control, folder)
    null = _control(request, evaluation.null_control, folder)
    log = _evaluate(
        request, evaluation.inspect.model, {"model_path": request.weights}, folder, None
    )
    _check_weights(request)
    table = SampleTable(samples=[_sample(one) for one in log.samples or []])
    (folder / "samples.json").write_bytes(canonical_bytes(table))
    shutil.copyfile(Path(log.location), folder / "log.eval")
    return JobOutcome(
        started_at=started,
        finished_at=datetime.now(UTC),
        elicitation=dict((log.eval.metadata or {}).get("elicitation", {})),
        environment=_environment(),
        positive_control=positive,
        null_control=null,
        samples="samples.json",
        log="log.eval",
    )


def _check_weights(request: JobRequest) -> None:
    """What is evaluated is what was registered, before the evaluation and after it."""
    found = measure(Path(request.weights)).sha256
    if found != request.weights_sha256:
        raise RuntimeError(
            f"{request.weights} has the digest {found} (expected {request.weights_sha256})"
        )


def _evaluate(
    request: JobRequest, model: str, model_args: dict[str, Any], folder: Path, limit: int | None
) -> EvalLog:
    from inspect_ai import eval as inspect_eval

    module, _, name = request.evaluation.inspect.task.partition(":")
    task = getattr(importlib.import_module(module), name)()
    (log,) = inspect_eval(
        task,
        model=model,
        model_args=model_args,
        metadata={
            **(task.metadata or {}),
            "job": request.job,
            "checkpoint": request.checkpoint,
            "evaluation": f"{request.evaluation.id}@{request.evaluation.version}",
        },
        limit=limit,
        log_dir=str(folder / "logs"),
        log_format="eval",
        log_realtime=False,
        display="plain",
        fail_on_error=False,
        time_limit=int(request.evaluation.inspect.time_limit_seconds),
        acp_server=False,
        ctl_server=False,
    )
    if log.status != "success":
        raise RuntimeError(f"Inspect ended with the status {log.status!r}: {log.error}")
    return log


def _control(request: JobRequest, control: Control, folder: Path) -> ControlResult:
    log = _evaluate(request, control.model, {}, folder, control.samples)
    scores = [one.score for one in map(_sample, log.samples or []) if one.score is not None]
    return ControlResult(
        model=control.model,
        samples=len(scores),
        score=round(math.fsum(scores) / len(scores), 6) if scores else None,
    )


def _sample(one: EvalSample) -> Sample:
    """One row; a sample without exactly one finite score is an error, never a low score."""
    from inspect_ai.scorer import value_to_float

    score, error = None, None
    if one.error is not None:
        error = one.error.message[:300]
    elif one.limit is not None:
        error = f"stopped by the {one.limit.type} limit"
    elif not one.scores or len(one.scores) != 1:
        error = f"{len(one.scores or {})} scores (expected one)"
    else:
        (found,) = one.scores.values()
        score = _number(found.value, value_to_float())
        if score is None:
            error = f"the score {found.value!r} is no finite number"
    return Sample(sample_id=str(one.id), epoch=one.epoch, score=score, error=error)


def _number(value: Any, letters: Any) -> float | None:
    if isinstance(value, bool | int | float):
        number = float(value)
    elif value in ("C", "I"):
        number = float(letters(value))
    else:
        return None
    return number if math.isfinite(number) else None


def _environment() -> dict[str, str | int | float]:
    import inspect_ai

    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count() or 0,
        "inspect_ai": inspect_ai.__version__,
    }


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
