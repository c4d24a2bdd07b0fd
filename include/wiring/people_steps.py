"""The bodies of the tasks that go with people. DAG files import this: nothing heavy at the top."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from include.rsp.human_tasks import DELETION, DETERMINATION, OPINION, RECEIPT, task_for
from include.rsp.vocabulary import ResponseKind, Scope
from include.wiring.errors import as_airflow
from include.wiring.steps import WRITE_REPORT, open_desk, show

if TYPE_CHECKING:
    from include.wiring.desk import Desk
    from include.wiring.signing_off import Answered

log = logging.getLogger("redline.people_steps")

REPORT, PACKET = WRITE_REPORT, "close_packet"
SEND_NOTICES, NOTHING_GOES_ON = "send_notices", "nothing_goes_on"


def answered(office: str, kind: str, given: Mapping[str, Any] | None) -> Answered | None:
    """What Airflow handed on from a human task; None: nobody answered."""
    from include.wiring.signing_off import Answered

    if not given or not given.get("responded_by_user"):
        return None
    instance = get_current_context()["ti"]
    at = datetime.fromisoformat(str(given["responded_at"]))
    return Answered(
        dag_id=instance.dag_id,
        dag_run_id=instance.run_id,
        task_id=task_for(kind, office),
        user=str(given["responded_by_user"]["name"]),
        answered_at=at,
        options=list(given["chosen_options"]),
        params=dict(given.get("params_input") or {}),
    )


@as_airflow
def write_report(verdict: str, judgement: str | None, purpose: str) -> dict[str, str]:
    """Write the Capability Report from the records; judge first what the verdict demands."""
    from include.rsp import records as r
    from include.wiring import safeguarding, signing_off
    from include.wiring.screening import standing

    desk, context = open_desk(), get_current_context()
    found = desk.state.expect(verdict, r.Verdict)
    demanded = any(line.demands for line in found.decision.red_lines)
    if not judgement and (demanded or standing(desk, found.assessment_id)):
        judgement, _ = safeguarding.judge(desk, verdict)
    run = context["dag_run"]
    asked = signing_off.Asked(
        by=getattr(run, "triggering_user_name", None) or f"{run.run_type} of {run.dag_id}",
        because=context["params"].get("reason"),
    )
    scope: Literal[Scope.TRAINING, Scope.DEPLOYMENT] = (
        Scope.DEPLOYMENT if purpose == Scope.DEPLOYMENT.value else Scope.TRAINING
    )
    digest, _ = signing_off.write_report(
        desk, verdict, judgement or None, purpose=scope, asked=asked
    )
    show(digest)
    return {REPORT: digest}


@as_airflow
def close_packet(report: str, answer: Mapping[str, Any] | None) -> dict[str, str]:
    """Write down the second line's opinion and close the packet; without one nothing is signed."""
    from include.rsp.errors import Refused
    from include.wiring import signing_off

    desk = open_desk()
    office = second_line(desk, report)
    given = answered(office, OPINION, answer)
    if given is not None:
        signing_off.record_answer(desk, OPINION, report, office, given)
    closed = signing_off.close_packet(desk, report)
    if closed is None:
        raise Refused(
            "second_line_needs_more",
            f"The {office} did not let the packet close: it needs more, or said nothing. Supply "
            "what it asks for and trigger the run again; nobody can sign meanwhile.",
        )
    show(closed[0])
    return {PACKET: closed[0]}


def second_line(desk: Desk, report: str) -> str:
    """The office that gives its opinion on a report."""
    from include.rsp import records as r
    from include.wiring import signing_off

    verdict = desk.state.expect(report, r.CapabilityReport).verdict.record
    return signing_off.rules_of(desk, verdict).policy.sign_off.second_line.office


@as_airflow
def verify_sign_off(packet: str, office: str, answer: Mapping[str, Any] | None) -> str | None:
    """Let the notary check what an officer answered, before anybody else is asked."""
    from include.rsp.answers import determinations_on
    from include.wiring import signing_off

    desk = open_desk()
    given = answered(office, DETERMINATION, answer)
    if given is None:
        log.info("The %s was not asked here, or has not answered.", office)
        return None
    digest = signing_off.record_answer(desk, DETERMINATION, packet, office, given)
    said = determinations_on(desk.state, packet)[office]
    log.info("%s (%s): %s: %s", office, said.identification, said.choice, said.reason)
    show(digest, f"{office}: {said.choice}")
    return digest


