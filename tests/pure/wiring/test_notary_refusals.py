"""The notary's refusals: each way to get a permit that should not exist (DESIGN I2, I5, I8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.adapters.ledger import write_record
from include.adapters.signing import KeyFile
from include.rsp import records as r
from include.rsp.attestation import Predicate, statement
from include.rsp.canonical import canonical_bytes, digest_of, iso
from include.rsp.errors import NotaryUnreachable, Refused
from include.rsp.vocabulary import Outcome, RedLineStatus
from include.wiring import assessment, safeguarding
from tests.support.factories import POLICY_BYTES, X, changed
from tests.support.world import RUN, World, unanswered


def request(world: World, verdict: str, **changes: Any) -> r.PermitRequest:
    plain: dict[str, Any] = {
        "at": world.now,
        "by": "test",
        "stamp": world.desk.stamp,
        "run_id": RUN,
        "verdict": {"record": verdict},
        "packet": None,
        "determinations": [],
        "hold": None,
        "seen_index": world.state.length - 1,
    }
    return r.PermitRequest.model_validate(plain | changes)


def ask(world: World, verdict: str, **changes: Any) -> r.Permit:
    digest = world.desk.ask(request(world, verdict, **changes))
    return world.state.expect(digest, r.Permit)


def refused(world: World, code: str, verdict: str, **changes: Any) -> None:
    permits = len(world.state.runs[RUN].permits)
    with pytest.raises(Refused) as caught:
        ask(world, verdict, **changes)
    assert caught.value.code == code, caught.value
    assert len(world.state.runs[RUN].permits) == permits
    last = list(world.state.records.values())[-1]
    assert isinstance(last, r.Refusal)
    assert last.code == code


@pytest.fixture
def held(world: World) -> World:
    """A run that is held because its red line was crossed."""
    world.gate()
    world.assess(4, addition=190)
    return world


def verdict_of(world: World) -> str:
    newest = world.state.runs[RUN].newest_verdict
    assert newest is not None
    return newest[0]


def hold_of(world: World) -> str:
    return next(iter(world.state.runs[RUN].holds_in_force))


def closed_packet(world: World) -> str:
    judgement, _ = safeguarding.judge(world.desk, verdict_of(world))
    return safeguarding.close_packet(world.desk, judgement, hold_of(world), author="test")[0]


def signed(world: World, packet: str, **decisions: str) -> list[dict[str, str]]:
    chosen = decisions or {"rso": "proceed", "ceo": "proceed"}
    return [
        {
            "record": safeguarding.record_determination(
                world.desk, packet, office, world.sign(packet, office, decision=decision)
            )
        }
        for office, decision in chosen.items()
    ]


def released(world: World, packet: str, **changes: Any) -> dict[str, Any]:
    plain = {
        "packet": {"record": packet},
        "hold": {"record": hold_of(world)},
        "determinations": signed(world, packet),
    }
    return plain | changes


def test_a_verdict_to_continue_gets_a_permit_with_the_policys_ceiling(world: World) -> None:
    world.gate()
    permit = ask(world, world.assess(1))
    assert permit.ceiling_flop == pytest.approx(6 * X)
    assert permit.due_flop == pytest.approx(4 * X)


def test_a_task_marked_success_by_hand_mints_nothing(world: World) -> None:
    """Nothing but records count: without the stages' records there is no verdict to ask with."""
    world.gate()
    world.publish(1)
    key = world.due()
    assessment.plan(world.desk, key)
    with pytest.raises(Refused, match="no verdict"):
        assessment.request_permit(world.desk, key)
    plan = world.state.assessments[key].plan
    refused(world, "invalid_document", str(plan))


def test_a_sign_off_marked_success_by_hand_mints_nothing(held: World) -> None:
    held.add_evidence()
    packet = closed_packet(held)
    with pytest.raises(Refused) as caught:
        safeguarding.release(held.desk, packet, {"rso": None, "ceo": None})
    assert caught.value.code == "signature_missing"
    refused(
        held, "signature_missing", verdict_of(held), **released(held, packet, determinations=[])
    )


