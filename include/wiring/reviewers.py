"""The task that asks a person to read transcripts: one for each run that has to be read.

It waits without a slot, has no default, and when the time is over it fails: what nobody read rules
nothing out, and the assessment goes on to say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param, TriggerRule, XComArg
from airflow.sdk.exceptions import AirflowFailException

from include.rsp.human_tasks import REVIEW, WORDS, options_for, task_for
from include.wiring import people_steps as steps
from include.wiring.defaults import RecordLink, step
from include.wiring.errors import as_airflow
from include.wiring.people import form_for
from include.wiring.steps import open_desk

if TYPE_CHECKING:
    from include.wiring.asking import Question


def review_form() -> dict[str, Param]:
    """What a reviewer fills in: every field has a valid default, none of them answers."""
    return form_for(REVIEW) | {
        "invalid": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Trials that are none, one a line: `number: reason`",
        )
    }


class AskReviewer(HITLOperator):
    """One question to one reviewer about the transcripts of one run."""

    template_fields: Sequence[str] = ("subject", "body", "about", "evaluation")
    operator_extra_links = (RecordLink(),)

    def __init__(self, *, about: str, evaluation: str, **kwargs: Any) -> None:
        self.about, self.evaluation = about, evaluation
        super().__init__(subject="read transcripts", options=list(WORDS[REVIEW].values()), **kwargs)

    def execute(self, context: Any) -> Any:
        """Ask the reviewer; parked until the answer or the end of the time."""
        question = self._question()
        context["ti"].xcom_push(key="record", value=self.about)
        self.subject, self.body = question.subject, question.body
        self.options = options_for(REVIEW, self.about)
        self.assigned_users = [{"id": question.user, "name": question.user}]
        self.response_timeout = timedelta(seconds=question.seconds)
        return super().execute(context)

    @as_airflow
    def _question(self) -> Question:
        from include.wiring.reviewing import question_on

        return question_on(open_desk(), self.about)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Hand the answer on as it came; nothing is believed of it here."""
        self.options = options_for(REVIEW, self.about)
        given = super().execute_complete(context, event)
        return {
            **given,
            "responded_at": given["responded_at"].isoformat(),
            "about": self.about,
            "map_index": context["ti"].map_index,
        }

    def process_trigger_event_error(self, event: dict[str, Any]) -> None:
        """Nobody answered in time: the run stays unread."""
        raise AirflowFailException(
            f"Nobody reviewed the transcripts of {self.evaluation} in time. It rules nothing out; "
            "the verdict says so. Raise a new assessment to have them read."
        )


def review(*, assessment_id: Any, validated: XComArg) -> XComArg:
    """The tasks between validation and comparison; skipped where the suite asks for no review.

    Whoever depends on the last of them has to run if it was skipped, too.
    """
    drawn = step(steps.draw_transcripts, multiple_outputs=False)(assessment_id=assessment_id)
    asked = AskReviewer.partial(
        task_id=task_for(REVIEW, ""),
        params=review_form(),
        retries=2,  # after a fault between question and answer the person is asked again
        map_index_template="{{ task.evaluation }}",
    ).expand_kwargs(drawn)
    counted = step(steps.count_reviews, trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)(
        assessment_id=assessment_id, answers=asked.output
    )
    validated >> drawn >> asked >> counted
    drawn >> counted
    return counted
