"""What was asked for and did not happen, or was tried another way; the notary records it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from include.rsp import records as r
from include.rsp.authority import NOTARY, held_runs_of
from include.rsp.canonical import Digest
from include.rsp.order_records import DeviationKind
from include.rsp.run_state import RunState
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Scope

BYPASSED = frozenset(
    {
        "signature_missing", "signed_to_hold", "opinion_changed", "second_line_needs_more",
        "signature_out_of_time", "no_agreement", "not_distinct", "not_independent", "wrong_packet",
        "receipt_missing", "receipt_too_early", "rejected", "not_answered", "answer_altered",
        "all_admins", "response_chosen", "not_resumable",
    }
)  # fmt: skip
"""Why a permit was refused, where somebody asked for it without what people have to say first."""
ANSWERS = frozenset(
    {
        "not_answered", "answer_altered", "answered_already", "all_admins", "not_distinct",
        "not_independent", "bad_signature", "wrong_office", "wrong_packet", "wrong_task",
        "signature_out_of_time", "unknown_account", "unknown_key",
    }
)  # fmt: skip
"""Why an answer was refused, where it may not have been what a person meant to say."""
NOT_COUNTED = "an answer that may not count was brought in"


@dataclass(frozen=True, slots=True)
class Found:
    """One deviation of a run, not yet recorded."""

    run_id: str
    about: Digest
    kind: DeviationKind
    message: str


def deviations_due(state: LedgerState, *, stamp: r.CodeStamp, at: datetime) -> list[r.Deviation]:
    """Everything that has to be recorded now, once each: what is found of one record twice (by two
    holds, by two looks) is one deviation, and the first finding says it.
    """
    found: list[Found] = []
    for run_id, run in state.runs.items():
        for digest in run.holds:
            found += _of_hold(run_id, run, digest, at)
        found += _beyond_ceiling(run_id, run)
    found += _stop_checks(state)
    found += _refusals(state)
    first: dict[tuple[str, Digest, str], Found] = {}
    for one in found:
        first.setdefault((one.run_id, one.about, one.kind), one)
    return [
        r.Deviation(
            at=at,
            by=NOTARY,
            stamp=stamp,
            run_id=one.run_id,
            about=r.RecordRef(record=one.about),
            finding=one.kind,
            message=one.message,
        )
        for one in first.values()
        if (one.about, one.kind) not in state.runs[one.run_id].deviations
    ]


def _of_hold(run_id: str, run: RunState, digest: Digest, at: datetime) -> Iterator[Found]:
    hold = run.holds[digest]
    answer = run.acknowledgements.get(digest)
    if digest in run.released:
        return
    if answer is None and at > hold.acknowledge_by:
        message = f"No acknowledgement of the {hold.scope} hold by {hold.acknowledge_by:%H:%M:%S}."
        yield Found(run_id, digest, "not_acknowledged", message)
    if hold.scope is Scope.TRAINING:
        for checkpoint, message in moved_on(run, digest):
            yield Found(run_id, checkpoint, "trained_while_held", message)


def moved_on(run: RunState, hold: Digest) -> Iterator[tuple[Digest, str]]:
    """The checkpoints that should not be there, and why: made after the run had to stand still."""
    answer = run.acknowledgements.get(hold)
    for digest, one in run.checkpoints.items():
        made = one.manifest
        if answer is None:
            until = run.holds[hold].acknowledge_by
            if made.created_at > until:
                yield (
                    digest,
                    f"Checkpoint {made.checkpoint_id} was made at {made.created_at:%H:%M:%S}, "
                    f"after the time in which the hold had to be acknowledged ({until:%H:%M:%S}).",
                )
        elif made.step > answer.last_step:
            yield (
                digest,
                f"Checkpoint {made.checkpoint_id} is at step {made.step}, after the last step that "
                f"the trainer acknowledged ({answer.last_step}).",
            )
        elif made.created_at > answer.at and one.digest != answer.last_checkpoint:
            yield (
                digest,
                f"Checkpoint {made.checkpoint_id} was made at {made.created_at:%H:%M:%S}, after "
                f"the trainer said that it had stopped ({answer.at:%H:%M:%S}).",
            )


def _beyond_ceiling(run_id: str, run: RunState) -> Iterator[Found]:
    ceilings = [one.ceiling_flop for one in run.permits.values() if one.purpose is Scope.TRAINING]
    ceiling = max(ceilings, default=0.0)
    for digest, one in run.checkpoints.items():
        if one.manifest.effective_compute > ceiling:
            message = (
                f"Checkpoint {one.manifest.checkpoint_id} has {one.manifest.effective_compute:.4g} "
                f"FLOP; no permit of the run reaches beyond {ceiling:.4g}."
            )
            yield Found(run_id, digest, "ceiling_exceeded", message)


def _stop_checks(state: LedgerState) -> Iterator[Found]:
    for hold, checks in state.stop_checks.items():
        for check in checks.values():
            for one in check.findings:
                if one.finding not in ("not_acknowledged", "trained_while_held"):
                    yield Found(check.run_id, hold, one.finding, one.message)


def _refusals(state: LedgerState) -> Iterator[Found]:
    for digest, refusal in state.refusals.items():
        run_id = refusal.run_id
        if run_id is None or run_id not in state.runs:
            continue
        asked = state.records.get(refusal.reply_to.record) if refusal.reply_to else None
        if isinstance(asked, r.TrainingRun) and refusal.code == "held_elsewhere":
            for held in held_runs_of(state, asked) or [run_id]:
                message = f"The trainer of the held run {held} announced the run {run_id}."
                yield Found(held, digest, "run_id_changed", message)
        elif isinstance(asked, r.PermitRequest) and refusal.code in BYPASSED:
            message = f"A permit was asked for without the sign-off: {refusal.message}"
            yield Found(run_id, digest, "sign_off_bypassed", message)
        elif asked is None and refusal.subject.startswith("runs/"):
            message = f"A message of the trainer was refused: {refusal.message}"
            yield Found(run_id, digest, "acknowledgement_refused", message)
        elif asked is None and refusal.code in ANSWERS:
            yield Found(run_id, digest, "answer_refused", f"{NOT_COUNTED}: {refusal.message}")
