"""Attacks on what safeguards show: by a writer of records, and by a team that owns a surface.

What is marked as an expected failure works still; its reason says what would end it.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from client.publish import Declared, publish
from include.adapters.evidence_store import (
    add_evidence,
    exemption_statement,
    judge_intact,
)
from include.adapters.ledger import write_record
from include.adapters.report_page import page_of
from include.adapters.signing import KeyFile
from include.adapters.store import blob_key, get_blob, put_blob
from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.canonical import digest_of
from include.rsp.catalogue import CatalogueStandard, Requirement
from include.rsp.errors import Refused
from include.rsp.judgement import Asked, judge_in_general, judge_required
from include.rsp.oversight import holds_due
from include.rsp.policy_parts import Criterion, Standard
from include.rsp.results import BlobRef
from include.rsp.rules import Rules
from include.rsp.safeguard_basis import Basis
from include.rsp.safeguard_evidence import Exemption, ProbeRun, SafeguardEvidence, Shown
from include.rsp.safeguard_plan import SafeguardPlan
from include.rsp.safeguards import judge_standard
from include.rsp.vocabulary import Scope
from include.wiring import registration, reverifying, safeguarding, signing_off
from tests.support.factories import POLICY_BYTES, START, SUITE_BYTES, X, changed
from tests.support.people import (
    determine,
    packet_on,
    permit_on,
    receive_all,
    report_on,
    say,
    sign_all,
)
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

CANARY = {
    "id": "canary", "probe": "http.canary", "standard": "toy-asl-3",
    "requirement": "answers-monitored", "type": "canary-probe", "surfaces": ["toy-api"],
    "timeout_seconds": 5,
}  # fmt: skip


def with_probes(plain: dict[str, Any]) -> None:
    """A probe for every requirement that somebody independent has to verify."""
    plain["safeguards"]["probes"] = [
        CANARY,
        CANARY | {"id": "canary-app", "surfaces": ["toy-app"]},
        CANARY | {"id": "alive", "requirement": "monitor-alive", "type": "monitor-probe",
                  "probe": "http.monitor", "surfaces": ["toy-app", "toy-api"]},
    ]  # fmt: skip


@pytest.fixture
def crossed(tmp_path: Path) -> World:
    """A run that crossed the red line; its policy knows interim measures, its suite probes."""
    world = World(
        tmp_path / "crossed",
        policy=changed(POLICY_BYTES, with_interim_measures),
        suite=changed(SUITE_BYTES, with_a_drill, with_probes),
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


def piece_for(world: World, requirement: str, surface: str, **more: Any) -> SafeguardEvidence:
    """A piece about one requirement on one surface, changed as an attack needs it."""
    (found,) = [
        one for one in pieces(world)
        if one.criterion == requirement and (one.surfaces or ["organisation"]) == [surface]
    ]  # fmt: skip
    return SafeguardEvidence.model_validate(found.model_dump() | more)


def on_api(world: World, **more: Any) -> SafeguardEvidence:
    return piece_for(world, "answers-monitored", "toy-api", **more)


def against(world: World, **more: Any) -> SafeguardEvidence:
    return on_api(world, **{"shows": False, "statement": "the classifier is off", **more})


def drop(world: World, piece: SafeguardEvidence, *, at: Any = None, by: str = "mallory") -> str:
    """Write a record as anybody may who writes to the store; the notary sees it."""
    digest = add_evidence(world.store, piece, by=by, at=at or world.now)
    world.notary.step()
    return digest


def code(world: World, digest: str) -> str | None:
    """The code that a record was refused with; None: it was chained."""
    if digest in world.state.index_of:
        return None
    return world.state.expect(world.state.refused[digest], r.Refusal).code


def holds(world: World) -> bool:
    """Whether the required standards hold now, on all evidence."""
    state, rules = world.state, signing_off.rules_of(world.desk, verdict_of(world))
    asked = Asked(verdict=verdict_of(world), ledger_index=state.length, at=world.now)
    return judge_intact(world.store, state, rules, asked)[1]


def permitted(world: World) -> r.Permit:
    packet = packet_on(world)
    sign_all(world, packet)
    return permit_on(world, packet)


def is_held(world: World, scope: Scope = Scope.TRAINING) -> bool:
    return bool(world.state.runs[RUN].held(scope))


def hidden_by(world: World) -> str:
    """A safeguard that was shown, and then refuted by whoever found it; the refutation."""
    world.add_evidence()
    world.pass_time(minutes=1)
    digest = world.add_piece(against(world))
    world.pass_time(minutes=1)
    assert not holds(world)
    return digest


# Superseding


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"checkpoint": "sha256:" + "1" * 64},
        {"surfaces": ["toy-app"]},
        {"surfaces": ["nowhere"]},
        {"surfaces": []},
        {"type": "another-type"},
        {"shows": False, "checkpoint": "sha256:" + "1" * 64},
        {"shows": False, "surfaces": ["nowhere"]},
        {"expires_at": "later"},
    ],
    ids=["unsigned", "another checkpoint", "another surface", "unknown surface", "organisation",
         "another type", "against another checkpoint", "against an unknown surface", "short-lived"],
)  # fmt: skip
def test_what_refutes_a_safeguard_does_not_vanish_by_being_superseded(
    crossed: World, more: dict[str, Any]
) -> None:
    refutation = hidden_by(crossed)
    if more.get("expires_at"):
        more = {"expires_at": crossed.now + timedelta(microseconds=1)}
    drop(crossed, on_api(crossed, supersedes=refutation, **more))
    crossed.pass_time(seconds=1)
    assert not holds(crossed)


def test_a_chain_of_superseding_brings_nothing_back(crossed: World) -> None:
    last = hidden_by(crossed)
    for number in range(5):
        link = drop(crossed, against(crossed, supersedes=last, statement=f"link {number}"))
        if code(crossed, link) is None:
            last = link
    drop(crossed, on_api(crossed, supersedes=last, surfaces=["toy-app"]))
    assert not holds(crossed)


def test_a_signer_who_takes_a_piece_back_is_not_replayed(crossed: World) -> None:
    """The signed piece that was corrected, written once more in a new record."""
    crossed.add_evidence(leave_out="answers-monitored")
    crossed.add_piece(piece_for(crossed, "answers-monitored", "toy-app"))
    old = crossed.state.expect(crossed.add_piece(on_api(crossed)), r.Evidence)
    soon = crossed.now + timedelta(minutes=1)
    right = old.evidence.model_copy(update={"supersedes": digest_of(old), "expires_at": soon})
    crossed.add_piece(right)
    crossed.pass_time(minutes=2)
    assert not holds(crossed)
    for number in range(4):  # of the same moment, the digest decides
        again = old.model_copy(update={"by": f"mallory {number}"})
        assert write_record(crossed.store, again)
    crossed.notary.step()
    assert not holds(crossed)


def test_a_correction_stays_when_its_attachment_is_lost(crossed: World) -> None:
    crossed.add_evidence(leave_out="answers-monitored")
    crossed.add_piece(piece_for(crossed, "answers-monitored", "toy-app"))
    old = crossed.state.expect(crossed.add_piece(on_api(crossed)), r.Evidence)
    why = put_blob(crossed.store, b"it was a test system", name="why.txt")
    soon = crossed.now + timedelta(minutes=1)
    right = old.evidence.model_copy(
        update={"supersedes": digest_of(old), "expires_at": soon, "attachments": [why]}
    )
    crossed.add_piece(right)
    crossed.pass_time(minutes=2)
    assert not holds(crossed)
    (crossed.root / "store" / blob_key(why.blob)).unlink()
    assert not holds(crossed)


def test_a_piece_that_supersedes_itself_or_a_later_one_cannot_be_written(crossed: World) -> None:
    first = on_api(crossed, supersedes="sha256:" + "a" * 64)
    assert code(crossed, drop(crossed, first)) == "not_superseding"
    (exemption,) = [exempt(crossed, "weights-access-two-person", "toy-weights")]
    assert code(crossed, drop(crossed, on_api(crossed, supersedes=exemption))) == "not_superseding"


def test_the_measures_evidence_that_was_replaced_does_not_come_back(crossed: World) -> None:
    plan = plan_measures(crossed, verdict_of(crossed), *replaced_all(crossed))
    shown = show_measures(crossed)
    assert judged_with(crossed, plan)
    soon = crossed.now + timedelta(minutes=1)
    crossed.add_piece(
        crossed.state.evidence[shown[0]].model_copy(
            update={"supersedes": shown[0], "expires_at": soon}
        )
    )
    crossed.pass_time(minutes=2)
    assert not judged_with(crossed, plan)


# Evidence against, that is not noticed


@pytest.mark.parametrize(
    "more",
    [
        {"surfaces": ["toy-app", "toy-api"]},
        {"expires_at": "soon"},
        {"surfaces": []},
        {"surfaces": ["api"]},
        {"surfaces": ["toy_api"]},
        {"type": "incident"},
        {"type": "monitoring-drill", "collector": "app-team"},
        {"simulated": False},
        {"collected_at": "later"},
    ],
    ids=["wider", "short-lived", "for the organisation", "the kind's name", "a slip of the pen",
         "of another type", "an owner's", "not simulated", "clock ahead"],
)  # fmt: skip
def test_what_speaks_against_a_safeguard_stops_what_was_permitted(
    crossed: World, more: dict[str, Any]
) -> None:
    crossed.add_evidence()
    permitted(crossed)
    crossed.pass_time(minutes=1)
    if "expires_at" in more:
        more = {"expires_at": crossed.now + timedelta(hours=1)}
    if "collected_at" in more:
        more = {"collected_at": crossed.now + timedelta(seconds=4)}
    assert code(crossed, drop(crossed, against(crossed, **more))) is None
    crossed.pass_time(seconds=1)
    assert is_held(crossed)
    assert verify_store(crossed.store).problems == []


def test_evidence_against_stays_when_its_attachment_is_lost(crossed: World) -> None:
    crossed.add_evidence()
    crossed.pass_time(minutes=1)
    proof = put_blob(crossed.store, b"a recording of what came through", name="proof.txt")
    crossed.add_piece(against(crossed, attachments=[proof]))
    assert not holds(crossed)
    (crossed.root / "store" / blob_key(proof.blob)).unlink()
    assert not holds(crossed)


def test_evidence_against_and_newer_evidence_for_it_at_once_still_hold(crossed: World) -> None:
    """Who sees a refutation come writes a later piece for the safeguard before the notary looks."""
    crossed.add_evidence()
    permitted(crossed)
    crossed.pass_time(minutes=1)
    probed = probe_piece(crossed, collected_at=crossed.now + timedelta(seconds=1), seconds=0)
    for piece in (against(crossed), probed):
        add_evidence(crossed.store, piece, by="mallory", at=crossed.now)
    crossed.notary.step()
    assert is_held(crossed)


def test_evidence_for_it_dated_ahead_hides_no_refutation(crossed: World) -> None:
    crossed.add_evidence()
    permitted(crossed)
    crossed.pass_time(minutes=1)
    ahead = crossed.now + timedelta(seconds=9)
    late = probe_piece(crossed, collected_at=ahead, seconds=0)
    drop(crossed, late, at=crossed.now + timedelta(seconds=4))
    crossed.pass_time(seconds=5)
    drop(crossed, against(crossed))
    crossed.pass_time(seconds=1)
    assert is_held(crossed)


def test_a_newer_piece_that_lapses_sooner_ends_what_rests_on_it(crossed: World) -> None:
    crossed.add_evidence()
    permit = permitted(crossed)
    crossed.pass_time(minutes=1)
    crossed.add_piece(on_api(crossed, expires_at=crossed.now + timedelta(hours=1)))
    crossed.pass_time(hours=2)
    assert not holds(crossed)
    assert crossed.now < permit.expires_at
    assert is_held(crossed)


def test_both_permits_of_a_checkpoint_are_stopped(crossed: World) -> None:
    crossed.add_evidence()
    permitted(crossed)
    packet = packet_on(crossed, purpose=Scope.DEPLOYMENT)
    sign_all(crossed, packet)
    permit_on(crossed, packet)
    crossed.pass_time(minutes=1)
    drop(crossed, against(crossed))
    crossed.pass_time(seconds=1)
    assert is_held(crossed, Scope.TRAINING)
    assert is_held(crossed, Scope.DEPLOYMENT)
    assert verify_store(crossed.store).problems == []


def test_what_refutes_an_interim_measure_stops_what_rests_on_it(crossed: World) -> None:
    """On one surface of those that it stands in for, as a person would write it."""
    plan_measures(crossed, verdict_of(crossed), *replaced_all(crossed))
    show_measures(crossed)
    permitted(crossed)
    crossed.pass_time(minutes=1)
    piece = next(one for one in crossed.state.evidence.values() if one.criterion == "all-blocked")
    drop(
        crossed,
        piece.model_copy(
            update={
                "shows": False, "surfaces": ["toy-api"], "collected_at": crossed.now,
                "statement": "it answers",
            }
        ),
    )  # fmt: skip
    crossed.pass_time(seconds=1)
    assert is_held(crossed)


def test_what_is_not_met_beside_the_plan_stops_what_rests_on_it(crossed: World) -> None:
    rows = replaced_all(crossed)
    rows[1]["replaces"] = [one for one in rows[1]["replaces"] if one["surface"] != "toy-api"]
    crossed.add_piece(on_api(crossed))
    crossed.add_piece(piece_for(crossed, "monitor-alive", "toy-api"))
    plan_measures(crossed, verdict_of(crossed), *rows)
    show_measures(crossed)
    permitted(crossed)
    crossed.pass_time(minutes=1)
    drop(crossed, against(crossed))
    crossed.pass_time(seconds=1)
    assert is_held(crossed)


@pytest.mark.parametrize("times", [1, 2])
def test_a_hold_that_was_ended_lets_one_permit_follow(crossed: World, times: int) -> None:
    """The permits of a verdict: one, and one for each hold since."""
    crossed.add_evidence()
    permitted(crossed)
    for _ in range(times):
        crossed.pass_time(minutes=1)
        drop(crossed, against(crossed))
        crossed.pass_time(minutes=1)
        assert is_held(crossed)
        crossed.add_piece(on_api(crossed))
        packet = packet_on(crossed)
        sign_all(crossed, packet)
        given = permit_on(crossed, packet)
        report = crossed.state.report_of(packet)
        for seen in (crossed.state.length - 1, crossed.state.index_of[digest_of(given)]):
            again = r.PermitRequest(
                at=crossed.now, by="mallory", stamp=crossed.desk.stamp, purpose=Scope.TRAINING,
                run_id=RUN, verdict=report.verdict, packet=r.RecordRef(record=packet),
                hold=report.hold, seen_index=seen,
            )  # fmt: skip
            with pytest.raises(Refused):
                crossed.desk.ask(again)
    assert (
        len([one for one in crossed.state.runs[RUN].permits.values() if one.checkpoint])
        == times + 1
    )
    assert verify_store(crossed.store).problems == []


def test_a_filed_document_is_refuted_without_an_attachment(tmp_path: Path) -> None:
    world = with_document(tmp_path)
    assert holds(world)
    world.pass_time(minutes=1)
    drop(world, document_piece(world, shows=False, attachments=[], statement="it is wrong"))
    assert not holds(world)


def test_a_filed_document_is_taken_back_by_what_replaces_it(tmp_path: Path) -> None:
    world = with_document(tmp_path)
    filed = world.add_piece(document_piece(world, statement="signed"))
    (unsigned,) = [
        key for key, one in world.state.evidence.items()
        if one.standard == "case" and key != filed
    ]  # fmt: skip
    world.pass_time(minutes=1)
    taken = {"shows": False, "attachments": [], "statement": "taken back"}
    assert code(world, drop(world, document_piece(world, supersedes=unsigned, **taken)))
    world.add_piece(document_piece(world, supersedes=filed, **taken))
    assert not holds(world)


# Independence, signatures, probes


@pytest.mark.parametrize(
    "change",
    [
        {"collector": "simulated-second-line"},
        {"collector": "probe canary"},
        {"collector": "probe canary", "type": "canary-probe"},
        {"collector": " simulated-second-line"},
    ],
)
def test_a_name_alone_verifies_nothing(crossed: World, change: dict[str, Any]) -> None:
    crossed.add_evidence(leave_out="answers-monitored")
    crossed.add_piece(piece_for(crossed, "answers-monitored", "toy-app"))
    drop(crossed, on_api(crossed, **change))
    assert not holds(crossed)


def test_a_signature_stands_for_one_piece_only(crossed: World) -> None:
    signed = crossed.state.expect(crossed.add_piece(on_api(crossed)), r.Evidence)
    for changes in (
        {"surfaces": ["toy-app"]}, {"collected_at": crossed.now + timedelta(seconds=1)},
        {"criterion": "monitor-alive"}, {"simulated": False}, {"shows": False},
        {"checkpoint": "sha256:" + "1" * 64}, {"expires_at": crossed.now + timedelta(days=99)},
    ):  # fmt: skip
        told = signed.model_copy(update={"evidence": signed.evidence.model_copy(update=changes)})
        digest = write_record(crossed.store, told)
        crossed.notary.step()
        assert code(crossed, digest) == "bad_signature"


def probe_piece(world: World, **more: Any) -> SafeguardEvidence:
    """What the planned canary would write."""
    at = more.pop("started_at", more.get("collected_at", world.now))
    run = ProbeRun(id="canary", probe="http.canary", started_at=at, seconds=more.pop("seconds", 1))
    plain = {"type": "canary-probe", "collector": "probe canary", "probe": run, "simulated": False}
    return on_api(world, **plain | more)


@pytest.mark.parametrize(
    "more",
    [
        {"started_at": -timedelta(days=6)},
        {"started_at": timedelta(days=6)},
        {"collected_at": -timedelta(days=6), "started_at": timedelta(0)},
        {"seconds": 1e9},
        {"surfaces": ["toy-api", "toy-api"]},
        {"type": "monitoring-drill"},
        {"collector": "probe canary "},
        {"collected_at": timedelta(days=1)},
    ],
    ids=["begun long before", "begun later", "collected before it began", "ran for thirty years",
         "a surface twice", "another type", "another name", "in the future"],
)  # fmt: skip
def test_a_probe_says_just_what_a_run_of_it_would(crossed: World, more: dict[str, Any]) -> None:
    moved = {
        key: crossed.now + one if isinstance(one, timedelta) else one for key, one in more.items()
    }
    assert code(crossed, drop(crossed, probe_piece(crossed, **moved))) is not None


def test_what_a_probe_of_an_older_suite_saw_counts_no_more(crossed: World) -> None:
    """The new suite does not plan that probe: nobody adopted what it looks at."""
    drop(crossed, probe_piece(crossed))
    rules = crossed.desk.rulebook.in_force(crossed.state)
    assert rules is not None
    assert "answers-monitored toy-api met" in outcomes(crossed)
    crossed.pass_time(seconds=1)
    crossed.adopt(crossed.policy, changed(SUITE_BYTES, with_a_drill, _next_version))
    assert "answers-monitored toy-api met" not in outcomes(crossed)


def _next_version(plain: dict[str, Any]) -> None:
    plain["version"] = "1.1"


def outcomes(world: World) -> list[str]:
    rules = world.desk.rulebook.in_force(world.state)
    assert rules is not None
    judged = judge_in_general(world.state, rules, "toy-asl-3", at=world.now)
    return [f"{one.requirement} {one.surface} {one.outcome}" for one in judged.criteria]


# Not applicable


def test_an_exemption_of_one_person_with_two_signatures_or_of_another_text_is_none(
    crossed: World,
) -> None:
    exemption = Exemption(
        standard="toy-asl-3", criterion="monitor-alive", surface="toy-api", because="no such thing",
        claimed_at=crossed.now, until=crossed.now + timedelta(days=3),
    )  # fmt: skip
    other = exemption.model_copy(update={"surface": "toy-app"})
    keys = {one: KeyFile(crossed.folders.officer(one)) for one in ("rso", "ceo", "board")}

    def told(claimed: Any, accepted: Any, said: Exemption = exemption) -> str | None:
        record = r.Exempted(
            at=crossed.now, by="mallory", stamp=crossed.desk.stamp, exemption=said,
            claimed=claimed, accepted=accepted,
        )  # fmt: skip
        digest = write_record(crossed.store, record)
        crossed.notary.step()
        return code(crossed, digest)

    rso, ceo, board = (one.sign(exemption_statement(exemption)) for one in keys.values())
    assert told(rso, rso) == "not_distinct"
    assert told(rso, board) == "wrong_office"
    assert told(rso, keys["ceo"].sign(exemption_statement(other))) == "bad_signature"
    assert told(rso, ceo, other) == "bad_signature"
    trainer = KeyFile(crossed.folders.trainer)
    assert told(trainer.sign(exemption_statement(exemption)), ceo) == "bad_signature"
    assert told(rso, ceo) is None
    both = r.Envelope(
        payload=rso.payload, payloadType=rso.payloadType,
        signatures=[*rso.signatures, *ceo.signatures],
    )  # fmt: skip
    assert told(both, ceo) == "bad_signature"


def test_exempting_everything_holds_nothing(crossed: World) -> None:
    for one in pieces(crossed):
        exempt(crossed, one.criterion, (one.surfaces or ["organisation"])[0])
    assert not holds(crossed)


# Interim measures


def replaced_all(world: World) -> list[dict[str, Any]]:
    rows = [(one.criterion, (one.surfaces or ["organisation"])[0]) for one in pieces(world)]
    weights = [one for one in rows if one[0].startswith("weights")]
    answers = [one for one in rows if not one[0].startswith("weights")]
    return [
        measure("locked-away", "isolate_weights", *weights),
        measure("all-blocked", "block_responses", *answers),
    ]


def show_measures(world: World, **more: Any) -> list[str]:
    about = world.state.expect(verdict_of(world), r.Verdict).checkpoint.record
    checkpoint = world.state.expect(about, r.Checkpoint).digest
    plain = {
        "standard": "interim-measures", "type": "measure-check", "shows": True,
        "statement": "it is so", "collected_at": world.now, "collector": "x",
        "checkpoint": checkpoint, "simulated": True,
    } | more  # fmt: skip
    return [
        world.add_piece(SafeguardEvidence.model_validate(plain | {"criterion": one}))
        for one in ("locked-away", "all-blocked")
    ]


def judged_with(world: World, plan: str) -> bool:
    return safeguarding.judge(world.desk, verdict_of(world), plan)[1].holds


def test_the_packet_says_that_measures_stand_in_and_what_they_are(crossed: World) -> None:
    """Who determines on it approves of the measures; so it has to show them."""
    plan_measures(crossed, verdict_of(crossed), *replaced_all(crossed))
    show_measures(crossed)
    text = signing_off.text_of(crossed.desk, report_on(crossed))
    assert "it assures as much" in text
    assert "Interim measures stand in" in text


def test_a_plan_of_another_verdict_or_of_nobody_stands_in_for_nothing(crossed: World) -> None:
    plan = plan_measures(crossed, verdict_of(crossed), *replaced_all(crossed))
    show_measures(crossed)
    state = crossed.state
    record = safeguarding.judge(crossed.desk, verdict_of(crossed))[1]
    assert record.holds
    for other in (verdict_of(crossed), "sha256:" + "9" * 64):
        digest = write_record(
            crossed.store, record.model_copy(update={"interim": r.RecordRef(record=other)})
        )
        crossed.notary.step()
        assert code(crossed, digest) in ("unknown_reference", "invalid_document", "not_derivable")
    assert state.expect(plan, r.InterimPlan)
    digest = write_record(crossed.store, record.model_copy(update={"interim": None}))
    crossed.notary.step()
    assert code(crossed, digest) == "not_derivable"


# Reports, judgements, approvals, attestations


def test_a_judgement_dated_before_a_refutation_is_not_made_after_it(crossed: World) -> None:
    crossed.add_evidence()
    crossed.pass_time(minutes=1)
    before = crossed.now
    crossed.pass_time(minutes=5)
    crossed.add_piece(against(crossed))
    state, rules = crossed.state, signing_off.rules_of(crossed.desk, verdict_of(crossed))
    asked = Asked(verdict=verdict_of(crossed), ledger_index=state.length - 1, at=before)
    standards, hold = judge_required(state, rules, asked)
    assert hold  # as of then; but all evidence there is says otherwise
    digest = write_record(
        crossed.store,
        r.SafeguardsJudgement(
            at=before, by="mallory", stamp=crossed.desk.stamp, interim=None, holds=True,
            verdict=r.RecordRef(record=verdict_of(crossed)), ledger_index=state.length - 1,
            standards=standards,
        ),
    )  # fmt: skip
    crossed.notary.step()
    assert code(crossed, digest) == "back_dated"


def test_a_judgement_from_fewer_evidence_is_refused(crossed: World) -> None:
    crossed.add_evidence()
    index = crossed.state.length - 1
    crossed.add_piece(against(crossed))
    state, rules = crossed.state, signing_off.rules_of(crossed.desk, verdict_of(crossed))
    asked = Asked(verdict=verdict_of(crossed), ledger_index=index, at=crossed.now)
    standards, hold = judge_required(state, rules, asked)
    plain = r.SafeguardsJudgement(
        at=crossed.now, by="mallory", stamp=crossed.desk.stamp, interim=None, holds=hold,
        verdict=r.RecordRef(record=verdict_of(crossed)), ledger_index=index, standards=standards,
    )  # fmt: skip
    expected = {index: "stale_index", state.length - 1: "not_derivable", 10**9: "not_derivable"}
    for said, refusal in expected.items():
        digest = write_record(crossed.store, plain.model_copy(update={"ledger_index": said}))
        crossed.notary.step()
        assert code(crossed, digest) == refusal


def test_a_new_report_on_an_old_judgement_is_refused(crossed: World) -> None:
    """An approval's time runs from the report; a month later nothing of it need be so."""
    crossed.add_evidence()
    digest, judged = safeguarding.judge(crossed.desk, verdict_of(crossed))
    assert judged.holds
    crossed.pass_time(days=40)
    with pytest.raises(Refused):
        safeguarding.write_report(crossed.desk, digest)


