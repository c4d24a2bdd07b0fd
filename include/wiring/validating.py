"""Validating the result sets of an assessment (lifecycle step 10): one Great Expectations context
for all of them, its account kept whole, and a page of what was quarantined.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from include.adapters import rederivation
from include.adapters.sample_table import read_table
from include.adapters.store import get_blob, put_blob
from include.rsp import records as r
from include.rsp.canonical import canonical_bytes
from include.rsp.errors import InvalidDocument, Refused
from include.rsp.evaluation_plan import PlannedRun
from include.rsp.results import EvaluationRun
from include.wiring.desk import Desk

if TYPE_CHECKING:
    from include.adapters.result_frame import ResultTable

log = logging.getLogger("redline.validating")


def validate(desk: Desk, assessment_id: str) -> r.Validation:
    """Hold all result sets against their expectations; keep Great Expectations' full account."""
    desk.state.occasion(assessment_id)
    known = desk.state.assessments[assessment_id].validation
    if known is None:
        known = desk.submit_counted(
            _validated(desk, assessment_id),
            lambda now: now.assessments[assessment_id].validation,
        )
    return desk.state.expect(known, r.Validation)


def _validated(desk: Desk, assessment_id: str) -> r.Validation:
    from include.adapters.result_frame import Context
    from include.adapters.validation import Validator, nothing_to_validate
    from include.adapters.validation_page import render_page

    state = desk.state
    rules = desk.rulebook.of_assessment(state, assessment_id)
    if state.assessments[assessment_id].preflight is None:
        raise Refused(
            "no_preflight",
            f"Assessment {assessment_id} has no pre-flight, so nothing was evaluated. Mend what "
            "pre_flight names and clear it.",
        )
    _, checkpoint = state.checkpoint_of(assessment_id)
    counted = dict(state.assessments[assessment_id].result_sets)
    validator, results, at = Validator(), {}, desk.now()
    for planned in state.expect(desk.plan_of(assessment_id).record, r.Plan).runs:
        name, digest = planned.name, counted.get(planned.name)
        if digest is None and planned.runs_after:
            continue  # whether it had to be run is the verdict's to say
        run = state.expect(digest, r.ResultSet).run if digest else None
        table = _table(desk, planned, run) if run else None
        if run is None or table is None:
            said = run.problem if run else "the evaluation did not report"
            results[name] = nothing_to_validate(f"no readable result ({said})")
            continue
        context = Context(
            run=run,
            checkpoint=checkpoint.digest,
            checkpoint_at=checkpoint.manifest.created_at,
            at=at,
        )
        evaluation = rules.suite.evaluation(planned.evaluation)
        if evaluation.quality.canaries:
            table = _with_canaries(desk, table, run, evaluation.quality.canaries)
        results[name] = validator.validate(evaluation, planned, table=table, context=context)
    for name, one in results.items():
        log.info("%s: %s", name, "valid" if one.valid else f"QUARANTINED: {one.problems}")
    report = {name: one.report for name, one in results.items()}
    pages = {
        name: put_blob(
            desk.store, render_page(one.report, title=name), name=f"{name}.validation.html"
        )
        for name, one in results.items()
        if not one.valid
    }
    return r.Validation(
        at=at,
        by=desk.author,
        stamp=desk.stamp,
        assessment_id=assessment_id,
        plan=desk.plan_of(assessment_id),
        result_sets={name: r.RecordRef(record=digest) for name, digest in counted.items()},
        valid={name: one.valid for name, one in results.items()},
        problems={name: one.problems for name, one in results.items()},
        report=put_blob(desk.store, canonical_bytes(report), name="great-expectations.json"),
        pages=pages,
    )


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
