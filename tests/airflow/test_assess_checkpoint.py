"""`dag.test()` of each outcome: the real DAG, the real notary, Great Expectations for real."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from include.rsp import records as r
from tests.support.airflow_world import LoopingWorld, People, Says, states
from tests.support.factories import ADDITION
from tests.support.world import RUN

pytestmark = pytest.mark.airflow
CALM = {ADDITION: 5, "maximum": 10, "copying": 100}
CROSSED = CALM | {ADDITION: 190}


def acknowledging_trainer(world: LoopingWorld) -> None:
    """Answers the hold of a run as soon as it is there."""
    gate = world.gate()
    hold = world.wait(lambda: gate.may_continue(1.0).hold, 60)
    gate.acknowledge(hold, state="saved", last_step=30, last_flop=1, last_checkpoint=None)


def assess(
    bag: Any,
    world: LoopingWorld,
    right: dict[str, int],
    *,
    pauses: bool = True,
    variants: Sequence[str] = ("final",),
    finished: Callable[[str], None] = lambda _: None,
    **changes: Any,
) -> Any:
    """Run `assess_checkpoint` for a checkpoint whose evaluation jobs end as given.

    `finished` is called with the assessment's key once they have, before the DAG runs.
    """
    from include.rsp.vocabulary import OccasionKind
    from include.wiring import registration

    world.gate()
    world.publish(1.5, variants=variants)
    checkpoint = registration.register_by_name(world.desk, RUN, "x1.5")
    key = registration.raise_occasion(world.desk, RUN, checkpoint, OccasionKind.OFFICER, "a test")
    world.finish_jobs(key, right, **changes)
    finished(key)
    if pauses:
        threading.Thread(target=acknowledging_trainer, args=(world,), daemon=True).start()
    return run_of(bag, run_id=RUN, checkpoint_id="x1.5", reason="a test")


def run_of(bag: Any, **conf: str) -> Any:
    """`dag.test()` keeps the parameters of the run before, so all of them are given."""
    names = ("assessment_id", "run_id", "checkpoint_id", "reason")
    return bag.dags["assess_checkpoint"].test(run_conf=dict.fromkeys(names) | conf)


SECOND = "give_opinion_as_second_line"
AGREED = {
    SECOND: Says("agree"),
    "sign_off_as_rso": Says("accept_recommendation"),
    "sign_off_as_ceo": Says("accept_recommendation"),
}
TOLD = AGREED | {"confirm_receipt_as_board": Says("received", more={"notice": "board"})}


def test_continue(bag: Any, looping: LoopingWorld) -> None:
    run = assess(bag, looping, CALM, pauses=False)
    assert run.state == "success"
    found = states(run)
    assert found["continue"] == "success"
    assert {found[one] for one in ("verify_safeguards", "pause", "write_report")} == {"skipped"}
    assert [permit.checkpoint is None for permit in looping.of_kind(r.Permit)] == [True, False]
    assert looping.of_kind(r.Permit)[-1].identification == "MACHINE"
    (validation,) = looping.of_kind(r.Validation)
    assert set(validation.valid.values()) == {True}
    assert "hold" not in looping.kinds()


def test_crossed_and_not_verified_pauses_and_people_confirm_it(
    bag: Any, looping: LoopingWorld
) -> None:
    with People(looping, **AGREED).answering():
        run = assess(bag, looping, CROSSED)
    assert run.state == "success", states(run)
    found = states(run)
    done = ("verify_safeguards", "pause", "verify_stop", "close_packet", "nothing_goes_on")
    assert {found[one] for one in done} == {"success"}
    assert {found[one] for one in ("continue", "ask_for_permit", "lock_down_weights")} == {
        "skipped"
    }
    assert len(looping.of_kind(r.Permit)) == 1
    assert looping.state.runs[RUN].holds_in_force
    (check,) = looping.of_kind(r.StopCheck)
    assert check.stands_still


def test_a_trainer_that_does_not_acknowledge_fails_the_stop(
    bag: Any, looping_impatient: LoopingWorld
) -> None:
    looping = looping_impatient
    with People(looping, **AGREED).answering():
        run = assess(bag, looping, CROSSED, pauses=False)
    assert run.state == "failed"
    assert states(run)["verify_stop"] == "failed"
    assert looping.state.runs[RUN].holds_in_force
    (check,) = looping.of_kind(r.StopCheck)
    assert [one.finding for one in check.findings] == ["not_acknowledged"]
    assert {one.finding for one in looping.of_kind(r.Deviation)} >= {"not_acknowledged"}
    assert looping.of_kind(r.Escalation)


def test_crossed_and_verified_is_released_by_people(bag: Any, looping: LoopingWorld) -> None:
    looping.add_evidence(collected_at=looping.desk.now())
    with People(looping, **TOLD).answering():
        run = assess(bag, looping, CROSSED, pauses=False)
    assert run.state == "success", states(run)
    assert states(run)["ask_for_permit"] == "success"
    assert states(run)["pause"] == "skipped"
    permit = looping.of_kind(r.Permit)[-1]
    assert permit.releases is not None
    assert permit.simulated
    assert permit.identification == "SIGNED"
    assert not looping.state.runs[RUN].holds_in_force
    (told,) = looping.of_kind(r.Notification)
    assert [one.channel for one in told.deliveries] == ["none"]


def test_answers_without_a_signature_count_where_the_notary_can_ask_airflow(
    bag: Any, looping: LoopingWorld
) -> None:
    looping.attested()
    looping.add_evidence(collected_at=looping.desk.now())
    unsigned = {name: Says(one.choice, signed=False, more=one.more) for name, one in TOLD.items()}
    with People(looping, **unsigned).answering():
        run = assess(bag, looping, CROSSED, pauses=False)
    assert run.state == "success", states(run)
    assert looping.of_kind(r.Permit)[-1].identification == "ATTESTED_BY_AIRFLOW"


def test_a_second_line_that_needs_more_lets_nobody_sign(bag: Any, looping: LoopingWorld) -> None:
    with People(looping, **{SECOND: Says("need_more")}).answering():
        run = assess(bag, looping, CROSSED)
    assert run.state == "failed"
    found = states(run)
    assert found["close_packet"] == "failed"
    assert found["sign_off_as_rso"] == "upstream_failed"


def test_an_officer_who_is_stricter_ends_it_and_the_next_is_not_asked(
    bag: Any, looping: LoopingWorld
) -> None:
    said = {SECOND: Says("agree"), "sign_off_as_rso": Says("stricter")}
    looping.add_evidence(collected_at=looping.desk.now())
    with People(looping, **said).answering():
        run = assess(bag, looping, CROSSED, pauses=False)
    found = states(run)
    assert found["sign_off_as_ceo"] == "skipped"
    assert found["nothing_goes_on"] == "success"
    assert looping.state.runs[RUN].holds_in_force


def second_run(bag: Any, world: LoopingWorld, right: dict[str, int]) -> Any:
    """One model was assessed whole; another run's first checkpoint is due, and is assessed."""
    from include.wiring import registration

    world.gate()
    world.assess(1)
    world.gate("run-2")
    world.publish(1.5, run_id="run-2")
    registration.register_new(world.desk)
    (key,) = registration.raise_due_occasions(world.desk)
    world.finish_jobs(key, right)
    return run_of(bag, assessment_id=key)


