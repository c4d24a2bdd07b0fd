"""The operators that wait for an evaluation, or for the offices. None holds a slot."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator

from include.wiring import steps
from include.wiring.defaults import RecordLink
from include.wiring.errors import as_airflow
from include.wiring.settings import Settings
from include.wiring.triggers import ApprovalsTrigger, EvaluationTrigger

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
        return self._go_on(overdue=False)

    def resume(self, context: Any, event: dict[str, Any]) -> str:
        """The process has ended, or its time is up."""
        return self._go_on(overdue=event["state"] == "overdue")

    @as_airflow
    def _go_on(self, *, overdue: bool) -> str:
        from include.adapters.evaluation import JobState
        from include.rsp.canonical import digest_of
        from include.wiring import evaluating

        desk = steps.open_desk()
        counted = evaluating.counted_result(desk, self.assessment_id, self.evaluation)
        if counted is not None:
            log.info("%s is counted already", self.evaluation)
            steps.show(counted)
            return counted
        request = evaluating.job_request(desk, self.assessment_id, self.evaluation)
        if overdue:
            log.warning("job %s is over its time limit and is ended", request.job)
            desk.jobs.cancel(request.job)
        status = desk.jobs.poll(request.job)
        runs = status.state is JobState.RUNNING and not overdue
        may_start = status.attempts < request.task.attempts
        if runs or (status.state is not JobState.FINISHED and may_start):
            desk.jobs.submit(request)
            log.info("job %s, attempt %s", request.job, desk.jobs.poll(request.job).attempts)
            self.defer(
                trigger=EvaluationTrigger(
                    jobs=str(desk.jobs.folder),
                    job=request.job,
                    time_limit=request.task.time_limit_seconds,
                ),
                method_name="resume",
            )
        record = evaluating.record_result(desk, self.assessment_id, self.evaluation)
        log.info("%s: %s in %s attempts", self.evaluation, record.run.status, record.run.attempts)
        digest = digest_of(record)
        steps.show(digest)
        return digest


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
