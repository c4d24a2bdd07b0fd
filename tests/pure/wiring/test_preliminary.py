"""The preliminary assessment: only a clear no spares the comprehensive one."""

from __future__ import annotations

from typing import Any

import pytest

from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.comparison import GroundAnswer
from include.rsp.errors import Refused
from include.rsp.evaluation_plan import PlannedRun, planned
from include.rsp.vocabulary import OccasionKind, Outcome, RedLineStatus
from include.wiring import assessment, evaluating, registration, screening
from tests.support.evaluated import record_result
from tests.support.factories import (
    ADDITION,
    POLICY_BYTES,
    SUITE_BYTES,
    X,
    changed,
    with_a_screening_test,
    with_preliminary,
)
from tests.support.world import RUN, World

OTHER = "run-2"
EVERY = [ADDITION, "maximum", "copying"]


@pytest.fixture
def asking(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(
        tmp_path_factory.mktemp("world"),
        policy=changed(POLICY_BYTES, with_preliminary),
        suite=changed(SUITE_BYTES, with_a_screening_test),
    )
    world.gate()
    world.assess(1)
    return world


def due(world: World, multiple: float, *, run_id: str = OTHER) -> str:
    """Another model lands; the assessment that it raises."""
    world.gate(run_id)
    world.publish(multiple, run_id=run_id)
    registration.register_new(world.desk)
    (key,) = [
        one
        for one in registration.raise_due_occasions(world.desk)
        if world.state.occasion(one).run_id == run_id
    ]
    return key


def runs_planned(world: World, key: str) -> list[PlannedRun]:
    """The runs that the plan of an assessment has to name."""
    _, checkpoint = world.state.checkpoint_of(key)
    return planned(world.desk.rulebook.of_assessment(world.state, key).suite, checkpoint.variants)


def verdict_on(world: World, key: str, **results: Any) -> r.Verdict:
    world.evaluate(key, **results)
    return assessment.reach_verdict(world.desk, key)[1]


def test_the_first_model_is_assessed_whole(asking: World) -> None:
    (verdict,) = asking.state.runs[RUN].verdicts.values()
    plan = asking.state.expect(verdict.plan.record, r.Plan)
    assert (plan.reference, plan.evaluations, verdict.inherits) == (None, EVERY, None)
    assert [one.answer for one in plan.grounds] == [GroundAnswer.YES]


def test_a_model_that_is_not_notably_more_capable_keeps_the_statuses_of_the_other(
    asking: World,
) -> None:
    key = due(asking, 1.5)
    assert assessment.plan(asking.desk, key).evaluations == ["maximum"]
    verdict = verdict_on(asking, key)
    (reference,) = asking.state.runs[RUN].verdicts
    assert verdict.inherits == r.RecordRef(record=reference)
    assert set(asking.state.assessments[key].result_sets) == {"maximum"}
    (line,) = verdict.decision.red_lines
    assert (line.status, line.clause) == (RedLineStatus.RULED_OUT, "toylab 3.4")
    assert "not notably more capable than run-1/x1" in line.because
    assert verdict.decision.recommendation is Outcome.CONTINUE
    _, permit = assessment.request_permit(asking.desk, key)
    assert permit.due_flop == pytest.approx(4 * X)  # counted from the model that was assessed whole
    assert permit.ceiling_flop == pytest.approx(6 * X)
    assert verify_store(asking.store).problems == []


def test_what_the_other_model_needs_is_needed_here_as_well(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    world = World(
        tmp_path_factory.mktemp("world"),
        policy=changed(POLICY_BYTES, with_preliminary),
        suite=changed(SUITE_BYTES, with_a_screening_test),
    )
    world.gate()
    world.assess(1, addition=190)
    verdict = verdict_on(world, due(world, 1.5))
    assert verdict.inherits is not None
    assert verdict.decision.recommendation is Outcome.VERIFY_SAFEGUARDS
    assert world.state.runs[OTHER].holds_in_force


@pytest.mark.parametrize(
    ("results", "says"),
    [
        ({"maximum": 30}, "not under 0.050 + 0.1"),
        ({"elicitation": {"variant": "final"}}, "elicitation"),
    ],
    ids=["a gain", "a result that shows nothing"],
)
def test_a_doubt_leads_to_the_comprehensive_assessment(
    asking: World, results: dict[str, Any], says: str
) -> None:
    key = due(asking, 1.5)
    verdict = verdict_on(asking, key, **results)
    answer = asking.state.expect(asking.state.assessments[key].preliminary or "", r.Preliminary)
    assert answer.notably_more_capable
    assert answer.evaluations == [ADDITION, "copying"]
    doubts = [one for one in answer.grounds if one.answer is GroundAnswer.DOUBT]
    assert says in doubts[0].because
    assert verdict.inherits is None
    assert set(asking.state.assessments[key].result_sets) == set(EVERY)


def test_a_job_that_crashed_is_a_doubt(asking: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from include.adapters import process_evaluator

    monkeypatch.setattr(process_evaluator, "_size", lambda _: 3)
    key = due(asking, 1.5)
    assessment.plan(asking.desk, key)
    assessment.pre_flight(asking.desk, key)
    record_result(asking.desk, key, "maximum")
    assert screening.answer_preliminary(asking.desk, key).notably_more_capable


def test_results_that_validation_quarantined_inherit_nothing(asking: World) -> None:
    key = due(asking, 1.5)
    asking.finish_jobs(key, {"maximum": 10})
    assessment.pre_flight(asking.desk, key)
    record_result(asking.desk, key, "maximum")
    assert not screening.answer_preliminary(asking.desk, key).notably_more_capable
    asking.validate(key, valid=False)
    _, verdict = assessment.reach_verdict(asking.desk, key)
    assert verdict.inherits is None
    assert verdict.decision.red_lines[0].status is RedLineStatus.NOT_RULED_OUT


def test_four_times_the_compute_is_assessed_whole_at_once(asking: World) -> None:
    plan = assessment.plan(asking.desk, due(asking, 4))
    assert (plan.reference, plan.evaluations) == (None, EVERY)
    assert plan.grounds[0].because == "4x, from 4x"


def test_six_months_later_the_model_is_assessed_whole_at_once(asking: World) -> None:
    asking.pass_time(days=182)
    plan = assessment.plan(asking.desk, due(asking, 1.5))
    assert (plan.reference, plan.evaluations) == (None, EVERY)


def test_an_officer_gets_a_comprehensive_assessment(asking: World) -> None:
    due(asking, 1.5)
    checkpoint = next(iter(asking.state.runs[OTHER].checkpoints))
    key = registration.raise_occasion(
        asking.desk, OTHER, checkpoint, OccasionKind.OFFICER, "the RSO wants one"
    )
    assert assessment.plan(asking.desk, key).evaluations == EVERY


def test_a_model_whose_statuses_were_taken_over_is_no_reference(asking: World) -> None:
    verdict_on(asking, due(asking, 2))
    plan = assessment.plan(asking.desk, due(asking, 3, run_id="run-3"))
    assert plan.reference == r.RecordRef(record=next(iter(asking.state.runs[RUN].verdicts)))


def test_without_a_screening_test_nothing_is_clear(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    world = World(tmp_path_factory.mktemp("world"), policy=changed(POLICY_BYTES, with_preliminary))
    world.gate()
    world.assess(1)
    assert assessment.plan(world.desk, due(world, 1.5)).evaluations == EVERY


def test_a_forged_plan_or_answer_is_refused(asking: World) -> None:
    key = due(asking, 4)
    honest = r.Plan(
        at=asking.now, by="mallory", stamp=asking.desk.stamp, assessment_id=key,
        occasion=r.RecordRef(record=asking.state.assessments[key].occasion),
        ledger_index=asking.state.length - 1,
        evaluations=EVERY, runs=runs_planned(asking, key),
    )  # fmt: skip
    (reference,) = asking.state.runs[RUN].verdicts
    forged = {"reference": r.RecordRef(record=reference), "evaluations": ["maximum"]}
    for change in (forged, {"evaluations": ["copying"]}):
        with pytest.raises(Refused) as caught:
            asking.desk.submit(honest.model_copy(update=change))
        assert caught.value.code == "not_derivable"
    small = due(asking, 1.5, run_id="run-3")
    asking.finish_jobs(small, {"maximum": 60})
    assessment.pre_flight(asking.desk, small)
    record_result(asking.desk, small, "maximum")
    plan = assessment.plan(asking.desk, small)
    with pytest.raises(Refused, match="does not follow"):
        asking.desk.submit(
            r.Preliminary(
                at=asking.now, by="mallory", stamp=asking.desk.stamp, assessment_id=small,
                plan=asking.desk.plan_of(small), notably_more_capable=False, grounds=plan.grounds,
                evaluations=[],
            )
        )  # fmt: skip


def test_a_dear_evaluation_is_not_started_where_nothing_may_be_evaluated(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Neither before the pre-flight is counted, nor after a clear no."""

    def with_a_dear_one(plain: dict[str, Any]) -> None:
        plain["evaluations"][2]["notable_gain"] = 0.1
        plain["evaluations"][0]["runs_after"] = ["maximum"]

    world = World(
        tmp_path_factory.mktemp("world"),
        policy=changed(POLICY_BYTES, with_preliminary),
        suite=changed(SUITE_BYTES, with_a_dear_one),
    )
    world.gate()
    world.assess(1)
    key = due(world, 1.5)
    assessment.plan(world.desk, key)
    assert evaluating.triggered(world.desk, key) == []
    world.finish_jobs(key, {"copying": 100})
    assessment.pre_flight(world.desk, key)
    record_result(world.desk, key, "copying")
    assert evaluating.triggered(world.desk, key) == []
    assert not screening.answer_preliminary(world.desk, key).notably_more_capable
    assert evaluating.triggered(world.desk, key) == []


def test_it_is_started_once_its_trigger_is_not_below(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def with_a_dear_one(plain: dict[str, Any]) -> None:
        plain["evaluations"][2]["runs_after"] = ["maximum"]

    world = World(tmp_path_factory.mktemp("world"), suite=changed(SUITE_BYTES, with_a_dear_one))
    world.gate()
    world.publish(1)
    key = world.due()
    world.finish_jobs(key, {ADDITION: 5, "maximum": 190})
    assessment.pre_flight(world.desk, key)
    for name in (ADDITION, "maximum"):
        record_result(world.desk, key, name)
    assert evaluating.triggered(world.desk, key) == ["copying"]