def test_a_report_on_what_was_refuted_since_is_refused(crossed: World) -> None:
    crossed.add_evidence()
    digest, _ = safeguarding.judge(crossed.desk, verdict_of(crossed))
    crossed.pass_time(seconds=30)
    drop(crossed, against(crossed))
    with pytest.raises(Refused):
        safeguarding.write_report(crossed.desk, digest)


def attested(world: World, report: str) -> dict[str, Any]:
    content = world.store.get(reverifying.attestation_of(world.desk, report))
    assert content is not None
    said: dict[str, Any] = json.loads(base64.b64decode(json.loads(content)["payload"]))
    predicate: dict[str, Any] = said["predicate"]
    return predicate


def test_an_approval_of_a_report_that_evidence_has_overtaken_attests_nothing(
    crossed: World,
) -> None:
    crossed.add_evidence()
    report, _ = reported(crossed, verdict_of(crossed))
    crossed.pass_time(minutes=1)
    crossed.add_piece(against(crossed))
    crossed.pass_time(minutes=1)
    try:
        approve(crossed, report)
        said = attested(crossed, report)["verificationResult"]
    except Refused:
        return
    assert said == "FAILED"


def test_the_approval_of_what_does_not_hold_attests_nothing(crossed: World) -> None:
    crossed.add_evidence(leave_out="monitor-alive")
    report, judged = reported(crossed, verdict_of(crossed))
    assert not judged.holds
    approve(crossed, report)
    with refused("not_approved"):
        attested(crossed, report)
    with refused("answered_already"):
        say(crossed, "safeguards_approval", report, "rso", "approve", reason="once more")
    with refused("safeguards_not_verified"):
        permitted(crossed)


