"""The people of the demo, all SIMULATED: each answers with the own key, through Airflow's REST API.

They answer as persons would: some moments after the question, and again if they are asked again.
(Airflow 3.3.2 can fail a human task that is answered within a tenth of a second: the scheduler then
hears of the question's end after the answer has queued the task again.)
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from include.adapters import answers, bootstrap
from include.adapters.signing import KeyFile
from include.local_stack.credentials import OFFICE_USERS
from include.local_stack.layout import Layout
from include.local_stack.stack import StackHandle
from include.rsp import records as r
from include.rsp.human_tasks import DETERMINATION, OPINION, RECEIPT, REVIEW, option_for
from include.rsp.state import LedgerState

MOMENTS = 2.0
LOOK_SECONDS = 1.0
LINES: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "give_opinion_as_second_line": (OPINION, "agree", "nobody read it", {}),
    "sign_off_as_rso": (DETERMINATION, "accept_recommendation", "nobody weighed it", {}),
    "sign_off_as_ceo": (DETERMINATION, "accept_recommendation", "nobody weighed it", {}),
    "confirm_receipt_as_board": (RECEIPT, "received", "nobody read it", {"notice": "board"}),
    "review_transcripts": (REVIEW, "nothing_suspicious", "nobody read them", {}),
}
"""By task: the kind of answer, what is answered, the reason given, and what else is said."""


@dataclass(slots=True)
class Cast:
    """Everybody who answers in the demo."""

    layout: Layout
    handle: StackHandle
    _looked: float = field(default=0.0)

    def act(self, state: LedgerState) -> None:
        """Answer whatever has waited for some moments."""
        if time.monotonic() < self._looked + LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        with self.handle.rest("viewer") as rest:
            waiting = [one for one in rest.pending_human_tasks() if _has_waited(one)]
        for one in waiting:
            self._answer(state, one)

    def _answer(self, state: LedgerState, one: dict[str, Any]) -> None:
        task = one["task_instance"]
        name = str(task["task_id"])
        kind, choice, reason, more = LINES[name]
        about = _shown(state, one["options"])
        office = _asked(state, name, about)
        said = answers.said_by(
            kind, office=office, choice=choice, reason=f"{reason} (SIMULATED)",
            at=datetime.now(UTC), **more,
        )  # fmt: skip
        key = KeyFile(bootstrap.KeyFolders(self.layout.keys).officer(office))
        envelope = answers.sign_answer(key, kind, about, said)
        with self.handle.rest(OFFICE_USERS[office]) as rest:
            rest.answer_human_task(
                str(task["dag_id"]),
                str(task["dag_run_id"]),
                name,
                map_index=int(task["map_index"]),
                chosen_options=[option_for(kind, choice, about)],
                params_input=dict.fromkeys(one["params"])
                | {"signature": envelope.model_dump_json()},
            )


def _asked(state: LedgerState, task: str, about: str) -> str:
    """The office that a task asks: in its name, or in the request that it shows."""
    request = state.records[about]
    if isinstance(request, r.ReviewRequest):
        return request.office
    return task.rsplit("_as_", 1)[1].replace("_", "-")


def _shown(state: LedgerState, options: list[str]) -> str:
    """The full digest of what the task shows: its options carry the first digits."""
    digits = options[0].rsplit("(", 1)[1].rstrip(")")
    return next(one for one in state.records if one.startswith(f"sha256:{digits}"))


def _has_waited(one: dict[str, Any]) -> bool:
    if one["task_instance"]["state"] != "awaiting_input":
        return False
    asked = datetime.fromisoformat(one["created_at"])
    return (datetime.now(UTC) - asked).total_seconds() > MOMENTS
