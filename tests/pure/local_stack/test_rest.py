"""The REST client against scripted answers: what it repeats, and what it never does twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from include.local_stack.errors import AirflowRestError
from include.local_stack.rest import AirflowRest

BASE = "http://127.0.0.1:8080"
Answer = httpx.Response | type[httpx.HTTPError]
LOST, UNREACHABLE = httpx.ReadError, httpx.ConnectError


def found(body: Any = None, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body if body is not None else {})


class Airflow:
    """Answers in the order given (the last one again and again) and remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.tokens = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            if json.loads(request.content)["password"] != "right":
                return found({"detail": "Invalid credentials"}, 401)
            self.tokens += 1
            return found({"access_token": f"token-{self.tokens}"}, 201)
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, httpx.Response):
            return answer
        raise answer("scripted", request=request)

    def methods(self) -> list[str]:
        return [request.method for request in self.asked]


Open = Callable[[Airflow], AirflowRest]


@pytest.fixture
def rest_of() -> Iterator[Open]:
    opened: list[AirflowRest] = []

    def connect(airflow: Airflow) -> AirflowRest:
        transport = httpx.MockTransport(airflow)
        opened.append(AirflowRest(BASE, "rso", "right", patience=0.5, transport=transport))
        return opened[-1]

    yield connect
    for rest in opened:
        rest.close()


def test_one_token_serves_many_requests(rest_of: Open) -> None:
    airflow = Airflow(found({"version": "3.3.2"}))
    rest = rest_of(airflow)

    assert rest.get("version") == rest.get("version") == {"version": "3.3.2"}

    assert airflow.tokens == 1
    assert airflow.asked[0].headers["Authorization"] == "Bearer token-1"
    assert str(airflow.asked[0].url) == f"{BASE}/api/v2/version"


def test_a_stale_token_is_replaced_once(rest_of: Open) -> None:
    airflow = Airflow(found(status=401), found({"ok": True}))
    assert rest_of(airflow).get("pools") == {"ok": True}
    assert airflow.tokens == 2

    refusing = Airflow(found({"detail": "no"}, 401))
    with pytest.raises(AirflowRestError, match="answered 401"):
        rest_of(refusing).get("pools")
    assert len(refusing.asked) == 2


def test_a_wrong_password_is_named_and_not_tried_again() -> None:
    transport = httpx.MockTransport(Airflow(found()))
    with (
        AirflowRest(BASE, "rso", "wrong", patience=0.5, transport=transport) as rest,
        pytest.raises(AirflowRestError, match=r"401 to POST /auth/token for rso.*Invalid cred"),
    ):
        rest.get("pools")


@pytest.mark.parametrize("fault", [found(status=500), found(status=503), LOST, UNREACHABLE])
def test_a_read_survives_a_fault(rest_of: Open, fault: Answer) -> None:
    airflow = Airflow(fault, found({"ok": True}))
    assert rest_of(airflow).get("pools") == {"ok": True}
    assert airflow.methods() == ["GET", "GET"]


def test_patience_ends_with_the_last_error(rest_of: Open) -> None:
    with pytest.raises(AirflowRestError, match="database is locked") as raised:
        rest_of(Airflow(found({"detail": "database is locked"}, 500))).get("pools")
    assert raised.value.status == 500

    with pytest.raises(AirflowRestError, match=r"No answer to GET /api/v2/pools.*make up"):
        rest_of(Airflow(UNREACHABLE)).get("pools")


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
def test_a_refusal_is_not_argued_with(rest_of: Open, status: int) -> None:
    airflow = Airflow(found({"detail": "because"}, status))
    with pytest.raises(AirflowRestError, match="because") as raised:
        rest_of(airflow).post("pools", {})
    assert raised.value.status == status
    assert len(airflow.asked) == 1


def test_a_write_that_may_have_arrived_is_not_repeated(rest_of: Open) -> None:
    airflow = Airflow(LOST, found())
    with pytest.raises(AirflowRestError):
        rest_of(airflow).post("assets/events", {"asset_id": 1})
    assert len(airflow.asked) == 1


@pytest.mark.parametrize("fault", [UNREACHABLE, found(status=500)])
def test_a_write_that_did_not_happen_is_repeated(rest_of: Open, fault: Answer) -> None:
    airflow = Airflow(fault, found({"id": 1}))
    assert rest_of(airflow).post("assets/events", {"asset_id": 1}) == {"id": 1}


def test_a_trigger_whose_answer_was_lost_starts_one_run(rest_of: Open) -> None:
    airflow = Airflow(LOST, found({"detail": "exists"}, 409), found({"state": "queued"}))

    assert rest_of(airflow).trigger("assess", {"a": 1}) == {"state": "queued"}

    first, second, read = airflow.asked
    sent = [json.loads(request.content)["dag_run_id"] for request in (first, second)]
    assert sent[0] == sent[1]
    assert read.method == "GET"
    assert json.loads(first.content)["conf"] == {"a": 1}


