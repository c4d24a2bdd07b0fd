"""Which standards a verdict requires, and whether they hold on the evidence in the ledger."""

from __future__ import annotations

from datetime import datetime

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.policy import Policy
from include.rsp.safeguards import StandardJudgement, judge_standard
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Outcome


def judge_required(
    state: LedgerState, policy: Policy, verdict_digest: Digest, *, ledger_index: int, at: datetime
) -> tuple[list[StandardJudgement], bool]:
    """(judgements, whether all hold) of the standards that a verdict's red lines require now.

    Only evidence chained up to `ledger_index` counts. No required standard at all holds nothing.
    """
    verdict = state.expect(verdict_digest, r.Verdict)
    required = sorted(
        {
            standard
            for line in verdict.decision.red_lines
            if line.outcome is not Outcome.CONTINUE
            for standard in line.required_standards
        }
    )
    evidence = {
        digest: piece
        for digest, piece in state.evidence.items()
        if state.index_of[digest] <= ledger_index
    }
    judged = [judge_standard(policy.standard(standard), evidence, at=at) for standard in required]
    return judged, bool(judged) and all(one.holds for one in judged)


def good_until(judged: list[StandardJudgement]) -> datetime | None:
    """When the first piece of the evidence that carries the judgement expires."""
    times = [row.good_until for one in judged for row in one.criteria if row.good_until is not None]
    return min(times, default=None)