def test_a_forged_verdict_is_not_chained_and_no_permit_follows(held: World) -> None:
    newest = held.state.runs[RUN].newest_verdict
    assert newest is not None
    honest = newest[1].decision
    held.publish(16)
    held.pass_time(seconds=1)
    world = held
    # a second assessment whose evidence says crossed, whose verdict says continue
    from include.wiring import registration

    registration.register_new(world.desk)
    (key,) = registration.raise_due_occasions(world.desk)
    world.evaluate(key, addition=200)
    checkpoint, _ = world.state.checkpoint_of(key)
    validation = world.state.assessments[key].validation
    assert validation is not None
    calm = {"status": RedLineStatus.RULED_OUT, "outcome": Outcome.CONTINUE}
    line = honest.red_lines[0].model_copy(update=calm)
    forged = r.Verdict(
        at=world.now,
        by="mallory",
        stamp=world.desk.stamp,
        assessment_id=key,
        plan=world.desk.plan_of(key),
        validation=r.RecordRef(record=validation),
        checkpoint=r.RecordRef(record=checkpoint),
        decision=honest.model_copy(
            update={"recommendation": Outcome.CONTINUE, "red_lines": [line]}
        ),
        forecasts=[],
    )
    with pytest.raises(Refused) as caught:
        world.desk.submit(forged)
    assert caught.value.code == "not_derivable"
    refused(world, "unknown_reference", digest_of(forged))


def test_a_forged_permit_is_not_chained(world: World) -> None:
    gate = world.gate()
    ask(world, world.assess(1))
    newest = world.state.runs[RUN].newest_permit
    assert newest is not None
    forged = newest[1].model_copy(update={"ceiling_flop": 1e30})
    digest = write_record(world.store, forged)
    hidden = digest.removeprefix("sha256:")
    world.store.put_new(f"records/plan/{hidden}.json", canonical_bytes(forged))
    world.pass_time(seconds=1)
    assert digest not in world.state.index_of
    assert not gate.may_continue(1e20).allowed


@pytest.mark.parametrize("office", ["rso", "ceo"])
def test_a_missing_signature(held: World, office: str) -> None:
    held.add_evidence()
    packet = closed_packet(held)
    one = signed(held, packet, **{office: "proceed"})
    refused(
        held, "signature_missing", verdict_of(held), **released(held, packet, determinations=one)
    )


def test_a_signature_of_the_wrong_office(held: World) -> None:
    held.add_evidence()
    packet = closed_packet(held)
    text = held.sign(packet, "ceo", key="rso")
    with pytest.raises(Refused) as caught:
        safeguarding.record_determination(held.desk, packet, "ceo", text)
    assert caught.value.code == "wrong_packet"


def test_a_signature_under_another_packet(held: World) -> None:
    held.add_evidence()
    first = closed_packet(held)
    old = signed(held, first)
    held.pass_time(seconds=5)
    second = closed_packet(held)
    assert first != second
    refused(held, "wrong_packet", verdict_of(held), **released(held, second, determinations=old))


def test_the_wrong_packet_digest_in_a_signature(held: World) -> None:
    held.add_evidence()
    packet = closed_packet(held)
    text = held.sign("sha256:" + "0" * 64, "rso")
    with pytest.raises(Refused) as caught:
        safeguarding.record_determination(held.desk, packet, "rso", text)
    assert caught.value.code == "wrong_packet"


def test_a_determination_that_the_signer_did_not_sign(held: World) -> None:
    held.add_evidence()
    packet = closed_packet(held)
    digest = signed(held, packet, rso="hold")[0]["record"]
    honest = held.state.expect(digest, r.Determination)
    with pytest.raises(Refused) as caught:
        held.desk.submit(honest.model_copy(update={"decision": "proceed"}))
    assert caught.value.code == "bad_signature"


