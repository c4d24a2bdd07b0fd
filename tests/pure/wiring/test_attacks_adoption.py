"""Attacks on the adoption of a policy that once worked. Each has to stay refused."""

from __future__ import annotations

import contextlib
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from include.adapters import bootstrap
from include.adapters.ledger import LedgerReader, entry_key, read_link
from include.adapters.signing import KeyFile
from include.adapters.store import get_blob
from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.adoption_records import ApprovalPart, Fate
from include.rsp.difference import differences
from include.rsp.errors import DomainError, InvalidDocument, Refused
from include.rsp.policy import Policy
from include.rsp.state import LedgerState
from include.wiring import adopting
from include.wiring.desk import Desk
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
    assert change.in_words() == "outcome when not_ruled_out 1, leads to: pause → verify_safeguards"


def test_what_differs_never_looks_the_same() -> None:
    def named(plain: dict[str, Any]) -> None:
        plain["red_lines"][0]["baseline"] = "none"

    (change,) = differences(
        toy_policy(lambda plain: plain["red_lines"][0].update(baseline=None)), toy_policy(named)
    )
    assert (change.before, change.after) == ("null", '"none"')


def answers(world: World) -> None:
    """The notary still does its work: a lease of a new run is written."""
    assert world.gate("run-still-served").may_continue(X / 2).allowed


def test_a_record_with_a_name_that_is_no_text_is_refused_and_the_notary_goes_on(
    world: World,
) -> None:
    folder = (world.root / "store/records/proposal").as_posix().encode()
    os.makedirs(folder, exist_ok=True)
    for name in (b"\xff\xfe.json", b"two\nlines.json"):
        with open(folder + b"/" + name, "wb") as file:
            file.write(b"{}")
    world.notary.step()
    refusals = [one for one in world.state.records.values() if isinstance(one, r.Refusal)]
    assert len(refusals) == 2
    world.start_notary()
    world.notary.step()
    assert len([one for one in world.state.records.values() if isinstance(one, r.Refusal)]) == 2
    answers(world)


def test_a_folder_in_the_place_of_a_file_does_not_stop_the_notary(world: World) -> None:
    ref = r.BlobRef(blob="sha256:" + "a" * 64, bytes=1, name="policy")
    (world.root / "store/blobs" / ("a" * 64)).mkdir(parents=True)
    assert world.state.adoption is not None
    proposal = r.Proposal(
        at=world.now, by="mallory", stamp=world.desk.stamp, policy=ref, suite=ref,
        supersedes=r.RecordRef(record=world.state.adoption[0]), reason="x", changelog="x",
        effective_at=world.now, open_assessments=[],
    )  # fmt: skip
    with pytest.raises(Refused) as caught:
        world.desk.submit(proposal)
    assert caught.value.code == "invalid_document"
    answers(world)


def put(*path: Any) -> Any:
    def change(plain: dict[str, Any]) -> None:
        plain["version"] = "1.1"
        *where, last, value = path
        for key in where:
            plain = plain[key]
        plain[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        put("authority", "permit_days", 1e300),
        put("authority", "lease_seconds", 1e15),
        put("authority", "reassess_days", 1e7),
        put("hold", "acknowledge_within_seconds", 1e300),
        put("sign_off", "answer_within_hours", 1e300),
        put("standards", 0, "criteria", 0, "max_age_days", 1e9),
        put("preliminary", {"clause": "x", "compute_ratio": 4, "months": 1e300}),
        put(
            "time_triggers",
            [{"id": "never", "clause": "x", "kind": "calendar", "months": 10**9}],
        ),
    ],
)
def test_a_length_of_time_that_no_calendar_holds_is_no_policy(world: World, change: Any) -> None:
    with pytest.raises(InvalidDocument, match="less than or equal"):
        world.propose(changed(POLICY_BYTES, change))
    answers(world)


@pytest.mark.parametrize("limit", [5e-324, 1e-300, 1e-17])
def test_a_limit_that_no_number_of_samples_meets_is_refused_at_once(
    world: World, limit: float
) -> None:
    def tiny(plain: dict[str, Any]) -> None:
        plain["version"] = "1.1"
        plain["evaluations"][0]["limits"] = {"rule_out": limit, "rule_in": 0.5, "buffer": 0.0}

    suite = changed(SUITE_BYTES, tiny)
    with pytest.raises(Refused, match="cannot rule out"):
        world.propose(changed(POLICY_BYTES, version), suite)


def test_a_huge_file_is_refused_before_it_is_read(world: World) -> None:
    for one in (b"#" * 3_000_000, b"a: " + b"x" * 3_000_000):
        with pytest.raises(InvalidDocument, match="bytes"):
            world.propose(POLICY_BYTES + b"\n" + one)


def written(world: World, name: str, **changes: Any) -> Path:
    """A proposal in the folder, as `rsp policy propose` leaves it."""
    folder = world.root / "proposals"
    folder.mkdir(exist_ok=True)
    (folder / "policy.yaml").write_bytes(changed(POLICY_BYTES, version))
    (folder / "suite.yaml").write_bytes(SUITE_BYTES)
    plain = {
        "policy": "policy.yaml", "suite": "suite.yaml", "reason": "x", "changelog": "y",
        "effective_at": world.now.isoformat(),
    } | changes  # fmt: skip
    (folder / f"{name}.proposal.yaml").write_text(yaml.safe_dump(plain))
    return folder


