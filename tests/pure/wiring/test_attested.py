"""Answers that only Airflow vouches for: asked again of Airflow, and labelled (DESIGN I5)."""

from __future__ import annotations

import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from include.adapters import answers
from include.adapters.verification import verify_store
from include.adapters.witness import AirflowWitness
from include.rsp import records as r
from include.rsp.canonical import canonical_bytes
from include.rsp.errors import InvalidDocument
from include.rsp.vocabulary import Identification
from include.wiring import signing_off
from include.wiring.signing_off import Answered
from tests.support.begun import assessed
from tests.support.factories import X
from tests.support.people import (
    determine,
    packet_on,
    permit_on,
    receive_all,
    report_on,
    signed,
)
from tests.support.refusing import refused
from tests.support.stand_in_airflow import StandInAirflow
from tests.support.world import RUN, World

ACCEPT = "accept_recommendation"
RSO_TASK, CEO_TASK = "sign_off_as_rso", "sign_off_as_ceo"


@pytest.fixture
def airflow() -> StandInAirflow:
    return StandInAirflow()


@pytest.fixture
def held(tmp_path: Path, airflow: StandInAirflow) -> World:
    """A run whose red line was crossed; the safeguards hold, so people may release it."""
    return served(assessed(tmp_path), airflow)


def served(world: World, airflow: StandInAirflow) -> World:
    airflow.serve(world)
    return world


def test_everybody_answers_in_airflow_and_the_permit_says_so(
    held: World, airflow: StandInAirflow
) -> None:
    report = report_on(held)
    airflow.record(held, "opinion", report, "second-line", "agree")
    closed = signing_off.close_packet(held.desk, report)
    assert closed is not None
    packet = closed[0]
    airflow.record(held, "determination", packet, "rso", ACCEPT, cap_ratio=3.0)
    airflow.record(held, "determination", packet, "ceo", ACCEPT)
    airflow.record(held, "receipt", packet, "board", "received", notice="board")
    permit = permit_on(held, packet)
    assert permit.identification is Identification.ATTESTED
    assert permit.ceiling_flop == pytest.approx(3 * 4 * X)
    assert "ATTESTED_BY_AIRFLOW, SIMULATED" in signing_off.text_of(held.desk, packet)
    assert airflow.logins == 1
    airflow.details.clear()  # offline, what the notary read then is believed
    assert verify_store(held.store).problems == []


def test_a_token_that_ran_out_is_renewed_once(held: World, airflow: StandInAirflow) -> None:
    packet = packet_on(held)
    airflow.record(held, "determination", packet, "rso", ACCEPT)
    airflow.token = "another-token"
    airflow.record(held, "determination", packet, "ceo", ACCEPT)
    assert airflow.logins == 2


def test_one_attested_answer_among_signed_ones_labels_the_permit(
    held: World, airflow: StandInAirflow
) -> None:
    packet = packet_on(held)
    determine(held, packet, "rso")
    airflow.record(held, "determination", packet, "ceo", ACCEPT)
    receive_all(held, packet)
    assert permit_on(held, packet).identification is Identification.ATTESTED


