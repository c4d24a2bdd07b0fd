"""The operators that wait for an evaluation, or for the offices. None holds a slot."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import TaskDeferred

from include.wiring import steps
from include.wiring.await_job import RESUME, run_job
from include.wiring.defaults import RecordLink
from include.wiring.delivery_trigger import DeliveryTrigger
from include.wiring.errors import as_airflow
from include.wiring.settings import Settings
from include.wiring.triggers import ApprovalsTrigger

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
        else:
            run = run_job(desk, self.assessment_id, request, context, overdue=overdue)
        record = evaluating.count(desk, self.assessment_id, run)
        log.info("%s: %s in %s attempts", self.evaluation, record.run.status, record.run.attempts)
        digest = digest_of(record)
        steps.show(digest)
        return digest

    def _delivered(self, desk: Desk, request: JobRequest) -> EvaluationRun:
        """Wait until people have delivered, or it is due; the run that counts."""
        from include.wiring import delivering

        folder = Settings.from_environment().inbox
        found = delivering.collect_delivered(desk, self.assessment_id, request, folder=folder)
        if not isinstance(found, delivering.Waiting):
            return found
        raise TaskDeferred(
            trigger=DeliveryTrigger(
                folder=found.folder,
                until=found.until,
                job=str(desk.jobs.folder / request.job),
                seen=found.seen,
            ),
            method_name=RESUME,
        )


class ValidateOperator(BaseOperator):
    """Hold the results against their expectations, and run again once what is not valid, if the
    suite allows that; the red lines that can now be compared.

    It waits for the second run as `EvaluateOperator` does for the first, one run after the other.
    """

    template_fields: Sequence[str] = ("assessment_id",)
    operator_extra_links = (RecordLink(),)

    def __init__(self, *, assessment_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.assessment_id = assessment_id

    def execute(self, context: Any) -> list[str]:
        """Validate what was counted."""
        return self._go_on(context, overdue=False)

    def resume(self, context: Any, event: dict[str, Any]) -> list[str]:
        """A second run has ended, or its time is up."""
        return self._go_on(context, overdue=event.get("state") == "overdue")

    @as_airflow
    def _go_on(self, context: Any, *, overdue: bool) -> list[str]:
        from include.rsp.canonical import digest_of
        from include.wiring import evaluating, validating

        desk, key = steps.open_desk(), self.assessment_id
        desk.state.occasion(key)
        if desk.state.assessments[key].validation is None:
            results = validating.look(desk, key)
            again = validating.to_run_again(desk, key, results)
            for name, first in again.items():
                request = evaluating.job_request(desk, key, name, again=True)
                run = run_job(desk, key, request, context, overdue=overdue)
                overdue = False  # it was the first of them that was waited for
                problems = results[name].problems
                evaluating.count(desk, key, run, replaces=first, problems=problems)
            validating.validate(desk, key, None if again else results)
        steps.show(digest_of(validating.validate(desk, key)))
        rules = desk.rulebook.of_assessment(desk.state, key)
        return [line.id for line in rules.policy.red_lines]


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
