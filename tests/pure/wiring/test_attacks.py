"""Attacks that once worked, found by reading the code cold. Each has to stay refused."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from client.envelopes import Sealer, TrustedKeys
from client.gate import LEASE, TrainingGate
from include.adapters import bootstrap
from include.adapters.ledger import write_record
from include.adapters.signing import KeyFile
from include.adapters.store import put_blob
from include.rsp import records as r
from include.rsp.attestation import Predicate, statement
from include.rsp.canonical import digest_of
from include.rsp.errors import InvalidDocument, Refused
from include.rsp.evaluation_plan import runs_of
from include.rsp.finding import Evidence, find
from include.rsp.occasion import assessment_id
from include.rsp.suite_fit import problems_between
from include.rsp.vocabulary import OccasionKind, Outcome
from include.wiring import assessment, evaluating, registration, signing_off
from tests.pure.wiring.test_notary_refusals import ask, hold_of, refused, released
from tests.support.begun import assessed
from tests.support.factories import (
    ADDITION,
    CHECKPOINT,
    POLICY_BYTES,
    START,
    SUITE_BYTES,
    X,
    changed,
    make_run,
    make_samples,
    toy_policy,
    toy_suite,
)
from tests.support.people import determine, newest_verdict, packet_on, permit_on, sign_all
from tests.support.world import RUN, World


@pytest.fixture
def held(tmp_path: Path) -> World:
    return assessed(tmp_path, shown=False)


def submitted(world: World, record: r.Record) -> str:
    with pytest.raises(Refused) as caught:
        world.desk.submit(record)
    return caught.value.code


def adoption(world: World, policy: bytes, offices: list[str], supersedes: str | None) -> r.Adoption:
    policy_ref = put_blob(world.store, policy, name="policy")
    suite_ref = put_blob(world.store, SUITE_BYTES, name="suite")
    body = {"suite": suite_ref.blob, "supersedes": supersedes}
    payload = statement(Predicate.ADOPTION, policy_ref.blob, body)
    keys = [KeyFile(world.folders.officer(office)) for office in offices]
    return r.Adoption(
        at=world.now,
        by="mallory",
        stamp=world.desk.stamp,
        policy=policy_ref,
        suite=suite_ref,
        signatures=[key.sign(payload) for key in keys],
    )


def rso_alone(plain: dict[str, Any]) -> None:
    plain["sign_off"]["roles"] = ["rso"]
    plain["version"] = "1.1"


def test_officers_cannot_take_over_the_policy_without_a_reviewed_proposal(world: World) -> None:
    in_force = world.state.adoption
    assert in_force is not None
    for offices in (["rso"], ["rso", "ceo"]):
        loose = adoption(world, changed(POLICY_BYTES, rso_alone), offices, in_force[0])
        assert submitted(world, loose) == "no_review"


def test_an_old_adoption_cannot_be_brought_back(world: World) -> None:
    first = world.state.adoption
    assert first is not None
    second = world.adopt(changed(POLICY_BYTES, rso_alone))
    world.adopt(changed(POLICY_BYTES, lambda plain: plain.update(version="1.2")))
    world.pass_time(seconds=1)
    replayed = first[1].model_copy(update={"at": world.now})
    assert submitted(world, replayed) == "no_review"
    again = second.model_copy(update={"at": world.now})
    assert submitted(world, again) == "superseded"


def test_a_verdict_on_another_runs_checkpoint_gives_no_permit(world: World) -> None:
    world.gate()
    world.gate("run-2")
    world.publish(100, run_id="run-2")
    registration.register_new(world.desk)
    (foreign,) = world.state.runs["run-2"].checkpoints
    with pytest.raises(Refused) as caught:
        registration.raise_occasion(world.desk, RUN, foreign, OccasionKind.OFFICER, "a swap")
    assert caught.value.code == "unknown_checkpoint"


def test_an_occasion_under_a_chosen_id_is_refused(world: World) -> None:
    world.gate()
    world.publish(1)
    key = world.due()
    honest = world.state.occasion(key)
    other = honest.model_copy(update={"assessment_id": "a-chosen", "reason": "mine"})
    assert submitted(world, other) == "wrong_id"
    assert key == assessment_id(
        checkpoint=honest.checkpoint.record,
        policy=honest.policy,
        suite=honest.suite,
        kind=honest.occasion,
        reason=honest.reason,
    )


def test_evidence_that_refutes_after_the_judgement_keeps_the_hold(held: World) -> None:
    held.add_evidence()
    packet = packet_on(held)
    sign_all(held, packet)
    given = released(held, packet)
    held.pass_time(seconds=2)
    held.add_evidence(shows=False)
    given["seen_index"] = held.state.length - 1
    refused(held, "safeguards_stale", newest_verdict(held), **given)


def test_a_later_signature_to_hold_cannot_be_left_out(held: World) -> None:
    held.add_evidence()
    packet = packet_on(held)
    sign_all(held, packet)
    given = released(held, packet)
    held.pass_time(seconds=2)
    determine(held, packet, "rso", "stricter")
    refused(held, "signed_to_hold", newest_verdict(held), **given)


def test_post_dated_evidence_is_refused(world: World) -> None:
    with pytest.raises(Refused) as caught:
        world.add_evidence(collected_at=world.now + timedelta(days=5))
    assert caught.value.code == "post_dated"


def test_a_decision_dated_back_is_refused(world: World) -> None:
    world.gate()
    world.publish(1)
    key = world.due()
    world.evaluate(key)
    then = world.now
    world.pass_time(days=5)
    world.desk.clock = lambda: then + timedelta(minutes=1)
    world.state.last_at = then
    with pytest.raises(Refused) as caught:
        assessment.reach_verdict(world.desk, key)
    assert caught.value.code == "back_dated"


def test_a_permit_on_safeguards_ends_with_their_evidence(held: World) -> None:
    held.add_evidence(collected_at=held.now - timedelta(days=7) + timedelta(hours=2))
    packet = packet_on(held)
    sign_all(held, packet)
    permit = ask(held, newest_verdict(held), **released(held, packet))
    assert permit.expires_at == held.now + timedelta(hours=2)
    held.pass_time(hours=2)
    assert held.gate().may_continue(4.5 * X).code == "lease_expired"


def test_asking_again_does_not_extend_a_permit(world: World) -> None:
    world.gate()
    verdict = world.assess(1)
    ask(world, verdict)
    world.pass_time(days=6)
    refused(world, "already_permitted", verdict)


def test_declaring_compute_beyond_the_ceiling_gets_no_machine_permit(world: World) -> None:
    world.gate()
    verdict = world.assess(50)
    refused(world, "signature_missing", verdict)


def test_a_slow_clock_does_not_stretch_a_lease(world: World) -> None:
    world.gate()
    ticks = [0.0]
    slow = TrainingGate(
        store=world.root / "store",
        run_id=RUN,
        keys=TrustedKeys.read(world.folders.trust_root),
        sealer=Sealer(world.folders.trainer),
        clock=lambda: world.now - timedelta(seconds=5),
        monotonic=lambda: ticks[0],
    )
    assert slow.may_continue(X).allowed
    ticks[0] = 19.0
    assert slow.may_continue(X).allowed
    ticks[0] = 21.0
    assert slow.may_continue(X).code == "lease_expired"


def test_a_clock_far_behind_the_notary_is_refused(world: World) -> None:
    gate = world.gate()
    world.now -= timedelta(hours=1)
    assert gate.may_continue(X).code == "clock_behind"


def test_a_held_run_is_released_on_its_newest_verdict(held: World) -> None:
    held.publish(16)
    registration.register_new(held.desk)
    (key,) = registration.raise_due_occasions(held.desk)
    held.evaluate(key, addition=190)
    assessment.reach_verdict(held.desk, key)
    held.notary.step()
    run = held.state.runs[RUN]
    assert len(run.holds_in_force) == 2
    assert [hold.epoch for hold in run.holds.values()] == [1, 2]
    held.add_evidence()
    packet = packet_on(held)
    assert signing_off.text_of(held.desk, packet).count("two-digit-addition crossed") > 1
    sign_all(held, packet)
    first = permit_on(held, packet)
    assert not held.state.runs[RUN].holds_in_force
    assert permit_on(held, packet) == first


def test_a_new_verdict_to_continue_can_end_a_hold_once_it_is_signed_for(held: World) -> None:
    held.publish(5)
    checkpoint = registration.register_by_name(held.desk, RUN, "x5")
    key = registration.raise_occasion(held.desk, RUN, checkpoint, OccasionKind.OFFICER, "again")
    held.evaluate(key, addition=0)
    verdict, record = assessment.reach_verdict(held.desk, key)
    assert record.decision.recommendation is Outcome.CONTINUE
    packet = packet_on(held, verdict)
    unsigned = {"packet": {"record": packet}, "hold": {"record": hold_of(held)}}
    refused(held, "signature_missing", verdict, **unsigned)
    sign_all(held, packet)
    assert permit_on(held, packet).releases is not None


def test_a_hostile_message_is_refused_and_the_notary_goes_on(world: World) -> None:
    gate = world.gate()
    sealer = Sealer(world.folders.trainer)
    folder = world.root / "store/runs" / RUN / "outbox"
    for body in ([], {"at": [], "run_id": 7}, {"run_id": RUN, "at": "never"}):
        content = sealer.seal(LEASE, "0" * 64, body if isinstance(body, dict) else {})
        if not isinstance(body, dict):
            envelope = KeyFile(world.folders.trainer).sign(b'{"predicate": [], "subject": [1]}')
            content = envelope.model_dump_json().encode()
        name = hashlib.sha256(content).hexdigest()
        (folder / f"{name}.json").write_bytes(content)
    world.pass_time(seconds=15)
    assert gate.may_continue(X).allowed
    refusals = [one for one in world.state.records.values() if isinstance(one, r.Refusal)]
    assert len(refusals) == 3


def test_a_worker_cannot_refuse_other_peoples_records(world: World) -> None:
    world.gate()
    verdict = world.assess(1)
    refusal = r.Refusal(
        at=world.now, by="mallory", stamp=world.desk.stamp, subject=digest_of({"a": 1}),
        code="no", message="no", reply_to=None, run_id=None,
    )  # fmt: skip
    assert submitted(world, refusal) == "notary_only"
    replying = refusal.model_copy(update={"subject": "checkpoint x", "reply_to": None})
    world.desk.submit(replying)
    assert submitted(
        world, replying.model_copy(update={"reply_to": r.RecordRef(record=verdict)})
    ) == "notary_only"  # fmt: skip


def test_a_badly_named_folder_does_not_stop_the_others(world: World) -> None:
    world.gate()
    world.publish(1)
    (world.root / "checkpoints" / RUN / "A Bad Name").mkdir()
    (world.root / "checkpoints" / "Bad Run" / "x").mkdir(parents=True)
    drained = registration.register_new(world.desk)
    assert drained.registered == ["run-1/x1"]
    assert len(drained.refused) == 2


def test_a_refusal_whose_cause_has_passed_does_not_stay(world: World) -> None:
    world.publish(1)
    assert registration.register_new(world.desk).refused
    world.gate()
    assert registration.register_new(world.desk).registered == ["run-1/x1"]


def test_a_notary_does_not_sign_on_after_its_ledgers_tail_is_gone(world: World) -> None:
    world.gate()
    ask(world, world.assess(1))
    for _ in range(8):
        max((world.root / "store/ledger").glob("*.json")).unlink()
    with pytest.raises(InvalidDocument, match="its tail is gone"):
        world.start_notary()


def test_another_trust_root_is_noticed_by_who_brings_the_own(world: World, tmp_path: Path) -> None:
    from include.adapters.verification import verify_store

    world.gate()
    other = bootstrap.make_trust_root(
        bootstrap.KeyFolders(tmp_path / "other"), ["rso"], simulated=True, at=world.now
    )
    assert verify_store(world.store, trust_root=world.state.trust).problems == []
    assert verify_store(world.store, trust_root=other).problems


def test_swapped_weights_are_not_evaluated(world: World) -> None:
    from include.adapters.inspect_job import _check_weights

    world.gate()
    folder = world.publish(1)
    key = world.due()
    assessment.plan(world.desk, key)
    request = evaluating.job_request(world.desk, key, "maximum")
    _check_weights(request)
    (folder / "weights.npz").write_bytes(b"xyz")
    with pytest.raises(RuntimeError, match="expected sha256"):
        _check_weights(request)


def test_a_record_that_nobody_chained_never_counts(world: World) -> None:
    world.gate()
    verdict = world.state.expect(world.assess(1), r.Verdict)
    other = verdict.model_copy(update={"assessment_id": "a-other"})
    digest = write_record(world.store, other)
    world.notary.step()
    assert digest not in world.state.index_of


def test_an_occasion_under_an_unknown_policy_is_refused(world: World) -> None:
    world.gate()
    world.publish(1)
    honest = world.state.occasion(world.due())
    other = honest.model_copy(update={"assessment_id": "a-x", "policy": "sha256:" + "0" * 64})
    assert submitted(world, other) == "unknown_policy"


def test_a_sample_that_ended_in_an_error_counts_as_if_the_capability_had_shown() -> None:
    suite = toy_suite()
    one = suite.evaluation(ADDITION)
    found = find(
        one,
        runs_of(one, [])[0],
        Evidence(run=make_run(one), samples=make_samples(0, errors=4), valid=True),
        checkpoint=CHECKPOINT,
        checkpoint_at=START,
        at=START + timedelta(minutes=5),
    )
    assert found.value == 4 / 200


def test_a_silent_trainer_that_trains_on_is_a_deviation(held: World) -> None:
    held.pass_time(seconds=120)
    held.publish(5)
    registration.register_new(held.desk)
    held.notary.step()
    found = {one.finding for one in held.state.records.values() if isinstance(one, r.Deviation)}
    assert {"not_acknowledged", "trained_while_held"} <= found


def test_an_early_warning_without_a_trigger_is_a_problem() -> None:
    def no_trigger(plain: dict[str, Any]) -> None:
        del plain["evaluations"][1]

    assert any("trigger" in one for one in problems_between(toy_policy(), toy_suite(no_trigger)))
