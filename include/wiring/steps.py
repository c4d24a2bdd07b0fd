"""The bodies of the DAGs' tasks: open the desk, do one stage, say what came out.

DAG files import this module while they are parsed, so everything heavy is imported inside.
Arguments and results are plain JSON: identifiers and digests only.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

from include.rsp.vocabulary import Outcome
from include.wiring.assets import DUE_ASSESSMENTS
from include.wiring.defaults import RECORD_KEY
from include.wiring.errors import as_airflow
from include.wiring.settings import Settings

if TYPE_CHECKING:
    from include.wiring.desk import Desk

log = logging.getLogger("redline.steps")

ASSESSMENT = "assessment_id"
JUDGEMENT = "judgement"
WRITE_REPORT = "write_report"
HOLD_STANDS = "hold_stands"


def open_desk() -> Desk:
    """The desk of the running task, which signs its records with the names of DAG and task."""
    from include.wiring.desk import Desk

    instance = get_current_context()["ti"]
    return Desk.open(Settings.from_environment(), author=f"{instance.dag_id}.{instance.task_id}")


def show(record: str, label: str | None = None) -> None:
    """Link the task to its record, and give it a label in the grid."""
    context = get_current_context()
    context["ti"].xcom_push(key=RECORD_KEY, value=record)
    if label is not None:
        context["label"] = label


@as_airflow
def register_checkpoints() -> dict[str, Any]:
    """Register what is new in the checkpoint folder."""
    from include.wiring import registration

    drained = registration.register_new(open_desk())
    return {"registered": drained.registered, "refused": drained.refused}


@as_airflow
def raise_due_occasions() -> list[str]:
    """Raise due occasions and wake an assessment for each."""
    from include.wiring import registration

    keys = registration.raise_due_occasions(open_desk())
    if keys:
        get_current_context()["outlet_events"][DUE_ASSESSMENTS].add_partitions(keys)
    return keys


@as_airflow
def plan() -> list[str]:
    """Find out what this run is for and resolve what depends on "now"; the evaluations to run."""
    from include.rsp.canonical import digest_of
    from include.wiring import assessment, screening

    context = get_current_context()
    desk = open_desk()
    key = assessment.resolve(desk, context.get("partition_key"), context["params"])
    record = assessment.plan(desk, key)
    _, checkpoint = desk.state.checkpoint_of(key)
    rules = desk.rulebook.of_assessment(desk.state, key)
    log.info(
        "assessing %s (%.4g FLOP) under %s %s because: %s",
        checkpoint.location,
        checkpoint.manifest.effective_compute,
        rules.policy.id,
        rules.policy.version,
        desk.state.occasion(key).reason,
    )
    for one in screening.standing(desk, key):
        log.warning(
            "%s is needed whatever is found: %s (%s)", one.standard, one.because, one.clause
        )
    for ground in record.grounds:
        log.info("notably more capable? %s: %s (%s)", ground.ground, ground.answer, ground.because)
    show(digest_of(record))
    context["ti"].xcom_push(key=ASSESSMENT, value=key)
    return list(record.evaluations)


@as_airflow
def pre_flight(assessment_id: str, whole: str, first: str) -> str:
    """Check what is about to be evaluated; go to `first` if a preliminary assessment is planned."""
    from include.wiring import assessment, screening

    desk = open_desk()
    show(assessment.pre_flight(desk, assessment_id))
    return first if screening.is_preliminary(desk, assessment_id) else whole


@as_airflow
def preliminary(assessment_id: str) -> list[str]:
    """Is the model notably more capable? The evaluations that have to be run if it is."""
    from include.rsp.canonical import digest_of
    from include.wiring import screening

    record = screening.answer_preliminary(open_desk(), assessment_id)
    for one in record.grounds:
        log.info("%s: %s (%s)", one.ground, one.answer, one.because)
    notable = record.notably_more_capable
    log.info("%s", "notably more capable, or in doubt" if notable else "not notably more capable")
    show(digest_of(record))
    return list(record.evaluations)


@as_airflow
def follow_triggers(assessment_id: str) -> list[str]:
    """The evaluations that waited for a trigger which is not shown to be below."""
    from include.wiring import evaluating

    names = evaluating.triggered(open_desk(), assessment_id)
    log.info("to be run because a trigger is not below: %s", ", ".join(names) or "none")
    return names


@as_airflow
def compare(red_line: str, assessment_id: str) -> dict[str, str]:
    """Show what the evidence says of one red line."""
    from include.wiring import assessment

    desk = open_desk()
    line = assessment.compare(desk, assessment_id, red_line)
    log.info("%s is %s (%s): %s", line.red_line, line.status, line.clause, line.because)
    after = f" (follow-up of {line.follow_up_of})" if line.follow_up_of else ""
    label = f"{line.red_line}: {line.status}{after}"
    show(desk.state.assessments[assessment_id].validation or "", label)
    return {"red_line": line.red_line, "status": line.status.value, "because": line.because}


@as_airflow
def verdict(assessment_id: str) -> str:
    """Reach the verdict and go where it sends the run."""
    from include.wiring import assessment

    digest, record = assessment.reach_verdict(open_desk(), assessment_id)
    outcome = assessment.outcome_of(record)
    for line in record.decision.red_lines:
        log.info("%s: %s by %s: %s", line.red_line, line.status, line.clause, line.because)
    log.info("verdict %s: %s", digest, outcome.value)
    show(digest)
    get_current_context()["ti"].xcom_push(key="verdict", value=digest)
    return outcome.value


@as_airflow
def go_on(assessment_id: str, otherwise: str) -> str | None:
    """Ask the notary for the permit, where the policy lets a machine continue; else ask people."""
    from include.wiring import assessment

    desk = open_desk()
    if not assessment.machine_may_go_on(desk, assessment_id):
        log.info("people have to determine this: see %s", otherwise)
        show(desk.state.assessments[assessment_id].verdict or "")
        return otherwise
    digest, permit = assessment.request_permit(desk, assessment_id)
    log.info(
        "permit %s: next due at %.4g FLOP, ceiling %.4g FLOP, until %s",
        digest, permit.due_flop, permit.ceiling_flop, permit.expires_at,
    )  # fmt: skip
    show(digest)
    return None


@as_airflow
def pause(verdict: str) -> str:
    """Show the hold that the notary ordered when it chained the verdict."""
    from include.wiring import holding

    digest, hold = holding.hold_of_verdict(open_desk(), verdict)
    log.warning("run %s is held: %s", hold.run_id, hold.reason)
    show(digest)
    return digest


@as_airflow
def find_hold() -> dict[str, str]:
    """Find the hold that is to be released, and the verdict behind it."""
    from include.wiring import holding

    run_id = str(get_current_context()["params"]["run_id"])
    desk = open_desk()
    digest, hold = holding.hold_in_force(desk, run_id)
    log.info("hold %s of %s: %s", digest, run_id, hold.reason)
    show(digest)
    return {"hold": digest, "verdict": holding.newest_verdict(desk, run_id)}


@as_airflow
def find_verdict() -> dict[str, str]:
    """Find the newest verdict on the checkpoint that is to be deployed."""
    from include.wiring import deploying

    params = get_current_context()["params"]
    digest = deploying.verdict_on(open_desk(), str(params["run_id"]), str(params["checkpoint_id"]))
    show(digest)
    return {"verdict": digest}


@as_airflow
def hold_stands(verdict: str) -> str:
    """Say that nothing was released, and why."""
    log.warning(
        "The hold stands: see the Safeguards Report of judge_safeguards for what is missing."
    )
    show(verdict)
    return Outcome.PAUSE.value