def one_of_two(plain: dict[str, Any]) -> None:
    plain["sign_off"]["quorum"] = 1


@pytest.fixture
def quorum(tmp_path: Path) -> World:
    """One officer of two suffices; the safeguards are shown."""
    world = World(tmp_path / "quorum", policy=changed(POLICY_BYTES, one_of_two))
    world.gate()
    world.assess(2, addition=190)
    world.add_evidence()
    return world


def test_a_rejected_report_is_not_approved_under_another_name(quorum: World) -> None:
    report, _ = reported(quorum, verdict_of(quorum))
    say(quorum, "safeguards_approval", report, "ceo", "reject", reason="I saw it myself")
    quorum.pass_time(seconds=1)
    record = quorum.state.expect(report, r.SafeguardsReport)
    with refused("already_counted"):
        quorum.desk.submit(record.model_copy(update={"at": quorum.now, "by": "mallory"}))


def test_a_rejected_judgement_is_not_approved_as_a_new_one(quorum: World) -> None:
    """The same evidence judged again a second later, put before the other officer."""
    report, _ = reported(quorum, verdict_of(quorum))
    say(quorum, "safeguards_approval", report, "ceo", "reject", reason="I saw it myself")
    quorum.pass_time(seconds=1)
    again, _ = reported(quorum, verdict_of(quorum))
    assert again != report
    try:
        say(quorum, "safeguards_approval", again, "rso", "approve")
        said = attested(quorum, again)["verificationResult"]
    except Refused:
        return
    assert said == "FAILED"


