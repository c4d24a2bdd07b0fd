"""What the story waits for: questions to the ledger's state."""

from __future__ import annotations

from collections.abc import Iterable

from include.rsp import records as r
from include.rsp.run_state import RunState
from include.rsp.state import LedgerState

RUN_ID = "toy-run-1"


def run_of(state: LedgerState) -> RunState:
    """The demo's training run."""
    return state.runs[RUN_ID]


def permits(state: LedgerState) -> list[r.Permit]:
    return list(state.runs[RUN_ID].permits.values()) if RUN_ID in state.runs else []


def verdict_on(state: LedgerState, checkpoint: str) -> r.Verdict | None:
    for one in state.records.values():
        if isinstance(one, r.Verdict):
            about = state.expect(one.checkpoint.record, r.Checkpoint)
            if about.manifest.checkpoint_id == checkpoint:
                return one
    return None


def is_permitted(state: LedgerState, checkpoint: str) -> bool:
    verdict = verdict_on(state, checkpoint)
    if verdict is None:
        return False
    about = state.expect(verdict.checkpoint.record, r.Checkpoint)
    return any(permit.checkpoint == about.digest for permit in permits(state))


def is_judged(state: LedgerState, *, holds: bool) -> bool:
    return any(
        isinstance(one, r.SafeguardsJudgement) and one.holds is holds
        for one in state.records.values()
    )


def has_evidence(state: LedgerState, wanted: Iterable[str]) -> bool:
    return set(wanted) <= {one.criterion for one in state.evidence.values()}


def is_verified(state: LedgerState) -> bool:
    checks = [one for each in state.stop_checks.values() for one in each.values()]
    return any(one.stands_still for one in checks)


def is_determined(state: LedgerState, count: int) -> bool:
    return len(run_of(state).determinations) >= count


def is_released(state: LedgerState) -> bool:
    return any(permit.releases is not None for permit in permits(state))


def has_drilled(state: LedgerState, scenario: str) -> bool:
    return any(one.scenario == scenario for one in state.drills.values())


def is_verified_again(state: LedgerState) -> bool:
    """The newest judgement came after the newest drill, and holds."""
    drilled = max((state.index_of[one] for one in state.drills), default=-1)
    newest = next(reversed(state.judgements.items()), None)
    return newest is not None and newest[1].holds and state.index_of[newest[0]] > drilled
