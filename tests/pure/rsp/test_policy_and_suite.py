from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.adapters.policy_files import POLICIES, SUITES, named_file, read_policy, read_suite
from include.rsp.errors import InvalidDocument
from include.rsp.suite import spacing_of
from include.rsp.suite_fit import problems_between
from tests.support.factories import (
    POLICY_BYTES,
    SUITE_BYTES,
    changed,
    toy_policy,
    toy_suite,
    with_a_screening_test,
    with_preliminary,
)
from tests.support.safeguarded import with_interim_measures

FAR = {"rule_out": 1.2, "rule_in": 1.2, "buffer": 0.1}
DEADLINE = {"id": "soon", "clause": "1", "text": "x", "within": {"amount": 1, "unit": "days"}}
NOTICE = {
    "id": "tell",
    "clause": "1",
    "to": ["regulator"],
    "event": "verdict",
    "before_permit": True,
}
RESPONSE = {
    "kind": "await_next_level",
    "id": "act", "clause": "1", "after": "pause", "condition": None, "actions": ["pause"],
    "resume_when": None,
}  # fmt: skip
MONITOR = {"clause": "1", "ratio": 1, "standard": "none"}
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
        (set_at("red_lines", 0, "required_standards", to=["none"]), "names \\['none'\\]"),
        (set_at("outcomes", 1, "then", to="continue"), "may not lead to 'continue'"),
        (set_at("outcomes", 2, "then", to="continue"), "may not lead to 'continue'"),
        (set_at("outcomes", to=[]), "no rule for 'addition-2'"),
        (set_at("compute_trigger", "default", "ceiling_ratio", to=3), "below due_ratio"),
        (set_at("compute_trigger", "default", "due_ratio", to="four"), "due_ratio"),
        (set_at("sign_off", "roles", to=["rso", "rso"]), "more than once"),
        (set_at("sign_off", "roles", to=[]), "at least 1"),
        (set_at("machine_determination", "outcomes", to=["pause"]), "machine_determination"),
        (set_at("red_lines", 0, "clause", to=""), "clause"),
        (set_at("red_lines", 0, "required_standards", to=[]), "neither a standard nor a document"),
        (set_at("red_lines", 0, "required_documents", to=["a-case"]), "required_documents names"),
        (set_at("red_lines", 0, "next", to="nowhere"), "next names"),
        (set_at("red_lines", 0, "next", to="addition-2"), "is a circle"),
        (set_at("red_lines", 0, "ruled_out_by", to=["addition-2"]), "must be listed before"),
        (set_at("red_lines", 0, "combine", to="judgement"), "is not a machine's to say"),
        (set_at("standards", 0, "level", to="TOY-9"), "level names"),
        (set_at("sign_off", "roles", to=["rso", "cto"]), "sign_off.roles names"),
        (set_at("governance", "approve", to=["owner"]), "governance names"),
        (set_at("deadlines", to=[DEADLINE]), "deadlines.0.event: Field required"),
        (set_at("deadlines", to=[DEADLINE | {"event": "soon"}]), "deadlines.0.event: Input should"),
        (set_at("notices", to=[NOTICE]), "notice 'tell' names"),
        (set_at("responses", to=[RESPONSE | {"after": "nothing"}]), "after .* names"),
        (set_at("responses", to=[RESPONSE | {"after": "act"}]), "is a circle"),
        (set_at("responses", to=[RESPONSE, RESPONSE]), "more than once"),
        (set_at("pretraining_monitor", to=MONITOR), "pretraining_monitor names"),
        (set_at("effective", to=86400), "effective: Input should be a valid date .got 86400"),
        (set_at("effective", to="2026-13-45"), "effective: Input should be a valid date"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(change: Change, message: str) -> None:
    with pytest.raises(InvalidDocument, match=message):
        toy_policy(change)


def test_an_outcome_that_nobody_can_reach_is_refused() -> None:
    def shadow(plain: dict[str, Any]) -> None:
        plain["outcomes"].append({"status": "crossed", "then": "pause", "clause": "1"})

    with pytest.raises(InvalidDocument, match=r"outcomes\.3 .* never be reached"):
        toy_policy(shadow)


def test_red_lines_that_follow_each_other_in_a_circle_are_refused() -> None:
    def circle(plain: dict[str, Any]) -> None:
        first = plain["red_lines"][0]
        plain["red_lines"].append(first | {"id": "addition-3", "next": "addition-2"})
        first["next"] = "addition-3"

    with pytest.raises(InvalidDocument, match="addition-2 -> addition-3 -> addition-2 is a circle"):
        toy_policy(circle)


def test_a_response_to_an_outcome_that_no_rule_leads_to_is_refused() -> None:
    def mild(plain: dict[str, Any]) -> None:
        plain["outcomes"][1]["then"] = "verify_safeguards"
        plain["responses"] = [RESPONSE]

    with pytest.raises(InvalidDocument, match=r"after .* names \['pause'\]"):
        toy_policy(mild)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_at("evaluations", to=[]), "at least 1"),
        (set_at("evaluations", 0, "limits", to=None), "no limits"),
        (set_at("evaluations", 0, "limits", to=FAR), "outside the scores"),
        (set_at("evaluations", 0, "limits", "rule_in", to=0.4), "below rule_out"),
        (set_at("evaluations", 0, "minimum_samples", to=300), "exceeds the dataset"),
        (set_at("evaluations", 0, "method", to="mean"), "method"),
        (set_at("evaluations", 0, "method", to="wilson@1"), "covers too little"),
        (set_at("evaluations", 0, "method", to="cluster_bootstrap@1"), "covers too little"),
        (set_at("evaluations", 0, "method", to="pass_at_k@1"), "k belongs to pass_at_k"),
        (set_at("evaluations", 0, "k", to=3), "k belongs to pass_at_k"),
        (set_at("evaluations", 0, "elicitation_required", to=[]), "at least 1"),
        (set_at("evaluations", 0, "positive_control", "at_least", to=None), "shows nothing"),
        (set_at("evaluations", 1, "id", to="two-digit-addition"), "more than once"),
        (set_at("evaluations", 0, "role", to="evidence"), "load_bearing belongs to the role"),
        (set_at("evaluations", 0, "unit", to="percent"), "score_max is 1 in the unit 'percent'"),
        (set_at("evaluations", 0, "score_max", to=100), "score_max is 100 in the unit 'fraction'"),
        (set_at("evaluations", 0, "score_min", to=-1), "clopper_pearson@1 estimates shares"),
        (set_at("evaluations", 0, "limits", "buffer", to=0.5), "nothing could ever be ruled out"),
        (set_at("evaluations", 0, "limits", "rule_out", to=True), "valid number .got True"),
        (set_at("evaluations", 0, "limits", "rule_out", to="0.5"), "valid number .got '0.5'"),
        (set_at("evaluations", 0, "limits", "rule_out", to=float("nan")), "finite number"),
        (set_at("evaluations", 0, "limits", "rule_in", to=float("inf")), "finite number"),
        (set_at("evaluations", 0, "minimum_samples", to=True), "valid integer .got True"),
        (set_at("evaluations", 0, "minimum_samples", to=150.0), "valid integer .got 150.0"),
        (set_at("evaluations", 0, "load_bearing", to="no"), "valid boolean .got 'no'"),
        (set_at("evaluations", 0, "load_bearing", to=0), "valid boolean .got 0"),
        (set_at("evaluations", 0, "version", to=1), "valid string .got 1"),
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
        (set_at("combine", to={"addition-2": "all_load_bearing"}), "does not leave open"),
        (set_at("evaluations", 0, "minimum_samples", to=5), "even 0 of minimum_samples 5 cannot"),
        (set_at("evaluations", 0, "limits", "buffer", to=0.49), "expected at least 299"),
    ],
)
def test_a_suite_must_fit_its_policy(change: Change, message: str) -> None:
    assert any(message in one for one in problems_between(toy_policy(), toy_suite(change)))


