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
    measured_grounds,
    screening,
    tested_grounds,
)
from include.rsp.decision import Decision
from include.rsp.finding import EvaluationFinding
from include.rsp.occasion import months_after
from include.rsp.policy import Policy
from include.rsp.reference_doubts import doubts
from include.rsp.rules import Rules
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
        if verdict.inherits is None and _was_comprehensive(state, verdict)
    ]
    newest = max(found, key=lambda one: one[0], default=None)
    return newest[1:] if newest else None


def _was_comprehensive(state: LedgerState, verdict: r.Verdict) -> bool:
    """Not when the plan was to screen and no doubt led on: then only the tests of that were run."""
    if state.expect(verdict.plan.record, r.Plan).reference is None:
        return True
    answered = state.assessments[verdict.assessment_id].preliminary
    return answered is not None and state.expect(answered, r.Preliminary).notably_more_capable


def screen(
    state: LedgerState, policy: Policy, suite: Suite, occasion: r.Occasion, *, at: datetime
) -> Screening:
    """Whether a preliminary assessment may answer an occasion, and compared with which verdict.

    Only if (1) the policy has one, and the suite a test for it; (2) the occasion is a compute
    milestone: whatever else raises an assessment wants a comprehensive one; (3) some model was
    assessed whole, (4) under the same policy and suite; (5) the effective compute is under the
    policy's ratio of that model's, and under the ratio at which its next assessment is due;
    (6) less than the policy's months passed; (7) nothing else makes that verdict doubtful.
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
    grounds = [  # (5), (6)
        _ground(
            "effective compute",
            holds=mine >= most * other,
            because=f"{mine / other:.3g}x, from {most:g}x",
        ),
        _ground(
            "elicitation time",
            holds=at >= months_after(verdict.at, int(rule.months)),
            because=f"since {verdict.at:%Y-%m-%d}, from {rule.months:g} months on",
        ),
    ]
    against = doubts(state, policy, digest, occasion, at=at)
    grounds += [_ground("reference", holds=True, because=one) for one in against]  # (7)
    return Screening(None if is_notable(grounds) else digest, grounds)


def _at_once(name: str, because: str) -> Screening:
    return Screening(None, [Ground(ground=name, answer=GroundAnswer.YES, because=because)])


def _ground(name: str, *, holds: bool, because: str) -> Ground:
    answer = GroundAnswer.YES if holds else GroundAnswer.NO
    return Ground(ground=name, answer=answer, because=because)


def answer(
    state: LedgerState,
    rules: Rules,
    plan: r.Plan,
    findings: Sequence[EvaluationFinding],
    *,
    at: datetime,
) -> list[Ground]:
    """All grounds of a planned preliminary assessment, with the tests that were run.

    The verdict that it compares with has to stand now as well.
    """
    if plan.reference is None:
        return []
    reference = plan.reference.record
    verdict = state.expect(reference, r.Verdict)
    occasion = state.occasion(plan.assessment_id)
    before = verdict.decision.findings
    return [
        *plan.grounds,
        *(
            Ground(ground="reference", answer=GroundAnswer.DOUBT, because=one)
            for one in doubts(state, rules.policy, reference, occasion, at=at)
        ),
        *tested_grounds(rules.suite, before, findings),
        *measured_grounds(before, findings),
    ]


def conclude(
    state: LedgerState, rules: Rules, plan: r.Plan, own: Decision, *, at: datetime
) -> Decision | None:
    """The inherited decision, if there is one.

    Only if (1) the plan was to screen; (2) the counted preliminary assessment found nothing
    notable; (3) with what is known since, from validation too, every ground is still answered no.

    Args:
        own: the decision from the model's own evidence, validated.
    """
    counted = state.assessments[plan.assessment_id].preliminary
    if plan.reference is None or counted is None:  # (1)
        return None
    if state.expect(counted, r.Preliminary).notably_more_capable:  # (2)
        return None
    if is_notable(answer(state, rules, plan, own.findings, at=at)):  # (3)
        return None
    verdict = state.expect(plan.reference.record, r.Verdict)
    _, mine = state.checkpoint_of(plan.assessment_id)
    other = state.expect(verdict.checkpoint.record, r.Checkpoint)
    screened = [one for one in own.findings if one.name in plan.evaluations]
    return inherit(
        rules.policy,
        verdict.decision,
        screened,
        reference=other.location,
        ratio=other.manifest.effective_compute / mine.manifest.effective_compute,
    )
