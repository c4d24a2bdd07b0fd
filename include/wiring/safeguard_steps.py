"""The bodies of the tasks that verify safeguards. DAG files import this: nothing heavy at the top.

The same tasks stand in an assessment that needs a standard, in a release, and in the DAG
`verify_safeguards`: probes are run group by group, what they saw becomes evidence, everything is
judged, and a report is written.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule, XComArg, get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from include.rsp.human_tasks import SAFEGUARDS
from include.wiring.defaults import step, with_record_link
from include.wiring.errors import as_airflow
from include.wiring.people_steps import answered
from include.wiring.steps import JUDGEMENT, WRITE_REPORT, open_desk, show

if TYPE_CHECKING:
    from include.wiring.desk import Desk

log = logging.getLogger("redline.safeguard_steps")

RECORDED = "recorded evidence"
"""Stands for the group of probes where the suite plans none."""
JUDGE = "judge_safeguards"
JUDGED = "{{ ti.xcom_pull(task_ids='" + JUDGE + "', key='" + JUDGEMENT + "') or '' }}"
"""The judgement of this run, or nothing."""


@as_airflow
def plan_probes(verdict: str) -> list[str]:
    """Which groups of probes look at the standards that a verdict requires."""
    from include.wiring import collecting

    desk = open_desk()
    show(verdict)
    return collecting.groups(collecting.probes_for(desk, [verdict])) or [RECORDED]


@as_airflow
def collect_evidence(group: str) -> int:
    """Run the probes of a group, each in its time; whatever they saw becomes evidence."""
    from include.wiring import collecting

    if group == RECORDED:
        get_current_context()["label"] = "no probe is planned"
        log.info("The suite plans no probe for these standards; what people added is judged.")
        return 0
    found = collecting.collect(open_desk(), group)
    for one in found:
        say = log.info if one.shows else log.warning
        say("%s %s: %s", one.probe, "shows it" if one.shows else "does NOT show it", one.statement)
    missing = sum(not one.shows for one in found)
    said = f"{missing} of {len(found)} not shown" if missing else f"{len(found)} shown"
    show(found[-1].record, f"{group}: {said}")
    return len(found)


@as_airflow
def judge_safeguards(verdict: str, otherwise: str) -> str:
    """Judge the required standards and write the Safeguards Report; go to `write_report` if there
    is something that people can let go on by, else to `otherwise`.

    That is: the standards hold or measures stand in for them, none is required, or the policy lets
    officers go below the recommendation.
    """
    from include.wiring import safeguarding

    desk = open_desk()
    digest, judgement = safeguarding.judge(desk, verdict)
    report = safeguarding.write_report(desk, digest)
    lost = safeguarding.shortfalls(judgement)
    for line in lost:
        log.warning("%s", line)
    log.info("Safeguards Report: /redline/reports/%s", report)
    show(report, "holds" if judgement.holds else f"does NOT hold: {len(lost)} not shown")
    get_current_context()["ti"].xcom_push(key=JUDGEMENT, value=digest)
    return WRITE_REPORT if safeguarding.people_may_go_on(desk, judgement) else otherwise


def verify(*, verdict: Any, otherwise: str) -> tuple[XComArg, XComArg]:
    """Probe, judge, report: (first task, the judging task, which branches).

    Args:
        otherwise: the task to go to when nothing can go on.
    """
    first = step(plan_probes, task_id="verify_safeguards")(verdict=verdict)
    evidence = collected(first)
    judged = step(
        judge_safeguards,
        branch=True,
        # a group that crashed added no evidence; what there is is judged all the same
        trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
    )(verdict=verdict, otherwise=otherwise)
    first >> [evidence, judged]
    evidence >> judged
    return first, judged


def collected(groups: XComArg) -> XComArg:
    """One task for each group of probes."""
    decorate: Any = task
    made = decorate(collect_evidence, map_index_template="{{ label }}").expand(group=groups)
    return with_record_link(made)


@as_airflow
def hold_drill() -> str:
    """Play the scenario that was asked for against the lab, time each step, write the record."""
    from include.wiring import drills

    scenario = get_current_context()["params"].get("drill")
    if not scenario:
        raise AirflowSkipException("No drill was asked for.")
    desk = open_desk()
    digest, drill = drills.hold(desk, str(scenario), asked_by=_asked_by())
    for one in drill.steps:
        log.info("%s: %.3f s%s", one.name, one.seconds, "" if one.done else " NOT done")
    for gap in drill.gaps:
        log.warning("gap: %s", gap)
    show(digest, f"{scenario}: {len(drill.gaps)} gaps" if drill.gaps else f"{scenario}: no gaps")
    return digest


def _asked_by() -> str:
    run = get_current_context()["dag_run"]
    return getattr(run, "triggering_user_name", None) or f"{run.run_type} of {run.dag_id}"


@as_airflow
def plan_verification() -> list[str]:
    """Which checkpoints go on because safeguards hold, and which probes look at these."""
    from include.rsp.errors import Refused
    from include.wiring import collecting

    desk, params = open_desk(), get_current_context()["params"]
    if params.get("approve") and not params.get("run_id"):
        raise Refused("no_run", "Officers approve the safeguards of one run: give its run_id.")
    verdicts = collecting.verdicts_to_verify(desk, params.get("run_id"))
    get_current_context()["ti"].xcom_push(key="verdicts", value=verdicts)
    if params.get("run_id") and not collecting.is_needed(desk, verdicts[0]):
        raise Refused("nothing_required", f"The run {params['run_id']!r} needs no safeguards.")
    if not verdicts:
        raise AirflowSkipException("Nothing goes on because of safeguards: nothing to verify.")
    show(verdicts[-1], f"{len(verdicts)} to verify")
    return collecting.groups(collecting.probes_for(desk, verdicts)) or [RECORDED]


@as_airflow
def judge_all(verdicts: list[str]) -> str:
    """Judge every checkpoint that rests on safeguards, write the reports, warn of what lapses."""
    from include.wiring import reverifying

    desk = open_desk()
    found = [reverifying.verify(desk, one) for one in verdicts]
    for one in found:
        for line in one.lost:
            log.warning("%s: %s", one.where, line)
    lost = [one.where for one in found if not one.holds]
    show(found[-1].report, f"{len(lost)} of {len(found)} do NOT hold" if lost else "all hold")
    _warn(desk)
    return found[-1].report if get_current_context()["params"].get("approve") else ""


def _warn(desk: Desk) -> None:
    from include.wiring import reverifying, telling

    failed = telling.send(desk, reverifying.warnings(desk))
    if failed:
        named = ", ".join(sorted({one.to for one in failed}))
        raise AirflowException(f"No channel took the warning to {named}; it is sent again.")


@as_airflow
def record_approval(report: str, office: str, answer: Mapping[str, Any] | None) -> str | None:
    """Write down what an officer said of the report, before anybody else is asked."""
    from include.wiring import signing_off

    given = answered(office, SAFEGUARDS, answer)
    if not report or given is None:
        log.info("The %s was not asked here, or has not answered.", office)
        return None
    digest = signing_off.record_answer(open_desk(), SAFEGUARDS, report, office, given)
    show(digest, office)
    return digest


@as_airflow
def attest_safeguards(report: str) -> str:
    """Show the notary's attestation of the report that officers approved."""
    from include.wiring import reverifying

    if not report:
        raise AirflowSkipException("No approval was asked for.")
    place = reverifying.attestation_of(open_desk(), report)
    show(report, "attested")
    log.info("The notary's attestation is at %s", place)
    return place


@as_airflow
def reopen_safeguards() -> int:
    """Judge again what evidence was added for, or what lapses soon; tell the officers."""
    from include.wiring import reverifying

    desk = open_desk()
    found = reverifying.reopen(desk)
    for one in found:
        log.warning("%s was looked at again: %s", one.where, one.because)
    _warn(desk)
    return len(found)
