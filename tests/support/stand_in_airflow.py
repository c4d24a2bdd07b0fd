"""A server that answers as Airflow's REST API does about human tasks, without one running.

It is no mock of a client: the real `AirflowWitness` speaks HTTP to it over an httpx transport.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from include.adapters.witness import AirflowWitness
from include.rsp import human_tasks
from include.rsp.canonical import iso
from include.wiring import signing_off
from include.wiring.signing_off import Answered
from tests.support.world import OFFICE_USERS, World

URL = "http://airflow.invalid"
TOKEN, PASSWORD = "a-token", "a-password"
DAG, DAG_RUN = "assess_checkpoint", "manual__2026-11-01T12:00:00+00:00/1"
Fault = Callable[[httpx.Request], httpx.Response | None]


@dataclass(slots=True)
class StandInAirflow(httpx.BaseTransport):
    """Human tasks by their name, and what the server does wrong."""

    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    anonymous: bool = False
    fault: Fault | None = None
    logins: int = 0
    token: str = TOKEN

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the API does: 401 without a token, 404 for what nobody asked."""
        request.read()
        if self.fault is not None:
            answer = self.fault(request)
            if answer is not None:
                return answer
        if request.headers.get("Authorization", "").endswith(" "):
            raise httpx.LocalProtocolError("Illegal header value", request=request)  # as h11 does
        if request.url.path == "/auth/token":
            self.logins += 1
            right = json.loads(request.content) == {"username": "notary", "password": PASSWORD}
            return (
                httpx.Response(201, json={"access_token": self.token})
                if right
                else httpx.Response(401)
            )
        if not self.anonymous and request.headers.get("Authorization") != f"Bearer {self.token}":
            return httpx.Response(401)
        *_, dag, _, run, _, task, index, what = request.url.raw_path.decode().split("/")
        assert (dag, run, index, what) == (
            DAG, "manual__2026-11-01T12%3A00%3A00%2B00%3A00%2F1", "-1", "hitlDetails",
        )  # fmt: skip
        found = self.details.get(task)
        return httpx.Response(404) if found is None else httpx.Response(200, json=found)

    def serve(self, world: World, *, password: str = PASSWORD) -> None:
        """Let the world's notary ask this server."""
        witness = AirflowWitness(URL, "notary", password, transport=self)
        world.notary.witness = world.notary.gatekeeper.people.witness = witness

    def answer(
        self, world: World, kind: str, about: str, office: str, choice: str, **params: Any
    ) -> Answered:
        """Somebody answers a human task; as Airflow hands it on to the next task."""
        user = OFFICE_USERS[office]
        task = human_tasks.task_for(kind, office)
        options = [human_tasks.option_for(kind, choice, about)]
        typed = {"reason": "in a test", "signature": None} | params
        self.details[task] = {
            "response_received": True,
            "responded_by_user": {"id": user, "name": user},
            "responded_at": iso(world.now),
            "chosen_options": options,
            "params_input": typed,
            "assigned_users": [{"id": user, "name": user}],
            "subject": "a field that nobody reads",
        }
        return Answered(
            dag_id=DAG, dag_run_id=DAG_RUN, task_id=task, user=user, answered_at=world.now,
            options=options, params=typed,
        )  # fmt: skip

    def record(
        self, world: World, kind: str, about: str, office: str, choice: str, **params: Any
    ) -> str:
        """Somebody answers, and the answer is brought to the notary; the record's digest."""
        more = {"notice": params.pop("notice")} if "notice" in params else {}
        given = self.answer(world, kind, about, office, choice, **params)
        return signing_off.record_answer(world.desk, kind, about, office, given, **more)
