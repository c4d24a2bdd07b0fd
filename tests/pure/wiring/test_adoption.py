"""Another version comes into force only reviewed, signed for in order, public and on its date."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.adapters import bootstrap
from include.adapters.adoption_check import check_unchanged
from include.adapters.signing import KeyFile
from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.adoption import blockers
from include.rsp.adoption_records import ApprovalPart, Fate
from include.rsp.errors import Refused
from include.rsp.rules import Rules
from include.rsp.vocabulary import Outcome
from include.wiring import adopting, assessment, registration
from tests.support.factories import (
    POLICY_BYTES,
    SUITE_BYTES,
    X,
    changed,
    toy_policy,
    toy_suite,
)
from tests.support.people import packet_on, permit_on, sign_all
from tests.support.world import RUN, World


def version(plain: dict[str, Any]) -> None:
    plain["version"] = "1.1"


def consulting(plain: dict[str, Any]) -> None:
    """Two propose, one is consulted, one approves, and it has to be public before."""
    plain["governance"] |= {
        "roles": ["rso", "ceo", "board", "ltbt", "second-line"],
        "propose": ["rso", "ceo"],
        "approve": ["board"],
        "consult": ["ltbt"],
        "published": "before",
    }


def longer(plain: dict[str, Any]) -> None:
    version(plain)
    plain["sign_off"]["answer_within_hours"] = 48


def stricter_limit(plain: dict[str, Any]) -> None:
    plain["version"] = "1.1"
    plain["evaluations"][0]["limits"] |= {"rule_out": 0.2, "rule_in": 0.2}


def much_stricter_limit(plain: dict[str, Any]) -> None:
    stricter_limit(plain)
    plain["evaluations"][0]["limits"]["rule_out"] = 0.15


def looser_limit(plain: dict[str, Any]) -> None:
    plain["version"] = "1.1"
    plain["evaluations"][0]["limits"] |= {"rule_out": 0.99, "rule_in": 0.99, "buffer": 0.01}


@pytest.fixture
def governed(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("world"), policy=changed(POLICY_BYTES, consulting))
    world.gate()
    return world


@pytest.fixture
def next_version(governed: World) -> bytes:
    return changed(governed.policy, longer)


def code_of(call: Any) -> str:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.code


def test_a_version_comes_into_force_step_by_step(governed: World, next_version: bytes) -> None:
    adopted = governed.adopt(next_version)
    assert governed.state.adoption is not None
    assert governed.state.adoption[1] == adopted
    rules = governed.desk.rulebook.in_force(governed.state)
    assert rules is not None
    assert rules.policy.version == "1.1"
    place = governed.root / "public" / "toylab-1.1"
    assert (place / "policy.yaml").read_bytes() == next_version
    assert (place / "CHANGELOG.md").read_text() == "What changed, for a test."
    assert verify_store(governed.store).problems == []


def test_the_review_says_in_words_what_changes_and_what_gets_looser(
    governed: World, next_version: bytes
) -> None:
    digest = governed.propose(next_version)
    found = governed.state.expect(digest, r.PolicyReview).findings
    assert found.looser == ["answer_within_hours: 24.0 → 48.0"]
    assert any("24" in one.in_words() for one in found.policy_changes)
    assert (found.blockers, found.suite_changes, found.open_assessments) == ([], [], [])


@pytest.mark.parametrize(
    ("speak", "code"),
    [
        ([], "not_approved"),
        ([("rso", "propose"), ("ceo", "propose"), ("ltbt", "consult")], "not_approved"),
        ([("rso", "propose"), ("ltbt", "consult"), ("board", "approve")], "not_approved"),
        (
            [("board", "approve"), ("rso", "propose"), ("ceo", "propose"), ("ltbt", "consult")],
            "not_approved",
        ),
        (
            [("rso", "propose"), ("ceo", "propose"), ("board", "approve"), ("ltbt", "consult")],
            "not_approved",
        ),
    ],
    ids=["silence", "no board", "one proposer", "board first", "board before the consulted"],
)
def test_silence_and_the_wrong_order_approve_nothing(
    governed: World, next_version: bytes, speak: list[tuple[str, str]], code: str
) -> None:
    review = governed.propose(next_version)
    for office, part in speak:
        governed.approve(review, office, part)
        governed.pass_time(seconds=1)
    assert code_of(lambda: adopting.is_approved(governed.desk, review)) == code
    public = governed.root / "public"
    assert code_of(lambda: adopting.publish(governed.desk, review, public)) == code
    assert code_of(lambda: adopting.put_into_force(governed.desk, review)) == code


def test_who_spoke_too_early_may_speak_again(governed: World, next_version: bytes) -> None:
    review = governed.propose(next_version)
    governed.approve(review, "board", "approve")
    governed.pass_time(seconds=1)
    governed.approve_all(review)
    assert adopting.is_approved(governed.desk, review)


@pytest.mark.parametrize(
    ("office", "part", "stops"),
    [("rso", "propose", True), ("board", "approve", True), ("ltbt", "consult", False)],
)
def test_an_objection_ends_it_unless_one_was_only_consulted(
    governed: World, next_version: bytes, office: str, part: str, *, stops: bool
) -> None:
    review = governed.propose(next_version)
    for other, right in [
        ("rso", "propose"), ("ceo", "propose"), ("ltbt", "consult"), ("board", "approve"),
    ]:  # fmt: skip
        decision = "object" if other == office else "agree"
        governed.approve(review, other, right, decision=decision)
    assert part in {"propose", "approve", "consult"}
    assert adopting.is_approved(governed.desk, review) is not stops
    if stops:
        assert code_of(lambda: adopting.put_into_force(governed.desk, review)) == "objected"


def test_an_office_has_only_the_rights_that_the_policy_gives_it(
    governed: World, next_version: bytes
) -> None:
    review = governed.propose(next_version)
    for office, part in (("rso", "approve"), ("board", "propose"), ("ltbt", "approve")):
        assert code_of(lambda o=office, p=part: governed.approve(review, o, p)) == "wrong_office"


def test_an_approval_counts_only_as_signed(governed: World, next_version: bytes) -> None:
    review, world = governed.propose(next_version), governed
    assert world.state.trust is not None
    own = bootstrap.approval(
        world.state.trust, KeyFile(world.folders.officer("rso")), review,
        part=ApprovalPart.PROPOSE, decision="object", reason="no", at=world.now,
    )  # fmt: skip
    for change, code in (
        ({"decision": "agree"}, "bad_signature"),
        ({"office": "ceo"}, "bad_signature"),
        ({"simulated": False}, "bad_signature"),
    ):
        forged = own.model_copy(update=change)
        assert code_of(lambda one=forged: world.desk.submit(one)) == code
    other = world.propose(changed(world.policy, lambda plain: plain.update(version="1.2")))
    moved = own.model_copy(update={"review": r.RecordRef(record=other)})
    assert code_of(lambda: world.desk.submit(moved)) == "wrong_subject"


def test_one_person_cannot_hold_two_offices(governed: World, next_version: bytes) -> None:
    state = governed.state
    assert state.trust is not None
    review = governed.propose(next_version)
    governed.approve_all(review)
    same = [
        key.model_copy(update={"holder": "one"}) if key.office in ("rso", "board") else key
        for key in state.trust.keys
    ]
    state.trust = state.trust.model_copy(update={"keys": same})
    from include.rsp.approvals import check_approved

    policy = toy_policy(consulting)
    assert code_of(lambda: check_approved(state, policy, review)) == "not_distinct"


def test_it_has_to_be_public_before(governed: World, next_version: bytes) -> None:
    review = governed.propose(next_version)
    governed.approve_all(review)
    assert code_of(lambda: adopting.put_into_force(governed.desk, review)) == "not_published"
    adopting.publish(governed.desk, review, governed.root / "public")
    at_once = code_of(lambda: adopting.put_into_force(governed.desk, review))
    assert at_once == "not_published"  # public at the same moment is not before
    governed.pass_time(seconds=1)
    adopting.put_into_force(governed.desk, review)


def test_it_waits_for_its_date(governed: World, next_version: bytes) -> None:
    review = governed.propose(next_version, effective_at=governed.now + timedelta(days=3))
    governed.approve_all(review)
    adopting.publish(governed.desk, review, governed.root / "public")
    governed.pass_time(days=2)
    assert code_of(lambda: adopting.put_into_force(governed.desk, review)) == "not_effective"
    governed.pass_time(days=1)
    adopting.put_into_force(governed.desk, review)


def test_an_adopted_version_never_changes_and_the_refusal_says_how_it_was_changed(
    world: World,
) -> None:
    edited = changed(POLICY_BYTES, lambda plain: plain["sign_off"].update(answer_within_hours=48))
    with pytest.raises(Refused, match=r"24.* → 48") as caught:
        world.propose(edited)
    assert caught.value.code == "version_changed"
    suite = changed(SUITE_BYTES, lambda plain: plain["evaluations"][0].update(max_age_days=9))
    with pytest.raises(Refused, match="1 → 9") as caught:
        world.propose(changed(POLICY_BYTES, longer), suite)
    assert caught.value.code == "version_changed"
    world.adopt(changed(POLICY_BYTES, longer))
    rules = Rules(toy_policy(lambda plain: plain["hold"].update(clause="x")), toy_suite())
    assert code_of(  # also a version that is no longer in force
        lambda: check_unchanged(world.desk.rulebook, world.state, rules, ("a", "b"))
    ) == "version_changed"  # fmt: skip


def test_nothing_is_proposed_by_what_is_in_force(world: World) -> None:
    assert code_of(lambda: world.propose(POLICY_BYTES)) == "nothing_proposed"


def test_an_office_without_a_key_blocks_the_version(world: World) -> None:
    def with_board(plain: dict[str, Any]) -> None:
        version(plain)
        plain["governance"] |= {
            "roles": ["rso", "ceo", "second-line", "board", "ltbt"],
            "approve": ["ltbt"],
        }

    review = world.propose(changed(POLICY_BYTES, with_board))
    found = world.state.expect(review, r.PolicyReview).findings
    assert found.blockers == ["the office ltbt has no key in the trust root, so it can never sign"]
    world.approve_all(review)
    assert code_of(lambda: adopting.is_approved(world.desk, review)) == "blocked"
    assert code_of(lambda: adopting.put_into_force(world.desk, review)) == "blocked"


def test_a_policy_in_which_nobody_approves_cannot_be_replaced(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def nobody(plain: dict[str, Any]) -> None:
        plain["governance"] |= {"propose": [], "approve": []}

    world = World(tmp_path_factory.mktemp("world"), policy=changed(POLICY_BYTES, nobody))
    review = world.propose(changed(world.policy, version))
    assert "nobody" in world.state.expect(review, r.PolicyReview).findings.blockers[0]
    assert code_of(lambda: adopting.put_into_force(world.desk, review)) == "blocked"


def test_a_version_that_nobody_could_ever_replace_is_blocked(world: World) -> None:
    def nobody(plain: dict[str, Any]) -> None:
        version(plain)
        plain["governance"] |= {"propose": [], "approve": []}

    review = world.propose(changed(POLICY_BYTES, nobody))
    (found,) = world.state.expect(review, r.PolicyReview).findings.blockers
    assert found.startswith("toylab 1.1 names nobody who proposes or approves")


def test_two_offices_of_one_person_block_a_version(world: World) -> None:
    state = world.state
    assert state.trust is not None
    one = [key.model_copy(update={"holder": "ada"}) for key in state.trust.keys]
    state.trust = state.trust.model_copy(update={"keys": one})
    found = blockers(state, toy_policy(), toy_policy(version))
    assert found[0] == "rso and ceo are one person (ada), and have to be two"


def test_nobody_waits_for_signatures_under_what_is_blocked(world: World) -> None:
    from include.adapters.ledger import LedgerReader
    from include.adapters.rederivation import RuleBook
    from include.wiring.triggers import _settled

    def nobody(plain: dict[str, Any]) -> None:
        version(plain)
        plain["governance"] |= {"propose": [], "approve": []}

    blocked = world.propose(changed(POLICY_BYTES, nobody))
    fine = world.propose(changed(POLICY_BYTES, lambda plain: plain.update(version="1.2")))
    reader, rulebook = LedgerReader(world.store), RuleBook(world.store)
    assert _settled(reader, rulebook, blocked)
    assert not _settled(reader, rulebook, fine)


def test_only_one_of_two_proposals_supersedes_what_is_in_force(world: World) -> None:
    one = world.propose(changed(POLICY_BYTES, version))
    other = world.propose(changed(POLICY_BYTES, lambda plain: plain.update(version="1.2")))
    for review in (one, other):
        world.approve_all(review)
    world.pass_time(seconds=1)
    adopting.put_into_force(world.desk, one)
    assert code_of(lambda: adopting.put_into_force(world.desk, other)) == "superseded"
    assert adopting.put_into_force(world.desk, one)[1] == world.state.adoption[1]  # type: ignore[index]


def test_a_forged_review_is_refused(world: World) -> None:
    digest = world.propose(changed(POLICY_BYTES, longer))
    review = world.state.expect(digest, r.PolicyReview)
    harmless = review.findings.model_copy(update={"looser": []})
    forged = review.model_copy(update={"findings": harmless, "at": world.now})
    assert code_of(lambda: world.desk.submit(forged)) == "not_derivable"


def permitted(world: World, **results: int) -> World:
    world.gate()
    digest = world.assess(1, **results)
    verdict = world.state.expect(digest, r.Verdict)
    if verdict.decision.recommendation is Outcome.CONTINUE:
        assessment.request_permit(world.desk, verdict.assessment_id)
    return world


def test_an_open_assessment_is_flagged_and_stays_on_its_version(world: World) -> None:
    world.gate()
    world.publish(1)
    key = world.due()
    review = world.propose(changed(POLICY_BYTES, longer))
    found = world.state.expect(review, r.PolicyReview)
    assert found.findings.open_assessments == [key]
    proposal = world.state.expect(found.proposal.record, r.Proposal)
    assert proposal.open_assessments == [key]
    world.approve_all(review)
    world.pass_time(seconds=1)
    adopting.put_into_force(world.desk, review)
    world.evaluate(key)
    assessment.reach_verdict(world.desk, key)
    before = world.desk.rulebook.of_assessment(world.state, key).policy
    assert before.version == "1.0"
    assert code_of(lambda: assessment.request_permit(world.desk, key)) == "policy_replaced"
    (again,) = registration.raise_due_occasions(world.desk)
    assert world.desk.rulebook.of_assessment(world.state, again).policy.version == "1.1"


def test_hiding_an_open_assessment_is_refused(world: World) -> None:
    world.gate()
    world.publish(1)
    world.due()
    digest = world.propose(changed(POLICY_BYTES, longer))
    reviewed = world.state.expect(digest, r.PolicyReview)
    proposal = world.state.expect(reviewed.proposal.record, r.Proposal)
    hidden = proposal.model_copy(update={"open_assessments": [], "at": world.now})
    assert code_of(lambda: world.desk.submit(hidden)) == "not_derivable"


@pytest.mark.parametrize(
    ("policy", "suite", "fate", "goes_on"),
    [
        (longer, None, Fate.KEEP, True),
        (version, looser_limit, Fate.KEEP, True),
        (lambda p: (version(p), p["sign_off"].update(answer_within_hours=1)), None,
         Fate.REASSESS, True),
        (version, stricter_limit, Fate.REASSESS, True),
        (version, much_stricter_limit, Fate.REVOKE, False),
        (lambda p: (version(p), p["compute_trigger"]["default"].update(ceiling_ratio=4.5)), None,
         Fate.REVOKE, False),
    ],
    ids=["looser", "looser limit", "tighter elsewhere", "tighter limit, same answer",
         "another answer", "a lower ceiling"],
)  # fmt: skip
def test_each_permit_that_lives_is_kept_reassessed_or_revoked(
    world: World, policy: Any, suite: Any, fate: Fate, *, goes_on: bool
) -> None:
    permitted(world)
    gate = world.gate()
    assert gate.may_continue(X * 2).allowed
    adopted = world.adopt(
        changed(POLICY_BYTES, policy), changed(SUITE_BYTES, suite) if suite else None
    )
    (one,) = adopted.dispositions
    assert (one.fate, one.run_id) == (fate, RUN)
    world.pass_time(seconds=25)  # the lease of before has ended
    assert gate.may_continue(X * 2).allowed is goes_on
    if fate is Fate.REASSESS:
        assert one.until == adopted.at + timedelta(days=1)
        world.pass_time(days=1)
        assert not gate.may_continue(X * 2).allowed
    assert verify_store(world.store).problems == []


def test_a_genesis_permit_ends_where_the_new_version_would_not_give_it(world: World) -> None:
    gate = world.gate()
    assert gate.may_continue(X / 2).allowed

    def people(plain: dict[str, Any]) -> None:
        version(plain)
        plain["machine_determination"]["outcomes"] = ["continue"]

    (one,) = world.adopt(changed(POLICY_BYTES, people)).dispositions
    assert one.fate is Fate.REVOKE
    world.pass_time(seconds=25)
    assert not gate.may_continue(X / 2).allowed


def test_a_hold_stays_whatever_the_new_version_says(world: World) -> None:
    world.gate()
    world.assess(4, addition=190)
    adopted = world.adopt(changed(POLICY_BYTES, version), changed(SUITE_BYTES, looser_limit))
    fates = {one.fate for one in adopted.dispositions}
    assert Fate.STAYS in fates
    assert world.state.runs[RUN].holds_in_force


def test_forged_dispositions_are_refused(world: World) -> None:
    permitted(world)
    review = world.propose(
        changed(POLICY_BYTES, version),
        changed(SUITE_BYTES, much_stricter_limit),
    )  # fmt: skip
    world.approve_all(review)
    world.pass_time(seconds=1)
    state = world.state
    proposal = state.expect(state.expect(review, r.PolicyReview).proposal.record, r.Proposal)
    _, permit = state.runs[RUN].newest_permit or (None, None)
    assert permit is not None
    record = r.Adoption(
        at=world.now, by="mallory", stamp=world.desk.stamp, policy=proposal.policy,
        suite=proposal.suite, signatures=[], review=r.RecordRef(record=review), dispositions=[],
    )  # fmt: skip
    assert code_of(lambda: world.desk.submit(record)) == "not_derivable"


def test_the_backtest_names_the_verdicts_that_change(world: World) -> None:
    world.gate()
    world.assess(1)
    world.assess(4, addition=150)
    looser = world.propose(changed(POLICY_BYTES, version), changed(SUITE_BYTES, looser_limit))
    found = world.state.expect(looser, r.PolicyReview).findings.backtest
    assert (found.decisions, found.loosened) == (2, 1)
    (row,) = found.changed
    assert row.looser
    assert (row.checkpoint, row.before, row.after) == (
        "run-1/x4", Outcome.VERIFY_SAFEGUARDS, Outcome.CONTINUE,
    )  # fmt: skip
    assert row.lines == ["addition-2: crossed → ruled_out (verify_safeguards → continue)"]


def test_what_got_looser_since_the_review_was_signed_by_nobody(world: World) -> None:
    world.gate()
    world.assess(1)
    review = world.propose(changed(POLICY_BYTES, version), changed(SUITE_BYTES, looser_limit))
    world.approve_all(review)
    world.assess(4, addition=150)  # crossed now, ruled out under the version that was reviewed
    world.pass_time(seconds=1)
    assert code_of(lambda: adopting.put_into_force(world.desk, review)) == "review_stale"
    again = world.propose(
        changed(POLICY_BYTES, version),
        changed(SUITE_BYTES, looser_limit),
        effective_at=world.now + timedelta(seconds=1),
    )
    assert world.state.expect(again, r.PolicyReview).findings.backtest.loosened == 1
    world.approve_all(again)
    world.pass_time(seconds=2)
    adopting.put_into_force(world.desk, again)


def test_work_under_a_standard_waits_for_the_red_lines_after_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def rule(plain: dict[str, Any]) -> None:
        plain["governance"]["next_level"] = {"clause": "toylab 6.1"}

    world = World(tmp_path_factory.mktemp("world"), policy=changed(POLICY_BYTES, rule))
    world.gate()
    verdict = world.assess(4, addition=190)
    world.add_evidence()
    packet = packet_on(world, verdict)
    sign_all(world, packet)
    with pytest.raises(Refused, match=r"no red line after \['addition-2'\] \(toylab 6\.1\)"):
        permit_on(world, packet)


def test_a_version_that_publishes_the_next_red_lines_lets_work_begin(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    from include.rsp.next_level import next_level_gaps

    def ladder(plain: dict[str, Any]) -> None:
        plain["levels"].append("TOY-4")
        plain["standards"].append(
            {"id": "toy-asl-4", "clause": "x", "level": "TOY-4", "text": "later", "criteria": []}
        )
        following = plain["red_lines"][0] | {
            "id": "addition-3", "required_standards": ["toy-asl-4"], "combine": "withheld",
        }  # fmt: skip
        plain["red_lines"][0]["next"] = "addition-3"
        plain["red_lines"].append(following)
        plain["machine_determination"]["outcomes"] = ["genesis"]

    assert next_level_gaps(toy_policy()) == [
        "addition-2 requires toy-asl-3, and no red line follows it"
    ]
    assert next_level_gaps(toy_policy(ladder)) == []
