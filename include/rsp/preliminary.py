"""The preliminary assessment: is a model notably more capable than the last one assessed whole?

Lifecycle step 6. Whatever cannot be answered is a doubt, and a doubt leads to the comprehensive
assessment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.comparison import (
    Ground,
    GroundAnswer,
    inherit,
    is_notable,
    screening,
    tested_grounds,
)
from include.rsp.decision import Decision
from include.rsp.finding import EvaluationFinding
from include.rsp.occasion import months_after
from include.rsp.policy import Policy
from include.rsp.state import LedgerState
from include.rsp.suite import Suite, spacing_of
from include.rsp.vocabulary import OccasionKind


@dataclass(frozen=True, slots=True)
class Screening:
    """The grounds that need no test. `reference` is None when one of them is not answered no."""

    reference: Digest | None
    grounds: list[Ground]


def last_assessed_whole(state: LedgerState) -> tuple[Digest, r.Verdict] | None:
    """The newest comprehensive verdict of any run."""
    found = [
        (state.index_of[digest], digest, verdict)
        for run in state.runs.values()
        for digest, verdict in run.verdicts.items()
        if verdict.inherits is None
    ]
    newest = max(found, key=lambda one: one[0], default=None)
    return newest[1:] if newest else None


def screen(
    state: LedgerState, policy: Policy, suite: Suite, occasion: r.Occasion, *, at: datetime
) -> Screening:
    """Whether a preliminary assessment may answer an occasion, and compared with which verdict.

    Only if (1) the policy has one, and the suite a test for it; (2) the occasion is a compute
    milestone: whatever else raises an assessment wants a comprehensive one; (3) some model was
    assessed whole, (4) under the same policy and suite; (5) the effective compute is under the
    policy's ratio of that model's, and under the ratio at which its next assessment is due;
    (6) less than the policy's months passed.
    """
    rule = policy.preliminary
    if rule is None:  # (1)
        return Screening(None, [])
    if not screening(suite):
        return _at_once("tests", "no evaluation of the suite has a notable gain")
    if occasion.occasion is not OccasionKind.COMPUTE_MILESTONE:  # (2)
        return _at_once("occasion", f"{occasion.occasion.value}: {occasion.reason}")
    found = last_assessed_whole(state)
    if found is None:  # (3)
        return _at_once("reference", "no model was assessed comprehensively before")
    digest, verdict = found
    assessed = state.occasion(verdict.assessment_id)
    if (assessed.policy, assessed.suite) != (occasion.policy, occasion.suite):  # (4)
        return _at_once("reference", "the last one was assessed under another policy or suite")
    mine, other = (
        state.expect(one, r.Checkpoint).manifest.effective_compute
        for one in (occasion.checkpoint.record, verdict.checkpoint.record)
    )
    most = min(rule.compute_ratio, spacing_of(policy, suite, "default")[0])
    most = min(most, verdict.decision.due_ratio)
    grounds = [
        _ground("effective compute", mine >= most * other, f"{mine / other:.3g}x, from {most:g}x"),
        _ground(
            "elicitation time",
            at >= months_after(verdict.at, int(rule.months)),
            f"since {verdict.at:%Y-%m-%d}, from {rule.months:g} months on",
        ),
    ]
    return Screening(None if is_notable(grounds) else digest, grounds)  # (5), (6)


def _at_once(name: str, because: str) -> Screening:
    return Screening(None, [Ground(ground=name, answer=GroundAnswer.YES, because=because)])


def _ground(name: str, holds: bool, because: str) -> Ground:
    answer = GroundAnswer.YES if holds else GroundAnswer.NO
    return Ground(ground=name, answer=answer, because=because)


def answer(
    state: LedgerState, suite: Suite, plan: r.Plan, findings: Sequence[EvaluationFinding]
) -> list[Ground]:
    """All grounds of a planned preliminary assessment, with the tests that were run."""
    if plan.reference is None:
        return []
    verdict = state.expect(plan.reference.record, r.Verdict)
    return [*plan.grounds, *tested_grounds(suite, verdict.decision.findings, findings)]


def conclude(
    state: LedgerState, policy: Policy, suite: Suite, plan: r.Plan, own: Decision
) -> Decision | None:
    """The inherited decision, if there is one.

    Only if (1) the plan was to screen; (2) the counted preliminary assessment found nothing
    notable; (3) with what validation said since, every ground is still answered no.

    Args:
        own: the decision from the model's own evidence, validated.
    """
    counted = state.assessments[plan.assessment_id].preliminary
    if plan.reference is None or counted is None:  # (1)
        return None
    if state.expect(counted, r.Preliminary).notably_more_capable:  # (2)
        return None
    if is_notable(answer(state, suite, plan, own.findings)):  # (3)
        return None
    verdict = state.expect(plan.reference.record, r.Verdict)
    _, mine = state.checkpoint_of(plan.assessment_id)
    other = state.expect(verdict.checkpoint.record, r.Checkpoint)
    screened = [one for one in own.findings if one.evaluation in plan.evaluations]
    return inherit(
        policy,
        verdict.decision,
        screened,
        reference=other.location,
        ratio=other.manifest.effective_compute / mine.manifest.effective_compute,
    )
