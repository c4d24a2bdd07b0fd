"""Run a job of an evaluation where the settings say, and wait for it without holding a slot."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import TaskDeferred

from include.rsp.errors import InvalidDocument
from include.wiring.settings import Settings
from include.wiring.triggers import EvaluationTrigger

if TYPE_CHECKING:
    from include.adapters.evaluation import JobRequest
    from include.adapters.process_evaluator import ProcessEvaluator
    from include.rsp.results import EvaluationRun
    from include.wiring.desk import Desk

log = logging.getLogger("redline.await_job")
RESUME = "resume"


def run_job(
    desk: Desk, assessment_id: str, request: JobRequest, context: Any, *, overdue: bool
) -> EvaluationRun:
    """The run that the job made; a process that died is started again while it has attempts.

    Args:
        context: Airflow's, of the task that waits; its operator has a method `resume`.
        overdue: the job's time was up when it was last looked at.

    Raises:
        TaskDeferred: it still runs. The task is resumed at `resume` and calls this again.
    """
    connection = Settings.from_environment().evaluations
    if not connection:
        return _here(desk, desk.jobs, request, overdue=overdue)
    interpreter = interpreter_of(connection)
    if interpreter is not None:
        jobs = replace(desk.jobs, interpreter=interpreter)
        return _here(desk, jobs, request, overdue=overdue)
    return _remote(desk, request, connection, context, assessment_id)


def interpreter_of(connection_id: str) -> list[str] | None:
    """What runs the processes of this machine, where a connection of the type `process` says it.

    Its extra is `{"redline": {"interpreter": [program, argument, ...]}}`. None for other types.

    Raises:
        InvalidDocument: there is no such connection, or its extra is not that.
    """
    from include.wiring.remote_evaluations import read_connection

    connection = read_connection(connection_id)
    if connection.conn_type != "process":
        return None
    extra = connection.extra_dejson.get("redline")
    said = extra.get("interpreter") if isinstance(extra, Mapping) else None
    if not (isinstance(said, list) and said and all(isinstance(one, str) and one for one in said)):
        raise InvalidDocument(
            f"The connection {connection_id} names the interpreter {said!r:.99} (expected a list "
            "of words in its extra: redline.interpreter). Mend it as docs/evaluations.md says."
        )
    return said


def _here(
    desk: Desk, jobs: ProcessEvaluator, request: JobRequest, *, overdue: bool
) -> EvaluationRun:
    """As a process of this machine."""
    from include.adapters.evaluation import JobState

    if overdue:
        log.warning("job %s is over its time limit and is ended", request.job)
        jobs.cancel(request.job)
    status = jobs.poll(request.job)
    if overdue and status.state is JobState.RUNNING:
        log.error("job %s cannot be ended from here; its results will not count", request.job)
        return jobs.collect(request, desk.store, at=desk.now())
    runs = status.state is JobState.RUNNING
    may_start = status.attempts < request.task.attempts
    if runs or (status.state is not JobState.FINISHED and may_start):
        jobs.submit(request)
        log.info("job %s, attempt %s", request.job, jobs.poll(request.job).attempts)
        raise TaskDeferred(
            trigger=EvaluationTrigger(
                jobs=str(jobs.folder),
                job=request.job,
                time_limit=request.task.time_limit_seconds,
            ),
            method_name=RESUME,
        )
    return jobs.collect(request, desk.store, at=desk.now())


def _remote(
    desk: Desk, request: JobRequest, connection: str, context: Any, assessment_id: str
) -> EvaluationRun:
    """On the service that the Airflow connection names."""
    from include.adapters.evaluation import JobState, crashed
    from include.adapters.remote_job import count_attempts
    from include.adapters.waiting_job import say_waited
    from include.wiring import remote_evaluations

    service = remote_evaluations.open_service(connection)
    remote = remote_evaluations.plan(service, request, assessment=assessment_id)
    folder = desk.jobs.folder / request.job
    limit = request.task.time_limit_seconds * request.task.attempts
    say_waited(folder, desk.now().timestamp() + limit)  # the provider's trigger renews nothing
    seen = remote_evaluations.run_remotely(
        service, remote, request, context=context, resume=RESUME, folder=folder
    )
    attempts = max(count_attempts(remote), 1)
    if seen.state is not JobState.FINISHED:
        return crashed(request, seen.why, at=desk.now(), attempts=attempts)
    run = desk.jobs.collect(request, desk.store, at=desk.now())
    return run.model_copy(update={"attempts": attempts})
