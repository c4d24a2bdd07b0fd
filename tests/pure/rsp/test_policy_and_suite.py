from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.adapters.policy_files import POLICIES, SUITES, named_file, read_policy, read_suite
from include.rsp.errors import InvalidDocument
from include.rsp.suite import problems_between, spacing_of
from tests.support.factories import POLICY_BYTES, SUITE_BYTES, changed, toy_policy, toy_suite

FAR = {"rule_out": 1.2, "rule_in": 1.2, "buffer": 0.1}
Change = Callable[[dict[str, Any]], None]


def set_at(*path: str | int, to: Any) -> Change:
    def change(plain: dict[str, Any]) -> None:
        inner: Any = plain
        for part in path[:-1]:
            inner = inner[part]
        inner[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_at("extra", to=1), "Extra inputs"),
        (set_at("red_lines", to=[]), "at least 1"),
        (set_at("red_lines", 0, "required_standards", to=["none"]), "not defined"),
        (set_at("outcomes", 1, "then", to="continue"), "may not lead to 'continue'"),
        (set_at("outcomes", 2, "then", to="continue"), "may not lead to 'continue'"),
        (set_at("outcomes", to=[]), "no rule for the statuses"),
        (set_at("compute_trigger", "default", "ceiling_ratio", to=3), "below due_ratio"),
        (set_at("compute_trigger", "default", "due_ratio", to="four"), "due_ratio"),
        (set_at("sign_off", "roles", to=["rso", "rso"]), "more than once"),
        (set_at("sign_off", "roles", to=[]), "at least 1"),
        (set_at("machine_determination", "outcomes", to=["pause"]), "machine_determination"),
        (set_at("red_lines", 0, "clause", to=""), "clause"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(change: Change, message: str) -> None:
    with pytest.raises(InvalidDocument, match=message):
        toy_policy(change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_at("evaluations", to=[]), "at least 1"),
        (set_at("evaluations", 0, "limits", to=None), "no limits"),
        (set_at("evaluations", 0, "limits", to=FAR), "outside the scores"),
        (set_at("evaluations", 0, "limits", "rule_in", to=0.4), "below rule_out"),
        (set_at("evaluations", 0, "minimum_samples", to=300), "exceeds the dataset"),
        (set_at("evaluations", 0, "method", to="mean"), "method"),
        (set_at("evaluations", 0, "elicitation_required", to=[]), "at least 1"),
        (set_at("evaluations", 0, "positive_control", "at_least", to=None), "shows nothing"),
        (set_at("evaluations", 1, "id", to="two-digit-addition"), "more than once"),
    ],
)
def test_a_suite_that_makes_no_sense_is_refused(change: Change, message: str) -> None:
    with pytest.raises(InvalidDocument, match=message):
        toy_suite(change)


@pytest.mark.parametrize("content", [b"\x00\xff", b"a: [", b"", b"- 1", b"id: toylab"])
def test_what_is_no_policy_says_so(content: bytes) -> None:
    with pytest.raises(InvalidDocument, match=r"somewhere\.yaml"):
        read_policy(content, where="somewhere.yaml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_at("policy", to="other"), "is for policy"),
        (set_at("evaluations", 0, "red_line", to="other"), "names the red line"),
        (set_at("evaluations", 0, "load_bearing", to=False), "no load-bearing evaluation"),
    ],
)
def test_a_suite_must_fit_its_policy(change: Change, message: str) -> None:
    assert any(message in one for one in problems_between(toy_policy(), toy_suite(change)))


def test_a_ceiling_that_nobody_gives_is_a_problem() -> None:
    policy = toy_policy(set_at("compute_trigger", "default", "ceiling_ratio", to=None))
    assert any("ceiling" in one for one in problems_between(policy, toy_suite()))
    filled = toy_suite(set_at("ceilings", to={"default": 5}))
    assert problems_between(policy, filled) == []
    assert spacing_of(policy, filled, "default") == (4, 5)


def test_a_suite_may_lower_a_ceiling_and_never_raise_it() -> None:
    lower, higher = (toy_suite(set_at("ceilings", to={"default": one})) for one in (5, 50))
    assert spacing_of(toy_policy(), lower, "default") == (4, 5)
    assert spacing_of(toy_policy(), higher, "default") == (4, 6)


@pytest.mark.parametrize("path", sorted(POLICIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_policy_reads(path: Any) -> None:
    assert read_policy(path.read_bytes(), where=path.name).red_lines


def test_every_shipped_suite_fits_its_policy() -> None:
    paths = sorted(SUITES.glob("*.yaml"))
    assert paths
    for path in paths:
        suite = read_suite(path.read_bytes(), where=path.name)
        policy = read_policy(named_file(POLICIES, suite.policy).read_bytes(), where=suite.policy)
        assert problems_between(policy, suite) == []


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(InvalidDocument, match=r"toylab-1\.0"):
        named_file(POLICIES, "nobody")


def test_the_files_are_what_the_factories_change() -> None:
    assert changed(POLICY_BYTES, None) is POLICY_BYTES
    assert changed(SUITE_BYTES, None) is SUITE_BYTES
