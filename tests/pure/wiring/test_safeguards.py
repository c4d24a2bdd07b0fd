"""Safeguards around the decision: what is taken away stops things, and who may say what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.adapters.evidence_store import add_evidence
from include.adapters.store import blob_key, get_blob, put_blob
from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.canonical import digest_of
from include.rsp.capability_report import first_screen
from include.rsp.errors import Refused
from include.rsp.judgement import Asked, judge_required, required_of
from include.rsp.reverification import reopened, verdicts_in_use
from include.rsp.safeguard_evidence import ProbeRun, SafeguardEvidence
from include.rsp.safeguards import unmet
from include.rsp.vocabulary import CriterionOutcome, Outcome, Scope
from include.wiring import collecting, drills, reverifying, safeguarding, signing_off, telling
from include.wiring.asking import approval_question
from tests.support.factories import POLICY_BYTES, SUITE_BYTES, changed
from tests.support.people import (
    determine,
    packet_on,
    permit_on,
    receive_all,
    say,
    sign_all,
)
from tests.support.published_worlds import RSP_2_2, assess_lines, published_world
from tests.support.refusing import refused
from tests.support.safeguarded import (
    approve,
    drilled,
    exempt,
    measure,
    plan_measures,
    reported,
    with_a_drill,
    with_interim_measures,
)
from tests.support.safeguards import whole_evidence
from tests.support.world import RUN, World

TOY = 6
"""Requirements times surfaces of the toy standard: two once, two on two surfaces."""


@pytest.fixture
def crossed(tmp_path: Any) -> World:
    """A run that crossed the red line; its policy knows interim measures."""
    world = World(
        tmp_path / "crossed",
        policy=changed(POLICY_BYTES, with_interim_measures),
        suite=changed(SUITE_BYTES, with_a_drill),
    )
    world.gate()
    world.assess(2, addition=190)
    return world


def verdict_of(world: World) -> str:
    newest = world.state.runs[RUN].newest_verdict
    assert newest is not None
    return newest[0]


def pieces(world: World, **more: Any) -> list[SafeguardEvidence]:
    rules = world.desk.rulebook.in_force(world.state)
    assert rules is not None
    return list(whole_evidence(rules, at=world.now, **more))


def permitted(world: World) -> r.Permit:
    """The hold is released because the safeguards hold."""
    packet = packet_on(world)
    sign_all(world, packet)
    return permit_on(world, packet)


@pytest.mark.parametrize("left_out", range(TOY))
def test_without_any_one_piece_the_assessment_pauses_and_says_what_and_where(
    crossed: World, left_out: int
) -> None:
    every = pieces(crossed)
    assert len(every) == TOY
    gone = every.pop(left_out)
    for one in every:
        crossed.add_piece(one)
    _, judged = safeguarding.judge(crossed.desk, verdict_of(crossed))
    assert not judged.holds
    assert not safeguarding.people_may_go_on(crossed.desk, judged)  # the task goes on to `pause`
    (said,) = safeguarding.shortfalls(judged)
    assert gone.criterion in said
    assert (gone.surfaces or ["organisation"])[0] in said
    with refused("safeguards_not_verified"):
        permitted(crossed)
    crossed.add_piece(gone)
    crossed.pass_time(seconds=1)
    assert permitted(crossed).releases is not None


def test_without_any_one_piece_asl_3_is_not_verified_and_the_assessment_pauses(
    tmp_path: Any,
) -> None:
    world = published_world(tmp_path, RSP_2_2)
    verdict = assess_lines(world, 2, Outcome.VERIFY_SAFEGUARDS, cbrn_3=190)
    rules = signing_off.rules_of(world.desk, verdict)
    standards, _ = required_of(world.state, rules, verdict)
    assert standards == ["asl-3-deployment", "asl-3-security"]
    for piece in pieces(world, standards=set(standards)):
        world.add_piece(piece)
    _, whole = safeguarding.judge(world.desk, verdict)
    assert whole.holds, safeguarding.shortfalls(whole)
    assert safeguarding.people_may_go_on(world.desk, whole)
    state, evidence = world.state, dict(world.state.evidence)
    assert len(evidence) > 80
    asked = Asked(verdict=verdict, ledger_index=state.length, at=world.now)
    for key, piece in evidence.items():
        state.evidence = {one: each for one, each in evidence.items() if one != key}
        found, holds = judge_required(state, rules, asked)
        lost = {(row.requirement, row.surface) for _, row in unmet(found)}
        assert lost == {(piece.criterion, (piece.surfaces or ["organisation"])[0])}
        judged = whole.model_copy(update={"standards": found, "holds": holds})
        assert not safeguarding.people_may_go_on(world.desk, judged)  # the task goes to `pause`
    state.evidence = evidence


def test_the_first_screen_of_a_report_on_asl_3_stays_one_screen(tmp_path: Any) -> None:
    world = published_world(tmp_path, RSP_2_2)
    verdict = assess_lines(world, 2, Outcome.VERIFY_SAFEGUARDS, cbrn_3=190)
    report, judged = reported(world, verdict)
    record = world.state.expect(report, r.SafeguardsReport)
    first = first_screen(get_blob(world.store, record.document.blob).decode())
    missing = len(unmet(judged.standards))
    assert missing > 80
    assert f"{missing} things are not shown" in first
    assert f"And {missing - 12} more, below (" in first
    assert "safeguards-team" in first
    assert len(first.splitlines()) < 40


def test_evidence_against_it_holds_at_once_what_was_permitted(crossed: World) -> None:
    crossed.add_evidence()
    permit = permitted(crossed)
    assert not crossed.state.runs[RUN].holds_in_force
    crossed.pass_time(seconds=1)
    (against,) = [
        one for one in pieces(crossed, shows=False, statement="the classifier is off")
        if one.criterion == "answers-monitored" and one.surfaces == ["toy-api"]
    ]  # fmt: skip
    crossed.add_piece(against)
    crossed.pass_time(seconds=1)
    (hold,) = crossed.state.runs[RUN].held(Scope.TRAINING).values()
    assert hold.reply_to.record == digest_of(permit)
    assert "answers-monitored on toy-api is not_met: the classifier is off" in hold.reason
    assert verify_store(crossed.store).problems == []
    with refused("safeguards_not_verified"):
        permitted(crossed)
    assert crossed.state.runs[RUN].held(Scope.TRAINING)
    crossed.pass_time(seconds=11)
    crossed.add_piece(against.model_copy(update={"shows": True, "collected_at": crossed.now}))
    crossed.pass_time(seconds=1)
    assert crossed.state.runs[RUN].held(Scope.TRAINING)  # people have to release it
    assert permitted(crossed).releases is not None
    assert not crossed.state.runs[RUN].holds_in_force
    with refused("already_permitted"):
        permitted(crossed)
    assert verify_store(crossed.store).problems == []


def test_a_report_that_an_officer_rejects_holds_what_rests_on_it(crossed: World) -> None:
    crossed.add_evidence()
    permit = permitted(crossed)
    crossed.pass_time(seconds=1)
    report, _ = reported(crossed, verdict_of(crossed))
    say(crossed, "safeguards_approval", report, "ceo", "reject", reason="I saw it myself")
    crossed.pass_time(seconds=1)
    (hold,) = crossed.state.runs[RUN].held(Scope.TRAINING).values()
    assert (hold.reply_to.record, "I saw it myself" in hold.reason) == (digest_of(permit), True)
    assert verify_store(crossed.store).problems == []


def test_evidence_that_was_collected_after_the_packet_closed_rescues_nothing(
    crossed: World,
) -> None:
    aged = crossed.now - timedelta(days=7) + timedelta(hours=1)
    crossed.add_evidence(collected_at=aged)
    packet = packet_on(crossed)
    sign_all(crossed, packet)
    crossed.pass_time(hours=2)
    crossed.add_evidence()
    with pytest.raises(Refused, match="answers-monitored on toy-app stale") as caught:
        permit_on(crossed, packet)
    assert caught.value.code == "safeguards_stale"


def test_an_attachment_that_was_changed_takes_its_evidence_away(crossed: World) -> None:
    for number, piece in enumerate(pieces(crossed)):
        ref = put_blob(crossed.store, f"report {number}".encode(), name="report.txt")
        crossed.add_piece(piece.model_copy(update={"attachments": [ref]}))
    _, judged = safeguarding.judge(crossed.desk, verdict_of(crossed))
    assert judged.holds
    packet = packet_on(crossed)
    sign_all(crossed, packet)
    path = crossed.root / "store" / blob_key(ref.blob)
    original = path.read_bytes()
    path.write_bytes(b"report X")
    _, judged = safeguarding.judge(crossed.desk, verdict_of(crossed))
    (row,) = [row for _, row in unmet(judged.standards)]
    assert row.outcome is CriterionOutcome.MISSING
    assert "the attachment report.txt is gone or does not have the digest" in row.because
    with refused("safeguards_stale"):
        permit_on(crossed, packet)
    path.write_bytes(original)
    path.unlink()
    assert not safeguarding.judge(crossed.desk, verdict_of(crossed))[1].holds


def test_evidence_counts_only_as_what_its_signer_said(crossed: World) -> None:
    piece = pieces(crossed)[0]

    def told(**changes: Any) -> str:
        record = crossed.state.expect(crossed.add_piece(piece), r.Evidence)
        return crossed.desk.submit(record.model_copy(update=changes))

    with refused("bad_signature"):
        altered = piece.model_copy(
            update={"collector": "simulated-second-line", "statement": "something else"}
        )
        told(evidence=altered)
    with refused("bad_signature"):
        told(evidence=piece.model_copy(update={"collector": "simulated-rso"}))
    unsigned = piece.model_copy(update={"statement": "nobody signs this"})
    digest = add_evidence(crossed.store, unsigned, by="test", at=crossed.now)
    crossed.notary.step()
    assert crossed.state.expect(digest, r.Evidence).envelope is None


def test_a_probe_is_believed_only_if_the_suite_plans_it(tmp_path: Any) -> None:
    def with_a_probe(plain: dict[str, Any]) -> None:
        plain["safeguards"]["probes"] = [
            {"id": "canary", "probe": "http.canary", "standard": "toy-asl-3",
             "requirement": "answers-monitored", "type": "canary-probe", "surfaces": ["toy-api"],
             "timeout_seconds": 5}
        ]  # fmt: skip

    world = World(tmp_path / "probed", suite=changed(SUITE_BYTES, with_a_probe))
    run = ProbeRun(id="canary", probe="http.canary", started_at=world.now, seconds=1)
    plain = {
        "standard": "toy-asl-3", "criterion": "answers-monitored", "type": "canary-probe",
        "shows": True, "statement": "blocked", "collected_at": world.now,
        "collector": "probe canary", "surfaces": ["toy-api"], "probe": run, "simulated": False,
    }  # fmt: skip

    def chained(**changes: Any) -> str:
        piece = SafeguardEvidence.model_validate(plain | changes)
        digest = add_evidence(world.store, piece, by="test", at=world.now)
        world.notary.step()
        return digest

    assert chained() in world.state.evidence
    other = run.model_copy(update={"id": "another"})
    for changes in (
        {"surfaces": ["toy-app", "toy-api"]},
        {"criterion": "monitor-alive"},
        {"type": "monitoring-drill"},
        {"collector": "somebody"},
        {"probe": other, "collector": "probe another"},
        {"probe": run.model_copy(update={"probe": "http.monitor"})},
    ):
        digest = chained(**changes)
        refusal = world.state.refused[digest]
        assert world.state.expect(refusal, r.Refusal).code == "unplanned_probe"


def test_only_who_signed_evidence_replaces_it_once_and_about_the_same(crossed: World) -> None:
    first, second = pieces(crossed, shows=False)[:2]
    old = crossed.add_piece(first)
    again = first.model_copy(update={"statement": "corrected", "supersedes": old})
    officer = crossed.folders.officer
    for piece, key in (
        (second.model_copy(update={"supersedes": old}), None),  # about something else
        (again.model_copy(update={"surfaces": ["toy-api"]}), None),
        (again.model_copy(update={"checkpoint": "sha256:" + "1" * 64}), None),
        (again.model_copy(update={"collected_at": crossed.now - timedelta(hours=1)}), None),
        (again.model_copy(update={"shows": True}), officer("ceo")),  # somebody else's
        (again.model_copy(update={"supersedes": "sha256:" + "2" * 64}), None),
    ):
        with refused("not_superseding"):
            crossed.add_piece(piece, key=key)
    unsigned = again.model_copy(update={"shows": True, "collector": "simulated-second-line"})
    digest = add_evidence(crossed.store, unsigned, by="test", at=crossed.now)
    crossed.notary.step()
    assert digest in crossed.state.refused
    crossed.add_piece(again)
    with refused("not_superseding"):
        crossed.add_piece(again.model_copy(update={"statement": "corrected again"}))
    assert crossed.state.evidence[old].statement == "shown in a test"  # it stays readable


def test_evidence_against_it_that_came_later_ends_an_exemption(crossed: World) -> None:
    for piece in pieces(crossed):
        if piece.criterion != "weights-access-two-person":
            crossed.add_piece(piece)
    exempt(crossed, "weights-access-two-person", "toy-weights")
    assert safeguarding.judge(crossed.desk, verdict_of(crossed))[1].holds
    crossed.pass_time(seconds=1)
    (against,) = [one for one in pieces(crossed, shows=False) if one.surfaces == ["toy-weights"]]
    crossed.add_piece(against)
    assert not safeguarding.judge(crossed.desk, verdict_of(crossed))[1].holds


def test_an_exemption_takes_two_people_one_of_whom_signs_for_the_policy(crossed: World) -> None:
    for piece in pieces(crossed):
        if piece.criterion != "weights-access-two-person":
            crossed.add_piece(piece)
    with refused("not_distinct"):
        exempt(crossed, "weights-access-two-person", "toy-weights", first="rso", second="rso")
    with refused("wrong_office"):
        exempt(crossed, "weights-access-two-person", "toy-weights", second="board")
    with refused("too_long"):
        exempt(crossed, "weights-access-two-person", "toy-weights", days=366)
    assert not safeguarding.judge(crossed.desk, verdict_of(crossed))[1].holds
    exempt(crossed, "weights-access-two-person", "toy-weights")
    _, judged = safeguarding.judge(crossed.desk, verdict_of(crossed))
    assert judged.holds
    permit = permitted(crossed)
    assert permit.expires_at <= crossed.now + timedelta(days=30)
    assert verify_store(crossed.store).problems == []


def test_a_permit_ends_with_the_first_piece_of_evidence_and_with_the_approval(
    crossed: World,
) -> None:
    soon = crossed.now + timedelta(hours=3)
    for piece in pieces(crossed):
        crossed.add_piece(piece.model_copy(update={"expires_at": soon}))
    assert permitted(crossed).expires_at == soon


def test_what_an_approved_report_says_is_attested_and_nothing_else(crossed: World) -> None:
    crossed.add_evidence()
    report, judged = reported(crossed, verdict_of(crossed))
    with refused("not_approved"):
        reverifying.attestation_of(crossed.desk, report)
    approve(crossed, report)
    place = reverifying.attestation_of(crossed.desk, report)
    assert place.startswith(f"runs/{RUN}/attestations/")
    content = crossed.store.get(place)
    assert content is not None
    import base64
    import json

    said = json.loads(base64.b64decode(json.loads(content)["payload"]))
    assert said["predicate"]["verificationResult"] == "PASSED"
    assert said["predicate"]["verifiedLevels"] == ["TOY-3_SIMULATED"]
    assert judged.holds
    assert verify_store(crossed.store).problems == []
    forged = place.replace("safeguards-", "safeguards-0")
    (crossed.root / "store" / forged).write_bytes(content)
    assert verify_store(crossed.store).problems == []  # the same statement under another name


def test_an_approval_is_one_of_distinct_officers_in_time(crossed: World) -> None:
    crossed.add_evidence()
    report, _ = reported(crossed, verdict_of(crossed))
    with refused("wrong_office"):
        say(crossed, "safeguards_approval", report, "board", "approve")
    say(crossed, "safeguards_approval", report, "rso", "approve")
    with refused("answered_already"):
        say(crossed, "safeguards_approval", report, "rso", "approve", reason="once more")
    crossed.pass_time(hours=25)
    with refused("signature_out_of_time"):
        say(crossed, "safeguards_approval", report, "ceo", "approve")


def all_replaced(world: World) -> list[dict[str, Any]]:
    """Measures for everything that the toy standard asks for."""
    rows = [(one.criterion, (one.surfaces or ["organisation"])[0]) for one in pieces(world)]
    weights = [one for one in rows if one[0].startswith("weights")]
    answers = [one for one in rows if not one[0].startswith("weights")]
    return [
        measure("locked-away", "isolate_weights", *weights),
        measure("all-blocked", "block_responses", *answers),
    ]


def shown_measures(world: World, names: list[str], **more: Any) -> None:
    about = world.state.expect(verdict_of(world), r.Verdict).checkpoint.record
    checkpoint = world.state.expect(about, r.Checkpoint).digest
    for name in names:
        piece = SafeguardEvidence(
            standard="interim-measures",
            criterion=name,
            type="measure-check",
            shows=True,
            statement="it is so",
            collected_at=more.get("at", world.now),
            collector="x",
            checkpoint=more.get("checkpoint", checkpoint),
            simulated=True,
        )
        world.add_piece(piece)


def test_interim_measures_stand_in_for_a_time_if_they_cover_all_and_are_shown(
    crossed: World,
) -> None:
    verdict = verdict_of(crossed)
    assert not safeguarding.judge(crossed.desk, verdict)[1].holds
    until = crossed.now + timedelta(days=2)
    plan = plan_measures(crossed, verdict, *all_replaced(crossed), until=until)
    assert not safeguarding.judge(crossed.desk, verdict)[1].holds  # nobody has shown them
    shown_measures(crossed, ["locked-away"])
    assert not safeguarding.judge(crossed.desk, verdict)[1].holds
    shown_measures(crossed, ["all-blocked"], checkpoint=None)  # of no checkpoint in particular
    shown_measures(crossed, ["all-blocked"], checkpoint="sha256:" + "1" * 64)
    shown_measures(crossed, ["all-blocked"], at=crossed.now - timedelta(hours=1))  # before the plan
    assert not safeguarding.judge(crossed.desk, verdict)[1].holds
    shown_measures(crossed, ["all-blocked"])
    _, judged = safeguarding.judge(crossed.desk, verdict)
    assert judged.holds
    assert judged.interim == r.RecordRef(record=plan)
    permit = permitted(crossed)
    assert permit.expires_at == until
    assert not crossed.state.runs[RUN].holds_in_force
    crossed.pass_time(seconds=1)
    for one in pieces(crossed):
        assert one.shows
    crossed.pass_time(days=3)
    assert not safeguarding.judge(crossed.desk, verdict)[1].holds
    assert verify_store(crossed.store).problems == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[:1], "no measure stands in for it"),
        (
            lambda rows: [rows[0] | {"kind": "block_responses"}, rows[1]],
            "is no measure for security",
        ),
    ],
)
def test_a_plan_that_leaves_something_open_stands_in_for_nothing(
    crossed: World, change: Any, said: str
) -> None:
    from include.rsp.interim import problems_with_plan

    verdict = verdict_of(crossed)
    rows = change(all_replaced(crossed))
    plan = plan_measures(crossed, verdict, *rows)
    shown_measures(crossed, [one["id"] for one in rows])
    assert not safeguarding.judge(crossed.desk, verdict)[1].holds
    rules = signing_off.rules_of(crossed.desk, verdict)
    state = crossed.state
    judged, _ = judge_required(
        state, rules, Asked(verdict=verdict, ledger_index=state.length, at=crossed.now)
    )
    problems = problems_with_plan(
        state.expect(plan, r.InterimPlan).plan, rules.policy.interim_measures, judged,
        rules.suite.safeguards,
    )  # fmt: skip
    assert any(said in one for one in problems), problems


def test_a_plan_needs_a_policy_that_knows_it_and_ends_in_its_time(
    crossed: World, tmp_path: Any
) -> None:
    verdict = verdict_of(crossed)
    for until in (crossed.now + timedelta(days=31), crossed.now):
        with refused("too_long"):
            plan_measures(crossed, verdict, *all_replaced(crossed), until=until)
    plain = World(tmp_path / "plain")
    plain.gate()
    with refused("not_offered"):
        plan_measures(plain, plain.assess(2, addition=190), *all_replaced(plain))


def test_interim_measures_need_all_whom_the_policy_names(tmp_path: Any) -> None:
    def with_another(plain: dict[str, Any]) -> None:
        with_interim_measures(plain)
        plain["interim_measures"]["approvers"] = ["rso", "board"]

    world = World(tmp_path / "named", policy=changed(POLICY_BYTES, with_another))
    world.gate()
    verdict = world.assess(2, addition=190)
    plan_measures(world, verdict, *all_replaced(world))
    shown_measures(world, ["locked-away", "all-blocked"])
    packet = packet_on(world)
    for office in ("rso", "ceo"):
        determine(world, packet, office)
    receive_all(world, packet)
    with pytest.raises(Refused, match="need the approval of board"):
        permit_on(world, packet)


def test_what_lapses_soon_is_looked_at_again_and_people_are_told_once(crossed: World) -> None:
    crossed.add_evidence()
    permitted(crossed)
    verdict = verdict_of(crossed)
    (using,) = verdicts_in_use(crossed.state, at=crossed.now)
    assert using == verdict
    assert reverifying.reopen(crossed.desk) == []
    crossed.pass_time(days=6, minutes=1)  # a day before the probes' evidence lapses
    (found,) = reverifying.reopen(crossed.desk)
    assert "lapses at" in found.because
    assert (found.holds, found.lost) == (True, ())
    words = reverifying.warnings(crossed.desk)
    assert {one.to for one in words} == {"rso", "ceo"}
    assert words[0].text.count("(owner: api-team)") == 2
    assert telling.send(crossed.desk, words) == []
    told = [one for one in crossed.state.notifications.values() if "lapse" in one.notice]
    assert len(told) == 2
    assert reverifying.reopen(crossed.desk) == []
    telling.send(crossed.desk, reverifying.warnings(crossed.desk))  # each minute, told once
    assert len([x for x in crossed.state.notifications.values() if "lapse" in x.notice]) == 2
    crossed.add_evidence()
    (again,) = reverifying.reopen(crossed.desk)
    assert "pieces of evidence were added" in again.because
    assert reverifying.warnings(crossed.desk) == []
    crossed.pass_time(days=2)
    rules = signing_off.rules_of(crossed.desk, verdict)
    assert verdicts_in_use(crossed.state, at=crossed.now) == []  # the permit is over
    assert reopened(crossed.state, rules, verdict, at=crossed.now) is None


def test_a_drill_is_recorded_as_it_was_planned_and_in_order(crossed: World) -> None:
    digest = drilled(crossed)
    assert digest in crossed.state.drills
    with refused("unplanned_drill"):
        drilled(crossed, run="other.module:drill")
    with refused("post_dated"):
        drilled(crossed, started_at=crossed.now + timedelta(hours=1))


def test_the_report_says_first_what_holds_what_does_not_what_expires_and_who_owns_it(
    crossed: World,
) -> None:
    for piece in pieces(crossed):
        if piece.surfaces != ["toy-api"]:
            crossed.add_piece(piece)
    report, _ = reported(crossed, verdict_of(crossed))
    record = crossed.state.expect(report, r.SafeguardsReport)
    text = get_blob(crossed.store, record.document.blob).decode()
    first = first_screen(text)
    assert "do NOT hold**: 2 things are not shown" in first
    assert "| monitor-alive (answers-monitored) | toy-api | **missing** |" in first
    assert "| api-team |" in first
    expires = first.split("## What expires next")[1]
    assert "| toy-app |" in expires
    assert "7.0 days" in expires
    assert "app-team" in expires
    assert len(first.splitlines()) < 40
    page = get_blob(crossed.store, record.page.blob).decode()
    assert "<strong>missing</strong>" in page
    with refused("not_derivable"):
        other = put_blob(crossed.store, b"# all is well", name="safeguards-report.md")
        crossed.desk.submit(record.model_copy(update={"document": other}))


def test_who_owns_what_a_measure_stands_in_for_does_not_show_the_measure(tmp_path: Any) -> None:
    def owned(plain: dict[str, Any]) -> None:
        plain["safeguards"]["owners"] = {"toy-asl-3": "simulated-second-line"}

    world = World(
        tmp_path / "owned",
        policy=changed(POLICY_BYTES, with_interim_measures),
        suite=changed(SUITE_BYTES, owned),
    )
    world.gate()
    verdict = world.assess(2, addition=190)
    plan_measures(world, verdict, *all_replaced(world))
    shown_measures(world, ["locked-away", "all-blocked"])  # signed by the second line
    assert not safeguarding.judge(world.desk, verdict)[1].holds


def test_a_member_of_the_team_that_owns_it_does_not_verify_it(tmp_path: Any) -> None:
    def owned(plain: dict[str, Any]) -> None:
        plain["safeguards"]["members"] = {"api-team": ["simulated-second-line"]}

    world = World(tmp_path / "team", suite=changed(SUITE_BYTES, owned))
    world.gate()
    verdict = world.assess(2, addition=190)
    world.add_evidence()
    _, judged = safeguarding.judge(world.desk, verdict)
    rows = [row for _, row in unmet(judged.standards)]
    assert {row.surface for row in rows} == {"toy-api"}
    assert all("self-verified" in row.because for row in rows)


def test_a_refutation_does_not_vanish_with_its_attachment(crossed: World) -> None:
    crossed.add_evidence()
    crossed.pass_time(seconds=1)
    ref = put_blob(crossed.store, b"the raw answer", name="raw.json")
    (against,) = [one for one in pieces(crossed, shows=False) if one.surfaces == ["toy-weights"]]
    crossed.add_piece(against.model_copy(update={"attachments": [ref]}))
    (crossed.root / "store" / blob_key(ref.blob)).unlink()
    assert not safeguarding.judge(crossed.desk, verdict_of(crossed))[1].holds


def test_a_rejection_before_the_permit_stops_it_until_its_officer_says_otherwise(
    crossed: World,
) -> None:
    crossed.add_evidence()
    packet = packet_on(crossed)
    sign_all(crossed, packet)
    report, _ = reported(crossed, verdict_of(crossed))
    crossed.pass_time(seconds=1)
    say(crossed, "safeguards_approval", report, "ceo", "reject", reason="not so")
    with refused("safeguards_rejected"):
        permit_on(crossed, packet)
    crossed.pass_time(seconds=1)
    assert permitted(crossed).releases is not None  # on a newer packet the same officer accepts


def test_a_standard_of_which_all_is_exempt_says_so_and_no_plan_stands_in_for_it(
    crossed: World,
) -> None:
    for piece in pieces(crossed):
        exempt(crossed, piece.criterion, (piece.surfaces or ["organisation"])[0])
    verdict = verdict_of(crossed)
    plan_measures(crossed, verdict, *all_replaced(crossed))
    shown_measures(crossed, ["locked-away", "all-blocked"])
    _, judged = safeguarding.judge(crossed.desk, verdict)
    assert not judged.holds
    (said,) = safeguarding.shortfalls(judged)
    assert "only accepted as not applicable" in said
    report, _ = reported(crossed, verdict)
    approve(crossed, report)
    with refused("not_approved"):
        reverifying.attestation_of(crossed.desk, report)


def test_where_nobody_is_the_owner_nobody_is_somebody_else(tmp_path: Any) -> None:
    def unowned(plain: dict[str, Any]) -> None:
        plain["safeguards"]["surfaces"] = []
        plain["safeguards"]["absent"] = [
            {"kind": kind, "because": "none"} for kind in ("first_party_app", "api")
        ]
        plain["safeguards"]["surfaces"] = [
            {"id": "w", "kind": "weight_storage", "owner": "somebody", "text": "made up"}
        ]

    world = World(tmp_path / "unowned", suite=changed(SUITE_BYTES, unowned))
    from include.rsp.catalogue import Requirement
    from include.rsp.safeguard_basis import Basis, doubt_about
    from include.rsp.safeguard_evidence import Shown

    asked = Requirement(
        id="x", criterion="x", clause="1", shown="x", evidence=["weight-inventory"],
        max_age_days=1, verifier="independent",
    )  # fmt: skip
    piece = pieces(world)[0]
    basis = Basis(plan=world.desk.rulebook.in_force(world.state).suite.safeguards, evidence={},
                  at=world.now)  # fmt: skip
    said = doubt_about(asked, frozenset(), Shown(piece, "outsider"), basis)
    assert said is not None
    assert "nobody is named as its owner" in said


def test_a_newer_unfit_plan_does_not_hide_a_good_one(crossed: World) -> None:
    verdict = verdict_of(crossed)
    plan_measures(crossed, verdict, *all_replaced(crossed))
    crossed.pass_time(seconds=1)
    shown_measures(crossed, ["locked-away", "all-blocked"])
    crossed.pass_time(seconds=1)
    plan_measures(crossed, verdict, measure("m", "isolate_weights", ("weights-listed", "x")))
    assert safeguarding.judge(crossed.desk, verdict)[1].holds


def test_under_rsp_2_2_interim_measures_carry_a_run_past_the_pretraining_monitor(
    tmp_path: Any,
) -> None:
    world = published_world(tmp_path, RSP_2_2, lambda plain: plain["governance"].update(
        next_level=None))  # fmt: skip
    verdict = assess_lines(world, 2, Outcome.VERIFY_SAFEGUARDS, cbrn_3=190)
    rules = signing_off.rules_of(world.desk, verdict)
    asked = Asked(verdict=verdict, ledger_index=world.state.length, at=world.now)
    rows = unmet(judge_required(world.state, rules, asked)[0])
    by_part: dict[str, list[tuple[str, str, str]]] = {"deployment": [], "security": []}
    for standard, row in rows:
        by_part[row.part].append((standard, row.requirement, row.surface))
    kinds = {"deployment": "block_responses", "security": "isolate_weights"}
    plan = [
        measure(part, kinds[part]) | {"replaces": [
            {"standard": standard, "requirement": name, "surface": surface}
            for standard, name, surface in replaced
        ]}
        for part, replaced in by_part.items()
    ]  # fmt: skip
    plan_measures(world, verdict, *plan)
    shown_measures(world, ["deployment", "security"])
    assert safeguarding.judge(world.desk, verdict)[1].holds
    permit = permitted(world)
    assert permit.releases is not None
    world.pass_time(seconds=1)
    assert world.state.runs[RUN].held(Scope.TRAINING) == {}
    assert verify_store(world.store).problems == []


def test_who_is_asked_about_a_report_and_who_is_not(crossed: World) -> None:
    crossed.add_evidence()
    report, _ = reported(crossed, verdict_of(crossed))
    question = approval_question(crossed.desk, "rso", report)
    assert question is not None
    assert "The required safeguards hold" in question.body
    assert approval_question(crossed.desk, "board", report) is None  # it does not sign
    assert approval_question(crossed.desk, "rso", "") is None  # nobody asked for an approval
    say(crossed, "safeguards_approval", report, "rso", "reject")
    assert approval_question(crossed.desk, "ceo", report) is None  # it is decided
    crossed.pass_time(seconds=1)
    another, _ = reported(crossed, verdict_of(crossed))
    crossed.pass_time(hours=25)
    with refused("signature_out_of_time"):
        approval_question(crossed.desk, "ceo", another)


def test_only_a_run_whose_verdict_needs_safeguards_is_verified(tmp_path: Any) -> None:
    world = World(tmp_path / "calm")
    world.gate()
    verdict = world.assess(1)
    assert not collecting.is_needed(world.desk, verdict)
    assert collecting.verdicts_to_verify(world.desk, RUN) == [verdict]
    assert collecting.verdicts_to_verify(world.desk, None) == []
    with refused("no_verdict"):
        collecting.verdicts_to_verify(world.desk, "nobody")
    with refused("unplanned_probe"):
        collecting.collect(world.desk, "no such group")
    with refused("unplanned_drill"):
        drills.hold(world.desk, "jailbreak", asked_by="a test")
