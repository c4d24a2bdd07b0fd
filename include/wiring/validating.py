"""Validating the result sets of an assessment (lifecycle step 10): one Great Expectations context
for all of them, its account kept whole, and a page of what was quarantined.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from include.adapters import rederivation
from include.adapters.rerun_check import why_not
from include.adapters.review_requests import anomalies_of
from include.adapters.sample_table import read_table
from include.adapters.store import get_blob, put_blob
from include.rsp import records as r
from include.rsp.canonical import Digest, canonical_bytes
from include.rsp.errors import InvalidDocument, Refused
from include.rsp.evaluation_plan import PlannedRun
from include.rsp.results import EvaluationRun
from include.wiring import evaluating
from include.wiring.desk import Desk

if TYPE_CHECKING:
    from include.adapters.result_frame import ResultTable
    from include.adapters.validation import Validated, Validator

log = logging.getLogger("redline.validating")
MOST_TO_SEE = 20


def validate(
    desk: Desk, assessment_id: str, results: Mapping[str, Validated] | None = None
) -> r.Validation:
    """Record what Great Expectations finds, with its full account.

    Args:
        results: of `look`, if it was called after the last result set was counted.
    """
    desk.state.occasion(assessment_id)
    known = desk.state.assessments[assessment_id].validation
    if known is None:
        found = look(desk, assessment_id) if results is None else results
        known = desk.submit_counted(
            _record(desk, assessment_id, found),
            lambda now: now.assessments[assessment_id].validation,
        )
    return desk.state.expect(known, r.Validation)


def to_run_again(
    desk: Desk, assessment_id: str, results: Mapping[str, Validated]
) -> dict[str, Digest]:
    """The counted result set of each run that is not valid and may be made once more."""
    state = desk.state
    rules = desk.rulebook.of_assessment(state, assessment_id)
    counted = state.assessments[assessment_id].result_sets
    again = {}
    for name in [one for one in sorted(results) if not results[one].valid and one in counted]:
        planned = evaluating.planned_run(desk, assessment_id, name)
        evaluation = rules.suite.evaluation(planned.evaluation)
        reason = why_not(
            desk.store, state, counted[name], evaluation, planned, assessment=assessment_id
        )
        log.info("%s is %s", name, f"not run again: {reason}" if reason else "run once more")
        if reason is None:
            again[name] = counted[name]
    return again


def look(desk: Desk, assessment_id: str) -> dict[str, Validated]:
    """What Great Expectations finds in the result sets that are counted now; nothing is recorded.

    Raises:
        Refused: nothing was evaluated, because there is no pre-flight.
    """
    from include.adapters.validation import Validator, nothing_to_validate

    state = desk.state
    if state.assessments[assessment_id].preflight is None:
        raise Refused(
            "no_preflight",
            f"Assessment {assessment_id} has no pre-flight, so nothing was evaluated. Mend what "
            "pre_flight names and clear it.",
        )
    counted = state.assessments[assessment_id].result_sets
    validator, results = Validator(), {}
    for planned in state.expect(desk.plan_of(assessment_id).record, r.Plan).runs:
        digest = counted.get(planned.name)
        if digest is None and planned.runs_after:
            continue  # whether it had to be run is the verdict's to say
        run = state.expect(digest, r.ResultSet).run if digest else None
        table = _table(desk, planned, run) if run else None
        if run is None or table is None:
            said = run.problem if run else "the evaluation did not report"
            results[planned.name] = nothing_to_validate(f"no readable result ({said})")
            continue
        results[planned.name] = _hold_against(desk, assessment_id, validator, planned, run, table)
    for name, one in results.items():
        log.info("%s: %s", name, "valid" if one.valid else f"NOT VALID: {one.problems}")
    return results


def _hold_against(
    desk: Desk,
    assessment_id: str,
    validator: Validator,
    planned: PlannedRun,
    run: EvaluationRun,
    table: ResultTable,
) -> Validated:
    from include.adapters.result_frame import Context

    rules = desk.rulebook.of_assessment(desk.state, assessment_id)
    _, checkpoint = desk.state.checkpoint_of(assessment_id)
    evaluation = rules.suite.evaluation(planned.evaluation)
    if evaluation.quality.canaries:
        table = _with_canaries(desk, table, run, evaluation.quality.canaries)
    context = Context(
        run=run,
        checkpoint=checkpoint.digest,
        checkpoint_at=checkpoint.manifest.created_at,
        at=desk.now(),
    )
    return validator.validate(evaluation, planned, table=table, context=context)


def _record(desk: Desk, assessment_id: str, results: Mapping[str, Validated]) -> r.Validation:
    from include.adapters.validation_page import render_page

    counted = desk.state.assessments[assessment_id].result_sets
    pages = {
        name: put_blob(
            desk.store, render_page(one.report, title=name), name=f"{name}.validation.html"
        )
        for name, one in results.items()
        if not one.valid
    }
    report = {name: one.report for name, one in results.items()}
    return r.Validation(
        at=desk.now(),
        by=desk.author,
        stamp=desk.stamp,
        assessment_id=assessment_id,
        plan=desk.plan_of(assessment_id),
        result_sets={name: r.RecordRef(record=digest) for name, digest in counted.items()},
        valid={name: one.valid for name, one in results.items()},
        problems={name: one.problems for name, one in results.items()},
        to_see=_to_see(desk, assessment_id, [name for name, one in results.items() if one.valid]),
        report=put_blob(desk.store, canonical_bytes(report), name="great-expectations.json"),
        pages=pages,
    )


def _to_see(desk: Desk, assessment_id: str, valid: Sequence[str]) -> dict[str, list[str]]:
    """The anomalies of the runs that are valid, in words."""
    state = desk.state
    read = rederivation.reader_of(desk.store, state)
    rules = desk.rulebook.of_assessment(state, assessment_id)
    told = {}
    for name in valid:
        planned = evaluating.planned_run(desk, assessment_id, name)
        counted = state.assessments[assessment_id].result_sets[name]
        found = anomalies_of(
            read,
            state,
            rules.suite.evaluation(planned.evaluation),
            assessment_id,
            run=name,
            samples=read(state.expect(counted, r.ResultSet)) or [],
        )
        if found:
            told[name] = [f"{one.kind}: {one.because}" for one in found[:MOST_TO_SEE]]
            log.warning("%s: %d things to look at, first %s", name, len(found), told[name][0])
    return told


def _table(desk: Desk, planned: PlannedRun, run: EvaluationRun) -> ResultTable | None:
    """The stored table, of a log or of delivered samples; None when it does not read."""
    from include.adapters.result_frame import table_of_samples

    if run.samples is None:
        return None
    content = get_blob(desk.store, run.samples.blob)
    if content.startswith(rederivation.PARQUET):
        try:
            table: ResultTable = read_table(content)
            return table
        except InvalidDocument:
            return None
    samples = rederivation.read_samples(desk.store, run.samples, scorer=planned.scorer)
    return None if samples is None else table_of_samples(run, samples, model=planned.model or "")


def _with_canaries(
    desk: Desk, table: ResultTable, run: EvaluationRun, canaries: Sequence[str]
) -> ResultTable:
    """The table with the canaries of each row; without them, if the log cannot tell."""
    import pandas as pd

    from include.adapters.canaries import canaries_told
    from include.adapters.result_frame import plain_frame

    frame = plain_frame(table)
    if run.log is None:
        return frame
    trials = [
        (str(sample), int(epoch))
        for sample, epoch in zip(frame["sample_id"], frame["epoch"], strict=True)
    ]
    try:
        found = canaries_told(get_blob(desk.store, run.log.blob), trials, canaries)
    except InvalidDocument as error:
        log.warning("%s: no canary can be looked for: %s", run.key, error)
        return frame
    return frame.assign(canaries=pd.Series(found, index=frame.index, dtype=object))