@pytest.mark.parametrize(
    ("maximum", "further", "results"), [(10, "skipped", 1), (60, "success", 3)]
)
def test_a_preliminary_assessment_ends_early_or_goes_on_in_full(
    bag: Any, looping_with_preliminary: LoopingWorld, maximum: int, further: str, results: int
) -> None:
    world = looping_with_preliminary
    run = second_run(bag, world, CALM | {"maximum": maximum})
    assert run.state == "success"
    found = states(run)
    assert (found["evaluate"], found["preliminary"]) == ("skipped", "success")
    assert found["evaluate_rest"] == further
    assert found["continue"] == "success"
    *_, verdict = world.of_kind(r.Verdict)
    assert (verdict.inherits is not None) == (further == "skipped")
    assert len(world.state.assessments[verdict.assessment_id].result_sets) == results


def test_an_evaluation_that_crashed_is_inconclusive_and_pauses(
    bag: Any, looping: LoopingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    from include.adapters import process_evaluator

    monkeypatch.setattr(process_evaluator, "_size", lambda _: 3)
    with People(looping, **AGREED).answering():
        run = assess(bag, looping, {"maximum": 10, "copying": 100})
    assert states(run)["evaluate"] == "success"
    _pauses(looping, run, "crashed")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"elicitation": {"variant": "final"}}, "manifest lacks"),
        ({"positive_control": None}, None),
    ],
)
def test_quarantined_is_inconclusive_and_pauses(
    bag: Any, looping: LoopingWorld, changes: dict[str, Any], message: str | None
) -> None:
    from include.rsp.results import ControlResult

    if message is None:
        low = ControlResult(model="toylab/solver", samples=20, score=0.1)
        changes, message = {"positive_control": low}, "positive control scored"
    with People(looping, **AGREED).answering():
        run = assess(bag, looping, CALM, **changes)
    _pauses(looping, run, message)


def _pauses(world: LoopingWorld, run: Any, message: str) -> None:
    (verdict,) = world.of_kind(r.Verdict)
    line = verdict.decision.red_lines[0]
    assert line.status == "not_ruled_out"
    problems = [one for found in verdict.decision.findings for one in found.problems]
    assert any(message in one for one in problems), problems
    found = states(run)
    assert found["pause"] == "success"
    assert found["continue"] == "skipped"
    assert world.state.runs[RUN].holds_in_force
    assert len(world.of_kind(r.Permit)) == 1


@pytest.mark.parametrize(
    "conf",
    [{}, {"run_id": RUN, "checkpoint_id": "nobody", "reason": "a test"}],
    ids=["no assessment", "unknown checkpoint"],
)
def test_a_run_for_nothing_is_refused_by_its_first_task(
    bag: Any, looping: LoopingWorld, conf: dict[str, str]
) -> None:
    looping.gate()
    run = run_of(bag, **conf)
    assert run.state == "failed"
    found = states(run)
    failed = {name for name, state in found.items() if state == "failed"}
    assert failed == {"plan", "follow_triggers", "validate"}
    assert set(found.values()) == {"failed", "upstream_failed"}
    assert "plan" not in looping.kinds()
