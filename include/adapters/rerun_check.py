"""Whether results may take the place of others that did not pass validation (lifecycle step 10).

A suite may allow one more run where results were invalid. It must never become a way to try until
the answer is liked: a crossing stays, and a third run is never counted.
"""

from __future__ import annotations

from include.adapters.rederivation import reader_of
from include.adapters.store import Store
from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.errors import Refused
from include.rsp.evaluation_plan import PlannedRun
from include.rsp.finding import would_cross
from include.rsp.state import LedgerState
from include.rsp.suite import Evaluation
from include.rsp.vocabulary import ResultStatus


def check_rerun(
    store: Store,
    state: LedgerState,
    record: r.ResultSet,
    evaluation: Evaluation,
    planned: PlannedRun,
) -> None:
    """Refuse a result set that replaces the counted one unless `why_not` allows it.

    Raises:
        Refused: it may not.
    """
    if record.replaces is None:
        return
    reason = why_not(
        store, state, record.replaces.record, evaluation, planned, assessment=record.assessment_id
    )
    if reason is None and not record.problems:
        reason = "it does not say what was wrong with the first"
    if reason is not None:
        raise Refused("no_rerun", f"{planned.name} is not counted a second time: {reason}.")


def why_not(
    store: Store,
    state: LedgerState,
    first: Digest,
    evaluation: Evaluation,
    planned: PlannedRun,
    *,
    assessment: str,
) -> str | None:
    """Why the counted results of a run may not be replaced by another run; None if they may.

    The suite must allow it (`quality.rerun_once`) and a process must have made them; they must not
    themselves be the second, nor of an unfit instrument; nothing may have been validated yet; and
    their samples, whatever is wrong with them, must not cross a limit.
    """
    result, there = state.expect(first, r.ResultSet), state.assessments[assessment]
    reasons = (
        (there.result_sets.get(planned.name) != first, f"its counted results are not {first}"),
        (there.validation is not None, "the results of the assessment are validated already"),
        (evaluation.inspect is None, "people delivered it; they may deliver it anew"),
        (
            not evaluation.quality.rerun_once,
            "the suite does not allow it (quality.rerun_once)",
        ),
        (result.replaces is not None, "it was run again already"),
        (
            result.run.status is ResultStatus.UNFIT,
            "its instrument was unfit, which a person has to mend",
        ),
        (
            would_cross(evaluation, reader_of(store, state)(result) or []),
            "its samples crossed the limit, and a crossing is never run away from",
        ),
    )
    return next((reason for applies, reason in reasons if applies), None)