def test_an_odd_proposal_keeps_no_other_one_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # its keys would be tried again and again
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    folder = written(world, "z-good")
    written(world, "b", effective_at="0001-01-01T00:00:00+05:00")
    written(world, "c", policy="s3://nobody-answers/policy.yaml")
    (folder / "a.proposal.yaml").mkdir()
    (folder / "a2.proposal.yaml").symlink_to(folder / "nowhere")
    (folder / "d.proposal.yaml").write_bytes(b"\xff")
    for _ in range(4):
        address = adopting.next_proposal(world.desk, folder)
        if address is None:
            break
        with contextlib.suppress(DomainError):
            adopting.propose(world.desk, address)
    proposed = [one for one in world.state.records.values() if isinstance(one, r.Proposal)]
    assert len(proposed) == 1
    assert adopting.next_proposal(world.desk, folder) is None


@pytest.mark.parametrize("named", ["/etc/hostname", "../secret.pem", "file:///etc/hostname"])
def test_a_proposal_names_no_file_outside_of_its_folder(world: World, named: str) -> None:
    folder = written(world, "a", policy=named)
    (world.root / "secret.pem").write_text("-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n")
    blobs = set((world.root / "store/blobs").iterdir())
    with pytest.raises(InvalidDocument, match="beside"):
        adopting.propose(world.desk, str(folder / "a.proposal.yaml"))
    assert set((world.root / "store/blobs").iterdir()) == blobs


def test_what_is_no_policy_is_not_even_stored(world: World) -> None:
    folder = written(world, "a")
    (folder / "policy.yaml").write_text("-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n")
    blobs = set((world.root / "store/blobs").iterdir())
    with pytest.raises(InvalidDocument):
        adopting.propose(world.desk, str(folder / "a.proposal.yaml"))
    assert set((world.root / "store/blobs").iterdir()) == blobs


def test_nobody_takes_a_proposals_place_with_another_changelog_or_date(world: World) -> None:
    mallory = world.propose(changed(POLICY_BYTES, version), changelog="Nothing changes.")
    honest = world.propose(changed(POLICY_BYTES, version), changelog="All of it.")
    later = world.propose(
        changed(POLICY_BYTES, version), changelog="All of it.",
        effective_at=world.now + timedelta(days=30),
    )  # fmt: skip
    assert len({mallory, honest, later}) == 3
    assert world.propose(changed(POLICY_BYTES, version), changelog="All of it.") == honest
    folder = written(world, "a", changelog="Another one again.")
    assert adopting.next_proposal(world.desk, folder) is not None


def test_what_is_public_is_never_overwritten(world: World) -> None:
    public = world.root / "public"
    one, other = (
        world.propose(changed(POLICY_BYTES, change)) for change in (version, longer)
    )  # both call themselves 1.1
    for review in (one, other):
        world.approve_all(review)
    adopting.publish(world.desk, one, public)
    content = (public / "toylab-1.1/policy.yaml").read_bytes()
    assert code_of(lambda: adopting.publish(world.desk, other, public)) == "already_public"
    assert (public / "toylab-1.1/policy.yaml").read_bytes() == content


def test_a_suite_alone_can_change_and_both_changelogs_stay_public(world: World) -> None:
    public = world.root / "public"
    world.adopt(changed(POLICY_BYTES, version), changelog="first")
    world.adopt(
        changed(POLICY_BYTES, version), changed(SUITE_BYTES, stricter_limit), changelog="second"
    )
    found = sorted(path.read_text() for path in (public / "toylab-1.1").glob("CHANGELOG*"))
    assert found == ["first", "second"]
    assert verify_store(world.store).problems == []


@pytest.mark.parametrize("number", ["../../x", "1/1", "1.1 ", "1.1\u200b", "١"])
def test_a_version_is_a_plain_number_that_people_can_tell_apart(world: World, number: str) -> None:
    with pytest.raises(InvalidDocument, match="version"):
        world.propose(changed(POLICY_BYTES, lambda plain: plain.update(version=number)))


def test_of_two_runs_that_put_one_version_into_force_both_end_well(world: World) -> None:
    review = world.propose(changed(POLICY_BYTES, version))
    world.approve_all(review)
    world.pass_time(seconds=1)
    first = adopting.put_into_force(world.desk, review)
    stale = Desk(
        store=world.store, checkpoints=world.desk.checkpoints, jobs=world.desk.jobs,
        clock=lambda: world.now, notary_seconds=5, author="the other run",
    )  # fmt: skip

    class Late(LedgerReader):
        """Reads on only after its first look, which was before the other run."""

        looks = 0

        def refresh(self) -> LedgerState:
            Late.looks += 1
            if Late.looks > 3:
                world.notary.step()
                return LedgerReader.refresh(self)
            while self.state.length < world.state.index_of[first[0]]:
                content = self.store.get(entry_key(self.state.length)) or b""
                link = read_link(self.store, content, self.state)
                self.state.apply(
                    link.record_digest, link.record, entry=link.entry_digest, at=link.entry.at
                )
            return self.state

    world.pass_time(seconds=1)
    stale.reader = Late(world.store)
    assert adopting.put_into_force(stale, review) == first