def down(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused", request=request)


def test_an_own_signature_pasted_into_the_task_needs_no_airflow(
    held: World, airflow: StandInAirflow
) -> None:
    packet = packet_on(held)
    line = signed(held, "determination", packet, "rso", ACCEPT).model_dump_json()
    given = airflow.answer(held, "determination", packet, "rso", ACCEPT, signature=line)
    airflow.fault = down
    digest = signing_off.record_answer(held.desk, "determination", packet, "rso", given)
    assert held.state.expect(digest, r.Determination).identification is Identification.SIGNED


class OpenToAll(BaseHTTPRequestHandler):
    """An Airflow that answers without an account."""

    def do_GET(self) -> None:
        """Whatever is asked."""
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_no_proxy_of_the_environment_is_between_the_notary_and_airflow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    said = r.AirflowAnswer(
        dag_id="release_hold", dag_run_id="one", task_id=RSO_TASK, user="rso", options=["any"],
        params={},
    )  # fmt: skip
    with HTTPServer(("127.0.0.1", 0), OpenToAll) as server:
        server.timeout = 5
        asked = threading.Thread(target=server.handle_request)
        asked.start()
        with refused("all_admins"):  # it was reached
            AirflowWitness(f"http://127.0.0.1:{server.server_port}", "notary", "x").recall(said)
        asked.join()


@pytest.mark.parametrize("pasted", ["nonsense", "{}", '{"payload": 1}'])
def test_a_signature_that_does_not_read_is_never_taken_for_airflows_word(
    held: World, airflow: StandInAirflow, pasted: str
) -> None:
    packet = packet_on(held)
    given = airflow.answer(held, "determination", packet, "rso", ACCEPT, signature=pasted)
    with refused("bad_signature"):
        signing_off.record_answer(held.desk, "determination", packet, "rso", given)


def test_the_signature_of_another_office_in_the_task(held: World, airflow: StandInAirflow) -> None:
    packet = packet_on(held)
    line = signed(held, "determination", packet, "ceo", ACCEPT).model_dump_json()
    given = airflow.answer(held, "determination", packet, "rso", ACCEPT, signature=line)
    with refused("wrong_office"):
        signing_off.record_answer(held.desk, "determination", packet, "rso", given)


def test_the_same_answer_brought_twice_is_one_record(held: World, airflow: StandInAirflow) -> None:
    packet = packet_on(held)
    given = airflow.answer(held, "determination", packet, "rso", ACCEPT)
    first = signing_off.record_answer(held.desk, "determination", packet, "rso", given)
    held.pass_time(seconds=1)
    assert first == signing_off.record_answer(held.desk, "determination", packet, "rso", given)
    assert len(held.state.answers[packet]) == 1


def test_a_policy_that_takes_no_answer_from_airflow(
    tmp_path: Path, airflow: StandInAirflow
) -> None:
    def signatures_only(plain: dict[str, Any]) -> None:
        plain["sign_off"]["accepts"] = ["signature"]

    world = served(assessed(tmp_path, signatures_only), airflow)
    packet = packet_on(world)
    with refused("signature_needed"):
        airflow.record(world, "determination", packet, "rso", ACCEPT)


def test_a_notary_without_an_account_attests_nothing(held: World, airflow: StandInAirflow) -> None:
    packet = packet_on(held)
    held.notary.witness = held.notary.gatekeeper.people.witness = None
    with refused("airflow_unreachable"):
        airflow.record(held, "determination", packet, "rso", ACCEPT)


def test_an_account_that_the_trust_root_does_not_know(held: World, airflow: StandInAirflow) -> None:
    packet = packet_on(held)
    given = airflow.answer(held, "determination", packet, "rso", ACCEPT)
    stranger = Answered(**{one: getattr(given, one) for one in given.__slots__} | {"user": "eve"})
    with refused("unknown_account"):
        signing_off.record_answer(held.desk, "determination", packet, "rso", stranger)
    with refused("unknown_account"):  # the ceo's account is none of the rso
        ceo = Answered(**{one: getattr(given, one) for one in given.__slots__} | {"user": "ceo"})
        signing_off.record_answer(held.desk, "determination", packet, "rso", ceo)
    honest = attested(held, packet, given)
    said = honest.attested
    assert said is not None
    with refused("unknown_account"):  # whoever writes the record, the notary looks it up
        held.desk.submit(
            honest.model_copy(update={"attested": said.model_copy(update={"user": "eve"})})
        )


def attested(world: World, packet: str, given: Answered) -> r.AnyAnswer:
    """The record of an answer, not yet brought to the notary."""
    said = r.AirflowAnswer(
        dag_id=given.dag_id, dag_run_id=given.dag_run_id, task_id=given.task_id, user=given.user,
        options=given.options, params=dict(given.params),
    )  # fmt: skip
    return answers.attested_record(
        world.state.trust, "determination", packet, "rso", said,
        answered_at=given.answered_at, at=world.now,
    )  # fmt: skip


def test_the_option_of_another_packet_is_no_choice(held: World, airflow: StandInAirflow) -> None:
    first = packet_on(held)
    given = airflow.answer(held, "determination", first, "rso", ACCEPT)
    held.pass_time(seconds=1)
    second = packet_on(held)
    with pytest.raises(InvalidDocument, match="Accept the recommendation"):
        signing_off.record_answer(held.desk, "determination", second, "rso", given)
    about = r.RecordRef(record=second)
    with refused("wrong_packet"):
        held.desk.submit(attested(held, first, given).model_copy(update={"about": about}))


RECORDS: dict[str, tuple[dict[str, Any], str]] = {
    "another choice than the option": ({"choice": "stricter"}, "wrong_packet"),
    "another reason": ({"reason": "else"}, "answer_altered"),
    "a cap that nobody typed": ({"cap_ratio": 2.0}, "answer_altered"),
    "a response that nobody typed": ({"response": "delete"}, "answer_altered"),
    "a waiver that nobody typed": ({"not_applicable": ["board"]}, "answer_altered"),
    "another office": ({"office": "ceo"}, "unknown_account"),
    "a simulated officer as a real one": ({"simulated": False}, "unknown_account"),
    "an earlier time": ({"signed_at": "earlier"}, "answer_altered"),
    "a time in the future": ({"signed_at": "later"}, "post_dated"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_says_something_else_than_airflow(
    held: World, airflow: StandInAirflow, name: str
) -> None:
    update, code = RECORDS[name]
    packet = packet_on(held)
    held.pass_time(seconds=20)
    given = airflow.answer(held, "determination", packet, "rso", ACCEPT)
    times = {"earlier": timedelta(seconds=-1), "later": timedelta(hours=1)}
    if "signed_at" in update:
        update = {"signed_at": held.now + times[update["signed_at"]]}
    with refused(code):
        honest = attested(held, packet, given)
        held.desk.submit(type(honest).model_validate(honest.model_dump() | update))
    assert packet not in held.state.answers


def test_the_answer_of_another_task(held: World, airflow: StandInAirflow) -> None:
    packet = packet_on(held)
    given = airflow.answer(held, "determination", packet, "rso", ACCEPT)
    honest = attested(held, packet, given)
    said = honest.attested
    assert said is not None
    elsewhere = said.model_copy(update={"task_id": "confirm_receipt_as_rso"})
    with refused("wrong_task"):
        held.desk.submit(honest.model_copy(update={"attested": elsewhere}))


def test_no_revocation_by_airflows_word(held: World, airflow: StandInAirflow) -> None:
    """There is no human task for it, so nobody can have given it in one."""
    packet = packet_on(held)
    honest = attested(
        held, packet, airflow.answer(held, "determination", packet, "rso", ACCEPT)
    ).model_dump()
    genesis = next(iter(held.state.runs[RUN].permits))
    for name in ("cap_ratio", "response", "not_applicable"):
        del honest[name]
    revocation = r.Revocation.model_validate(
        honest | {"kind": "revocation", "choice": "revoke", "about": {"record": genesis}}
    )
    with refused("wrong_task"):
        held.desk.submit(revocation)
    assert held.state.runs[RUN].revoked == {}


def test_one_person_with_a_key_and_an_account_in_two_offices(
    tmp_path: Path, airflow: StandInAirflow
) -> None:
    first = World(tmp_path / "first")
    trust = first.state.trust
    assert trust is not None
    accounts = [
        one.model_copy(update={"holder": "simulated-rso"}) if one.office == "ceo" else one
        for one in trust.accounts
    ]
    folders = first.folders
    moved = tmp_path / "second" / "keys"
    moved.parent.mkdir()
    folders.root.rename(moved)
    (moved / "notary" / "trust_root.json").write_bytes(
        canonical_bytes(trust.model_copy(update={"accounts": accounts}))
    )
    world = served(World(tmp_path / "second"), airflow)
    world.gate()
    world.assess(4, addition=190)
    world.add_evidence()
    packet = packet_on(world)
    determine(world, packet, "rso")
    with refused("not_distinct"):
        airflow.record(world, "determination", packet, "ceo", ACCEPT)
