"""Attacks on what people decide that once worked. Each has to stay refused, or found."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from include.adapters.report_page import page_of
from include.adapters.store import put_blob
from include.adapters.verification import verify_store
from include.adapters.witness import Recalled
from include.notary.notary import Notary
from include.rsp import human_tasks
from include.rsp import records as r
from include.rsp.canonical import canonical_bytes
from include.rsp.capability_report import Subject, report_markdown
from include.rsp.errors import Refused
from include.rsp.oversight import holds_due
from include.rsp.vocabulary import Scope
from include.wiring import holding, registration
from tests.support.begun import scene
from tests.support.factories import POLICY_BYTES, changed
from tests.support.histories import ACKNOWLEDGEMENT, HEARTBEAT, History
from tests.support.people import determine, opine, packet_on, permit_on, report_on, say, sign_all
from tests.support.world import RUN, World

DAGS = Path(__file__).resolve().parents[3] / "dags"


@pytest.fixture
def crossed(tmp_path: Path) -> History:
    """A crossed line, two scopes held, two notices to the board, and the safeguards shown."""
    history = History(scene("crossed, two notices"), tmp_path / "history")
    history.add_evidence()
    return history


@pytest.fixture
def quiet(tmp_path: Path) -> History:
    """A verdict to continue, of which no machine may make a permit, and no hold."""
    return History(scene("continue, machines may not"), tmp_path / "history")


def refused(history: World, packet: str) -> str:
    with pytest.raises(Refused) as caught:
        permit_on(history, packet)
    return caught.value.code


def problems(world: World) -> list[str]:
    return [one.what for one in verify_store(world.store).problems]


def scopes(history: History) -> list[str]:
    return sorted(one.scope for one in history.state.runs[RUN].holds_in_force.values())


# Holds and deviations


def test_every_scope_that_a_verdict_stops_can_be_derived_again(crossed: History) -> None:
    assert scopes(crossed) == ["deployment", "training"]
    assert problems(crossed) == []


class Dying(Notary):
    """A notary that is killed after its first hold."""

    def _append(self, record: r.Record) -> str:
        held = any(run.holds for run in self.reader.state.runs.values())
        if isinstance(record, r.Hold) and held:
            raise KeyboardInterrupt
        return Notary._append(self, record)


def test_a_notary_killed_between_two_holds_orders_the_second_one_later(tmp_path: Path) -> None:
    def both(plain: dict[str, Any]) -> None:
        plain["hold"]["scopes"] = ["training", "deployment"]

    world = World(tmp_path, policy=changed(POLICY_BYTES, both))
    world.gate()
    World.notary_type = Dying
    try:
        world.start_notary()
        with pytest.raises(KeyboardInterrupt):
            world.assess(4, addition=190)
    finally:
        World.notary_type = Notary
    world.start_notary()
    held = world.state.runs[RUN].holds_in_force.values()
    assert sorted(one.scope for one in held) == ["deployment", "training"]
    assert problems(world) == []


def test_a_scope_that_a_policy_adds_later_does_not_hold_what_is_over(quiet: History) -> None:
    packet = packet_on(quiet)
    determine(quiet, packet, "rso", "stricter")
    rules = quiet.notary.rulebook.in_force(quiet.state)
    assert rules is not None
    assert (
        holds_due(quiet.state, rules, lambda _: rules, stamp=quiet.desk.stamp, at=quiet.now) == []
    )


def test_two_officers_who_say_no_at_once_order_one_hold(quiet: History) -> None:
    packet = packet_on(quiet)
    for office in ("rso", "ceo"):
        one = quiet.signed_answer(
            "determination", packet, office, "stricter", key=office, at=quiet.now
        )
        quiet.store.put_new(*_file_of(one))
    assert scopes(quiet) == ["training"]
    assert problems(quiet) == []


def _file_of(record: r.Record) -> tuple[str, bytes]:
    from include.adapters.ledger import record_key
    from include.rsp.canonical import digest_of

    return record_key(record.kind, digest_of(record)), canonical_bytes(record)


def test_one_checkpoint_that_two_holds_forbid_is_one_deviation(crossed: History) -> None:
    packet = packet_on(crossed)
    sign_all(crossed, packet)
    crossed.assess(32, addition=190)
    crossed.pass_time(hours=1)
    crossed.publish(40, weights=b"more")
    registration.register_new(crossed.desk)
    found = [x for x in crossed.state.records.values() if isinstance(x, r.Deviation)]
    assert sum(one.finding == "trained_while_held" for one in found) == 1
    assert len(crossed.state.runs[RUN].held(Scope.TRAINING)) == 2
    assert problems(crossed) == []


# A no stays a no


def test_a_no_on_an_older_packet_is_not_passed_over(crossed: History) -> None:
    older = packet_on(crossed)
    packet = packet_on(crossed)
    sign_all(crossed, packet)
    determine(crossed, older, "rso", "stricter")
    assert refused(crossed, packet) == "signed_to_hold"


def test_who_said_no_may_say_yes_on_a_newer_packet(crossed: History) -> None:
    older = packet_on(crossed)
    determine(crossed, older, "rso", "stricter")
    packet = packet_on(crossed)
    sign_all(crossed, packet)
    assert permit_on(crossed, packet).releases is not None


def test_where_any_officer_suffices_a_no_is_not_asked_around(tmp_path: Path) -> None:
    history = History(scene("continue, any one officer"), tmp_path / "history")
    determine(history, packet_on(history), "rso", "stricter")
    packet = packet_on(history)
    determine(history, packet, "ceo")
    say(history, "receipt", packet, "board", "approved", notice="approval")
    assert refused(history, packet) == "signed_to_hold"


def restricted(plain: dict[str, Any]) -> None:
    plain["hold"]["resume_when"] = ["safeguards_verified"]
    plain["responses"] = [
        {
            "id": "restrict", "kind": "restrict_deployment", "clause": "t", "after": "pause",
            "condition": "c", "actions": ["restrict_deployment"], "people": ["rso"],
            "resume": ["new_assessment"], "resume_when": None,
        }
    ]  # fmt: skip


def test_a_hold_that_a_response_ordered_ends_only_by_what_the_response_asks_for(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, policy=changed(POLICY_BYTES, restricted))
    world.gate()
    world.assess(4, addition=190)
    world.add_evidence()
    first = packet_on(world, purpose=Scope.DEPLOYMENT)
    determine(world, first, "rso", response="restrict")
    assert world.state.runs[RUN].newest_hold(Scope.DEPLOYMENT) is not None
    packet = packet_on(world, purpose=Scope.DEPLOYMENT)
    sign_all(world, packet)
    assert refused(world, packet) == "not_resumable"


# Who said it


def clicked(history: History, packet: str, notice: str, choice: str) -> str:
    return history.brought(
        history.clicked_answer(
            "receipt", packet, "board", choice, user="board", at=history.now, typed={},
            notice=notice,
        )
    )  # fmt: skip


def test_every_receipt_of_an_office_is_asked_for_again(crossed: History) -> None:
    packet = packet_on(crossed)
    for office in ("rso", "ceo"):
        determine(crossed, packet, office)
    assert clicked(crossed, packet, "board", "received") == "chained"
    say(crossed, "receipt", packet, "board", "approved", notice="approval")
    crossed.airflow.tasks.clear()
    assert refused(crossed, packet) == "not_answered"


def test_a_click_beside_an_own_signature_is_no_answer(crossed: History) -> None:
    packet = packet_on(crossed)
    one = crossed.clicked_answer(
        "determination", packet, "rso", "accept_recommendation", user="rso", at=crossed.now,
        typed={},
    )  # fmt: skip
    assert one.attested is not None
    typed = {**one.attested.params, "signature": '{"what": "rsp sign printed"}'}
    said = one.attested.model_copy(update={"params": typed})
    key = (said.dag_run_id, said.task_id)
    crossed.airflow.tasks[key] = Recalled("rso", crossed.now, said.options, dict(typed), ["rso"])
    assert crossed.brought(one.model_copy(update={"attested": said})) == "answer_altered"


def test_an_answer_to_a_question_of_another_dag_is_none(crossed: History) -> None:
    packet = packet_on(crossed)
    one = crossed.clicked_answer(
        "determination", packet, "rso", "accept_recommendation", user="rso", at=crossed.now,
        typed={},
    )  # fmt: skip
    assert one.attested is not None
    said = one.attested.model_copy(update={"dag_id": "approve_lunch"})
    assert crossed.brought(one.model_copy(update={"attested": said})) == "wrong_task"
    crossed.pass_time(seconds=1)
    assert "answer_refused" in {kind for _, kind in crossed.state.runs[RUN].deviations}
    assert all((DAGS / f"{name}.py").is_file() for name in human_tasks.ASKING)


def test_nobody_is_named_as_the_author_of_what_another_signed(crossed: History) -> None:
    packet = packet_on(crossed)
    one = crossed.signed_answer(
        "determination", packet, "rso", "accept_recommendation", key="rso", at=crossed.now
    )
    forged = one.model_copy(update={"by": "simulated-ceo"})
    assert crossed.brought(forged) == "bad_signature"
    assert crossed.brought(one) == "chained"


# What hostile files do to the notary and to those who verify


def test_a_run_folder_whose_name_is_no_text_does_not_stop_the_notary(world: World) -> None:
    folder = os.fsencode(world.root / "store" / "runs") + b"/\xff\xfe/outbox"
    os.makedirs(folder)
    with open(folder + b"/x.json", "wb") as file:
        file.write(b"{}")
    world.notary.step()
    length = world.state.length
    world.notary.step()
    assert world.state.length == length
    assert any("outbox/x.json" in one.subject for one in world.state.refusals.values())


@pytest.mark.parametrize(
    "key", ["ledger/²²²²²²²²²²²².json", "runs/run-1/orders/²-hold.json",
            "runs/run-1/attestations/²-deployment.json"],
)  # fmt: skip
def test_a_name_with_other_digits_is_a_problem_and_no_crash(crossed: History, key: str) -> None:
    order = next(crossed.store.list("runs/run-1/orders"))
    crossed.store.put_new(key, crossed.store.get(order) or b"")
    assert len(problems(crossed)) == 1


def test_a_heartbeat_of_nobodys_run_is_a_problem_and_no_crash(crossed: History) -> None:
    crossed.trainer_says(HEARTBEAT, "sha256:" + "0" * 64, {"state": "idle", "step": 1, "flop": 1.0})
    (beat,) = crossed.store.list("runs/run-1/heartbeats")
    crossed.store.put_new(
        beat.replace("run-1", "run-9"), canonical_bytes_of(crossed.store.get(beat) or b"")
    )
    assert any("nobody has announced" in one for one in problems(crossed))


def canonical_bytes_of(content: bytes) -> bytes:
    return canonical_bytes(r.Envelope.model_validate_json(content))


# Looking whether it stands still


def acknowledged(history: History) -> str:
    hold = history.state.runs[RUN].newest_hold(Scope.TRAINING)
    assert hold is not None
    body = {"state": "stopped", "last_step": 64, "last_flop": 1e10, "last_checkpoint": None}
    history.trainer_says(ACKNOWLEDGEMENT, hold, body)
    history.pass_time(minutes=2)
    return hold


def test_a_heartbeat_that_arrives_late_does_not_make_a_true_look_false(crossed: History) -> None:
    holding.verify_stop(crossed.desk, acknowledged(crossed))
    beat = {"state": "training", "step": 99, "flop": 1e10}
    crossed.trainer_says(HEARTBEAT, "sha256:" + "0" * 64, beat)
    assert problems(crossed) == []


def test_an_older_look_does_not_come_after_a_newer_one(crossed: History) -> None:
    hold = acknowledged(crossed)
    looked = holding.verify_stop(crossed.desk, hold)[1]
    crossed.pass_time(minutes=1)
    beat = {"state": "training", "step": 99, "flop": 1e10}
    crossed.trainer_says(HEARTBEAT, "sha256:" + "0" * 64, beat)
    with pytest.raises(Refused, match="heartbeat"):
        holding.verify_stop(crossed.desk, hold)
    for changes in ({"by": "mallory"}, {"ledger_index": 10**6, "at": crossed.now}):
        assert crossed.brought(looked.model_copy(update=changes)) == "stale_index"


# The report, the packet and the opinion


def test_a_packet_closed_anew_cannot_hold_the_older_opinion(crossed: History) -> None:
    report = report_on(crossed)
    first = opine(crossed, report)
    opine(crossed, report, "need_more")
    state = crossed.state
    written = state.expect(report, r.CapabilityReport)
    rules = crossed.notary.rulebook.in_force(state)
    assert rules is not None
    text = report_markdown(state, rules, Subject.of(written), state.expect(first, r.Opinion))
    packet = r.Packet(
        at=crossed.now, by="mallory", stamp=crossed.desk.stamp,
        report=r.RecordRef(record=report), opinion=r.RecordRef(record=first),
        document=put_blob(crossed.store, text.encode(), name="packet.md"),
        page=put_blob(crossed.store, page_of(text), name="packet.html"),
    )  # fmt: skip
    assert crossed.brought(packet) == "opinion_changed"


def test_a_cap_of_one_officer_binds_and_the_widest_does_not(quiet: History) -> None:
    packet = packet_on(quiet)
    determine(quiet, packet, "rso", cap_ratio=1.5)
    determine(quiet, packet, "ceo", cap_ratio=1e300)
    quiet.now += timedelta(seconds=1)
    say(quiet, "receipt", packet, "board", "approved", notice="approval")
    permit = permit_on(quiet, packet)
    compute = next(iter(quiet.state.runs[RUN].checkpoints.values())).manifest.effective_compute
    assert permit.ceiling_flop == pytest.approx(1.5 * compute)
