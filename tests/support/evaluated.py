"""One evaluation of an assessment, taken from its finished job to its counted result set."""

from __future__ import annotations

from include.rsp import records as r
from include.wiring import evaluating
from include.wiring.desk import Desk


def record_result(desk: Desk, assessment_id: str, name: str) -> r.ResultSet:
    """What `EvaluateOperator` does with a job that has ended, without Airflow; safe to repeat."""
    known = evaluating.counted_result(desk, assessment_id, name)
    if known is not None:
        return desk.state.expect(known, r.ResultSet)
    request = evaluating.job_request(desk, assessment_id, name)
    run = desk.jobs.collect(request, desk.store, at=desk.now())
    return evaluating.count(desk, assessment_id, run)
