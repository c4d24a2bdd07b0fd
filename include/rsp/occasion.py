"""When an assessment is due (lifecycle step 5): compute milestones now, the others beside them."""

from __future__ import annotations

from dataclasses import dataclass

from include.rsp import records as r
from include.rsp.canonical import Digest, digest_of
from include.rsp.policy import Policy
from include.rsp.state import LedgerState, RunState
from include.rsp.suite import Suite
from include.rsp.vocabulary import OccasionKind


@dataclass(frozen=True, slots=True)
class DueOccasion:
    """An assessment that is due, with the reason in words."""

    checkpoint: Digest
    kind: OccasionKind
    reason: str


def assessment_id(
    *, checkpoint: Digest, policy: Digest, suite: Digest, kind: OccasionKind, reason: str
) -> str:
    """The id under which everything about one assessment is counted (DESIGN I4)."""
    digest = digest_of(
        {
            "checkpoint": checkpoint,
            "policy": policy,
            "suite": suite,
            "kind": kind.value,
            "reason": reason,
        }
    )
    return "a-" + digest.removeprefix("sha256:")[:24]


def due_occasion(
    state: LedgerState, policy: Policy, suite: Suite, run_id: str
) -> DueOccasion | None:
    """The occasion that a run's checkpoints raise now, if any.

    Assessments of one run are serialised: while one is open nothing new is due. Of several
    checkpoints past the milestone the one with the most effective compute is assessed.
    """
    run = state.runs[run_id]
    if _open_assessment(state, run_id):
        return None
    threshold = run.next_due_flop if run.next_due_flop is not None else suite.genesis.due_flop
    assessed = {verdict.checkpoint.record for verdict in run.verdicts.values()}
    due = {
        digest: checkpoint
        for digest, checkpoint in run.checkpoints.items()
        if checkpoint.manifest.effective_compute >= threshold and digest not in assessed
    }
    if not due:
        return None
    digest = max(due, key=lambda key: due[key].manifest.effective_compute)
    return DueOccasion(
        checkpoint=digest,
        kind=OccasionKind.COMPUTE_MILESTONE,
        reason=_reason(run, policy, threshold),
    )


def _open_assessment(state: LedgerState, run_id: str) -> bool:
    return any(
        assessment.verdict is None and state.occasion(key).run_id == run_id
        for key, assessment in state.assessments.items()
    )


def _reason(run: RunState, policy: Policy, threshold: float) -> str:
    newest = run.newest_verdict
    if newest is None:
        return f"first assessment of the run, due at {threshold:.3g} FLOP"
    clause = policy.compute_trigger.clause
    kind = "early warning: " if newest[1].decision.early_warning else ""
    return f"{kind}due at {threshold:.3g} FLOP of effective compute ({clause})"


def unclaimed(state: LedgerState) -> list[tuple[str, r.Occasion]]:
    """Occasions whose assessment has no verdict yet, oldest first."""
    return [
        (key, state.expect(one.occasion, r.Occasion))
        for key, one in state.assessments.items()
        if one.verdict is None
    ]