def test_what_an_officer_rejected_lets_nothing_go_on_without_that_officer(quorum: World) -> None:
    report, _ = reported(quorum, verdict_of(quorum))
    say(quorum, "safeguards_approval", report, "ceo", "reject", reason="I saw it myself")
    quorum.pass_time(seconds=1)
    packet = packet_on(quorum)
    determine(quorum, packet, "rso")
    receive_all(quorum, packet)
    with pytest.raises(Refused):
        permit_on(quorum, packet)


def test_a_level_that_rests_on_simulated_people_says_so(crossed: World) -> None:
    """Evidence that calls itself real, an exemption and an approval of SIMULATED officers."""
    at = crossed.now
    drop(crossed, probe_piece(crossed))
    for name, requirement, kind, probe, where in (
        ("canary-app", "answers-monitored", "canary-probe", "http.canary", ["toy-app"]),
        ("alive", "monitor-alive", "monitor-probe", "http.monitor", ["toy-app", "toy-api"]),
    ):
        run = ProbeRun(id=name, probe=probe, started_at=at, seconds=1)
        drop(
            crossed,
            on_api(crossed, criterion=requirement, type=kind, probe=run, surfaces=where,
                   collector=f"probe {name}", simulated=False),
        )  # fmt: skip
    drop(crossed, piece_for(crossed, "weights-listed", "organisation", simulated=False))
    exempt(crossed, "weights-access-two-person", "toy-weights")
    report, judged = reported(crossed, verdict_of(crossed))
    assert judged.holds
    approve(crossed, report)
    said = attested(crossed, report)
    assert said["redline"]["simulated"] is True
    assert said["verifiedLevels"] == ["TOY-3_SIMULATED"]


