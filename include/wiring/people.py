"""The human tasks, and the chain of them that assessments, releases and deployments share.

Each asks one person, parked without a slot. None has a default: silence approves nothing, and when
the policy's time is over the task fails. Which offices are asked, and in which order, the policy
says when the task starts; the notary checks every answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param, TriggerRule, XComArg
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.rsp.human_tasks import (
    DELETERS,
    DELETION,
    DETERMINATION,
    OPINION,
    RECEIPT,
    SAFEGUARDS,
    SECOND_LINE,
    SIGNERS,
    TOLD,
    WORDS,
    options_for,
    task_for,
)
from include.rsp.vocabulary import ResponseKind
from include.wiring import people_steps as steps
from include.wiring.defaults import RecordLink, step
from include.wiring.errors import as_airflow
from include.wiring.steps import open_desk

if TYPE_CHECKING:
    from include.wiring.asking import Question

ASKED = TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS
"""An office that the policy does not ask is skipped, and the next is asked all the same."""


def form_for(kind: str) -> dict[str, Param]:
    """The form of a human task: every field has a valid default, or the task could not start."""
    text = {"type": ["null", "string"], "minLength": 3}
    form = {
        "reason": Param(None, **text, title="Reason (everybody will read it)"),
        "signature": Param(None, **text, title="Signature (the line that `rsp sign` printed)"),
    }
    if kind == DETERMINATION:
        form |= {
            "cap_ratio": Param(
                None,
                type=["null", "number"],
                exclusiveMinimum=1,
                title="Smaller ceiling (times the effective compute of this checkpoint)",
            ),
            "response": Param(None, **text, title="Response of the policy to carry out (its id)"),
            "not_applicable": Param(
                None,
                type=["null", "array"],
                items={"type": "string"},
                title="Notices whose condition is not met (their ids)",
            ),
        }
    return form


class AskPerson(HITLOperator):
    """One question to one office about one record; skipped when the policy does not ask it."""

    template_fields: Sequence[str] = ("subject", "body", "about")
    operator_extra_links = (RecordLink(),)

    def __init__(self, *, kind: str, office: str, about: str, **kwargs: Any) -> None:
        self.kind, self.office, self.about = kind, office, about
        super().__init__(
            task_id=task_for(kind, office),
            subject=f"{office}: {kind.replace('_', ' ')}",
            options=list(WORDS[kind].values()),
            assigned_users=[{"id": office, "name": office}],
            retries=2,  # after a fault between question and answer the person is asked again
            **kwargs,
        )

    def execute(self, context: Any) -> Any:
        """Ask, if it is this office's turn; parked until the answer or the end of its time."""
        question = self._question(again=context["ti"].try_number > 1)
        if question is None:
            raise AirflowSkipException(f"The policy does not ask the {self.office} here.")
        context["ti"].xcom_push(key="record", value=self.about)
        self.subject, self.body = question.subject, question.body
        self.options = options_for(self.kind, self.about)
        self.assigned_users = [{"id": question.user, "name": question.user}]
        self.response_timeout = timedelta(seconds=question.seconds)
        return super().execute(context)

    @as_airflow
    def _question(self, *, again: bool) -> Question | None:
        from include.wiring.asking import approval_question, question_for

        if self.kind == SAFEGUARDS:
            return approval_question(open_desk(), self.office, self.about)
        return question_for(open_desk(), self.kind, self.office, self.about, again=again)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Hand the answer on as it came; nothing is believed of it here."""
        self.options = options_for(self.kind, self.about)
        given = super().execute_complete(context, event)
        return {**given, "responded_at": given["responded_at"].isoformat()}

    def process_trigger_event_error(self, event: dict[str, Any]) -> None:
        """Nobody answered in time: the task fails and is not asked again by itself."""
        raise AirflowFailException(
            f"The {self.office} has not answered in the policy's time. Nothing goes on; start the "
            "run again to have a new report written and signed."
        )


def _ask(kind: str, office: str, about: str, **arguments: Any) -> AskPerson:
    return AskPerson(kind=kind, office=office, about=about, params=form_for(kind), **arguments)


def _from(task_id: str) -> str:
    """The digest that a task of this run wrote."""
    return "{{ ti.xcom_pull(task_ids='" + task_id + "')['" + task_id + "'] }}"


def determine(
    *, verdict: Any, judgement: Any, purpose: str, responses: bool
) -> tuple[XComArg, XComArg]:
    """The report, the second line, the signatures and what follows; (first task, permit).

    Args:
        judgement: digest of the safeguards judgement, or empty: it is made when it is needed.
        responses: whether officers may choose the policy's responses here.
    """
    shown = _from(steps.PACKET)
    report = step(steps.write_report, trigger_rule=ASKED, multiple_outputs=False)(
        verdict=verdict, judgement=judgement, purpose=purpose
    )
    opinion = _ask(OPINION, SECOND_LINE, _from(steps.REPORT))
    packet = step(steps.close_packet, multiple_outputs=False)(
        report=_from(steps.REPORT), answer=opinion.output
    )
    followed = step(steps.follow_determination, branch=True, trigger_rule=ASKED)(packet=shown)
    report >> opinion >> packet >> followed
    last: XComArg = packet
    for office in SIGNERS:
        asked = _ask(DETERMINATION, office, shown, trigger_rule=ASKED)
        checked = step(
            steps.verify_sign_off, task_id=f"verify_{asked.task_id}", trigger_rule=ASKED
        )(packet=shown, office=office, answer=asked.output)
        packet >> [asked, checked]
        last >> asked >> checked
        last = checked
    last >> followed
    permit = _notices(followed, shown)
    followed >> step(steps.nothing_goes_on)(packet=shown)
    if responses:
        _responses(followed, shown)
    return report, permit


def approve(*, judged: XComArg, report: str) -> XComArg:
    """Officers on a Safeguards Report, each in turn, and the notary's attestation.

    Args:
        judged: the task that returns the report's digest, or nothing: then nobody is asked.
        report: a template of that digest.
    """
    from include.wiring.safeguard_steps import attest_safeguards, record_approval

    last = judged
    for office in SIGNERS:
        asked = _ask(SAFEGUARDS, office, report, trigger_rule=ASKED)
        recorded = step(record_approval, task_id=f"record_{asked.task_id}", trigger_rule=ASKED)(
            report=report, office=office, answer=asked.output
        )
        judged >> [asked, recorded]
        last >> asked >> recorded
        last = recorded
    attested = step(attest_safeguards, trigger_rule=ASKED)(report=report)
    [judged, last] >> attested
    return attested


def _notices(followed: XComArg, shown: str) -> XComArg:
    """Who has to be told first, then the permit."""
    sent = step(steps.send_notices)(packet=shown)
    receipts = {office: _ask(RECEIPT, office, shown) for office in TOLD}
    permit = step(steps.ask_for_permit, trigger_rule=ASKED)(
        packet=shown, answers={office: asked.output for office, asked in receipts.items()}
    )
    followed >> sent >> [*receipts.values(), permit]
    return permit


def _responses(followed: XComArg, shown: str) -> None:
    """One task for each kind of response; deletion is asked of people after the weights."""
    carried = {
        kind: step(steps.carry_out, task_id=kind.value)(packet=shown, kind=kind.value)
        for kind in ResponseKind
        if kind is not ResponseKind.CAP_TRAINING
    }
    asked = {office: _ask(DELETION, office, shown, trigger_rule=ASKED) for office in DELETERS}
    answered = step(steps.record_deletion, trigger_rule=ASKED)(
        packet=shown, answers={office: one.output for office, one in asked.items()}
    )
    followed >> list(carried.values())
    for kind in (ResponseKind.LOCK_DOWN_WEIGHTS, ResponseKind.CONSIDER_DELETION):
        carried[kind] >> [*asked.values(), answered]
