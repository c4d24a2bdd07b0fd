"""Attacks on the preliminary assessment that once worked. Each has to stay refused.

All of them want statuses that a comprehensive assessment would not have given.
"""

from __future__ import annotations

from typing import Any

import pytest

from client.publish import Declared, publish
from include.adapters.store import put_blob
from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.canonical import digest_bytes
from include.rsp.checkpoint import CheckpointManifest
from include.rsp.comparison import Ground, GroundAnswer
from include.rsp.errors import Refused
from include.rsp.standing import standing_requirements
from include.rsp.vocabulary import OccasionKind, Outcome, RedLineStatus
from include.wiring import assessment, registration, screening
from tests.pure.wiring.test_preliminary import OTHER, due, runs_planned, verdict_on
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


def made(
    factory: pytest.TempPathFactory, policy: Any = with_preliminary, suite: Any = None
) -> World:
    world = World(
        factory.mktemp("world"),
        policy=changed(POLICY_BYTES, policy),
        suite=changed(SUITE_BYTES, suite or with_a_screening_test),
    )
    world.gate()
    return world


@pytest.fixture
def asking(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = made(tmp_path_factory)
    world.assess(1)
    return world


def screened(world: World, multiple: float = 1.5) -> str:
    """An assessment of another run that is planned as a preliminary one, with its answer: no."""
    key = due(world, multiple)
    world.finish_jobs(key, {"maximum": 10})
    assessment.pre_flight(world.desk, key)
    record_result(world.desk, key, "maximum")
    assert not screening.answer_preliminary(world.desk, key).notably_more_capable
    world.validate(key)
    return key


def assessed_by_an_officer(world: World, run_id: str, name: str, **results: Any) -> r.Verdict:
    checkpoint = next(
        digest
        for digest, one in world.state.runs[run_id].checkpoints.items()
        if one.manifest.checkpoint_id == name
    )
    key = registration.raise_occasion(
        world.desk, run_id, checkpoint, OccasionKind.OFFICER, f"the RSO at {world.now}"
    )
    return verdict_on(world, key, **results)


def raised(world: World, run_id: str, kind: OccasionKind, reason: str) -> str:
    checkpoint = next(iter(world.state.runs[run_id].checkpoints))
    return registration.raise_occasion(world.desk, run_id, checkpoint, kind, reason)


def inherits_nothing(world: World, key: str) -> r.Verdict:
    verdict = assessment.reach_verdict(world.desk, key)[1]
    assert verdict.inherits is None
    assert verdict.decision.red_lines[0].status is not RedLineStatus.RULED_OUT
    assert verify_store(world.store).problems == []
    return verdict


def test_a_verdict_that_was_reversed_since_the_plan_lends_nothing(asking: World) -> None:
    key = screened(asking)
    reversed_ = assessed_by_an_officer(asking, RUN, "x1", addition=190)
    assert reversed_.decision.recommendation is Outcome.VERIFY_SAFEGUARDS
    inherits_nothing(asking, key)


def test_a_verdict_whose_result_was_restated_lends_nothing(asking: World) -> None:
    key = screened(asking)
    asking.restate(150)
    inherits_nothing(asking, key)
    assert assessment.plan(asking.desk, due(asking, 1.6, run_id="run-3")).reference is None


@pytest.mark.parametrize("about", [RUN, OTHER, None])
def test_an_incident_that_nobody_answered_leads_to_a_comprehensive_assessment(
    asking: World, about: str | None
) -> None:
    key = screened(asking)
    asking.report_incident(about)
    inherits_nothing(asking, key)


def test_six_months_count_when_the_statuses_are_taken_over(asking: World) -> None:
    key = due(asking, 1.5)
    assert assessment.plan(asking.desk, key).reference is not None
    asking.pass_time(days=400)
    asking.evaluate(key)
    verdict = assessment.reach_verdict(asking.desk, key)[1]
    assert verdict.inherits is None
    answer = asking.state.expect(asking.state.assessments[key].preliminary or "", r.Preliminary)
    assert answer.notably_more_capable


@pytest.mark.parametrize("reopen", ["restatement", "incident"])
def test_a_made_up_milestone_does_not_close_a_reopened_case_with_its_own_old_verdict(
    asking: World, reopen: str
) -> None:
    if reopen == "restatement":
        asking.restate(150)
    else:
        asking.report_incident()
    key = raised(asking, RUN, OccasionKind.COMPUTE_MILESTONE, "made up")
    plan = assessment.plan(asking.desk, key)
    assert plan.reference is None
    assert set(plan.evaluations) == {ADDITION, "maximum", "copying"}


def test_a_checkpoint_that_was_assessed_whole_takes_nothing_over(asking: World) -> None:
    key = screened(asking)
    own = assessed_by_an_officer(asking, OTHER, "x1.5", addition=190)
    assert own.decision.recommendation is Outcome.VERIFY_SAFEGUARDS
    inherits_nothing(asking, key)


def test_a_run_does_not_shed_what_its_own_assessment_found_by_comparing_with_another(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    world = made(tmp_path_factory)
    world.assess(1, addition=190)
    due(world, 1.5)
    assessed_by_an_officer(world, OTHER, "x1.5", addition=0)  # a weak model, whole
    world.publish(2)
    registration.register_new(world.desk)
    key = next(
        registration.raise_occasion(
            world.desk, RUN, digest, OccasionKind.COMPUTE_MILESTONE, "made up"
        )
        for digest, one in world.state.runs[RUN].checkpoints.items()
        if one.manifest.checkpoint_id == "x2"
    )
    plan = assessment.plan(world.desk, key)
    assert plan.reference is None
    assert "demands something" in plan.grounds[-1].because


def generous(plain: dict[str, Any]) -> None:
    """The evaluation that bears the load is the screening test, with a gain that hides a lot."""
    plain["evaluations"][0]["notable_gain"] = 1.0


@pytest.mark.parametrize("addition", [90, 120])
def test_an_own_result_near_or_over_the_limit_is_never_overruled_by_a_small_gain(
    tmp_path_factory: pytest.TempPathFactory, addition: int
) -> None:
    world = made(tmp_path_factory, suite=generous)
    world.assess(1)
    key = due(world, 1.5)
    assert assessment.plan(world.desk, key).evaluations == [ADDITION]
    world.evaluate(key, addition=addition)
    inherits_nothing(world, key)


def late(plain: dict[str, Any]) -> None:
    plain["evaluations"][1]["notable_gain"] = 0.9


def test_an_early_warning_of_its_own_is_not_lost(tmp_path_factory: pytest.TempPathFactory) -> None:
    world = made(tmp_path_factory, suite=late)
    world.assess(1)
    verdict = verdict_on(world, due(world, 1.5), maximum=100)
    assert verdict.inherits is None
    assert verdict.decision.early_warning


def test_a_result_that_nobody_asked_for_counts_against_the_model(asking: World) -> None:
    key = due(asking, 1.5)
    asking.finish_jobs(key, {"maximum": 10, ADDITION: 190})
    assessment.pre_flight(asking.desk, key)
    for name in ("maximum", ADDITION):
        record_result(asking.desk, key, name)
    assert screening.answer_preliminary(asking.desk, key).notably_more_capable
    asking.validate(key)
    verdict = inherits_nothing(asking, key)
    assert verdict.decision.red_lines[0].status is RedLineStatus.CROSSED


def test_what_is_recorded_after_the_answer_counts_as_well(asking: World) -> None:
    key = due(asking, 1.5)
    asking.finish_jobs(key, {"maximum": 10, ADDITION: 190})
    assessment.pre_flight(asking.desk, key)
    record_result(asking.desk, key, "maximum")
    assert not screening.answer_preliminary(asking.desk, key).notably_more_capable
    record_result(asking.desk, key, ADDITION)
    asking.validate(key)
    inherits_nothing(asking, key)


def with_floor(plain: dict[str, Any]) -> None:
    with_preliminary(plain)
    plain["lineage_floor"] = {"clause": "toylab 3.5"}


def test_a_floor_reaches_past_an_ancestor_whose_statuses_were_taken_over(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    world = made(tmp_path_factory, policy=with_floor)
    world.assess(1, addition=190)
    state = world.state
    (first,) = state.runs[RUN].checkpoints.values()
    due(world, 1)
    assessed_by_an_officer(world, OTHER, "x1", addition=0)  # the weak model that is compared with
    derived(world, "run-3", first.digest, 1.2)
    key = next(
        one
        for one in registration.raise_due_occasions(world.desk)
        if world.state.occasion(one).run_id == "run-3"
    )
    world.evaluate(key)
    assert assessment.reach_verdict(world.desk, key)[1].inherits is not None
    (middle,) = world.state.runs["run-3"].checkpoints.values()
    derived(world, "run-4", middle.digest, 1.3)
    rules = world.desk.rulebook.in_force(world.state)
    assert rules is not None
    needed = standing_requirements(world.state, rules.policy, "run-4")
    assert [(one.standard, one.because) for one in needed] == [
        ("toy-asl-3", f"it goes on from {RUN}")
    ]


def derived(world: World, run_id: str, parent: str, multiple: float) -> None:
    world.gate(run_id)
    folder = world.root / "checkpoints" / run_id / f"x{multiple:g}"
    folder.mkdir(parents=True)
    (folder / "weights.npz").write_bytes(run_id.encode())
    declared = Declared(
        run_id=run_id, checkpoint_id=folder.name, parent=parent, step=1, training_flop=X * multiple,
        algorithmic_efficiency=1.0, created_at=world.now,
    )  # fmt: skip
    publish(folder, declared, ["weights.npz"], variants={"final": "weights.npz"})
    registration.register_new(world.desk)
    world.notary.step()


def test_made_up_grounds_of_a_comprehensive_plan_are_refused(asking: World) -> None:
    key = due(asking, 4)
    plan = r.Plan(
        at=asking.now, by="mallory", stamp=asking.desk.stamp, assessment_id=key,
        occasion=r.RecordRef(record=asking.state.assessments[key].occasion), ledger_index=0,
        evaluations=[ADDITION, "maximum", "copying"], runs=runs_planned(asking, key),
        grounds=[Ground(ground="tests", answer=GroundAnswer.NO, because="nothing at all")],
    )  # fmt: skip
    with pytest.raises(Refused) as caught:
        asking.desk.submit(plan)
    assert caught.value.code == "not_derivable"


def test_a_checkpoint_is_called_by_the_name_in_its_manifest(asking: World) -> None:
    asking.publish(2)
    with asking.desk.checkpoints.joinpath(RUN, "x2", "manifest.json").open("rb") as file:
        content = file.read()
    honest = next(iter(asking.state.runs[RUN].checkpoints.values()))
    record = honest.model_copy(
        update={
            "at": asking.now,
            "digest": digest_bytes(content),
            "manifest": CheckpointManifest.model_validate_json(content),
            "manifest_file": put_blob(asking.store, content, name="manifest.json"),
            "location": "run-1/harmless",
        }
    )
    with pytest.raises(Refused) as caught:
        asking.desk.submit(record)
    assert caught.value.code == "wrong_name"


def test_a_smaller_gain_would_not_have_let_the_statuses_be_taken_over(asking: World) -> None:
    verdict_on(asking, due(asking, 1.5))

    def smaller(plain: dict[str, Any]) -> None:
        plain["version"] = "1.1"
        plain["evaluations"][1]["notable_gain"] = 0.0

    review = asking.propose(
        changed(asking.policy, lambda plain: plain.update(version="1.1")),
        changed(asking.suite, smaller),
    )
    rows = asking.state.expect(review, r.PolicyReview).findings.backtest.changed
    assert [(one.checkpoint, one.before, one.after) for one in rows] == [
        ("run-2/x1.5", Outcome.CONTINUE, Outcome.PAUSE)
    ]


def due_of(world: World, run_id: str) -> r.Occasion | None:
    found = [world.state.occasion(one) for one in registration.raise_due_occasions(world.desk)]
    return next((one for one in found if one.run_id == run_id), None)


@pytest.mark.parametrize("how", ["restated", "reversed"])
def test_what_was_taken_over_is_looked_at_again_when_its_source_falls(
    asking: World, how: str
) -> None:
    assert verdict_on(asking, due(asking, 1.5)).inherits is not None
    assert due_of(asking, OTHER) is None
    if how == "restated":
        asking.restate(190)
    else:
        assessed_by_an_officer(asking, RUN, "x1", addition=190)
    again = due_of(asking, OTHER)
    assert again is not None
    assert again.occasion is OccasionKind.RESTATEMENT
    verdict = verdict_on(asking, again.assessment_id)
    assert verdict.inherits is None
    assert due_of(asking, OTHER) is None
    assert verify_store(asking.store).problems == []


def test_a_source_that_was_confirmed_reopens_nothing(asking: World) -> None:
    assert verdict_on(asking, due(asking, 1.5)).inherits is not None
    assessed_by_an_officer(asking, RUN, "x1")
    assert due_of(asking, OTHER) is None


def with_months(plain: dict[str, Any]) -> None:
    with_preliminary(plain)
    rule = {"id": "six-months", "clause": "toylab 3.6", "kind": "elicitation", "months": 6}
    plain["time_triggers"] = [rule]


def test_taking_statuses_over_does_not_begin_the_months_anew(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    world = made(tmp_path_factory, policy=with_months)
    world.assess(1)
    world.pass_time(days=170)
    assert verdict_on(world, due(world, 1.5)).inherits is not None
    world.pass_time(days=20)
    again = due_of(world, OTHER)
    assert again is not None
    assert again.occasion is OccasionKind.ELICITATION