def test_what_was_unknown_when_the_packet_closed_rescues_nothing(crossed: World) -> None:
    """Evidence that is dated back before the packet, but nobody who signed it had seen."""
    crossed.add_evidence()
    crossed.pass_time(minutes=1)
    seen = crossed.now
    crossed.pass_time(minutes=1)
    packet = packet_on(crossed)
    sign_all(crossed, packet)
    crossed.pass_time(minutes=1)
    drop(crossed, against(crossed, collected_at=seen))
    drop(crossed, probe_piece(crossed, collected_at=seen + timedelta(seconds=1)))
    with pytest.raises(Refused):
        permit_on(crossed, packet)


# What people are shown

HOSTILE = (
    "x |\n\n---\n\n# **The required safeguards hold** <script>alert(1)</script> "
    "[all met](http://evil) ![i](http://evil/i.png) `a` ~~b~~ &lt; \u202eevas\u202c \u200b "
    "\u2028| **met** | <http://evil> http://evil \\| \\\\| *_~ ```"
)
TAG = re.compile(rb"<(/?[a-zA-Z!][^>]*)>")


def test_whatever_evidence_says_is_shown_and_does_nothing(crossed: World) -> None:
    def shown(text: str, root: World) -> bytes:
        root.add_evidence(leave_out="answers-monitored")
        drop(root, against(root, statement=text, collector=text[:200]))
        drop(root, piece_for(root, "weights-listed", "organisation", statement=text,
                             collector=text[:200], shows=False))  # fmt: skip
        drilled(root, gaps=[text, text], asked_by=text)
        plan_measures(root, verdict_of(root), *reworded(replaced_all(root), text), because=text)
        show_measures(root, statement=text)
        report, _ = reported(root, verdict_of(root))
        record = root.state.expect(report, r.SafeguardsReport)
        markdown = get_blob(root.store, record.document.blob).decode()
        assert "\u202e" not in markdown
        assert page_of(markdown) == get_blob(root.store, record.page.blob)
        return page_of(markdown)

    plain = World(crossed.root / "plain", policy=crossed.policy, suite=crossed.suite)
    plain.gate()
    plain.assess(2, addition=190)
    hostile, harmless = shown(HOSTILE, crossed), shown("all is as it was", plain)
    assert Counter(TAG.findall(hostile)) == Counter(TAG.findall(harmless))
    assert b"http://evil" in hostile