def test_an_officer_who_signs_to_hold(held: World) -> None:
    held.add_evidence()
    packet = closed_packet(held)
    answers = signed(held, packet, rso="proceed", ceo="hold")
    refused(
        held, "signed_to_hold", verdict_of(held), **released(held, packet, determinations=answers)
    )


def test_a_key_that_the_trust_root_does_not_know(held: World) -> None:
    held.add_evidence()
    packet = closed_packet(held)
    stranger = KeyFile.create(held.root / "stranger.pem")
    body = {"office": "rso", "decision": "proceed", "reason": "x", "signed_at": iso(held.now)}
    text = stranger.sign(statement(Predicate.DETERMINATION, packet, body)).model_dump_json()
    with pytest.raises(Refused) as caught:
        safeguarding.record_determination(held.desk, packet, "rso", text)
    assert caught.value.code == "bad_signature"


def test_a_signature_given_too_late(held: World) -> None:
    held.add_evidence()
    packet = closed_packet(held)
    held.pass_time(hours=25)
    refused(held, "signature_out_of_time", verdict_of(held), **released(held, packet))


def test_a_stale_ledger_index(world: World) -> None:
    world.gate()
    verdict = world.assess(1)
    refused(world, "stale_index", verdict, seen_index=1)
    refused(world, "stale_index", verdict, seen_index=world.state.length + 5)


def test_a_hold_in_force(held: World) -> None:
    held.add_evidence()
    packet = closed_packet(held)
    refused(held, "hold_in_force", verdict_of(held), **released(held, packet, hold=None))


def test_a_hold_in_force_beats_a_later_verdict_to_continue(held: World) -> None:
    from include.wiring import registration

    held.publish(16)
    registration.register_new(held.desk)
    (key,) = registration.raise_due_occasions(held.desk)
    held.evaluate(key, addition=0)
    verdict, record = assessment.reach_verdict(held.desk, key)
    assert record.decision.recommendation is Outcome.CONTINUE
    refused(held, "hold_in_force", verdict)


def test_safeguards_that_do_not_hold(held: World) -> None:
    held.add_evidence(leave_out="answers-monitored")
    packet = closed_packet(held)
    refused(held, "safeguards_not_verified", verdict_of(held), **released(held, packet))


def test_a_judgement_that_does_not_follow_from_the_evidence(held: World) -> None:
    digest, honest = safeguarding.judge(held.desk, verdict_of(held))
    assert not honest.holds
    with pytest.raises(Refused) as caught:
        held.desk.submit(honest.model_copy(update={"holds": True}))
    assert caught.value.code == "not_derivable"
    assert digest in held.state.records


def test_a_judgement_that_looks_away_from_newer_evidence(held: World) -> None:
    held.add_evidence()
    index = held.state.length - 1
    held.pass_time(seconds=1)
    held.add_evidence(shows=False)
    _, honest = safeguarding.judge(held.desk, verdict_of(held))
    with pytest.raises(Refused) as caught:
        held.desk.submit(honest.model_copy(update={"ledger_index": index}))
    assert caught.value.code == "stale_index"


def test_safeguards_whose_evidence_expired_after_the_judgement(held: World) -> None:
    held.add_evidence(collected_at=held.now - timedelta(days=7) + timedelta(hours=1))
    packet = closed_packet(held)
    given = released(held, packet)
    held.pass_time(hours=2)
    refused(held, "safeguards_stale", verdict_of(held), **given)


def test_the_packets_text_cannot_be_another_one(held: World) -> None:
    from include.adapters.store import put_blob

    packet = held.state.expect(closed_packet(held), r.Packet)
    other = put_blob(held.store, b"all is well", name="packet.md")
    with pytest.raises(Refused) as caught:
        held.desk.submit(packet.model_copy(update={"document": other}))
    assert caught.value.code == "not_derivable"


