"""The evaluation process: runs one Inspect task and its controls, then writes the outcome.

`python -m include.adapters.inspect_job <job folder>`. The model provider and the task are the
ones that the suite names; nothing here knows a laboratory. A process that was killed is started
again in the same folder: the samples that it had finished are not put to the model again.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pydantic import ValidationError

from include.adapters.checkpoint_files import measure
from include.adapters.evaluation import OUTCOME, REQUEST, JobOutcome, JobRequest
from include.rsp.canonical import canonical_bytes
from include.rsp.elicitation import Elicitation
from include.rsp.results import Conditions
from include.rsp.vocabulary import ResultStatus

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog


def main(folder: Path) -> int:
    """Run the job in a folder; a second process for the same job ends at once."""
    with (folder / "lock").open("w") as lock:
        if not _locked(lock):
            return 0
        if (folder / OUTCOME).exists():
            return 0
        (folder / "pid").write_text(str(os.getpid()))
        request = JobRequest.model_validate_json((folder / REQUEST).read_bytes())
        write_whole(folder / OUTCOME, canonical_bytes(run(request, folder)))
    return 0


def write_whole(path: Path, content: bytes) -> None:
    """A file that is there is complete."""
    beside = path.with_name(f".{path.name}")
    beside.write_bytes(content)
    beside.replace(path)


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
    """Make the pre-flight; if the instrument is fit, evaluate the checkpoint in this process."""
    # what Inspect keeps of running samples stays with the job, so that a later attempt finds it
    os.environ["XDG_DATA_HOME"] = str(folder / "inspect")
    from include.adapters.inspect_preflight import make_preflight, problems_of

    started = _first_start(folder)
    _check_weights(request)
    conditions = make_preflight(request, folder)
    problems = problems_of(request, conditions)
    if problems:
        return _outcome(
            ResultStatus.UNFIT, "; ".join(problems), started, Elicitation(), conditions, None
        )
    log = evaluate(request, folder)
    _check_weights(request)
    path = Path(log.location).relative_to(folder.resolve())
    try:
        told = (log.eval.metadata or {}).get("elicitation", {})
        elicitation = Elicitation.model_validate({"variant": request.variant, **told})
    except ValidationError as error:
        said = "; ".join(f"{one['loc']}: {one['msg']}" for one in error.errors())
        problem = f"the task's elicitation manifest does not read: {said}"
        return _outcome(ResultStatus.UNFIT, problem, started, Elicitation(), conditions, str(path))
    if elicitation.variant != request.variant:
        problem = (
            f"the task's elicitation manifest is of the variant {elicitation.variant!r} (expected "
            f"{request.variant!r}, or none: it is filled in)"
        )
        return _outcome(ResultStatus.UNFIT, problem, started, elicitation, conditions, str(path))
    return _outcome(ResultStatus.COMPLETE, None, started, elicitation, conditions, str(path))


def _outcome(
    status: ResultStatus,
    problem: str | None,
    started: datetime,
    elicitation: Elicitation,
    conditions: Conditions,
    log: str | None,
) -> JobOutcome:
    return JobOutcome(
        status=status,
        problem=problem,
        started_at=started,
        finished_at=datetime.now(UTC),
        elicitation=elicitation,
        conditions=conditions,
        log=log,
    )


def _first_start(folder: Path) -> datetime:
    """When the first attempt began: its samples count in the last one."""
    path = folder / "started"
    if not path.exists():
        write_whole(path, datetime.now(UTC).isoformat().encode())
    return datetime.fromisoformat(path.read_text())


def _check_weights(request: JobRequest) -> None:
    """What is evaluated is what was registered, before the evaluation and after it."""
    found = measure(Path(request.weights)).sha256
    if found != request.weights_sha256:
        raise RuntimeError(
            f"{request.weights} has the digest {found} (expected {request.weights_sha256})"
        )


def evaluate(request: JobRequest, folder: Path) -> EvalLog:
    """Put the samples to the model; those that an earlier attempt finished are taken over."""
    from inspect_ai import eval_set

    from include.adapters.inspect_preflight import SANDBOXES, load_task
    from include.adapters.inspect_progress import follow

    wanted = request.task
    logs = folder / "logs"
    task = load_task(request)
    follow(folder, total=len(task.dataset) * wanted.epochs, logs=logs)
    budget = wanted.per_sample
    _, (log,) = eval_set(
        task,
        log_dir=str(logs),
        retry_attempts=0,
        retry_cleanup=False,
        model=wanted.model,
        model_args={"model_path": request.weights},
        model_roles={"grader": wanted.grader} if wanted.grader else None,
        sandbox=SANDBOXES.get(wanted.sandbox or ""),
        metadata={
            **(task.metadata or {}),
            "job": request.job,
            "checkpoint": request.checkpoint,
            "evaluation": f"{request.evaluation.id}@{request.evaluation.version}",
        },
        epochs=wanted.epochs,
        token_limit=budget.tokens,
        message_limit=budget.messages,
        time_limit=budget.seconds or int(wanted.time_limit_seconds),
        cost_limit=budget.cost,
        max_samples=wanted.parallel_samples,
        fail_on_error=False,
        log_format="eval",
        display="plain",
        acp_server=False,
        ctl_server=False,
        **_generation(request),
    )
    if log.status != "success":
        raise RuntimeError(f"Inspect ended with the status {log.status!r}: {log.error}")
    return log


def _generation(request: JobRequest) -> dict[str, Any]:
    return {} if request.task.seed is None else {"seed": request.task.seed}


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