@as_airflow
def follow_determination(packet: str) -> list[str]:
    """Go where the officers' answers lead: on, to the response that they chose, or nowhere."""
    from include.wiring import signing_off

    desk = open_desk()
    show(packet)
    chosen = signing_off.chosen_responses(desk, packet)
    kinds = [one.kind for one in chosen if one.kind is not ResponseKind.CAP_TRAINING]
    if kinds:
        for one in chosen:
            log.warning("response %s (%s): %s", one.id, one.clause, ", ".join(one.actions))
        return list(dict.fromkeys(kind.value for kind in kinds))
    if signing_off.goes_on(desk, packet):
        return [SEND_NOTICES]
    return [NOTHING_GOES_ON]


@as_airflow
def send_notices(packet: str) -> int:
    """Send word to everybody whom the policy names; a receipt is asked for beside it."""
    from include.wiring import telling

    desk = open_desk()
    failed = telling.send(desk, telling.notices_on(desk, packet))
    show(packet)
    if failed:
        named = ", ".join(sorted({one.to for one in failed}))
        raise AirflowException(f"No channel took the notice to {named}; it is sent again.")
    return len(desk.state.notifications)


@as_airflow
def ask_for_permit(packet: str, answers: Mapping[str, Mapping[str, Any] | None]) -> str:
    """Write down the receipts and ask the notary for what the officers determined."""
    from include.wiring import signing_off

    desk = open_desk()
    for notice, office in signing_off.receipts_to_come(desk, packet):
        given = answered(office, RECEIPT, answers.get(office))
        if given is not None:
            signing_off.record_answer(desk, RECEIPT, packet, office, given, notice=notice.id)
    digest, permit = signing_off.ask_for_permit(desk, packet)
    label = f"{permit.identification}{', SIMULATED' if permit.simulated else ''}"
    log.info(
        "%s permit %s (%s), ceiling %.4g FLOP", permit.purpose, digest, label, permit.ceiling_flop
    )
    show(digest)
    return digest


@as_airflow
def carry_out(packet: str, kind: str) -> list[str]:
    """Show what a chosen response orders; the notary has ordered it, this waits until it has."""
    from include.wiring import responding

    desk = open_desk()
    holds = responding.carried_out(desk, packet, ResponseKind(kind))
    for response in responding.chosen(desk, packet, ResponseKind(kind)):
        log.warning(
            "%s (%s): %s; a hold then ends by %s", response.id, response.clause,
            ", ".join(response.actions), " and ".join(response.resume) or "the policy's rule",
        )  # fmt: skip
    show(holds[0] if holds else packet, kind.replace("_", " "))
    return holds


@as_airflow
def record_deletion(packet: str, answers: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """Write down what each person said about deleting the weights. Redline deletes nothing."""
    from include.wiring import signing_off

    desk = open_desk()
    found = []
    for office, answer in answers.items():
        given = answered(office, DELETION, answer)
        if given is not None:
            found.append(signing_off.record_answer(desk, DELETION, packet, office, given))
    show(found[-1] if found else packet)
    return found


@as_airflow
def nothing_goes_on(packet: str) -> str:
    """Say that nothing goes on, and why."""
    from include.rsp.answers import determinations_on

    desk = open_desk()
    for office, one in determinations_on(desk.state, packet).items():
        log.warning("%s: %s: %s", office, one.choice, one.reason)
    log.warning("Nothing goes on by this packet: what is held stays held (see close_packet).")
    show(packet)
    return packet


@as_airflow
def draw_transcripts(assessment_id: str) -> list[dict[str, str]]:
    """Ask for the transcripts that have to be read; one question for each run that is open."""
    from include.wiring import reviewing

    desk = open_desk()
    opened = reviewing.open_reviews(desk, assessment_id)
    for one in opened:
        log.info("%s: transcripts to be reviewed: %s", one.run, one.request)
    if not opened:
        raise AirflowSkipException("No transcripts have to be read, or all of them were.")
    show(opened[0].request)
    return [{"about": one.request, "evaluation": one.run} for one in opened]


@as_airflow
def count_reviews(assessment_id: str, answers: Sequence[Mapping[str, Any] | None]) -> None:
    """Let the notary check what the reviewers answered; what nobody read rules nothing out."""
    from include.wiring import reviewing

    desk, instance = open_desk(), get_current_context()["ti"]
    given = {
        str(one["about"]): reviewing.answered_from(
            one, dag_id=instance.dag_id, dag_run_id=instance.run_id
        )
        for one in answers
        if one and one.get("responded_by_user")
    }
    for run, said in reviewing.count_answers(desk, assessment_id, given).items():
        log.info("%s: %s", run, said)
    show(desk.state.assessments[assessment_id].validation or "")
