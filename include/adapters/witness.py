"""Re-reading from Airflow who answered a human task (DESIGN I5: `ATTESTED_BY_AIRFLOW`).

What a task says of an answer is not believed; Airflow's API is asked again, by an account of the
notary's own, and refuses to be a witness where anybody may answer as anybody.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, Field

from include.rsp.errors import InvalidDocument, Refused
from include.rsp.people_records import AirflowAnswer

ACCOUNT_FILE = "airflow.json"
SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Recalled:
    """What Airflow says now of one human task."""

    user: str
    answered_at: datetime
    options: list[str]
    params: dict[str, object]
    assigned: list[str]


class Witness(Protocol):
    """Somebody who can say what was answered."""

    def recall(self, said: AirflowAnswer) -> Recalled:
        """What was answered; raises Refused when nobody did, or nobody can tell."""


class _User(BaseModel):
    model_config = ConfigDict(extra="ignore")
    id: str | int
    name: str


class _Detail(BaseModel):
    model_config = ConfigDict(extra="ignore")
    response_received: bool
    responded_by_user: _User | None = None
    responded_at: datetime | None = None
    chosen_options: list[str] | None = None
    params_input: dict[str, object] = {}
    assigned_users: list[_User] = []


class _Token(BaseModel):
    model_config = ConfigDict(extra="ignore")
    access_token: str = Field(pattern="^[!-~]+$")


@dataclass(slots=True)
class AirflowWitness:
    """Asks one Airflow over its REST API."""

    url: str
    user: str
    password: str = field(repr=False)
    transport: httpx.BaseTransport | None = None
    _token: str = field(default="", repr=False)

    @classmethod
    def read(cls, folder: Path) -> AirflowWitness | None:
        """The account in the notary's folder; None: there is none, and nothing is attested.

        Raises:
            InvalidDocument: the file does not read.
        """
        path = folder / ACCOUNT_FILE
        if not path.exists():
            return None
        try:
            plain = json.loads(path.read_text())
            return cls(str(plain["url"]), str(plain["user"]), str(plain["password"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidDocument(
                f"{path} does not read ({error!r}; expected url, user and password). Start the "
                "stack again, it writes the file."
            ) from error

    def recall(self, said: AirflowAnswer) -> Recalled:
        """What Airflow says of the task now.

        It is believed only if (1) a request without an account is refused: else all are admins;
        (2) the task was answered, by a named user. A fault of the server is no answer of a person:
        it is `airflow_unreachable`, whatever it looks like.
        """
        dag, run, task = (
            quote(one, safe="") for one in (said.dag_id, said.dag_run_id, said.task_id)
        )
        index = said.map_index
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/{index}/hitlDetails"
        try:
            with httpx.Client(  # no proxy of the environment: it would see the password
                base_url=self.url, timeout=SECONDS, transport=self.transport, trust_env=False
            ) as client:
                anybody = client.get(path).status_code
                if anybody in (httpx.codes.OK, httpx.codes.NOT_FOUND):  # (1)
                    raise Refused(
                        "all_admins",
                        f"{self.url} answers without an account: nobody's answer can be attested. "
                        "Turn simple_auth_manager_all_admins off.",
                    )
                if anybody != httpx.codes.UNAUTHORIZED:
                    raise self._unreachable(said, f"HTTP {anybody}")
                answer = self._get(client, path)
            return self._read(answer, said)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._unreachable(said, type(error).__name__) from error

    def _unreachable(self, said: AirflowAnswer, why: str) -> Refused:
        return Refused(
            "airflow_unreachable",
            f"{self.url} did not say who answered {said.task_id}: {why}. An answer with an own "
            "signature does not need it.",
        )

    def _get(self, client: httpx.Client, path: str) -> httpx.Response:
        """As the notary's own user, with a new token where there is none or it has run out.

        Raises:
            ValueError: what came for a token is none.
        """
        for _ in range(2):
            if not self._token:
                login = {"username": self.user, "password": self.password}
                got = client.post("/auth/token", json=login)
                if not got.is_success:
                    raise Refused(
                        "airflow_unreachable",
                        f"{self.url} does not let the notary's user {self.user!r} in (HTTP "
                        f"{got.status_code}). Start the stack again, it renews the account.",
                    )
                self._token = _Token.model_validate_json(got.content).access_token
            answer = client.get(path, headers={"Authorization": f"Bearer {self._token}"})
            if answer.status_code != httpx.codes.UNAUTHORIZED:
                break
            self._token = ""
        return answer

    def _read(self, answer: httpx.Response, said: AirflowAnswer) -> Recalled:
        """What the answer says; ValueError: it does not read."""
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise Refused(
                "not_answered",
                f"Airflow knows no question {said.task_id} in {said.dag_run_id} (HTTP "
                f"{answer.status_code}): it was cleared, or never asked.",
            )
        if not answer.is_success:
            raise self._unreachable(said, f"HTTP {answer.status_code}")
        detail = _Detail.model_validate_json(answer.content)
        by = detail.responded_by_user
        if not detail.response_received or by is None or detail.responded_at is None:  # (2)
            raise Refused(
                "not_answered",
                f"Nobody answered {said.task_id} in {said.dag_run_id}; a task that was marked by "
                "hand is no answer.",
            )
        return Recalled(
            user=by.name,
            answered_at=detail.responded_at,
            options=detail.chosen_options or [],
            params=dict(detail.params_input),
            assigned=[one.name for one in detail.assigned_users],
        )
