"""Run a job of an evaluation where the settings say, and wait for it without holding a slot."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import TaskDeferred

from include.wiring.settings import Settings
from include.wiring.triggers import EvaluationTrigger

if TYPE_CHECKING:
    from include.adapters.evaluation import JobRequest
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
    if connection:
        return _remote(desk, request, connection, context, assessment_id)
    return _here(desk, request, overdue=overdue)


def _here(desk: Desk, request: JobRequest, *, overdue: bool) -> EvaluationRun:
    """As a process of this machine."""
    from include.adapters.evaluation import JobState

    if overdue:
        log.warning("job %s is over its time limit and is ended", request.job)
        desk.jobs.cancel(request.job)
    status = desk.jobs.poll(request.job)
    runs = status.state is JobState.RUNNING and not overdue
    may_start = status.attempts < request.task.attempts
    if runs or (status.state is not JobState.FINISHED and may_start):
        desk.jobs.submit(request)
        log.info("job %s, attempt %s", request.job, desk.jobs.poll(request.job).attempts)
        raise TaskDeferred(
            trigger=EvaluationTrigger(
                jobs=str(desk.jobs.folder),
                job=request.job,
                time_limit=request.task.time_limit_seconds,
            ),
            method_name=RESUME,
        )
    return desk.jobs.collect(request, desk.store, at=desk.now())


def _remote(
    desk: Desk, request: JobRequest, connection: str, context: Any, assessment_id: str
) -> EvaluationRun:
    """On the service that the Airflow connection names."""
    from include.adapters.evaluation import JobState, crashed
    from include.adapters.remote_job import count_attempts
    from include.wiring import remote_evaluations

    service = remote_evaluations.open_service(connection)
    remote = remote_evaluations.plan(service, request, assessment=assessment_id)
    folder = desk.jobs.folder / request.job
    seen = remote_evaluations.run_remotely(
        service, remote, request, context=context, resume=RESUME, folder=folder
    )
    attempts = max(count_attempts(remote), 1)
    if seen.state is not JobState.FINISHED:
        return crashed(request, seen.why, at=desk.now(), attempts=attempts)
    run = desk.jobs.collect(request, desk.store, at=desk.now())
    return run.model_copy(update={"attempts": attempts})
