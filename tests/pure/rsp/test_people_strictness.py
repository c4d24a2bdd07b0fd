"""Each way in which people have less to say, or holds ask less, is named; the way back is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.adapters.policy_files import POLICIES, named_file, read_policy
from include.rsp.people_strictness import people_loosenings
from include.rsp.policy import Policy
from include.rsp.strictness import loosenings
from include.rsp.vocabulary import Resume, Scope
from tests.support.factories import toy_policy

Change = Callable[[dict[str, Any]], None]
BASE = read_policy(named_file(POLICIES, "anthropic-rsp-2.2").read_bytes(), where="2.2")
OLD = read_policy(named_file(POLICIES, "anthropic-rsp-1.0").read_bytes(), where="1.0")
COMPARE = "people must compare"
FIELDS = {
    "answer_within_hours": "sign_off",
    "acknowledge_within_seconds": "hold",
    "verify_after_seconds": "hold",
    "permit_days": "authority",
    "lease_seconds": "authority",
    "reassess_days": "authority",
}


def changed(*changes: Change) -> Policy:
    plain = BASE.model_dump()
    for change in changes:
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


def response(name: str, **changes: Any) -> Change:
    def change(plain: dict[str, Any]) -> None:
        next(one for one in plain["responses"] if one["id"] == name).update(changes)

    return change


def without(name: str) -> Change:
    def change(plain: dict[str, Any]) -> None:
        kept = [one for one in plain["responses"] if one["id"] != name]
        plain["responses"] = kept

    return change


def rungs(*steps: tuple[float, list[str]]) -> Change:
    return put("hold", "escalation", [{"after_seconds": at, "to": to} for at, to in steps])


def longer(name: str) -> tuple[list[Change], str]:
    """One more hour, second or day."""
    now = getattr(getattr(BASE, FIELDS[name]), name)
    return [put(FIELDS[name], name, float(now) + 1)], f"{name}: {now} → {float(now) + 1}"


LOOSER: dict[str, tuple[list[Change], str]] = {
    "an office signs no more": (
        [put("sign_off", "roles", ["rso"])], "no longer signed by ceo",
    ),
    "an office is replaced": (
        [put("sign_off", "roles", ["rso", "board"])], "no longer signed by ceo",
    ),
    "fewer signatures by a quorum": (
        [put("sign_off", "quorum", 1)], "signatures needed: 2 → 1",
    ),
    "fewer signatures by fewer roles": (
        [put("sign_off", "roles", ["ceo"])], "signatures needed: 2 → 1",
    ),
    "another office may sign instead": (
        [put("sign_off", "roles", ["rso", "ceo", "board"]), put("sign_off", "quorum", 2)],
        "board may now sign in place of another office",
    ),
    "airflow's word": (
        [put("sign_off", "accepts", ["signature", "airflow"])],
        "Airflow's word is now enough for who answered",
    ),
    "reminded later": (
        [put("sign_off", "remind_after_hours", 5)], "signers are reminded later, or never",
    ),
    "reminded never": (
        [put("sign_off", "remind_after_hours", None)], "signers are reminded later, or never",
    ),
    "nobody is told when nobody signs": (
        [put("sign_off", "escalate_to", [])], "fewer are told when nobody signs",
    ),
    "a machine determines": (
        [put("machine_determination", "outcomes", ["genesis"])],
        "a machine may now determine genesis",
    ),
    "deployment goes on": (
        [put("hold", "scopes", [Scope.TRAINING])], "a verdict no longer stops deployment",
    ),
    "a hold ends by more": (
        [put("hold", "resume_when", [*BASE.hold.resume_when, Resume.POLICY_UPDATED])],
        "a hold may now be released on policy_updated",
    ),
    "a rung comes later": (
        [rungs((90, ["rso"]), (300, ["rso", "ceo"]), (1800, ["board", "ltbt"]))],
        "rso told later than 60 s after a hold",
    ),
    "a rung is gone": (
        [rungs((60, ["rso"]), (300, ["rso", "ceo"]))],
        "board, ltbt told later than 1800 s after a hold",
    ),
    "a rung tells fewer": (
        [rungs((60, ["rso"]), (300, ["rso", "ceo"]), (1800, ["board"]))],
        "ltbt told later than 1800 s after a hold",
    ),
    "a response is gone": (
        [without("interim-measures"), response("stronger-restrictions", after="verify_safeguards")],
        "response interim-measures is gone",
    ),
    "a response orders less": (
        [response("stronger-restrictions", actions=["de_deploy"])],
        "response stronger-restrictions: actions without lock_weights",
    ),
    "a response is nobody's": (
        [response("pause-training", people=["ceo"])], "response pause-training: people without rso",
    ),
    "a response asks for less before a hold ends": (
        [response("delete-weights", resume=[])],
        "response delete-weights: resume without safeguards_verified",
    ),
} | {f"{name} is longer": longer(name) for name in FIELDS}  # fmt: skip


@pytest.mark.parametrize("name", LOOSER)
def test_a_looser_policy_is_named_and_the_way_back_is_not(name: str) -> None:
    changes, says = LOOSER[name]
    looser = changed(*changes)
    assert says in list(people_loosenings(BASE, looser))
    assert says in loosenings(BASE, looser)
    back = [one for one in people_loosenings(looser, BASE) if COMPARE not in one]
    # where one office came in for another, each way loses one
    came_in = name in {"an office is replaced", "another office may sign instead"}
    assert back == ["no longer signed by board"][:came_in]


def test_who_may_be_overruled() -> None:
    strict = changed(put("sign_off", "below_recommendation", None))
    says = "officers may now overrule a red line that is not_ruled_out"
    assert list(people_loosenings(strict, BASE)) == [says]
    assert list(people_loosenings(BASE, strict)) == []


COMPARED: dict[str, tuple[Change, str]] = {
    "another second line": (
        put("sign_off", "second_line", "office", "board"),
        "the second line is board (was second-line): people must compare",
    ),
    "another begin": (
        response("delete-weights", after="pause"),
        "response delete-weights begins or ends otherwise: people must compare",
    ),
    "another condition": (
        response("delete-weights", condition="if it is convenient"),
        "response delete-weights begins or ends otherwise: people must compare",
    ),
    "another kind": (
        response("interim-measures", kind="restrict_further"),
        "response interim-measures begins or ends otherwise: people must compare",
    ),
    "another end": (
        response("pause-training", resume_when="when it seems right"),
        "response pause-training begins or ends otherwise: people must compare",
    ),
}


@pytest.mark.parametrize("name", COMPARED)
def test_what_is_neither_is_left_to_people_in_both_directions(name: str) -> None:
    change, says = COMPARED[name]
    other = changed(change)
    assert list(people_loosenings(BASE, other)) == [says]
    back = list(people_loosenings(other, BASE))
    assert len(back) == 1
    assert COMPARE in back[0]


STRICTER: dict[str, list[Change]] = {
    "one more must sign": [put("sign_off", "roles", ["rso", "ceo", "board"])],
    "the other order": [put("sign_off", "roles", ["ceo", "rso"])],
    "one more is told": [put("sign_off", "escalate_to", ["board", "ltbt"])],
    "weights are held as well": [put("hold", "scopes", list(Scope))],
    "one more rung": [rungs((30, ["rso"]), (60, ["rso"]), (300, ["rso", "ceo"]),
                            (1800, ["board", "ltbt"]))],
    "everybody at once": [rungs((60, ["rso", "ceo", "board", "ltbt"]))],
    "a response orders more": [
        response("interim-measures", actions=["interim_measures", "lock_weights"])
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", STRICTER)
def test_what_only_asks_for_more_is_not_named(name: str) -> None:
    assert list(people_loosenings(BASE, changed(*STRICTER[name]))) == []


@pytest.mark.parametrize("policy", [BASE, OLD, toy_policy()], ids=["2.2", "1.0", "toylab"])
def test_nothing_is_looser_than_itself(policy: Policy) -> None:
    assert list(people_loosenings(policy, policy)) == []


def test_what_2_2_lets_people_do_that_1_0_did_not() -> None:
    found = list(people_loosenings(OLD, BASE))
    assert "officers may now overrule a red line that is not_ruled_out" in found
    assert "a hold may now be released on new_determination" in found
    assert "response already-passed is gone" in found
