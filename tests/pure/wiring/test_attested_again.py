"""What Airflow says when the notary asks it again: before it counts an answer, and before a permit.

A fault of Airflow is nobody's attempt at anything; everything else is recorded against the run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from include.adapters.verification import verify_store
from include.wiring import signing_off
from tests.support.begun import assessed
from tests.support.people import determine, opine, packet_on, permit_on, receive_all, report_on
from tests.support.refusing import deviations, refused
from tests.support.stand_in_airflow import StandInAirflow
from tests.support.world import RUN, World

ACCEPT = "accept_recommendation"
RSO_TASK = "sign_off_as_rso"


@pytest.fixture
def airflow() -> StandInAirflow:
    return StandInAirflow()


@pytest.fixture
def held(tmp_path: Path, airflow: StandInAirflow) -> World:
    """A run whose red line was crossed; the safeguards hold, so people may release it."""
    world = assessed(tmp_path)
    airflow.serve(world)
    return world


def changed_answer(**changes: Any) -> Callable[[StandInAirflow], None]:
    return lambda airflow: airflow.details[RSO_TASK].update(changes)


def user(name: str) -> dict[str, str]:
    return {"id": name, "name": name}


def cleared(airflow: StandInAirflow) -> None:
    del airflow.details[RSO_TASK]


def all_admins(airflow: StandInAirflow) -> None:
    airflow.anonymous = True


def all_admins_and_cleared(airflow: StandInAirflow) -> None:
    airflow.anonymous = True
    airflow.details.clear()


def failing(fault: Callable[[httpx.Request], httpx.Response | None]) -> Any:
    def change(airflow: StandInAirflow) -> None:
        airflow.fault = fault

    return change


def down(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused", request=request)


def slow(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("timed out", request=request)


def broken(request: httpx.Request) -> httpx.Response:
    raise httpx.RemoteProtocolError("illegal status line", request=request)


def starting(_: httpx.Request) -> httpx.Response:
    return httpx.Response(503, text="starting")


def starting_once_asked_for_the_answer(request: httpx.Request) -> httpx.Response | None:
    return httpx.Response(502) if "Authorization" in request.headers else None


def garbage(request: httpx.Request) -> httpx.Response | None:
    if "Authorization" not in request.headers or request.url.path == "/auth/token":
        return None
    return httpx.Response(200, content=b"<html>maintenance \xff</html>")


def token(content: bytes) -> Callable[[httpx.Request], httpx.Response | None]:
    def fault(request: httpx.Request) -> httpx.Response | None:
        ours = request.url.path == "/auth/token"
        return httpx.Response(201, content=content) if ours else None

    return fault


def never_logs_in(request: httpx.Request) -> httpx.Response | None:
    return httpx.Response(401) if request.url.path == "/auth/token" else None


AIRFLOW: dict[str, tuple[Callable[[StandInAirflow], None], str]] = {
    "another responder": (changed_answer(responded_by_user=user("mallory")), "answer_altered"),
    "assigned to several": (
        changed_answer(assigned_users=[user("rso"), user("mallory")]), "answer_altered",
    ),
    "assigned to nobody, so to everybody": (changed_answer(assigned_users=[]), "answer_altered"),
    "assigned to another": (changed_answer(assigned_users=[user("ceo")]), "answer_altered"),
    "other options": (changed_answer(chosen_options=["Stricter"]), "answer_altered"),
    "no options": (changed_answer(chosen_options=None), "answer_altered"),
    "several options": (changed_answer(chosen_options=["a", "b"]), "answer_altered"),
    "other params": (
        changed_answer(params_input={"reason": "else", "signature": None}), "answer_altered",
    ),
    "more params": (
        changed_answer(params_input={"reason": "in a test", "signature": None, "cap_ratio": 9}),
        "answer_altered",
    ),
    "another time": (changed_answer(responded_at="2026-11-01T12:00:01Z"), "answer_altered"),
    "marked by hand": (
        changed_answer(
            response_received=False, responded_by_user=None, responded_at=None, chosen_options=None
        ),
        "not_answered",
    ),
    "answered by nobody": (changed_answer(responded_by_user=None), "not_answered"),
    "answered at no time": (changed_answer(responded_at=None), "not_answered"),
    "cleared": (cleared, "not_answered"),
    "all are admins": (all_admins, "all_admins"),
    "all are admins, and it was cleared": (all_admins_and_cleared, "all_admins"),
    "down": (failing(down), "airflow_unreachable"),
    "slow": (failing(slow), "airflow_unreachable"),
    "speaks no HTTP": (failing(broken), "airflow_unreachable"),
    "starting": (failing(starting), "airflow_unreachable"),
    "starting in between": (failing(starting_once_asked_for_the_answer), "airflow_unreachable"),
    "says garbage": (failing(garbage), "airflow_unreachable"),
    "a token that is no JSON": (failing(token(b"<html>")), "airflow_unreachable"),
    "a token that is a list": (failing(token(b"[1]")), "airflow_unreachable"),
    "a token with a line end": (
        failing(token(b'{"access_token": "a\\r\\nb"}')), "airflow_unreachable",
    ),
    "a token that is no ASCII": (
        failing(token('{"access_token": "ä"}'.encode())), "airflow_unreachable",
    ),
    "does not know the notary": (failing(never_logs_in), "airflow_unreachable"),
}  # fmt: skip


@pytest.mark.parametrize("name", AIRFLOW)
def test_what_airflow_says_otherwise_is_refused_and_the_notary_goes_on(
    held: World, airflow: StandInAirflow, name: str
) -> None:
    change, code = AIRFLOW[name]
    packet = packet_on(held)
    given = airflow.answer(held, "determination", packet, "rso", ACCEPT)
    change(airflow)
    with refused(code):
        signing_off.record_answer(held.desk, "determination", packet, "rso", given)
    assert packet not in held.state.answers
    # a fault of Airflow is nobody's attempt; everything else is recorded against the run
    assert len(deviations(held, "answer_refused")) == (code != "airflow_unreachable")
    held.pass_time(seconds=1)
    determine(held, packet, "rso")  # an own signature still counts


@pytest.mark.parametrize("name", AIRFLOW)
def test_an_answer_that_no_longer_stands_before_the_permit(
    held: World, airflow: StandInAirflow, name: str
) -> None:
    change, code = AIRFLOW[name]
    packet = packet_on(held)
    airflow.record(held, "determination", packet, "rso", ACCEPT)
    determine(held, packet, "ceo")
    receive_all(held, packet)
    change(airflow)
    airflow.serve(held)  # a notary that has to log in anew
    with refused(code):
        permit_on(held, packet)
    assert len(deviations(held, "sign_off_bypassed")) == (code != "airflow_unreachable")
    held.pass_time(seconds=1)
    assert held.state.runs[RUN].holds_in_force
    assert verify_store(held.store).problems == []


def test_once_airflow_is_back_the_permit_is_given(held: World, airflow: StandInAirflow) -> None:
    packet = packet_on(held)
    airflow.record(held, "determination", packet, "rso", ACCEPT)
    determine(held, packet, "ceo")
    receive_all(held, packet)
    airflow.fault = starting
    with refused("airflow_unreachable"):
        permit_on(held, packet)
    airflow.fault = None
    held.pass_time(seconds=1)
    assert permit_on(held, packet).releases is not None


@pytest.mark.parametrize("kind", ["opinion", "receipt"])
def test_opinions_and_receipts_are_asked_again_as_well(
    held: World, airflow: StandInAirflow, kind: str
) -> None:
    report = report_on(held)
    if kind == "opinion":
        airflow.record(held, "opinion", report, "second-line", "agree")
    else:
        opine(held, report)
    closed = signing_off.close_packet(held.desk, report)
    assert closed is not None
    for office in ("rso", "ceo"):
        determine(held, closed[0], office)
    if kind == "receipt":
        airflow.record(held, "receipt", closed[0], "board", "received", notice="board")
    else:
        receive_all(held, closed[0])
    (detail,) = airflow.details.values()
    detail["params_input"] = {"reason": "else", "signature": None}
    with refused("answer_altered"):
        permit_on(held, closed[0])
