"""Every fail-open trap of the house style has a test here that is named for it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.adapters.validation import nothing_to_validate
from include.rsp.decision import decide
from include.rsp.errors import InvalidDocument, Refused
from include.rsp.finding import NO_EVIDENCE
from include.rsp.policy_parts import Standard
from include.rsp.statistics import NotApplicable, estimate
from include.rsp.vocabulary import Outcome, RedLineStatus
from include.wiring import assessment, evaluating, registration
from include.wiring.settings import Settings
from tests.support.factories import (
    CHECKPOINT,
    START,
    make_all_evidence,
    observed,
    toy_policy,
    toy_suite,
)
from tests.support.safeguards import judge_plain
from tests.support.world import RUN, World

ROOT = Path(__file__).resolve().parents[2]


def test_the_mean_of_no_results_is_not_zero() -> None:
    with pytest.raises(NotApplicable, match="not 0"):
        estimate("wilson@1", observed([]), confidence=0.95)


def test_zero_scenarios_tested_is_not_safe() -> None:
    decision = decide(
        toy_policy(), toy_suite(), {}, checkpoint=CHECKPOINT, checkpoint_at=START, at=START
    )
    assert decision.red_lines[0].status is RedLineStatus.NOT_RULED_OUT
    assert NO_EVIDENCE.run is None
    assert nothing_to_validate("none").valid is False


def test_a_clustered_interval_never_falls_back_to_the_plain_one() -> None:
    repeated = np.array(["a", "a", "b", "b"])
    with pytest.raises(NotApplicable):
        estimate("wilson@1", observed([0.0, 0.0, 1.0, 1.0], repeated), confidence=0.95)
    with pytest.raises(NotApplicable):
        estimate("cluster_robust@1", observed([0.0, 0.0, 1.0, 1.0], repeated), confidence=0.95)


def test_an_empty_selection_is_an_error() -> None:
    def none(plain: dict[str, Any]) -> None:
        plain["evaluations"] = []

    with pytest.raises(InvalidDocument):
        toy_suite(none)
    assert not judge_plain(
        Standard(id="empty", clause="1", level="4", text="", criteria=[]), {}, at=START
    ).holds


def test_tests_over_files_know_that_they_saw_files() -> None:
    for folder in ("dags", "include/rsp", "tests/airflow"):
        assert list((ROOT / folder).glob("*.py")), folder


def test_check_only_checks() -> None:
    makefile = (ROOT / "Makefile").read_text()
    recipe = makefile.partition("check: ")[2].partition("\n\n")[0]
    assert "ruff" in recipe
    assert "--fix" not in recipe
    assert "format --check" in recipe
    assert "generate.py --check" in recipe


def test_dag_files_do_no_work_while_they_are_parsed() -> None:
    for path in (ROOT / "dags").glob("*.py"):
        assert not re.search(r"^\s*(open|requests|boto3|pd)\b", path.read_text(), re.MULTILINE)


def test_a_retried_run_never_reads_the_latest_of_another_run(world: World) -> None:
    """Results belong to the counted plan of one assessment, whatever else has happened since."""
    world.gate()
    world.publish(1)
    first = world.due()
    world.evaluate(first, addition=5)
    assessment.reach_verdict(world.desk, first)
    second = registration.raise_occasion(
        world.desk,
        RUN,
        next(iter(world.state.runs[RUN].checkpoints)),
        assessment.OccasionKind.OFFICER,
        "again",
    )
    assessment.plan(world.desk, second)
    jobs = {evaluating.job_request(world.desk, key, "maximum").job for key in (first, second)}
    assert len(jobs) == 2
    assert world.state.assessments[second].result_sets == {}


def test_a_human_task_has_no_default_and_silence_leaves_the_hold(world: World) -> None:
    world.gate()
    world.assess(4, addition=190)
    world.pass_time(days=30)
    assert world.state.runs[RUN].holds_in_force
    source = (ROOT / "include/wiring/operators.py").read_text()
    assert "defaults=" not in source
    assert "response_timeout" not in source


def test_what_is_simulated_says_so_in_its_record(world: World) -> None:
    trust = world.state.trust
    assert trust is not None
    officers = [key for key in trust.keys if key.office]
    assert officers
    assert all(key.simulated for key in officers)
    assert all(key.holder.startswith("simulated-") for key in officers)


def test_no_switch_turns_a_check_off() -> None:
    for folder in ("include", "client", "dags"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text()
            assert not re.search(r"\b(skip|disable|no|ignore)_(check|verif|valid)\w*", text), path
            assert "fallback" not in text, path


def test_an_unset_variable_never_becomes_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", "   "):
        monkeypatch.setenv("REDLINE_STORE", value)
        with pytest.raises(InvalidDocument, match="REDLINE_STORE is not set"):
            Settings.from_environment()
    monkeypatch.delenv("REDLINE_STORE")
    with pytest.raises(InvalidDocument, match="REDLINE_STORE is not set"):
        Settings.from_environment()


@pytest.mark.parametrize("key", [None, "", "None", "a-unknown"])
def test_a_run_without_a_known_assessment_never_ends_green(world: World, key: str | None) -> None:
    from include.rsp.errors import DomainError

    with pytest.raises(DomainError):
        assessment.resolve(world.desk, key, {})


def test_pages_of_the_plugin_are_closed_by_one_dependency_of_the_whole_app() -> None:
    source = (ROOT / "plugins/redline_console.py").read_text()
    assert "dependencies=[Depends(requires_authenticated())]" in source


def test_old_evidence_is_no_evidence() -> None:
    suite = toy_suite()
    decision = decide(
        toy_policy(), suite, make_all_evidence(suite),
        checkpoint=CHECKPOINT, checkpoint_at=START, at=START + timedelta(days=30),
    )  # fmt: skip
    assert decision.recommendation is Outcome.PAUSE


def test_no_policy_means_no_occasion_and_no_permit(world: World) -> None:
    world.gate()
    world.publish(1)
    checkpoint = registration.register_by_name(world.desk, RUN, "x1")
    world.state.adoptions.clear()
    with pytest.raises(Refused, match="No policy is in force"):
        registration.raise_occasion(
            world.desk, RUN, checkpoint, assessment.OccasionKind.OFFICER, "why"
        )
