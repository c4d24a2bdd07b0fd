"""Many evaluations of several variants, and dear ones that wait for a trigger, through the DAG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.rsp import records as r
from include.wiring import evaluating
from tests.airflow.conftest import pointed_to
from tests.airflow.test_assess_checkpoint import AGREED, CALM, assess
from tests.support.airflow_world import LoopingWorld, People, states
from tests.support.factories import ADDITION, SUITE_BYTES, changed
from tests.support.world import RUN

pytestmark = pytest.mark.airflow


def with_a_dear_one(plain: dict[str, Any]) -> None:
    """`copying` is run only where `maximum` is not shown to be below its limit."""
    plain["evaluations"][2]["runs_after"] = ["maximum"]


@pytest.fixture
def frugal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopingWorld]:
    world = LoopingWorld(tmp_path, suite=changed(SUITE_BYTES, with_a_dear_one))
    yield from pointed_to(world, tmp_path, monkeypatch)


@pytest.mark.parametrize(("maximum", "dear"), [(10, "skipped"), (90, "success")])
def test_a_dear_evaluation_waits_for_its_trigger(
    bag: Any, frugal: LoopingWorld, maximum: int, dear: str
) -> None:
    run = assess(bag, frugal, CALM | {"maximum": maximum}, pauses=False)
    assert run.state == "success", states(run)
    found = states(run)
    assert (found["follow_triggers"], found["evaluate_triggered"]) == ("success", dear)
    assert found["continue"] == "success"
    (verdict,) = frugal.of_kind(r.Verdict)
    (copying,) = [one for one in verdict.decision.findings if one.evaluation == "copying"]
    assert copying.not_run == (["maximum"] if dear == "skipped" else [])
    assert len(frugal.of_kind(r.ResultSet)) == (2 if dear == "skipped" else 3)


def with_one_rerun(plain: dict[str, Any]) -> None:
    """Results that are not valid may be made once more."""
    for one in plain["evaluations"]:
        one["quality"] = (one.get("quality") or {}) | {"rerun_once": True}


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopingWorld]:
    world = LoopingWorld(tmp_path, suite=changed(SUITE_BYTES, with_one_rerun))
    yield from pointed_to(world, tmp_path, monkeypatch)


def test_invalid_results_are_run_again_once(bag: Any, patient: LoopingWorld) -> None:
    def second_jobs(key: str) -> None:
        patient.finish_jobs(key, CALM, again=True)

    run = assess(bag, patient, CALM, errors=20, pauses=False, finished=second_jobs)
    assert run.state == "success", states(run)
    assert states(run)["continue"] == "success"
    sets = patient.of_kind(r.ResultSet)
    assert [one.replaces is not None for one in sets] == [False] * 3 + [True] * 3
    assert all("error" in " ".join(one.problems) for one in sets[3:])
    (validation,) = patient.of_kind(r.Validation)
    assert set(validation.valid.values()) == {True}


def test_results_that_stay_invalid_are_inconclusive(bag: Any, patient: LoopingWorld) -> None:
    def second_jobs(key: str) -> None:
        patient.finish_jobs(key, CALM, errors=20, again=True)

    with People(patient, **AGREED).answering():
        run = assess(bag, patient, CALM, errors=20, finished=second_jobs)
    assert states(run)["pause"] == "success"
    (verdict,) = patient.of_kind(r.Verdict)
    assert verdict.decision.red_lines[0].status == "not_ruled_out"
    assert len(patient.of_kind(r.ResultSet)) == 6


VARIANTS = ("helpful-only", "final", "earlier")
OTHERS = [f"copying-{number:02}" for number in range(17)]


def with_twenty(plain: dict[str, Any]) -> None:
    """The suite's three evaluations and seventeen small ones."""
    copying = plain["evaluations"][2]
    plain["evaluations"] += [
        copying | {"id": one, "dataset_samples": 20, "minimum_samples": 20} for one in OTHERS
    ]


@pytest.fixture
def wide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopingWorld]:
    world = LoopingWorld(tmp_path, suite=changed(SUITE_BYTES, with_twenty))
    yield from pointed_to(world, tmp_path, monkeypatch)


def test_twenty_evaluations_of_three_variants_and_one_that_fails(
    bag: Any, wide: LoopingWorld
) -> None:
    broken = f"{ADDITION}.helpful-only"

    def break_one(key: str) -> None:
        job = wide.desk.jobs.folder / evaluating.job_request(wide.desk, key, broken).job
        (job / "outcome.json").unlink()
        (job / "request.json").write_bytes(b"another request")

    with People(wide, **AGREED).answering():
        run = assess(
            bag, wide, CALM | dict.fromkeys(OTHERS, 3), variants=VARIANTS, finished=break_one
        )
    evaluated = {one.rendered_map_index: one.state for one in mapped(run, "evaluate")}
    names = {f"{one}.{variant}" for one in CALM.keys() | set(OTHERS) for variant in VARIANTS}
    assert len(names) == 60
    assert evaluated == dict.fromkeys(names, "success") | {broken: "failed"}
    assert len(wide.of_kind(r.ResultSet)) == 59
    (verdict,) = wide.of_kind(r.Verdict)
    findings = {one.name: one.finding for one in verdict.decision.findings}
    assert findings[broken] == "inconclusive"
    assert findings[f"{ADDITION}.final"] == "below"
    assert verdict.decision.red_lines[0].status == "not_ruled_out"
    assert states(run)["pause"] == "success"
    assert wide.state.runs[RUN].holds_in_force


def mapped(run: Any, task_id: str) -> list[Any]:
    """The task instances of a mapped task."""
    return [one for one in run.get_task_instances() if one.task_id == task_id]
