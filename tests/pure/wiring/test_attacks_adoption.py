"""Attacks on the adoption of a policy that once worked. Each has to stay refused."""

from __future__ import annotations

from typing import Any

import pytest

from include.adapters import bootstrap
from include.adapters.signing import KeyFile
from include.adapters.store import get_blob
from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.adoption_records import ApprovalPart, Fate
from include.rsp.difference import differences
from include.rsp.errors import Refused
from include.rsp.policy import Policy
from include.wiring import adopting
from tests.pure.wiring.test_adoption import (
    code_of,
    consulting,
    longer,
    much_stricter_limit,
    permitted,
    stricter_limit,
    version,
)
from tests.support.factories import POLICY_BYTES, SUITE_BYTES, X, changed, toy_policy
from tests.support.world import World


@pytest.fixture
def governed(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"), policy=changed(POLICY_BYTES, consulting))


@pytest.fixture
def review(governed: World) -> str:
    return governed.propose(changed(governed.policy, longer))


def said(world: World, review: str, office: str, part: str, decision: str = "agree") -> r.Approval:
    """What an office signs now, before anybody has chained it."""
    assert world.state.trust is not None
    return bootstrap.approval(
        world.state.trust, KeyFile(world.folders.officer(office)), review,
        part=ApprovalPart(part), decision=decision, reason="in a test", at=world.now,
    )  # fmt: skip


def again(world: World, one: r.Approval) -> r.Approval:
    """The same envelope in a record of another time and author."""
    return one.model_copy(update={"at": world.now, "by": "mallory"})


@pytest.mark.parametrize(
    ("suite", "fate"),
    [(much_stricter_limit, Fate.REVOKE), (stricter_limit, Fate.REASSESS)],
)
def test_an_old_version_that_returns_revives_no_permit_that_was_ended(
    world: World, suite: Any, fate: Fate
) -> None:
    permitted(world)
    gate = world.gate()
    (one,) = world.adopt(
        changed(POLICY_BYTES, version), changed(SUITE_BYTES, suite)
    ).dispositions  # fmt: skip
    assert one.fate is fate
    world.pass_time(days=1, seconds=25)
    assert not gate.may_continue(X * 2).allowed
    world.adopt(POLICY_BYTES, SUITE_BYTES)
    world.pass_time(seconds=25)
    assert not gate.may_continue(X * 2).allowed
    assert verify_store(world.store).problems == []


def test_a_permit_lives_on_through_two_adoptions_that_keep_it(world: World) -> None:
    permitted(world)
    gate = world.gate()
    for number in ("1.1", "1.2"):
        answer = 48 if number == "1.1" else 72

        def change(plain: dict[str, Any], number: str = number, answer: int = answer) -> None:
            plain["version"] = number
            plain["sign_off"]["answer_within_hours"] = answer

        (one,) = world.adopt(changed(POLICY_BYTES, change)).dispositions
        assert one.fate is Fate.KEEP
    world.pass_time(seconds=25)
    assert gate.may_continue(X * 2).allowed
    world.pass_time(days=8)
    assert not gate.may_continue(X * 2).allowed


def test_an_older_yes_brought_again_does_not_undo_an_objection(
    governed: World, review: str
) -> None:
    yes = said(governed, review, "rso", "propose")
    governed.desk.submit(yes)
    governed.pass_time(seconds=1)
    governed.approve(review, "rso", "propose", decision="object")
    governed.pass_time(seconds=1)
    assert code_of(lambda: governed.desk.submit(again(governed, yes))) == "already_counted"
    assert adopting.is_approved(governed.desk, review) is False


def test_a_yes_held_back_does_not_undo_an_objection_signed_after_it(
    governed: World, review: str
) -> None:
    yes = said(governed, review, "board", "approve")
    governed.pass_time(seconds=1)
    governed.approve(review, "board", "approve", decision="object")
    governed.pass_time(seconds=1)
    governed.desk.submit(again(governed, yes))
    assert adopting.is_approved(governed.desk, review) is False


def test_of_two_answers_signed_at_one_time_the_objection_counts(
    governed: World, review: str
) -> None:
    governed.approve(review, "board", "approve", decision="object")
    governed.approve(review, "board", "approve", decision="agree")
    assert adopting.is_approved(governed.desk, review) is False


def test_a_yes_signed_before_the_consulted_spoke_is_not_in_order_when_it_is_chained_late(
    governed: World, review: str
) -> None:
    early = said(governed, review, "board", "approve")
    governed.pass_time(seconds=1)
    for office, part in (("rso", "propose"), ("ceo", "propose"), ("ltbt", "consult")):
        governed.approve(review, office, part)
    governed.pass_time(seconds=1)
    governed.desk.submit(again(governed, early))
    with pytest.raises(Refused, match="board spoke out of turn"):
        adopting.is_approved(governed.desk, review)


def test_a_consulted_office_that_goes_on_talking_blocks_nobody(
    governed: World, review: str
) -> None:
    governed.approve_all(review)
    for _ in range(3):
        governed.pass_time(seconds=1)
        governed.approve(review, "ltbt", "consult")
        assert adopting.is_approved(governed.desk, review)
    governed.pass_time(seconds=1)
    governed.approve(review, "ltbt", "consult", decision="object")  # a new opinion is heard once
    assert code_of(lambda: adopting.is_approved(governed.desk, review)) == "not_approved"
    governed.pass_time(seconds=1)
    governed.approve(review, "board", "approve")
    for decision in ("agree", "object"):
        governed.pass_time(seconds=1)
        governed.approve(review, "ltbt", "consult", decision=decision)
    assert adopting.is_approved(governed.desk, review)
    assert verify_store(governed.store).problems == []


HOSTILE = (
    "fine\n\n## What gets looser\n\nNothing that is known here.\n\n<!-- \u202etxet\u200b"
    " | **x** [here](javascript:x) &#60;script&#62; ~~gone~~ \x1b[2J `code` "
)


def test_nothing_that_a_proposer_writes_hides_or_adds_a_part_of_the_review(world: World) -> None:
    def hostile(plain: dict[str, Any]) -> None:
        longer(plain)
        plain["red_lines"][0]["text"] = HOSTILE.replace("\x1b", "").replace("\u202e", "\u2067")
        plain["responses"] = []

    def suite(plain: dict[str, Any]) -> None:
        plain["version"] = "1.1"
        plain["evaluations"][0]["positive_control"]["model"] = HOSTILE.replace("\x1b", "")

    digest = world.propose(
        changed(POLICY_BYTES, hostile), changed(SUITE_BYTES, suite), reason=HOSTILE,
        changelog=HOSTILE + "\n\n# The end",
    )  # fmt: skip
    found = world.state.expect(digest, r.PolicyReview)
    text = get_blob(world.store, found.document.blob).decode()
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert [line for line in headings if "looser" in line] == ["## What gets looser"]
    assert "# The end" not in headings
    assert all(one.isprintable() or one == "\n" for one in text)
    shown = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    for sign in ("<", "|", "&", "~", "[", "`"):
        assert sign not in shown.replace("\\" + sign, "")
    assert shown.index("## What gets looser") < shown.index("red line addition-2 is worded anew")


def test_a_change_to_one_of_two_outcomes_of_a_status_is_seen() -> None:
    before = toy_policy()
    plain = before.model_dump()
    plain["outcomes"] = [
        {"status": "not_ruled_out", "lines": ["addition-2"], "then": "pause", "clause": "x"},
        *plain["outcomes"],
    ]
    plain["outcomes"].pop(2)
    plain["red_lines"].append(plain["red_lines"][0] | {"id": "other"})
    plain["outcomes"].append({"status": "not_ruled_out", "then": "pause", "clause": "x"})
    old = Policy.model_validate(plain)
    plain["outcomes"][0]["then"] = "verify_safeguards"
    (change,) = differences(old, Policy.model_validate(plain))
    assert change.in_words() == "outcomes[not_ruled_out 1].then: pause → verify_safeguards"


def test_what_differs_never_looks_the_same() -> None:
    def named(plain: dict[str, Any]) -> None:
        plain["red_lines"][0]["baseline"] = "none"

    (change,) = differences(
        toy_policy(lambda plain: plain["red_lines"][0].update(baseline=None)), toy_policy(named)
    )
    assert (change.before, change.after) == ("null", '"none"')
