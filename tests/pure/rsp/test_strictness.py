"""Each way in which one policy can be looser than another is named, and the reverse is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.adapters.policy_files import POLICIES, named_file, read_policy
from include.rsp.policy import Policy
from include.rsp.strictness import loosenings

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
}


@pytest.mark.parametrize("says", LOOSER)
def test_a_looser_policy_is_named_and_the_way_back_is_not(says: str) -> None:
    looser = changed(LOOSER[says])
    assert [one for one in loosenings(BASE, looser) if says in one]
    if "worded" not in says:
        assert loosenings(looser, BASE) == []


def test_a_milder_outcome_is_named() -> None:
    index = next(i for i, one in enumerate(BASE.outcomes) if one.then == "pause")
    milder = changed(put("outcomes", index, "then", "verify_safeguards"))
    assert any("pause → verify_safeguards" in one for one in loosenings(BASE, milder))


@pytest.mark.parametrize("policy", [BASE, OLD], ids=["2.2", "1.0"])
def test_nothing_is_looser_than_itself(policy: Policy) -> None:
    assert loosenings(policy, policy) == []


def test_what_1_0_promised_and_2_2_did_not_keep_is_listed() -> None:
    found = " ".join(loosenings(OLD, BASE))
    assert "assessment every 3 months" in found
    assert "ceiling_ratio: 6.0 → None" in found
