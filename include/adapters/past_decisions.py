"""The counted decisions of a ledger with their evidence, to be decided again (`rsp backtest`)."""

from __future__ import annotations

from collections.abc import Iterator

from include.adapters.rederivation import RuleBook, stored_evidence
from include.adapters.store import Store
from include.rsp import records as r
from include.rsp.backtest import PastDecision
from include.rsp.state import LedgerState


def past_decisions(store: Store, state: LedgerState) -> Iterator[PastDecision]:
    """Every counted verdict, in the order of the ledger; each with its evidence read when asked."""
    verdicts = {
        one.verdict: key for key, one in state.assessments.items() if one.verdict is not None
    }
    rulebook = RuleBook(store)
    for digest in sorted(verdicts, key=lambda one: state.index_of[one]):
        key = verdicts[digest]
        verdict = state.expect(digest, r.Verdict)
        _, checkpoint = state.checkpoint_of(key)
        yield PastDecision(
            assessment_id=key,
            checkpoint_name=checkpoint.location,
            verdict=digest,
            decision=verdict.decision,
            evidence=stored_evidence(store, state, rulebook.of_assessment(state, key), key),
            checkpoint=checkpoint.digest,
            checkpoint_at=checkpoint.manifest.created_at,
            at=verdict.at,
            variants=checkpoint.variants,
            inherits=_inherits(state, verdict, checkpoint),
        )


def _inherits(
    state: LedgerState, verdict: r.Verdict, mine: r.Checkpoint
) -> tuple[str, float, float] | None:
    if verdict.inherits is None:
        return None
    reference = state.expect(verdict.inherits.record, r.Verdict)
    other = state.expect(reference.checkpoint.record, r.Checkpoint)
    return (
        verdict.inherits.record,
        other.manifest.effective_compute,
        mine.manifest.effective_compute,
    )
