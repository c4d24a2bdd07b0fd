"""Every kind of occasion starts an assessment, once; while one is open nothing new is due."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.rsp import records as r
from include.rsp.errors import Refused
from include.rsp.occasion import months_after
from include.rsp.vocabulary import OccasionKind, Outcome
from include.wiring import assessment, registration
from tests.support.factories import POLICY_BYTES, changed
from tests.support.world import RUN, World

QUARTER = {"id": "quarter", "clause": "toylab 3.2", "kind": "calendar", "months": 3}


def with_quarter(plain: dict[str, object]) -> None:
    plain["time_triggers"] = [QUARTER]


@pytest.fixture
def quarterly(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"), policy=changed(POLICY_BYTES, with_quarter))


def raised(world: World) -> r.Occasion:
    (key,) = registration.raise_due_occasions(world.desk)
    return world.state.occasion(key)


def nothing_due(world: World) -> bool:
    return registration.raise_due_occasions(world.desk) == []


def finish(world: World, occasion: r.Occasion) -> str:
    world.evaluate(occasion.assessment_id)
    digest, verdict = assessment.reach_verdict(world.desk, occasion.assessment_id)
    assert verdict.decision.recommendation is Outcome.CONTINUE
    assessment.request_permit(world.desk, occasion.assessment_id)
    return digest


def settled(world: World) -> World:
    """One checkpoint, assessed and permitted."""
    world.gate()
    digest = world.assess(1)
    assessment.request_permit(world.desk, world.state.expect(digest, r.Verdict).assessment_id)
    assert nothing_due(world)
    return world


def test_months_pass_and_the_same_checkpoint_is_due_again(quarterly: World) -> None:
    world = settled(quarterly)
    world.pass_time(days=91)  # 2026-11-01 to 2027-01-31
    assert nothing_due(world)
    world.pass_time(days=1)
    occasion = raised(world)
    assert occasion.occasion is OccasionKind.CALENDAR
    assert "quarter, 3 months since 2026-11-01 (toylab 3.2)" in occasion.reason
    assert occasion.checkpoint.record in world.state.runs[RUN].checkpoints
    assert nothing_due(world)  # it is open: raised once
    finish(world, occasion)
    assert nothing_due(world)
    world.pass_time(days=93)
    assert raised(world).assessment_id != occasion.assessment_id


def test_a_run_that_was_never_assessed_is_due_by_time_as_well(quarterly: World) -> None:
    quarterly.gate()
    quarterly.publish(0.5)
    registration.register_new(quarterly.desk)
    assert nothing_due(quarterly)
    quarterly.pass_time(days=93)
    assert raised(quarterly).occasion is OccasionKind.CALENDAR


def test_a_run_without_a_checkpoint_has_nothing_to_assess(quarterly: World) -> None:
    quarterly.gate()
    quarterly.pass_time(days=400)
    assert nothing_due(quarterly)


@pytest.mark.parametrize("run_id", [RUN, None])
def test_an_incident_raises_one_assessment(world: World, run_id: str | None) -> None:
    settled(world)
    world.report_incident(run_id)
    occasion = raised(world)
    assert occasion.occasion is OccasionKind.INCIDENT
    assert "a jailbreak was published" in occasion.reason
    world.report_incident(run_id, what="another one")  # while the first is looked into
    finish(world, occasion)
    second = raised(world)
    assert "another one" in second.reason
    finish(world, second)
    assert nothing_due(world)


def test_an_incident_of_another_run_raises_nothing_here(world: World) -> None:
    settled(world)
    world.report_incident("run-2")
    assert nothing_due(world)


def test_an_incident_from_the_future_is_refused(world: World) -> None:
    world.gate()
    with pytest.raises(Refused) as caught:
        world.report_incident(known_at=datetime(2030, 1, 1, tzinfo=UTC))
    assert caught.value.code == "post_dated"


def test_a_restated_result_reopens_the_case(world: World) -> None:
    settled(world)
    world.restate(150)
    occasion = raised(world)
    assert occasion.occasion is OccasionKind.RESTATEMENT
    assert "graded with the wrong key" in occasion.reason
    finish(world, occasion)
    assert nothing_due(world)


def test_a_restatement_that_restates_nothing_or_does_not_read_is_refused(world: World) -> None:
    settled(world)
    with pytest.raises(Refused) as caught:
        world.restate(5)
    assert caught.value.code == "nothing_restated"
    with pytest.raises(Refused) as caught:
        world.restate(b"no table")
    assert "do not read" in str(caught.value)


def test_a_new_policy_has_every_run_assessed_anew(world: World) -> None:
    settled(world)
    world.adopt(changed(world.policy, lambda plain: plain.update(version="1.1")))
    occasion = raised(world)
    assert occasion.occasion is OccasionKind.POLICY_CHANGE
    assert "toylab 1.1" in occasion.reason
    finish(world, occasion)
    assert nothing_due(world)


def test_an_officer_asks_by_hand_with_a_reason(world: World) -> None:
    settled(world)
    asked = {"run_id": RUN, "checkpoint_id": "x1", "reason": "the RSO wants another look"}
    occasion = world.state.occasion(assessment.resolve(world.desk, None, asked))
    assert occasion.occasion is OccasionKind.OFFICER
    assert occasion.reason == asked["reason"]


def test_months_end_where_the_month_does() -> None:
    start = datetime(2026, 11, 30, 8, tzinfo=UTC)
    assert months_after(start, 3) == datetime(2027, 2, 28, 8, tzinfo=UTC)
    assert months_after(start, 1) == datetime(2026, 12, 30, 8, tzinfo=UTC)
    assert months_after(start, 15) == datetime(2028, 2, 29, 8, tzinfo=UTC)