def test_a_verdict_that_is_not_the_newest(world: World) -> None:
    world.gate()
    first = world.assess(1)
    ask(world, first)
    world.assess(4)
    refused(world, "not_newest_verdict", first)


def test_a_run_that_nobody_announced(world: World) -> None:
    world.gate()
    verdict = world.assess(1)
    with pytest.raises(Refused) as caught:
        ask(world, verdict, run_id="run-2")
    assert caught.value.code == "unknown_run"


def test_a_policy_without_machine_determination_wants_signatures_even_to_continue(
    tmp_path: Any,
) -> None:
    def people_only(plain: dict[str, Any]) -> None:
        plain["machine_determination"]["outcomes"] = ["genesis"]

    world = World(tmp_path, policy=changed(POLICY_BYTES, people_only))
    world.gate()
    refused(world, "signature_missing", world.assess(1))


def test_a_genesis_permit_that_the_policy_leaves_to_people(tmp_path: Any) -> None:
    def people_only(plain: dict[str, Any]) -> None:
        plain["machine_determination"]["outcomes"] = []

    world = World(tmp_path, policy=changed(POLICY_BYTES, people_only))
    gate = world.gate()
    assert gate.may_continue(1.0).code == "no_permit"
    refusals = [one for one in world.state.records.values() if isinstance(one, r.Refusal)]
    assert [one.code for one in refusals] == ["signature_missing"]


def test_all_that_is_demanded_releases_the_hold(held: World) -> None:
    gate = held.gate()
    assert gate.may_continue(4.5 * X).code == "held"
    held.add_evidence()
    packet = closed_packet(held)
    permit = ask(held, verdict_of(held), **released(held, packet))
    assert permit.releases == r.RecordRef(record=next(iter(held.state.runs[RUN].holds)))
    assert permit.simulated
    assert gate.may_continue(4.5 * X).allowed


def test_the_same_counted_release_cannot_be_used_for_a_second_hold(held: World) -> None:
    held.add_evidence()
    packet = closed_packet(held)
    given = released(held, packet)
    verdict = verdict_of(held)
    ask(held, verdict, **given)
    refused(held, "no_such_hold", verdict, **given)


def test_without_a_notary_nothing_counts(world: World) -> None:
    world.gate()
    verdict = world.assess(1)
    with unanswered(world), pytest.raises(NotaryUnreachable, match="Is it running"):
        ask(world, verdict)


def test_a_record_under_another_digest_is_refused(world: World) -> None:
    world.gate()
    asked = request(world, world.assess(1))
    digest = write_record(world.store, asked)
    moved = "records/permit_request/" + "0" * 64 + ".json"
    content = world.store.get(f"records/permit_request/{digest.removeprefix('sha256:')}.json")
    assert content is not None
    world.store.put_new(moved, content)
    world.notary.step()
    assert moved in world.state.refused


def test_results_without_a_pre_flight(world: World) -> None:
    world.gate()
    world.publish(1)
    key = world.due()
    assessment.plan(world.desk, key)
    world.finish_jobs(key, {"maximum": 5})
    with pytest.raises(Refused) as caught:
        assessment.record_result(world.desk, key, "maximum")
    assert caught.value.code == "no_preflight"


def test_a_second_verdict_on_the_same_occasion(world: World) -> None:
    world.gate()
    digest = world.assess(1)
    honest = world.state.expect(digest, r.Verdict)
    world.now += timedelta(seconds=1)
    with pytest.raises(Refused) as caught:
        world.desk.submit(honest.model_copy(update={"at": world.now}))
    assert caught.value.code == "already_counted"


def test_a_notary_killed_between_any_two_passes_finds_what_is_left(world: World) -> None:
    """Level-triggered: a fresh notary does what is due, and nothing twice."""
    world.gate()
    world.start_notary()
    world.assess(4, addition=190)
    for _ in range(3):
        world.start_notary()
    run = world.state.runs[RUN]
    assert len(run.permits) == 1
    assert len(run.holds) == 1
