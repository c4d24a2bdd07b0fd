"""The notary's refusals: each way to get a permit that should not exist (DESIGN I2, I5, I8)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from include.adapters.ledger import write_record
from include.rsp import records as r
from include.rsp.canonical import canonical_bytes, digest_of
from include.rsp.errors import NotaryUnreachable, Refused
from include.rsp.vocabulary import Outcome, RedLineStatus
from include.wiring import assessment, safeguarding
from tests.support.begun import assessed
from tests.support.evaluated import record_result
from tests.support.factories import POLICY_BYTES, X, changed
from tests.support.people import newest_verdict, packet_on, sign_all
from tests.support.world import RUN, World, unanswered


def request(world: World, verdict: str, **changes: Any) -> r.PermitRequest:
    plain: dict[str, Any] = {
        "at": world.now,
        "by": "test",
        "stamp": world.desk.stamp,
        "purpose": "training",
        "run_id": RUN,
        "verdict": {"record": verdict},
        "packet": None,
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
    assert list(world.state.refusals.values())[-1].code == code


@pytest.fixture
def held(tmp_path: Path) -> World:
    """A run that is held because its red line was crossed."""
    return assessed(tmp_path, shown=False)


def hold_of(world: World) -> str:
    return next(iter(world.state.runs[RUN].holds_in_force))


def released(world: World, packet: str, **changes: Any) -> dict[str, Any]:
    return {"packet": {"record": packet}, "hold": {"record": hold_of(world)}} | changes


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


def test_a_signature_given_too_late(held: World) -> None:
    held.add_evidence()
    packet = packet_on(held)
    sign_all(held, packet)
    held.pass_time(hours=25)
    refused(held, "signature_out_of_time", newest_verdict(held), **released(held, packet))


def test_a_stale_ledger_index(world: World) -> None:
    world.gate()
    verdict = world.assess(1)
    refused(world, "stale_index", verdict, seen_index=1)
    refused(world, "stale_index", verdict, seen_index=world.state.length + 5)


def test_a_hold_in_force(held: World) -> None:
    held.add_evidence()
    packet = packet_on(held)
    sign_all(held, packet)
    refused(held, "hold_in_force", newest_verdict(held), **released(held, packet, hold=None))


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
    packet = packet_on(held)
    sign_all(held, packet)
    refused(held, "safeguards_not_verified", newest_verdict(held), **released(held, packet))


def test_a_judgement_that_does_not_follow_from_the_evidence(held: World) -> None:
    digest, honest = safeguarding.judge(held.desk, newest_verdict(held))
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
    _, honest = safeguarding.judge(held.desk, newest_verdict(held))
    with pytest.raises(Refused) as caught:
        held.desk.submit(honest.model_copy(update={"ledger_index": index}))
    assert caught.value.code == "stale_index"


def test_safeguards_whose_evidence_expired_after_the_judgement(held: World) -> None:
    held.add_evidence(collected_at=held.now - timedelta(days=7) + timedelta(hours=1))
    packet = packet_on(held)
    sign_all(held, packet)
    given = released(held, packet)
    held.pass_time(hours=2)
    refused(held, "safeguards_stale", newest_verdict(held), **given)


def test_the_packets_text_cannot_be_another_one(held: World) -> None:
    from include.adapters.store import put_blob

    packet = held.state.expect(packet_on(held), r.Packet)
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
    packet = packet_on(held)
    sign_all(held, packet)
    permit = ask(held, newest_verdict(held), **released(held, packet))
    assert permit.releases == r.RecordRef(record=next(iter(held.state.runs[RUN].holds)))
    assert permit.simulated
    assert gate.may_continue(4.5 * X).allowed


def test_the_same_counted_release_cannot_be_used_for_a_second_hold(held: World) -> None:
    held.add_evidence()
    packet = packet_on(held)
    sign_all(held, packet)
    given = released(held, packet)
    verdict = newest_verdict(held)
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
        record_result(world.desk, key, "maximum")
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
