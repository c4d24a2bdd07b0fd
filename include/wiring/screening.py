"""What a run needs before anything is found, and whether it is notably more capable (step 6)."""

from __future__ import annotations

from include.adapters import rederivation
from include.rsp import records as r
from include.rsp.comparison import is_notable
from include.rsp.evaluation_plan import first_runs
from include.rsp.standing import StandingRequirement, standing_requirements
from include.wiring.desk import Desk


def standing(desk: Desk, assessment_id: str) -> list[StandingRequirement]:
    """What the run needs by the pretraining monitor and the lineage floor, whatever is found."""
    rules = desk.rulebook.of_assessment(desk.state, assessment_id)
    run_id = desk.state.occasion(assessment_id).run_id
    return standing_requirements(desk.state, rules.policy, run_id)


def is_preliminary(desk: Desk, assessment_id: str) -> bool:
    """Whether the counted plan asks first if the model is notably more capable."""
    return desk.state.expect(desk.plan_of(assessment_id).record, r.Plan).reference is not None


def answer_preliminary(desk: Desk, assessment_id: str) -> r.Preliminary:
    """Say whether the model is notably more capable, and what has to be run besides if so."""
    known = desk.state.assessments[assessment_id].preliminary
    if known is None:
        state, at = desk.state, desk.now()
        rules = desk.rulebook.of_assessment(state, assessment_id)
        plan = state.expect(desk.plan_of(assessment_id).record, r.Plan)
        grounds = rederivation.derive_grounds(desk.store, state, rules, assessment_id, at=at)
        further = rules.suite.evaluations if is_notable(grounds) else []
        _, checkpoint = state.checkpoint_of(assessment_id)
        record = r.Preliminary(
            at=at,
            by=desk.author,
            stamp=desk.stamp,
            assessment_id=assessment_id,
            plan=desk.plan_of(assessment_id),
            notably_more_capable=is_notable(grounds),
            grounds=grounds,
            evaluations=[
                one.name
                for one in first_runs(further, checkpoint.variants)
                if one.name not in plan.evaluations
            ],
        )
        known = desk.submit_counted(record, lambda now: now.assessments[assessment_id].preliminary)
    return desk.state.expect(known, r.Preliminary)
