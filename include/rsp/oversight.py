"""What the notary does unasked: orders holds and records what a trainer left undone.

A hold follows from the verdict itself; people may only confirm or release it (DESIGN §9).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from include.rsp import records as r
from include.rsp.authority import NOTARY
from include.rsp.canonical import Digest
from include.rsp.policy import Policy
from include.rsp.safeguards import judge_standard
from include.rsp.standing import newest_checkpoint, standing_requirements
from include.rsp.state import LedgerState, RunState
from include.rsp.vocabulary import Outcome


def holds_due(
    state: LedgerState, policy: Policy, *, stamp: r.CodeStamp, at: datetime
) -> list[r.Hold]:
    """The holds that have to be ordered now.

    One (1) for every verdict that does not recommend to continue and has none yet, and (2) for
    every run that needs a standard by a standing rule while the evidence does not show that the
    standard holds, unless such a hold is in force.
    """
    holds: list[r.Hold] = []
    for run_id, run in state.runs.items():
        reasons = [*_verdicts_to_hold(run), *_standards_to_hold(state, policy, run_id, at)]
        for number, (cause, reason) in enumerate(reasons, start=len(run.holds) + 1):
            until = at + timedelta(seconds=policy.hold.acknowledge_within_seconds)
            holds.append(
                r.Hold(
                    at=at,
                    by=NOTARY,
                    stamp=stamp,
                    run_id=run_id,
                    reply_to=r.RecordRef(record=cause),
                    reason=reason,
                    epoch=number,
                    acknowledge_by=until,
                )
            )
    return holds


def _verdicts_to_hold(run: RunState) -> Iterator[tuple[Digest, str]]:  # (1)
    ordered = {hold.reply_to.record for hold in run.holds.values()}
    for digest, verdict in run.verdicts.items():
        if digest in ordered or verdict.decision.recommendation is Outcome.CONTINUE:
            continue
        yield (
            digest,
            "; ".join(
                f"{line.red_line} {line.status}: {line.because}"
                for line in verdict.decision.red_lines
                if line.demands
            ),
        )


def _standards_to_hold(
    state: LedgerState, policy: Policy, run_id: str, at: datetime
) -> Iterator[tuple[Digest, str]]:  # (2)
    run = state.runs[run_id]
    newest = newest_checkpoint(run)
    if newest is None:
        return
    if any(hold.reply_to.record in run.checkpoints for hold in run.holds_in_force.values()):
        return
    missing = [
        one
        for one in standing_requirements(state, policy, run_id)
        if not judge_standard(policy.standard(one.standard), state.evidence, at=at).holds
    ]
    if missing:
        yield (
            newest,
            "; ".join(
                f"{one.standard} is not shown to hold, and {one.because} ({one.clause})"
                for one in missing
            ),
        )


def deviations_due(state: LedgerState, *, stamp: r.CodeStamp, at: datetime) -> list[r.Deviation]:
    """What a held trainer should have done and did not."""
    found: list[r.Deviation] = []
    for run_id, run in state.runs.items():
        for digest, hold in run.holds.items():
            late = digest in run.holds_in_force and at > hold.acknowledge_by
            if late and digest not in run.acknowledgements:
                message = f"No acknowledgement of the hold by {hold.acknowledge_by:%H:%M:%S}."
                found.append(_deviation(run_id, digest, "not_acknowledged", message, stamp, at))
            found += _trained_while_held(run_id, run, digest, stamp, at)
        found += _beyond_ceiling(run_id, run, stamp, at)
    return [
        one
        for one in found
        if (one.about.record, one.finding) not in state.runs[one.run_id].deviations
    ]


def _trained_while_held(
    run_id: str, run: RunState, hold: Digest, stamp: r.CodeStamp, at: datetime
) -> list[r.Deviation]:
    answer = run.acknowledgements.get(hold)
    if hold in run.released:
        return []
    if answer is None:
        return _trained_unacknowledged(run_id, run, hold, stamp, at)
    return [
        _deviation(
            run_id,
            digest,
            "trained_while_held",
            f"Checkpoint {one.manifest.checkpoint_id} is at step {one.manifest.step}, after the "
            f"last step that the trainer acknowledged ({answer.last_step}).",
            stamp,
            at,
        )
        for digest, one in run.checkpoints.items()
        if one.manifest.step > answer.last_step
    ]


def _trained_unacknowledged(
    run_id: str, run: RunState, hold: Digest, stamp: r.CodeStamp, at: datetime
) -> list[r.Deviation]:
    until = run.holds[hold].acknowledge_by
    return [
        _deviation(
            run_id,
            digest,
            "trained_while_held",
            f"Checkpoint {one.manifest.checkpoint_id} was made at "
            f"{one.manifest.created_at:%H:%M:%S}, after the time in which the hold had to be "
            f"acknowledged ({until:%H:%M:%S}).",
            stamp,
            at,
        )
        for digest, one in run.checkpoints.items()
        if one.manifest.created_at > until
    ]


def _beyond_ceiling(
    run_id: str, run: RunState, stamp: r.CodeStamp, at: datetime
) -> list[r.Deviation]:
    ceiling = max((permit.ceiling_flop for permit in run.permits.values()), default=0.0)
    return [
        _deviation(
            run_id,
            digest,
            "ceiling_exceeded",
            f"Checkpoint {one.manifest.checkpoint_id} has {one.manifest.effective_compute:.4g} "
            f"FLOP; no permit of the run reaches beyond {ceiling:.4g}.",
            stamp,
            at,
        )
        for digest, one in run.checkpoints.items()
        if one.manifest.effective_compute > ceiling
    ]


def _deviation(
    run_id: str,
    about: Digest,
    kind: r.DeviationKind,
    message: str,
    stamp: r.CodeStamp,
    at: datetime,
) -> r.Deviation:
    return r.Deviation(
        at=at,
        by=NOTARY,
        stamp=stamp,
        run_id=run_id,
        about=r.RecordRef(record=about),
        finding=kind,
        message=message,
    )