def test_a_run_id_that_somebody_else_took_is_an_error(rest_of: Open) -> None:
    airflow = Airflow(found({"detail": "exists"}, 409))
    with pytest.raises(AirflowRestError, match="409"):
        rest_of(airflow).trigger("assess", run_id="mine")
    assert airflow.methods() == ["POST"]


def test_a_trigger_carries_its_partition_key_and_date(rest_of: Open) -> None:
    airflow = Airflow(found({"state": "queued"}))
    when = datetime(2026, 1, 1, tzinfo=UTC)

    rest_of(airflow).trigger("assess", logical_date=when, partition_key="sha256:1", run_id="r+1")

    body = json.loads(airflow.asked[0].content)
    assert body == {
        "dag_run_id": "r+1",
        "conf": {},
        "logical_date": "2026-01-01T00:00:00+00:00",
        "partition_key": "sha256:1",
    }


ANSWERED = {"chosen_options": ["Approve"], "params_input": {"reason": "seen"}}


def answer(rest: AirflowRest) -> dict[str, Any]:
    return rest.answer_human_task(
        "assess",
        "run",
        "sign_off_as_rso",
        chosen_options=["Approve"],
        params_input={"reason": "seen"},
    )


def test_an_answer_that_was_recorded_is_found_again(rest_of: Open) -> None:
    recorded = {"responded_by_user": {"id": "rso"}} | ANSWERED
    airflow = Airflow(LOST, found({"detail": "answered"}, 409), found(recorded))

    assert answer(rest_of(airflow)) == recorded
    assert airflow.methods() == ["PATCH", "PATCH", "GET"]
    assert airflow.asked[0].url.path.endswith("taskInstances/sign_off_as_rso/-1/hitlDetails")


@pytest.mark.parametrize(
    "recorded",
    [
        {"responded_by_user": {"id": "ceo"}} | ANSWERED,
        {"responded_by_user": {"id": "rso"}} | ANSWERED | {"chosen_options": ["Reject"]},
        {"responded_by_user": None},
    ],
)
def test_somebody_elses_answer_is_not_taken_for_ours(
    rest_of: Open, recorded: dict[str, Any]
) -> None:
    airflow = Airflow(LOST, found({"detail": "answered"}, 409), found(recorded))
    with pytest.raises(AirflowRestError, match="409"):
        answer(rest_of(airflow))


def test_a_second_answer_is_refused_at_once(rest_of: Open) -> None:
    airflow = Airflow(found({"detail": "answered"}, 409))
    with pytest.raises(AirflowRestError, match="409"):
        answer(rest_of(airflow))
    assert len(airflow.asked) == 1


def test_every_page_is_read(rest_of: Open) -> None:
    airflow = Airflow(
        found({"task_instances": [{"n": 1}, {"n": 2}], "total_entries": 3}),
        found({"task_instances": [{"n": 3}], "total_entries": 3}),
    )
    entries = rest_of(airflow).task_instances("assess", "run+1")

    assert [entry["n"] for entry in entries] == [1, 2, 3]
    assert [request.url.params["offset"] for request in airflow.asked] == ["0", "2"]
    assert "/dagRuns/run%2B1/" in airflow.asked[0].url.raw_path.decode()


def test_nothing_is_none_and_other_errors_are_errors(rest_of: Open) -> None:
    assert rest_of(Airflow(found(status=404))).find("dags/none") is None
    with pytest.raises(AirflowRestError):
        rest_of(Airflow(found(status=403))).find("dags/none")


@pytest.mark.parametrize(
    ("answers", "methods"),
    [
        pytest.param([found(status=404), found()], ["GET", "POST"], id="missing"),
        pytest.param([found(status=404), found(status=409)], ["GET", "POST"], id="made meanwhile"),
        pytest.param([found({"slots": 2})], ["GET"], id="right"),
        pytest.param(
            [
                found({"name": "p", "slots": 1, "description": "d", "include_deferred": True}),
                found(),
            ],
            ["GET", "PATCH"],
            id="other size",
        ),
    ],
)
def test_a_pool_is_made_or_resized(
    rest_of: Open, answers: list[Answer], methods: list[str]
) -> None:
    airflow = Airflow(*answers)
    rest_of(airflow).ensure_pool("p", 2)
    assert airflow.methods() == methods
    if methods[-1] == "PATCH":
        sent = json.loads(airflow.asked[-1].content)
        assert sent == {"name": "p", "slots": 2, "description": "d", "include_deferred": True}


def test_something_else_on_the_port_is_said(rest_of: Open) -> None:
    with pytest.raises(AirflowRestError, match="expected: a JSON object"):
        rest_of(Airflow(found(["hello"]))).dag_run("assess", "run")