def test_a_red_line_that_nothing_can_rule_out_is_a_problem() -> None:
    def withhold(plain: dict[str, Any]) -> None:
        line = plain["red_lines"][0] | {"id": "hidden", "combine": "withheld"}
        plain["red_lines"].append(line)

    problems = problems_between(toy_policy(withhold), toy_suite())
    assert problems == ["red line 'hidden' has no evaluation, and no other line rules it out"]


def test_a_ratio_that_nobody_gives_is_a_problem_and_allows_nothing() -> None:
    policy = toy_policy(set_at("compute_trigger", "default", "due_ratio", to=None))
    assert any("due ratio" in one for one in problems_between(policy, toy_suite()))
    assert spacing_of(policy, toy_suite(), "default") == (1, 6)
    filled = toy_suite(set_at("due_ratios", to={"default": 3}))
    assert problems_between(policy, filled) == []
    assert spacing_of(policy, filled, "default") == (3, 6)


def test_the_limit_of_a_ratio_is_not_on_the_scale_of_the_scores() -> None:
    def trial(plain: dict[str, Any]) -> None:
        limits = {"rule_out": 2.8, "rule_in": 5, "buffer": 0.28}
        plain["evaluations"][0] |= {"method": "ratio_of_means@1", "limits": limits}

    assert toy_suite(trial).evaluation("two-digit-addition").limits


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


