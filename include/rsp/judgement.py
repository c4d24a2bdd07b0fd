"""Which standards a verdict requires, and whether they hold on the evidence in the ledger."""

from __future__ import annotations

from datetime import datetime

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.errors import Refused
from include.rsp.policy import Policy
from include.rsp.safeguards import StandardJudgement, judge_standard
from include.rsp.standing import standing_requirements
from include.rsp.state import LedgerState
from include.rsp.vocabulary import CriterionOutcome, Outcome


def judge_required(
    state: LedgerState, policy: Policy, verdict_digest: Digest, *, ledger_index: int, at: datetime
) -> tuple[list[StandardJudgement], bool]:
    """(judgements, whether all hold) of what a verdict's red lines and the standing rules require.

    Only evidence chained up to `ledger_index` counts. Documents that the lines require are judged
    beside the standards: each section has to be filed, with the text attached, for this checkpoint.
    Nothing required at all holds nothing.
    """
    verdict = state.expect(verdict_digest, r.Verdict)
    demanding = [line for line in verdict.decision.red_lines if line.demands]
    run_id = state.occasion(verdict.assessment_id).run_id
    standing = {one.standard for one in standing_requirements(state, policy, run_id)}
    standards = sorted(standing | {one for line in demanding for one in line.required_standards})
    documents = sorted({one for line in demanding for one in line.required_documents})
    evidence = {
        digest: piece
        for digest, piece in state.evidence.items()
        if state.index_of[digest] <= ledger_index
    }
    checkpoint = state.expect(verdict.checkpoint.record, r.Checkpoint).digest
    filed = {
        digest: piece
        for digest, piece in evidence.items()
        if piece.checkpoint == checkpoint and piece.attachment is not None
    }
    judged = [judge_standard(policy.standard(one), evidence, at=at) for one in standards]
    judged += [judge_standard(policy.document(one), filed, at=at) for one in documents]
    return judged, bool(judged) and all(one.holds for one in judged)


def suffices(verdict: r.Verdict, judgement: r.SafeguardsJudgement | None) -> bool:
    """Whether something goes on when people accept the recommendation: it needs no standard, or
    those that it needs hold.

    Args:
        judgement: of what the verdict and the standing rules require; None: nothing was judged.
    """
    continues = verdict.decision.recommendation is Outcome.CONTINUE
    if judgement is None:
        return continues
    return judgement.holds or (continues and not judgement.standards)


def check_safeguards(
    state: LedgerState,
    policy: Policy,
    verdict: r.RecordRef,
    judgement: r.RecordRef | None,
    *,
    at: datetime,
) -> datetime:
    """The judgement that was signed for holds, and still does on all evidence there is now.

    Returns:
        When the first piece of that evidence expires.

    Raises:
        Refused: otherwise.
    """
    if judgement is None:
        raise Refused("no_safeguards", "The signed packet holds no judgement of the safeguards.")
    signed = state.expect(judgement.record, r.SafeguardsJudgement)
    if not signed.holds or signed.verdict != verdict:
        raise Refused("safeguards_not_verified", "The required safeguards were not shown to hold.")
    judged, holds = judge_required(state, policy, verdict.record, ledger_index=state.length, at=at)
    if not holds:
        lost = [
            f"{row.criterion} {row.outcome}"
            for one in judged
            for row in one.criteria
            if row.outcome is not CriterionOutcome.MET
        ]
        raise Refused("safeguards_stale", f"Since they were judged: {', '.join(lost)}.")
    return good_until(judged) or at


def good_until(judged: list[StandardJudgement]) -> datetime | None:
    """When the first piece of the evidence that carries the judgement expires."""
    times = [row.good_until for one in judged for row in one.criteria if row.good_until is not None]
    return min(times, default=None)
