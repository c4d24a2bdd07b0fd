"""Registering checkpoints and raising occasions (lifecycle steps 2 and 5).

A drain: it lists what is there, so lost, doubled and half-done work heals on the next pass.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from include.adapters.checkpoint_files import Published, find, published, read_checked
from include.adapters.store import put_blob
from include.adapters.waiting_job import waited_until
from include.rsp import records as r
from include.rsp.canonical import Digest, digest_bytes
from include.rsp.errors import DomainError, Refused
from include.rsp.occasion import assessment_id, due_occasion
from include.rsp.reviews import is_being_read
from include.rsp.rules import Rules
from include.rsp.state import LedgerState
from include.rsp.vocabulary import OccasionKind, Outcome
from include.wiring import evaluating
from include.wiring.desk import Desk

log = logging.getLogger("redline.registration")


PASSING = frozenset({"still_being_written", "unknown_run"})
"""Reasons that may pass without the checkpoint changing; they are not recorded by the sweep."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What one pass over the checkpoint folder did."""

    registered: list[str]
    refused: dict[str, str]


def register_new(desk: Desk) -> Drained:
    """Register every checkpoint that is complete and not known; record why others are refused."""
    registered, refused = [], {}
    for one in published(desk.checkpoints):
        if _is_known(desk.state, one):
            continue
        try:
            register(desk, one)
            registered.append(one.name)
            log.info("registered checkpoint %s", one.name)
        except DomainError as error:
            refused[one.name] = str(error)
            log.warning("refused checkpoint %s: %s", one.name, error)
            if getattr(error, "code", "") not in PASSING:
                desk.refuse(one.subject, error)
        except OSError as error:
            refused[one.name] = f"{one.name} cannot be read: {error}. It is looked at again."
            log.warning("%s", refused[one.name])
    return Drained(registered, refused)


def register(desk: Desk, one: Published) -> Digest:
    """Register one checkpoint; the digest of its record.

    Raises:
        Refused: with the reason; nothing is recorded.
    """
    manifest = read_checked(one)
    content = one.manifest or b""
    if manifest.run_id not in desk.state.runs:
        raise Refused(
            "unknown_run",
            f"Checkpoint {one.name} belongs to a training run that was never announced. Let the "
            "trainer announce it (client.TrainingGate.announce).",
        )
    record = r.Checkpoint(
        at=desk.now(),
        by=desk.author,
        stamp=desk.stamp,
        digest=digest_bytes(content),
        manifest=manifest,
        manifest_file=put_blob(desk.store, content, name="manifest.json"),
        location=one.name,
    )
    return desk.submit_counted(record, lambda state: _digest_of(state, one))


def _digest_of(state: LedgerState, one: Published) -> Digest | None:
    run = state.runs.get(one.run_id)
    content = digest_bytes(one.manifest or b"")
    known = run.checkpoints.items() if run else ()
    return next((digest for digest, record in known if record.digest == content), None)


def _is_known(state: LedgerState, one: Published) -> bool:
    return one.subject in state.refused or _digest_of(state, one) is not None


def raise_due_occasions(desk: Desk) -> list[str]:
    """Raise what is due; the ids of all assessments that somebody should take up now.

    Besides the new ones these are the ones that have stood still for longer than the suite
    allows: whoever had them is gone.
    """
    rules = desk.rulebook.in_force(desk.state)
    if rules is None:
        log.warning("no policy is in force, nothing can be due")
        return []
    wanted = []
    for run_id in sorted(desk.state.runs):
        due = due_occasion(desk.state, rules.policy, rules.suite, run_id, at=desk.now())
        if due is not None:
            wanted.append(raise_occasion(desk, run_id, due.checkpoint, due.kind, due.reason))
    return wanted + [one for one in standing_still(desk, rules) if one not in wanted]


def raise_occasion(
    desk: Desk, run_id: str, checkpoint: Digest, kind: OccasionKind, reason: str
) -> str:
    """Record an occasion under the policy in force; its assessment's id. Again is harmless.

    Raises:
        Refused: no policy is in force.
    """
    adoption = desk.state.adoption
    if adoption is None:
        raise Refused("no_policy", "No policy is in force. Adopt one with `rsp init`.")
    policy, suite = adoption[1].policy.blob, adoption[1].suite.blob
    key = assessment_id(checkpoint=checkpoint, policy=policy, suite=suite, kind=kind, reason=reason)
    if key in desk.state.assessments:
        return key
    record = r.Occasion(
        at=desk.now(),
        by=desk.author,
        stamp=desk.stamp,
        assessment_id=key,
        occasion=kind,
        reason=reason,
        run_id=run_id,
        checkpoint=r.RecordRef(record=checkpoint),
        policy=policy,
        suite=suite,
    )
    desk.submit_counted(record, lambda state: _occasion_of(state, key))
    log.info("assessment %s of %s is due: %s", key, run_id, reason)
    return key


def _occasion_of(state: LedgerState, key: str) -> Digest | None:
    return state.assessments[key].occasion if key in state.assessments else None


def standing_still(desk: Desk, rules: Rules) -> list[str]:
    """Assessments that owe a verdict or a permit request and have made no progress for long."""
    state = desk.state
    limit = desk.now() - timedelta(seconds=rules.suite.stand_still_seconds)
    return [
        key
        for key, one in state.assessments.items()
        if one.last_progress is not None
        and one.last_progress < limit
        and _owes(state, key)
        and not is_being_read(state, key, at=desk.now())
        and not is_waited_for(desk, key)
    ]


def is_waited_for(desk: Desk, assessment_id: str) -> bool:
    """Whether a task waits for one of the assessment's evaluations now."""
    one = desk.state.assessments[assessment_id]
    if one.plan is None or one.validation is not None:
        return False
    plan = desk.state.expect(one.plan, r.Plan)
    jobs = [evaluating.job_name(desk, assessment_id, run.name, again=again)
            for run in plan.runs for again in (False, True)]  # fmt: skip
    return any(waited_until(desk.jobs.folder / job) > desk.now().timestamp() for job in jobs)


def _owes(state: LedgerState, key: str) -> bool:
    digest = state.assessments[key].verdict
    if digest is None:
        return True
    verdict = state.expect(digest, r.Verdict)
    asked = any(
        isinstance(one, r.PermitRequest) and one.verdict.record == digest
        for one in state.records.values()
    )
    return verdict.decision.recommendation is Outcome.CONTINUE and not asked


def register_by_name(desk: Desk, run_id: str, checkpoint_id: str) -> Digest:
    """Register the checkpoint that a person named; a refusal is recorded and raised.

    Raises:
        Refused: with the reason.
    """
    subject = f"checkpoint {run_id}/{checkpoint_id} by name"
    try:
        one = find(desk.checkpoints, run_id, checkpoint_id)
        return _digest_of(desk.state, one) or register(desk, one)
    except DomainError as error:
        desk.refuse(subject, error)
        raise
