"""An instrument that is not shown to be fit rules nothing out."""

from __future__ import annotations

from typing import Any

import pytest

from include.rsp.preflight import unfit
from include.rsp.results import Conditions, ControlResult, EgressProbe, LeakCheck
from include.rsp.suite import Evaluation, Suite
from tests.support.factories import ADDITION, toy_suite
from tests.support.fitting import fit

SUITE = toy_suite()

PLAIN = SUITE.evaluation(ADDITION)


def with_sandbox() -> Evaluation:
    plain = SUITE.model_dump(mode="json")
    plain["evaluations"][0]["inspect"]["sandbox"] = "docker"
    return Suite.model_validate(plain).evaluations[0]


def probe(**changes: Any) -> EgressProbe:
    return EgressProbe(**{"tried": ["1.1.1.1:443"], "reached": [], "probe_works": True} | changes)


def test_a_fit_instrument_has_no_problems() -> None:
    assert unfit(PLAIN, fit(PLAIN)) == []
    sandboxed = with_sandbox()
    assert unfit(sandboxed, fit(sandboxed).model_copy(update={"egress": probe()})) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"environment": {}}, "the environment has inspect_ai None (expected '0.3.285')"),
        ({"environment": {"inspect_ai": "0.3.1"}}, "inspect_ai '0.3.1'"),
        ({"dataset": None}, "the dataset is None"),
        ({"dataset": "sha256:" + "0" * 64}, "the dataset is sha256:000"),
        ({"leaks": None}, "nobody looked whether the answers stand in the questions"),
        ({"leaks": LeakCheck(checked=9, leaked=["a"])}, "1 of 9 samples give their answer away"),
        ({"positive_control": None}, "the positive control did not run"),
        ({"null_control": None}, "the null control did not run"),
        (
            {"null_control": ControlResult(model="toylab/refuser", samples=0, score=None)},
            "the null control has no score that counts",
        ),
        (
            {"positive_control": ControlResult(model="toylab/solver", samples=20, score=0.5)},
            "the positive control scored 0.5 (expected at least 0.95)",
        ),
        (
            {"positive_control": ControlResult(model="toylab/solver", samples=3, score=1.0)},
            "on 3 samples",
        ),
        (
            {"positive_control": ControlResult(model="other", samples=20, score=1.0)},
            "the positive control was other",
        ),
        (
            {"null_control": ControlResult(model="toylab/refuser", samples=20, score=1.0)},
            "the null control scored 1 (expected at most 0.05)",
        ),
    ],
)
def test_each_way_of_being_unfit_is_said(changes: dict[str, Any], says: str) -> None:
    found: Conditions = fit(PLAIN).model_copy(update=changes)
    (problem,) = unfit(PLAIN, found)
    assert says in problem


@pytest.mark.parametrize(
    ("egress", "says"),
    [
        (None, "nobody tried"),
        (probe(tried=[]), "nobody tried"),
        (probe(reached=["1.1.1.1:443"]), "the sandbox reached 1.1.1.1:443"),
        (probe(probe_works=False), "not even its own listener"),
    ],
)
def test_a_sandbox_that_is_not_shown_to_be_closed_is_open(
    egress: EgressProbe | None, says: str
) -> None:
    sandboxed = with_sandbox()
    (problem,) = unfit(sandboxed, fit(sandboxed).model_copy(update={"egress": egress}))
    assert says in problem


@pytest.mark.parametrize("suite_names", [None, "docker"])
def test_a_sandbox_that_the_suite_does_not_name_is_unfit(suite_names: str | None) -> None:
    evaluation = with_sandbox() if suite_names else PLAIN
    brought = {"sandboxes": ["docker", "unsafe_local"], "egress": probe()}
    (problem,) = unfit(evaluation, fit(evaluation).model_copy(update=brought))
    assert "unsafe_local" in problem
    assert f"expected {suite_names}" in problem