@pytest.mark.parametrize(
    ("method", "limits"),
    [
        ("ratio_of_means@1", {"rule_out": 2.8, "rule_in": 5, "buffer": 2.8}),
        ("paired_difference@1", {"rule_out": 0.1, "rule_in": 0.1, "buffer": 0.2}),
    ],
)
def test_a_relative_limit_may_lie_under_the_scores(method: str, limits: dict[str, float]) -> None:
    def relative(plain: dict[str, Any]) -> None:
        plain["evaluations"][0] |= {"method": method, "limits": limits}

    assert toy_suite(relative).evaluation("two-digit-addition").limits


def test_the_fewest_samples_that_are_asked_for_can_rule_out() -> None:
    """One fewer cannot: the number in the message is the smallest that helps."""
    for count, problems in ((6, 0), (5, 1)):
        suite = toy_suite(set_at("evaluations", 0, "minimum_samples", to=count))
        assert len(problems_between(toy_policy(), suite)) == problems


def test_a_preliminary_assessment_has_a_test_for_each_red_line() -> None:
    def two_lines(plain: dict[str, Any]) -> None:
        with_preliminary(plain)
        plain["red_lines"].append(plain["red_lines"][0] | {"id": "other"})

    def screened(plain: dict[str, Any]) -> None:
        with_a_screening_test(plain)
        plain["evaluations"].append(plain["evaluations"][0] | {"id": "more", "red_line": "other"})

    problems = problems_between(toy_policy(two_lines), toy_suite(screened))
    assert len(problems) == 1
    assert "'other' has no evaluation with a notable_gain" in problems[0]
    assert problems_between(toy_policy(with_preliminary), toy_suite(with_a_screening_test)) == []
    assert problems_between(toy_policy(with_preliminary), toy_suite()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"approvers": ["nobody"]}, "interim_measures names ['nobody']"),
        ({"notify": ["second-line"]}, "interim_measures.notify names ['second-line']"),
    ],
)
def test_interim_measures_name_offices_and_who_is_told_before_a_permit(
    changes: dict[str, Any], said: str
) -> None:
    def change(plain: dict[str, Any]) -> None:
        with_interim_measures(plain)
        plain["interim_measures"] |= changes

    toy_policy(with_interim_measures)
    with pytest.raises(InvalidDocument) as caught:
        toy_policy(change)
    assert said in str(caught.value)
