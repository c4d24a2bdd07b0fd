"""The operators that wait for an evaluation, or for the offices. None holds a slot."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import TaskDeferred

from include.wiring import steps
from include.wiring.defaults import RecordLink
from include.wiring.delivery_trigger import DeliveryTrigger
from include.wiring.errors import as_airflow
from include.wiring.settings import Settings
from include.wiring.triggers import ApprovalsTrigger, EvaluationTrigger

if TYPE_CHECKING:
    from include.adapters.evaluation import JobRequest
    from include.rsp.results import EvaluationRun
    from include.wiring.desk import Desk

log = logging.getLogger("redline.operators")


class EvaluateOperator(BaseOperator):
    """Submit one run of the plan under its deterministic job name, wait for it, record its results.

    A retry finds the job by its name. A process that died is started again until its attempts are
    used up, and goes on where it stopped; then the result set says `crashed`, which rules nothing
    out.
    """

    template_fields: Sequence[str] = ("assessment_id", "evaluation")
    operator_extra_links = (RecordLink(),)

    def __init__(self, *, assessment_id: str, evaluation: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.assessment_id = assessment_id
        self.evaluation = evaluation

    def execute(self, context: Any) -> str:
        """Submit and wait."""
        return self._go_on(context, overdue=False)

    def resume(self, context: Any, event: dict[str, Any]) -> str:
        """The job has ended, or its time is up; what woke the task is looked at again."""
        return self._go_on(context, overdue=event.get("state") == "overdue")

    @as_airflow
    def _go_on(self, context: Any, *, overdue: bool) -> str:
        from include.rsp.canonical import digest_of
        from include.wiring import evaluating

        desk = steps.open_desk()
        counted = evaluating.counted_result(desk, self.assessment_id, self.evaluation)
        if counted is not None:
            log.info("%s is counted already", self.evaluation)
            steps.show(counted)
            return counted
        request = evaluating.job_request(desk, self.assessment_id, self.evaluation)
        if request.evaluation.study is not None:
            run = self._delivered(desk, request)
        elif connection := Settings.from_environment().evaluations:
            run = self._remote(desk, request, connection, context)
        else:
            run = self._here(desk, request, overdue=overdue)
        record = evaluating.count(desk, self.assessment_id, run)
        log.info("%s: %s in %s attempts", self.evaluation, record.run.status, record.run.attempts)
        digest = digest_of(record)
        steps.show(digest)
        return digest

    def _here(self, desk: Desk, request: JobRequest, *, overdue: bool) -> EvaluationRun:
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
                method_name="resume",
            )
        return desk.jobs.collect(request, desk.store, at=desk.now())

    def _remote(
        self, desk: Desk, request: JobRequest, connection: str, context: Any
    ) -> EvaluationRun:
        """On the service that the Airflow connection names."""
        from include.adapters.evaluation import JobState, crashed
        from include.adapters.remote_job import count_attempts
        from include.wiring import remote_evaluations

        service = remote_evaluations.open_service(connection)
        remote = remote_evaluations.plan(service, request, assessment=self.assessment_id)
        folder = desk.jobs.folder / request.job
        seen = remote_evaluations.run_remotely(
            service, remote, request, context=context, resume="resume", folder=folder
        )
        attempts = max(count_attempts(remote), 1)
        if seen.state is not JobState.FINISHED:
            return crashed(request, seen.why, at=desk.now(), attempts=attempts)
        run = desk.jobs.collect(request, desk.store, at=desk.now())
        return run.model_copy(update={"attempts": attempts})

    def _delivered(self, desk: Desk, request: JobRequest) -> EvaluationRun:
        """Wait until people have delivered, or it is due; the run that counts."""
        from include.wiring import delivering

        folder = Settings.from_environment().inbox
        found = delivering.collect_delivered(desk, self.assessment_id, request, folder=folder)
        if not isinstance(found, delivering.Waiting):
            return found
        raise TaskDeferred(
            trigger=DeliveryTrigger(folder=found.folder, until=found.until, seen=found.seen),
            method_name="resume",
        )


class WaitForApprovals(BaseOperator):
    """Wait until the offices have spoken on a review, without end: silence changes nothing."""

    template_fields: Sequence[str] = ("review",)

    def __init__(self, *, review: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.review = review

    def execute(self, context: Any) -> None:
        """Wait in the triggerer, which fires at once if all have spoken."""
        self.defer(
            trigger=ApprovalsTrigger(store=Settings.from_environment().store, review=self.review),
            method_name="resume",
        )

    def resume(self, context: Any, event: dict[str, Any]) -> bool:
        """`count_approvals` judges."""
        return bool(event["settled"])
