"""Standards that a run needs before anybody has assessed it, or whatever was found.

Two rules of a policy ask for one: the pretraining monitor (a run comes near the effective compute
of a model that needs a standard) and the lineage floor (a run goes on from such a model).
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.policy import Policy
from include.rsp.reference_doubts import newest_whole
from include.rsp.run_state import RunState
from include.rsp.state import LedgerState


@dataclass(frozen=True, slots=True)
class StandingRequirement:
    """A standard that a run needs now, and the rule that says so."""

    standard: str
    because: str
    clause: str


def standing_requirements(
    state: LedgerState, policy: Policy, run_id: str, *, overruling: Digest | None = None
) -> list[StandingRequirement]:
    """What a run needs by the pretraining monitor and the lineage floor; distinct, in order.

    A verdict that officers went below, as the policy lets them, demands nothing of anybody: they
    determined that its model does not need the standard.

    Args:
        overruling: a verdict that they are going below now, for which there is no permit yet.
    """
    overruled = {
        permit.basis[0].record
        for run in state.runs.values()
        for permit in run.permits.values()
        if permit.below_recommendation
    } | {overruling}
    found = [
        *_monitored(state, policy, run_id, overruled),
        *_inherited(state, policy, run_id, overruled),
    ]
    return list({one.standard: one for one in reversed(found)}.values())[::-1]


def newest_checkpoint(run: RunState) -> Digest | None:
    """The record of the run's checkpoint with the most effective compute."""
    known = run.checkpoints
    return max(known, key=lambda one: known[one].manifest.effective_compute, default=None)


def _monitored(
    state: LedgerState, policy: Policy, run_id: str, overruled: Set[Digest | None]
) -> list[StandingRequirement]:
    """From a ratio of the least compute at which a checkpoint of any run needed the standard."""
    rule, newest = policy.pretraining_monitor, newest_checkpoint(state.runs[run_id])
    if rule is None or newest is None:
        return []
    compute = state.runs[run_id].checkpoints[newest].manifest.effective_compute
    needing = [
        run.checkpoints[verdict.checkpoint.record].manifest
        for run in state.runs.values()
        for digest, verdict in run.verdicts.items()
        if digest not in overruled and rule.standard in _demanded(verdict)
    ]
    least = min(needing, key=lambda one: one.effective_compute, default=None)
    if least is None or compute < rule.ratio * least.effective_compute:
        return []
    because = (
        f"{compute:.3g} FLOP of effective compute is at least {rule.ratio:g} x that of "
        f"{least.run_id}/{least.checkpoint_id} ({least.effective_compute:.3g}), which needs "
        f"{rule.standard}"
    )
    return [StandingRequirement(rule.standard, because, rule.clause)]


def _inherited(
    state: LedgerState, policy: Policy, run_id: str, overruled: Set[Digest | None]
) -> list[StandingRequirement]:
    """What the nearest assessed ancestor needs, until the run itself was assessed whole.

    A verdict that a preliminary assessment took over from another model ends nothing, neither the
    run's own floor nor what an ancestor has from further up. An ancestor
    that is not in the ledger may have needed anything: then all that a first red line requires is
    needed.
    """
    rule = policy.lineage_floor
    own = state.runs[run_id].verdicts.values()
    if rule is None or any(one.inherits is None for one in own):
        return []
    home = {
        one.digest: name for name, run in state.runs.items() for one in run.checkpoints.values()
    }
    found: list[StandingRequirement] = []
    todo, seen = [run_id], {run_id}
    while todo:
        for parent in _parents(state.runs[todo.pop()]):
            ancestor = home.get(parent)
            if ancestor is None:
                found += [
                    StandingRequirement(one, f"its ancestor {parent} is not known", rule.clause)
                    for one in _every_entry_standard(policy)
                ]
            elif ancestor not in seen:
                seen.add(ancestor)
                newest = state.runs[ancestor].newest_verdict
                whole = newest_whole(state.runs[ancestor])
                if whole is None:
                    todo.append(ancestor)
                needed = {
                    one
                    for each in (newest, whole)
                    if each and each[0] not in overruled
                    for one in _demanded(each[1])
                }
                found += [
                    StandingRequirement(one, f"it goes on from {ancestor}", rule.clause)
                    for one in sorted(needed)
                ]
    return found


def _parents(run: RunState) -> list[Digest]:
    """The checkpoints of other runs that this one goes on from."""
    own = {one.digest for one in run.checkpoints.values()}
    named = {one.manifest.parent for one in run.checkpoints.values() if one.manifest.parent}
    return sorted(named - own)


def _demanded(verdict: r.Verdict) -> set[str]:
    lines = [line for line in verdict.decision.red_lines if line.demands]
    return {standard for line in lines for standard in line.required_standards}


def _every_entry_standard(policy: Policy) -> list[str]:
    lines = [line for line in policy.red_lines if policy.is_entry(line)]
    return sorted({standard for line in lines for standard in line.required_standards})
