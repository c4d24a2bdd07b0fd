"""Running the evaluations of an assessment: their jobs, their results, and what follows from them.

Each run of the plan is one job whose name follows from the counted plan, so whoever runs it again
finds the job that is there (DESIGN I4).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from include.adapters import rederivation
from include.adapters.evaluation import JobRequest
from include.rsp import records as r
from include.rsp.canonical import Digest, digest_of, short
from include.rsp.errors import Refused
from include.rsp.evaluation_plan import PlannedRun
from include.rsp.results import EvaluationRun
from include.rsp.vocabulary import ResultStatus
from include.wiring.desk import Desk

log = logging.getLogger("redline.evaluating")


def planned_run(desk: Desk, assessment_id: str, name: str) -> PlannedRun:
    """The run of that name in the counted plan.

    Raises:
        Refused: the plan has none.
    """
    plan = desk.state.expect(desk.plan_of(assessment_id).record, r.Plan)
    for one in plan.runs:
        if one.name == name:
            return one
    raise Refused(
        "unplanned_run",
        f"Assessment {assessment_id} has no run {name!r} (expected one of "
        f"{[one.name for one in plan.runs]}). Only what the plan names is evaluated.",
    )


def job_request(desk: Desk, assessment_id: str, name: str, *, again: bool = False) -> JobRequest:
    """The run as a job; `again`: its second one, where the results of the first were invalid.

    Raises:
        Refused: the plan has no such run, or the checkpoint lacks its variant.
    """
    rules = desk.rulebook.of_assessment(desk.state, assessment_id)
    run = planned_run(desk, assessment_id, name)
    _, checkpoint = desk.state.checkpoint_of(assessment_id)
    manifest = checkpoint.manifest
    forms = {one.name: one for one in manifest.variants}
    variant = forms.get(run.variant or manifest.variants[0].name)
    if variant is None:
        raise Refused(
            "no_variant",
            f"{checkpoint.location} has no variant {run.variant!r} (expected one of "
            f"{sorted(forms)}), which the suite asks {run.evaluation!r} of. Publish it with the "
            "checkpoint; until then nothing is ruled out by it.",
        )
    location = Path(manifest.run_id) / manifest.checkpoint_id
    return JobRequest(
        job=job_name(desk, assessment_id, name, again=again),
        run=name,
        evaluation=rules.suite.evaluation(run.evaluation),
        checkpoint=checkpoint.digest,
        variant=variant.name,
        weights=str(desk.checkpoints / location / variant.file),
        weights_sha256=next(one.sha256 for one in manifest.files if one.path == variant.file),
    )


def job_name(desk: Desk, assessment_id: str, name: str, *, again: bool = False) -> str:
    """The job's handle: it follows from the counted plan."""
    return f"{name}-{short(desk.plan_of(assessment_id).record)}{'-again' if again else ''}"


def counted_result(desk: Desk, assessment_id: str, name: str) -> Digest | None:
    """The result set that is counted for a run, if there is one."""
    return desk.state.assessments[assessment_id].result_sets.get(name)


def count(
    desk: Desk,
    assessment_id: str,
    run: EvaluationRun,
    *,
    replaces: Digest | None = None,
    problems: Sequence[str] = (),
) -> r.ResultSet:
    """Record what an evaluator reports, and open an incident if its instrument is unfit.

    If another result set was counted first, that one counts; this one stays a refused record.
    """
    record = r.ResultSet(
        at=desk.now(),
        by=desk.author,
        stamp=desk.stamp,
        assessment_id=assessment_id,
        plan=desk.plan_of(assessment_id),
        run=run,
        replaces=r.RecordRef(record=replaces) if replaces else None,
        problems=list(problems),
    )
    digest = desk.submit_counted(
        record, lambda now: now.assessments[assessment_id].result_sets.get(run.key)
    )
    counted = desk.state.expect(digest, r.ResultSet)
    if counted.run.status is ResultStatus.UNFIT:
        open_incident(desk, assessment_id, digest, counted.run)
    return counted


def open_incident(desk: Desk, assessment_id: str, digest: Digest, run: EvaluationRun) -> None:
    """Say once that an instrument was found unfit; its line is not ruled out meanwhile."""
    what = (
        f"{run.key} of {short(digest)} was not run, because its instrument is not fit: "
        f"{run.problem}"
    )
    known = desk.state.incidents.values()
    if any(one.assessment_id == assessment_id and one.what == what for one in known):
        return
    record = r.Incident(
        at=desk.now(),
        by=desk.author,
        stamp=desk.stamp,
        run_id=desk.state.occasion(assessment_id).run_id,
        category="instrument",
        what=what,
        known_at=desk.now(),
        assessment_id=assessment_id,
    )
    log.error("INCIDENT %s: %s", digest_of(record), what)
    desk.submit(record)


def triggered(desk: Desk, assessment_id: str) -> list[str]:
    """The runs that waited for a trigger which is not shown to be below its limit."""
    state = desk.state
    rules = desk.rulebook.of_assessment(state, assessment_id)
    at = desk.now()
    return rederivation.derive_triggered(desk.store, state, rules, assessment_id, at=at)
