"""A request and a finished evaluation for jobs that run elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from include.adapters.evaluation import JobOutcome, JobRequest
from include.adapters.job_entry import run
from include.adapters.remote_job import RemoteJob
from include.rsp.canonical import canonical_bytes, iso
from include.rsp.results import ControlResult
from tests.support.eval_logs import eval_log
from tests.support.factories import ADDITION, CHECKPOINT, START, make_samples, toy_suite

IMAGE = "registry.example/redline/evaluation@sha256:" + "a" * 64
JOB = f"{ADDITION}-0123456789ab"
LOG = eval_log(make_samples(5), model="toylab/checkpoint")


def make_request(job: str = JOB) -> JobRequest:
    """Two-digit addition of the toy laboratory."""
    (rule,) = [one for one in toy_suite().evaluations if one.id == ADDITION]
    return JobRequest(
        job=job,
        run=ADDITION,
        evaluation=rule,
        checkpoint=CHECKPOINT,
        variant="final",
        weights="/weights/toy.npz",
        weights_sha256=CHECKPOINT,
    )


def make_outcome(**changes: Any) -> JobOutcome:
    """What the evaluation's process writes at its end."""
    control = ControlResult(model="a-model", samples=20, score=1.0)
    return JobOutcome.model_validate(
        {
            "status": "complete",
            "problem": None,
            "started_at": iso(START),
            "finished_at": iso(START),
            "elicitation": {"scaffold": "as planned"},
            "conditions": {
                "environment": {"python": "3.11"},
                "positive_control": control,
                "null_control": control,
            },
            "log": "log.eval",
        }
        | changes
    )


def evaluation_that(
    tmp_path: Path, does: str = "", *, outcome: JobOutcome | None = None
) -> list[str]:
    """A command that stands in for the evaluation's process: writes what it does and an outcome.

    `does` is Python, run in the job's folder before the outcome is written.
    """
    lines = [
        "import os, pathlib, sys, time",
        "os.chdir(sys.argv[1])",
        "pathlib.Path('logs').mkdir(exist_ok=True)",
        does,
        "pathlib.Path('samples.json').write_text('{}')",
        f"pathlib.Path('log.eval').write_bytes({LOG!r})",
        f"pathlib.Path('outcome.json').write_bytes({canonical_bytes(outcome or make_outcome())!r})",
    ]
    script = tmp_path / f"evaluation-{len(list(tmp_path.glob('evaluation-*')))}.py"
    script.write_text("\n".join(lines))
    return [sys.executable, "-I", "-S", str(script)]


def run_container(remote: RemoteJob, evaluation: list[str], **more: str) -> int:
    """What the service does with a job: run its entry in its environment."""
    return run(dict(remote.environment) | more, evaluation)