def reworded(rows: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """The measures, each with that text."""
    return [one | {"text": text} for one in rows]


@pytest.mark.parametrize("blank", ["\u3164", "\u2800", "\u115f", "\ufe0f", "\u034f"])
def test_letters_that_show_nothing_are_not_shown_as_text(crossed: World, blank: str) -> None:
    drop(crossed, against(crossed, statement=blank * 40))
    report, _ = reported(crossed, verdict_of(crossed))
    document = crossed.state.expect(report, r.SafeguardsReport).document
    assert blank not in get_blob(crossed.store, document.blob).decode()


def test_an_identifier_is_shown_as_it_is(crossed: World) -> None:
    """`a._b_` is an allowed identifier and emphasis in Markdown."""
    name = "all._blocked_"
    rows = replaced_all(crossed)
    rows[0]["replaces"] = [{"standard": "toy-asl-3", "requirement": name, "surface": name}]
    plan = plan_measures(crossed, verdict_of(crossed), *rows)
    digest, _ = safeguarding.judge(crossed.desk, verdict_of(crossed), plan)
    document = crossed.state.expect(
        safeguarding.write_report(crossed.desk, digest), r.SafeguardsReport
    ).page
    assert name.encode() in get_blob(crossed.store, document.blob)


# Load, and content that nobody expects


def test_a_drill_is_as_long_as_people_can_read(crossed: World) -> None:
    for changes in (
        {"gaps": ["x" * 100_000]},
        {"gaps": ["gap"] * 10_000},
        {"asked_by": "x" * 100_000},
    ):
        with pytest.raises(Refused):
            drilled(crossed, **changes)


def test_a_drill_of_simulated_people_says_so(crossed: World) -> None:
    with pytest.raises(Refused):
        drilled(crossed, simulated=False)


def test_a_plan_is_as_long_as_people_can_read(crossed: World) -> None:
    for change in ({"because": "x" * 100_000}, {"text": "x" * 100_000}):
        rows = replaced_all(crossed)
        text = change.get("text", "instead")
        with pytest.raises(Refused):
            plan_measures(
                crossed, verdict_of(crossed), *reworded(rows, text),
                because=change.get("because", "it assures as much"),
            )  # fmt: skip


def test_evidence_names_no_more_files_than_anybody_would_read(crossed: World) -> None:
    """The notary reads them again for each judgement."""
    ref = put_blob(crossed.store, b"x" * 1000, name="x")
    many = [BlobRef(blob=ref.blob, bytes=ref.bytes, name=f"file {n}") for n in range(5000)]
    assert code(crossed, drop(crossed, against(crossed, attachments=many))) == "too_long"


def test_evidence_against_another_standard_costs_no_judgement_at_each_look(
    crossed: World,
) -> None:
    crossed.add_evidence()
    permitted(crossed)
    crossed.pass_time(seconds=1)
    drop(crossed, against(crossed, standard="something-else"))
    rules = crossed.desk.rulebook.in_force(crossed.state)
    assert rules is not None
    looked: list[str] = []

    class Looking(Rules):
        def requirements_of(self, standard_id: str) -> CatalogueStandard | None:
            looked.append(standard_id)
            return Rules.requirements_of(self, standard_id)

    looking = Looking(rules.policy, rules.suite, rules.catalogues)
    for _ in range(5):
        assert not holds_due(
            crossed.state, looking, lambda _: looking, stamp=crossed.desk.stamp, at=crossed.now
        )
    assert len(looked) <= 1


def test_thousands_of_pieces_are_judged_in_time() -> None:
    names = [f"r{n}" for n in range(500)]
    where = [f"s{n}" for n in range(8)]
    kinds = ["api"]
    plan = SafeguardPlan.model_validate(
        {"surfaces": [{"id": one, "kind": "api", "owner": "o", "text": "t"} for one in where]}
    )
    standard = Standard(
        id="big", clause="1", level="L", text="t",
        criteria=[Criterion(id=one, clause="1", part="security", text="t", evidence="e",
                            max_age_days=9) for one in names],
    )  # fmt: skip
    said = CatalogueStandard(
        standard="big", defined=True,
        requirements=[Requirement(id=one, criterion=one, clause="1", shown="t", evidence=["e"],
                                  surfaces=kinds, max_age_days=9, verifier="independent")
                      for one in names],
    )  # fmt: skip
    evidence = {}
    for number in range(8000):
        digest = "sha256:" + f"{number:064x}"
        evidence[digest] = Shown(
            SafeguardEvidence(
                standard="big", criterion="r0" if number < 4000 else names[number % 500],
                type="e", shows=True, statement="s", collected_at=START, collector="x",
                surfaces=where, simulated=True,
                supersedes=None if number < 4000 else "sha256:" + f"{number - 4000:064x}",
            ),
            by="outsider",
        )  # fmt: skip
    begun = time.perf_counter()
    judged = judge_standard(standard, said, Basis(plan=plan, evidence=evidence, at=START))
    assert time.perf_counter() - begun < 3
    assert judged.holds


def test_a_policy_without_a_document_that_a_permit_rests_on_does_not_stop_the_notary(
    tmp_path: Path,
) -> None:
    """A version without the document keeps the permit; one piece against it, and nobody holds."""
    world = with_document(tmp_path)
    permitted(world)
    world.pass_time(seconds=1)
    refuting = against(world)
    world.adopt(changed(POLICY_BYTES, _next_version))
    world.pass_time(seconds=1)
    add_evidence(world.store, refuting, by="mallory", at=world.now)
    world.notary.step()
    assert is_held(world)


def test_a_report_stays_short_whatever_evidence_says(crossed: World) -> None:
    """The notary writes and renders it again: three seconds for a megabyte of such signs."""
    for one in pieces(crossed):
        refuting = {"shows": False, "statement": "*" * 4000}
        drop(crossed, SafeguardEvidence.model_validate(one.model_dump() | refuting))
    report, _ = reported(crossed, verdict_of(crossed))
    assert crossed.state.expect(report, r.SafeguardsReport).document.bytes < 20_000


def test_what_refutes_it_for_this_checkpoint_holds_a_run_that_needs_the_standard(
    tmp_path: Path,
) -> None:
    """A standard that the pretraining monitor asks for, shown in general, refuted for this one."""
    world = World(tmp_path / "monitored", policy=changed(POLICY_BYTES, _monitored))
    world.gate()
    world.assess(2, addition=190)
    world.add_evidence()
    world.gate("run-2")
    _second_run(world)
    assert not world.state.runs["run-2"].holds_in_force
    (made,) = world.state.runs["run-2"].checkpoints.values()
    world.pass_time(seconds=1)
    drop(world, against(world, checkpoint=made.digest))
    world.pass_time(seconds=1)
    assert world.state.runs["run-2"].holds_in_force


def _monitored(plain: dict[str, Any]) -> None:
    plain["pretraining_monitor"] = {"clause": "toylab 3.3", "ratio": 1, "standard": "toy-asl-3"}


def _second_run(world: World) -> None:
    folder = world.root / "checkpoints" / "run-2" / "x3"
    folder.mkdir(parents=True)
    (folder / "weights.npz").write_bytes(b"other")
    declared = Declared(
        run_id="run-2", checkpoint_id="x3", parent=None, step=48, training_flop=X * 3,
        algorithmic_efficiency=1.0, created_at=world.now,
    )  # fmt: skip
    publish(folder, declared, ["weights.npz"], variants={"final": "weights.npz"})
    registration.register_new(world.desk)
    world.notary.step()


def _one_document(plain: dict[str, Any]) -> None:
    plain["red_lines"][0]["required_documents"] = ["case"]
    plain["documents"] = [
        {"id": "case", "clause": "toylab 1.2", "required": "red_line", "text": "why",
         "max_age_days": 30, "sections": [{"id": "risks", "text": "risks"}]}
    ]  # fmt: skip


def document_piece(world: World, **more: Any) -> SafeguardEvidence:
    (checkpoint,) = world.state.runs[RUN].checkpoints.values()
    plain = {
        "standard": "case", "criterion": "risks", "type": "case", "shows": True,
        "statement": "written", "collected_at": world.now, "collector": "test",
        "checkpoint": checkpoint.digest, "simulated": True,
        "attachments": [put_blob(world.store, b"the text", name="case.md")],
    } | more  # fmt: skip
    return SafeguardEvidence.model_validate(plain)


def with_document(root: Path) -> World:
    """A crossed line that asks for a document as well; everything is shown and filed."""
    world = World(root / "papers", policy=changed(POLICY_BYTES, _one_document))
    world.gate()
    world.assess(2, addition=190)
    world.add_evidence()
    drop(world, document_piece(world))
    return world
