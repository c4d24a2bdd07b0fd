"""The operators that wait: for an evaluation, for a trainer, for a person. None holds a slot."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import BaseOperator, Param

from include.wiring import steps
from include.wiring.defaults import RecordLink
from include.wiring.errors import as_airflow
from include.wiring.settings import Settings
from include.wiring.triggers import (
    AcknowledgementTrigger,
    ApprovalsTrigger,
    EvaluationTrigger,
)

log = logging.getLogger("redline.operators")


class EvaluateOperator(BaseOperator):
    """Submit one evaluation under its deterministic job name, wait for it, record its results.

    A retry finds the job by its name. A process that died is started again until its attempts
    are used up; then the result set says `crashed`, which rules nothing out.
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
        from include.wiring import assessment

        desk = steps.open_desk()
        request = assessment.job_request(desk, self.assessment_id, self.evaluation)
        if overdue:
            log.warning("job %s is over its time limit and is ended", request.job)
            desk.jobs.cancel(request.job)
        limits = request.evaluation.inspect
        known = desk.state.assessments[self.assessment_id].result_sets.get(self.evaluation)
        state = desk.jobs.state(request.job)
        may_start = desk.jobs.attempts(request.job) < limits.attempts
        runs = state is JobState.RUNNING and not overdue
        if not known and (runs or (state is not JobState.FINISHED and may_start)):
            desk.jobs.submit(request)
            log.info("job %s, attempt %s", request.job, desk.jobs.attempts(request.job))
            self.defer(
                trigger=EvaluationTrigger(
                    jobs=str(desk.jobs.folder),
                    job=request.job,
                    time_limit=limits.time_limit_seconds,
                ),
                method_name="resume",
            )
        record = assessment.record_result(desk, self.assessment_id, self.evaluation)
        log.info("%s: %s in %s attempts", self.evaluation, record.run.status, record.run.attempts)
        digest = digest_of(record)
        steps.show(digest)
        return digest


class WaitForAcknowledgement(BaseOperator):
    """Wait until the trainer has answered a hold, or until its time for that is up."""

    template_fields: Sequence[str] = ("hold",)

    def __init__(self, *, hold: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hold = hold

    @as_airflow
    def execute(self, context: Any) -> bool:
        """Wait in the triggerer."""
        from include.rsp import records as r
        from include.wiring import safeguarding

        desk = steps.open_desk()
        if safeguarding.is_acknowledged(desk, self.hold):
            return True
        until = desk.state.expect(self.hold, r.Hold).acknowledge_by.timestamp()
        self.defer(
            trigger=AcknowledgementTrigger(
                store=Settings.from_environment().store, hold=self.hold, until=until
            ),
            method_name="resume",
        )
        return False

    def resume(self, context: Any, event: dict[str, Any]) -> bool:
        """Whether it came; `verify_stop` judges."""
        return bool(event["acknowledged"])


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


def sign_off(office: str, *, packet_task: str) -> HITLOperator:
    """The human task in which one officer answers. It has no default and no time-out: silence
    leaves the hold in force. Only the signature counts, and the notary checks it.
    """
    pulled = f"ti.xcom_pull(task_ids='{packet_task}')"
    return HITLOperator(
        task_id=f"sign_off_as_{office}",
        subject=f"{office.upper()}: sign the packet {{{{ {pulled}['packet'] }}}}",
        body=(
            "Sign with your own key: `rsp sign --packet "
            f"{{{{ {pulled}['packet'] }}}} --office {office} --key FILE --reason TEXT` and paste "
            "what it prints. "
            f"An answer without a signature is no approval.\n\n{{{{ {pulled}['text'] }}}}"
        ),
        options=[steps.PROCEED, steps.HOLD],
        params={
            "signature": Param(
                None,
                type=["null", "string"],
                minLength=3,
                title="Signature (the envelope printed by rsp sign)",
            )
        },
        assigned_users=[{"id": office, "name": office}],
        retries=2,  # after a fault between question and answer the person is asked again
    )
