"""Each way in which one policy can be looser than another is named, and the reverse is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.adapters.policy_files import POLICIES, named_file, read_policy
from include.rsp.policy import Policy
from include.rsp.policy_parts import InterimRule
from include.rsp.strictness import loosenings
from include.rsp.suite_strictness import suite_loosenings
from tests.support.factories import toy_policy, toy_suite

BASE = read_policy(named_file(POLICIES, "anthropic-rsp-2.2").read_bytes(), where="2.2")
OLD = read_policy(named_file(POLICIES, "anthropic-rsp-1.0").read_bytes(), where="1.0")
Change = Callable[[dict[str, Any]], None]


def changed(change: Change, base: Policy = BASE) -> Policy:
    plain = base.model_dump()
    change(plain)
    return Policy.model_validate(plain)


def put(*path: Any) -> Change:
    """Set the value at a path of keys and indices; the last item is the value."""

    def change(plain: dict[str, Any]) -> None:
        *where, last, value = path
        for key in where:
            plain = plain[key]
        plain[last] = value

    return change


def drop(*path: Any) -> Change:
    def change(plain: dict[str, Any]) -> None:
        *where, last = path
        for key in where:
            plain = plain[key]
        del plain[last]

    return change


LOOSER: dict[str, Change] = {
    "red line cbrn-3: combine judgement → all_load_bearing": put(
        "red_lines", 0, "combine", "all_load_bearing"
    ),
    "red line cbrn-3 no longer requires asl-3-security": put(
        "red_lines", 0, "required_standards", ["asl-3-deployment"]
    ),
    "red line cbrn-3 no longer decides": put("red_lines", 0, "kind", "tracked"),
    "red line cbrn-3 is worded anew": put("red_lines", 0, "text", "something else"),
    "red line cyber-operations is gone": drop("red_lines", -1),
    "red line ai-rnd-5 is now also ruled out by cbrn-3": put(
        "red_lines", 4, "ruled_out_by", ["autonomy-checkpoint", "ai-rnd-4", "cbrn-3"]
    ),
    "deployment-threat-model: evidence may be 365.0 → 400.0 days old": put(
        "standards", 0, "criteria", 0, "max_age_days", 400
    ),
    "deployment-threat-model is gone": drop("standards", 0, "criteria", 0),
    "standard asl-4-security, which could never hold, now has criteria": lambda plain: put(
        "standards", 3, "criteria", plain["standards"][0]["criteria"][:1]
    )(plain),
    "compute_trigger.default.due_ratio: 4.0 → 5.0": put(
        "compute_trigger", "default", "due_ratio", 5
    ),
    "the pretraining monitor is gone": put("pretraining_monitor", None),
    "a derived model no longer has": put("lineage_floor", None),
    "no longer signed by ceo": put("sign_off", "roles", ["rso"]),
    "a machine may now determine genesis": put("machine_determination", "outcomes", ["genesis"]),
    "permit_days: ": put("authority", "permit_days", 4_000),
    "answer_within_hours: ": put("sign_off", "answer_within_hours", 100_000),
    "assessment every 6 months → 9": put("time_triggers", 0, "months", 9),
    "deadline comprehensive-assessment: ": put("deadlines", 0, "within", "amount", 500),
    "documents: capability-report is gone": drop("documents", 0),
    "a change of the policy no longer needs board to approve": put("governance", "approve", []),
    "a change of the policy no longer needs ltbt to consult": put("governance", "consult", []),
    "a changed policy was public": put("governance", "published", None),
    "reassess_days: ": put("authority", "reassess_days", 4_000),
    "preliminary.compute_ratio: 4 → 8": put("preliminary", "compute_ratio", 8),
    "preliminary.months: 6 → 60": put("preliminary", "months", 60),
    "response cap-just-below is gone": drop("responses", 0),
    "interim_measures.approvers no longer has rso": put("interim_measures", "approvers", ["ceo"]),
    "interim_measures.notify no longer has ltbt": put("interim_measures", "notify", ["board"]),
    "interim_measures.longest_days: 30 → 90": put("interim_measures", "longest_days", 90),
}


TO_COMPARE: dict[str, Change] = {
    "compute_trigger.with_safeguards.due_ratio: 4.0 → 10.0": put(
        "compute_trigger", "with_safeguards", {"due_ratio": 10, "ceiling_ratio": 12}
    ),
    "deployment-threat-model is worded anew": put("standards", 0, "criteria", 0, "text", "x"),
    "deployment-threat-model is worded anew, or shown by other": put(
        "standards", 0, "criteria", 0, "evidence", "a-letter"
    ),
    "standard asl-3-deployment is worded anew": put("standards", 0, "text", "x"),
    "red line cbrn-3: the next red line is": put("red_lines", 0, "next", None),
    "the pretraining monitor asks for asl-3-deployment": put(
        "pretraining_monitor", "standard", "asl-3-deployment"
    ),
    "response cap-just-below: actions without": put("responses", 0, "actions", ["convene"]),
    "begins or ends otherwise": put("responses", 0, "resume_when", "whenever"),
    "document capability-report is worded anew": put("documents", 0, "text", "x"),
    "deadline comprehensive-assessment is worded anew": put("deadlines", 0, "text", "x"),
    "standard asl-3-security: the catalogue asl-3 → asl-3 is another one": put(
        "standards", 1, "catalogue", "sha256", "sha256:" + "0" * 64
    ),
}
"""Which way these go no rule can tell, so both ways are listed."""


@pytest.mark.parametrize("says", TO_COMPARE)
def test_what_only_people_can_compare_is_listed_both_ways(says: str) -> None:
    other = changed(TO_COMPARE[says])
    assert [one for one in loosenings(BASE, other) if says in one]


@pytest.mark.parametrize("says", LOOSER)
def test_a_looser_policy_is_named_and_the_way_back_is_not(says: str) -> None:
    looser = changed(LOOSER[says])
    assert [one for one in loosenings(BASE, looser) if says in one]
    if "worded" not in says:
        assert loosenings(looser, BASE) == []


def test_a_catalogue_that_goes_or_comes_is_left_to_people() -> None:
    without = changed(put("standards", 1, "catalogue", None))
    said = "standard asl-3-security: the catalogue asl-3 is gone: people must compare"
    assert loosenings(BASE, without) == [said]
    assert loosenings(without, BASE) == [
        "standard asl-3-security is now shown by the catalogue asl-3: people must compare"
    ]
    renamed = changed(put("standards", 1, "catalogue", "name", "asl-3-of-last-year"))
    assert loosenings(BASE, renamed) == []  # the same bytes


def test_interim_measures_that_come_are_looser_and_the_way_back_is_not() -> None:
    without = changed(put("interim_measures", None))
    assert loosenings(without, BASE) == ["interim measures may now stand in for a standard"]
    assert loosenings(BASE, without) == []


def test_one_more_interim_measure_is_named() -> None:
    fewer = changed(put("interim_measures", "allowed", ["isolate_weights"]))
    assert loosenings(fewer, BASE) == [
        "interim_measures.allowed now has block_responses, downgrade_domain, raise_sensitivity"
    ]
    assert loosenings(BASE, fewer) == []


def test_every_field_of_the_rule_for_interim_measures_is_compared() -> None:
    """`clause` says only where it stands."""
    compared = {"approvers", "notify", "allowed", "longest_days"}
    assert set(InterimRule.model_fields) == compared | {"clause"}


def test_a_milder_outcome_is_named() -> None:
    index = next(i for i, one in enumerate(BASE.outcomes) if one.then == "pause")
    milder = changed(put("outcomes", index, "then", "verify_safeguards"))
    assert any("pause → verify_safeguards" in one for one in loosenings(BASE, milder))


@pytest.mark.parametrize("policy", [BASE, OLD, toy_policy()], ids=["2.2", "1.0", "toylab"])
def test_nothing_is_looser_than_itself(policy: Policy) -> None:
    assert loosenings(policy, policy) == []


def test_what_1_0_promised_and_2_2_did_not_keep_is_listed() -> None:
    found = " ".join(loosenings(OLD, BASE))
    assert "assessment every 3 months" in found
    assert "ceiling_ratio: 6.0 → None" in found


DUTIES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "section threats is gone": (
        "documents", {"sections": [{"id": "threats", "text": "x"}]}, {"sections": []},
    ),
    "it may be 5.0 → 9.0 days old": ("documents", {"max_age_days": 5}, {"max_age_days": 9}),
    "is due more rarely": (
        "documents",
        {"every": [{"amount": 1, "unit": "months"}]}, {"every": [{"amount": 1, "unit": "years"}]},
    ),
    "is no longer for board": ("documents", {}, {"audience": ["ceo"]}),
    "given on another event or condition": ("notices", {}, {"condition": "if it is convenient"}),
    "redactions sensitive parts → everything": ("publications", {}, {"redactions": "everything"}),
    "is worded anew": ("publications", {}, {"what": "less"}),
}  # fmt: skip


@pytest.mark.parametrize("says", DUTIES)
def test_a_looser_duty_is_named(says: str) -> None:
    name, first, then = DUTIES[says]
    before = changed(lambda plain: plain[name][0].update(first))
    after = changed(lambda plain: plain[name][0].update(first | then))
    assert [one for one in loosenings(before, after) if says in one]


def test_a_record_that_is_kept_shorter_is_named() -> None:
    def kept(years: int) -> Change:
        rule = {"id": "logs", "clause": "x", "what": "logs"}
        return put("retention", [rule | {"keep": {"amount": years, "unit": "years"}}])

    found = loosenings(changed(kept(5)), changed(kept(1)))
    assert found == ["retention logs: kept for 1 years, no longer 5 years"]
    assert loosenings(changed(kept(1)), changed(kept(5))) == []


SUITE: dict[str, Change] = {
    "dataset_samples 200 → 190": put("evaluations", 0, "dataset_samples", 190),
    "score_max": lambda plain: plain["evaluations"][0].update(
        unit="points", score_max=2, method="paired_difference@1"
    ),
    "inspect.task is another one": put("evaluations", 0, "inspect", "task", "elsewhere:easier"),
    "inspect.model is another one": put("evaluations", 0, "inspect", "model", "toylab/refuser"),
    "could never end in a no, now has tests": put("evaluations", 1, "notable_gain", 0.9),
    "metric": put("evaluations", 0, "metric", "share of the easy ones"),
}


@pytest.mark.parametrize("says", SUITE)
def test_a_suite_that_measures_otherwise_is_named(says: str) -> None:
    assert [one for one in suite_loosenings(toy_suite(), toy_suite(SUITE[says])) if says in one]
    assert suite_loosenings(toy_suite(), toy_suite()) == []
