"""The stages of an assessment, each one task of `assess_checkpoint` (lifecycle steps 8 to 17).

Every stage takes an assessment id, reads what it needs from the ledger, writes one record and is
harmless to repeat: if the record is there already, it is used.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from include.adapters import rederivation
from include.adapters.checkpoint_files import find, read_checked
from include.rsp import records as r
from include.rsp.authority import may_machine_determine
from include.rsp.canonical import Digest
from include.rsp.comparison import screening
from include.rsp.decision import RedLineAssessment
from include.rsp.errors import Refused
from include.rsp.evaluation_plan import first_runs, planned
from include.rsp.preliminary import screen
from include.rsp.vocabulary import OccasionKind, Outcome, Scope
from include.wiring.desk import Desk
from include.wiring.registration import raise_occasion, register_by_name

log = logging.getLogger("redline.assessment")


def resolve(desk: Desk, partition_key: str | None, conf: Mapping[str, Any]) -> str:
    """The assessment that a DAG run is for: its partition key, or what a person asked for.

    A person names a raised assessment by its id, or a checkpoint with a reason for a new one.

    Raises:
        Refused: neither is there, or the key is unknown.
    """
    raised = partition_key or conf.get("assessment_id")
    if raised:
        desk.state.occasion(str(raised))
        return str(raised)
    run_id, checkpoint_id, reason = (conf.get(one) for one in ("run_id", "checkpoint_id", "reason"))
    if not (run_id and checkpoint_id and reason):
        raise Refused(
            "no_assessment",
            "This run has no partition key and names neither assessment_id nor run_id, "
            "checkpoint_id and reason. Trigger it with one of these, or let register_checkpoint "
            "raise the occasion.",
        )
    checkpoint = register_by_name(desk, str(run_id), str(checkpoint_id))
    return raise_occasion(desk, str(run_id), checkpoint, OccasionKind.OFFICER, str(reason))


def plan(desk: Desk, assessment_id: str) -> r.Plan:
    """Resolve once what depends on "now"; the first plan chained is the claim on the assessment."""
    rules = desk.rulebook.of_assessment(desk.state, assessment_id)
    state = desk.state
    occasion = state.occasion(assessment_id)
    assessment = state.assessments[assessment_id]
    if assessment.plan is None:
        at = desk.now()
        found = screen(state, rules.policy, rules.suite, occasion, at=at)
        first = screening(rules.suite) if found.reference else rules.suite.evaluations
        _, checkpoint = state.checkpoint_of(assessment_id)
        record = r.Plan(
            at=at,
            by=desk.author,
            stamp=desk.stamp,
            assessment_id=assessment_id,
            occasion=r.RecordRef(record=assessment.occasion),
            ledger_index=state.length - 1,
            evaluations=[one.name for one in first_runs(first, checkpoint.variants)],
            runs=planned(rules.suite, checkpoint.variants),
            reference=r.RecordRef(record=found.reference) if found.reference else None,
            grounds=found.grounds,
        )
        desk.submit_counted(record, lambda now: now.assessments[assessment_id].plan)
    return desk.state.expect(desk.plan_of(assessment_id).record, r.Plan)


def pre_flight(desk: Desk, assessment_id: str) -> Digest:
    """Check before anything is evaluated that the checkpoint is still what was registered.

    Raises:
        Refused: it is not; nothing is evaluated.
    """
    _, checkpoint = desk.state.checkpoint_of(assessment_id)
    published = find(
        desk.checkpoints, checkpoint.manifest.run_id, checkpoint.manifest.checkpoint_id
    )
    if read_checked(published) != checkpoint.manifest:
        raise Refused(
            "wrong_digest",
            f"The manifest of {published.name} is not the one that was registered. Publish changed "
            "checkpoints under a new id.",
        )
    rules = desk.rulebook.of_assessment(desk.state, assessment_id)
    record = r.Preflight(
        at=desk.now(),
        by=desk.author,
        stamp=desk.stamp,
        assessment_id=assessment_id,
        plan=desk.plan_of(assessment_id),
        checks={
            "checkpoint": f"all files of {published.name} have their declared digests",
            "policy": f"{rules.policy.id} {rules.policy.version}",
            "suite": f"{rules.suite.id} {rules.suite.version}",
            "instruments": "each evaluation's process checks its own before it asks the model",
        },
    )
    return desk.submit_counted(record, lambda now: now.assessments[assessment_id].preflight)


def compare(desk: Desk, assessment_id: str, red_line: str) -> RedLineAssessment:
    """What the evidence says of one red line, for people to see; the verdict derives it again."""
    rules = desk.rulebook.of_assessment(desk.state, assessment_id)
    decision = rederivation.derive_decision(
        desk.store, desk.state, rules, assessment_id, at=desk.now()
    ).decision
    return next(line for line in decision.red_lines if line.red_line == red_line)


def reach_verdict(desk: Desk, assessment_id: str) -> tuple[Digest, r.Verdict]:
    """Decide; the notary derives the same verdict again before it counts."""
    state = desk.state
    known = state.assessments[assessment_id].verdict
    if known is None:
        rules = desk.rulebook.of_assessment(state, assessment_id)
        at = desk.now()
        derived = rederivation.derive_decision(desk.store, state, rules, assessment_id, at=at)
        validation = state.assessments[assessment_id].validation
        checkpoint, _ = state.checkpoint_of(assessment_id)
        record = r.Verdict(
            at=at,
            by=desk.author,
            stamp=desk.stamp,
            assessment_id=assessment_id,
            plan=desk.plan_of(assessment_id),
            validation=r.RecordRef(record=validation) if validation else None,
            checkpoint=r.RecordRef(record=checkpoint),
            decision=derived.decision,
            forecasts=rederivation.derive_forecasts(state, rules, assessment_id, derived.decision),
            inherits=derived.inherits,
        )
        known = desk.submit_counted(record, lambda now: now.assessments[assessment_id].verdict)
    return known, desk.state.expect(known, r.Verdict)


def machine_may_go_on(desk: Desk, assessment_id: str) -> bool:
    """Whether the policy lets a machine determine that training goes on after the verdict."""
    state = desk.state
    verdict = state.assessments[assessment_id].verdict
    if verdict is None:
        raise Refused("no_verdict", f"Assessment {assessment_id} has no verdict.")
    rules = desk.rulebook.of_assessment(state, assessment_id)
    return may_machine_determine(state, verdict, rules)


def request_permit(desk: Desk, assessment_id: str) -> tuple[Digest, r.Permit]:
    """Ask the notary to let training go on after a verdict to continue.

    Raises:
        Refused: the notary says why not.
    """
    state = desk.state
    verdict = state.assessments[assessment_id].verdict
    if verdict is None:
        raise Refused("no_verdict", f"Assessment {assessment_id} has no verdict.")
    run = state.runs[state.occasion(assessment_id).run_id]
    for digest, permit in run.permits.items():
        if permit.purpose is Scope.TRAINING and r.RecordRef(record=verdict) in permit.basis:
            return digest, permit
    request = r.PermitRequest(
        at=desk.now(),
        by=desk.author,
        stamp=desk.stamp,
        purpose=Scope.TRAINING,
        run_id=state.occasion(assessment_id).run_id,
        verdict=r.RecordRef(record=verdict),
        packet=None,
        hold=None,
        seen_index=state.length - 1,
    )
    digest = desk.ask(request)
    return digest, desk.state.expect(digest, r.Permit)


def outcome_of(verdict: r.Verdict) -> Outcome:
    """Where the verdict sends the run."""
    return verdict.decision.recommendation
