"""Why a verdict may no longer lend its statuses to another model (lifecycle step 6; DESIGN I1).

What a preliminary assessment takes over has to stand when it is taken over, not only when the
assessment was planned.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from include.rsp import records as r
from include.rsp.canonical import Digest, short
from include.rsp.occasion import months_after
from include.rsp.policy import Policy
from include.rsp.run_state import RunState
from include.rsp.state import LedgerState


def doubts(
    state: LedgerState, policy: Policy, reference: Digest, occasion: r.Occasion, *, at: datetime
) -> list[str]:
    """Everything that speaks against taking over a verdict; empty: nothing does.

    It stands only if (1) the policy's months have not passed since; (2) its checkpoint has no newer
    verdict; (3) none of its results was restated; (4) no incident was reported since that nobody
    answered, of its run or of the one that asks. The model that asks may take it over only if (5)
    it was not assessed whole itself, and (6) its run's own last comprehensive verdict demands
    nothing.
    """
    verdict = state.expect(reference, r.Verdict)
    return [
        *_too_old(policy, verdict, at),  # (1)
        *_reversed(state, reference, verdict),  # (2)
        *_restated(state, verdict),  # (3)
        *_incidents(state, verdict, occasion),  # (4)
        *_own(state, reference, occasion),  # (5), (6)
    ]


def newest_whole(run: RunState) -> tuple[Digest, r.Verdict] | None:
    """The run's newest verdict that was not taken over from another model."""
    found = [(digest, one) for digest, one in run.verdicts.items() if one.inherits is None]
    return found[-1] if found else None


def _too_old(policy: Policy, verdict: r.Verdict, at: datetime) -> Iterator[str]:
    rule = policy.preliminary
    if rule is None or at >= months_after(verdict.at, int(rule.months)):
        yield f"its verdict is of {verdict.at:%Y-%m-%d}, too long ago"


def _reversed(state: LedgerState, reference: Digest, verdict: r.Verdict) -> Iterator[str]:
    run = state.runs[state.occasion(verdict.assessment_id).run_id]
    for digest, one in run.verdicts.items():
        newer = state.index_of[digest] > state.index_of[reference]
        if newer and one.checkpoint == verdict.checkpoint:
            yield f"its checkpoint has a newer verdict, {short(digest)}"


def _restated(state: LedgerState, verdict: r.Verdict) -> Iterator[str]:
    counted = state.assessments[verdict.assessment_id].result_sets
    for digest, one in state.restatements.items():
        if one.result_set.record in counted.values():
            yield f"a result that it rests on was restated in {short(digest)}"


def _incidents(state: LedgerState, verdict: r.Verdict, occasion: r.Occasion) -> Iterator[str]:
    """An incident is answered by a comprehensive assessment that was raised after it."""
    since = {occasion.run_id: _last_answer(state, occasion.run_id)}
    theirs = state.occasion(verdict.assessment_id).run_id
    since[theirs] = state.index_of[state.assessments[verdict.assessment_id].occasion]
    for digest, one in state.incidents.items():
        for run_id, index in since.items():
            if one.run_id in (None, run_id) and state.index_of[digest] > index:
                yield f"{one.category} was reported of {run_id} in {short(digest)}"


def _last_answer(state: LedgerState, run_id: str) -> int:
    newest = newest_whole(state.runs[run_id])
    if newest is None:
        return state.index_of[state.runs[run_id].announcement]
    return state.index_of[state.assessments[newest[1].assessment_id].occasion]


def _own(state: LedgerState, reference: Digest, occasion: r.Occasion) -> Iterator[str]:
    run = state.runs[occasion.run_id]
    for digest, one in run.verdicts.items():
        if one.checkpoint == occasion.checkpoint and one.inherits is None:  # (5)
            yield f"the checkpoint was assessed whole itself, in {short(digest)}"
    newest = newest_whole(run)
    if newest is not None and newest[0] != reference:  # (6)
        demanding = [one.red_line for one in newest[1].decision.red_lines if one.demands]
        if demanding:
            yield f"its run's own last comprehensive verdict demands something ({demanding})"
