"""People against a started Airflow: each user over REST, and the ways around a sign-off.

The store of the stack begins with a run that is held; how it got there is tested elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from include.adapters import answers
from include.adapters.ledger import LedgerReader
from include.adapters.signing import KeyFile
from include.adapters.store import DirectoryStore
from include.adapters.verification import verify_store
from include.cli import stack as stack_commands
from include.local_stack.credentials import OFFICE_USERS
from include.local_stack.errors import AirflowRestError
from include.local_stack.layout import Layout
from include.local_stack.ports import free_port
from include.local_stack.stack import StackHandle
from include.rsp import records as r
from include.rsp.human_tasks import option_for, task_for
from include.rsp.state import LedgerState
from tests.support.factories import X
from tests.support.waiting import eventually
from tests.support.world import RUN, World

pytestmark = pytest.mark.live
DAG = "release_hold"
PATIENCE = 120.0
MOMENTS = 1.5
KINDS = {"opinion": "second-line", "determination": "rso", "receipt": "board"}


class Desk:
    """One stack with a held run, and its people."""

    def __init__(self, layout: Layout, handle: StackHandle) -> None:
        self.layout, self.handle = layout, handle
        self.reader = LedgerReader(DirectoryStore(layout.store))
        self.seen: dict[str, float] = {}

    @property
    def state(self) -> LedgerState:
        return self.reader.refresh()

    def trigger(self) -> str:
        """Ask for the release; the DAG run."""
        conf = {"run_id": RUN, "reason": "a test asks"}
        with self.handle.rest("engineer") as rest:
            eventually(lambda: rest.find(f"dags/{DAG}"), PATIENCE)
            return str(rest.trigger(DAG, conf)["dag_run_id"])

    def question(self, run_id: str, task_id: str) -> dict[str, Any]:
        """The human task, once it has waited for some moments.

        (Airflow 3.3.2 can lose an answer that comes within a tenth of a second of the question; the
        person is asked again.)
        """

        def waiting() -> dict[str, Any] | None:
            with self.handle.rest("viewer") as rest:
                for one in rest.pending_human_tasks(DAG, run_id):
                    task = one["task_instance"]
                    if (task["task_id"], task["state"]) == (task_id, "awaiting_input"):
                        seen = self.seen.setdefault(
                            f"{task_id} {task['id']} {task['try_number']}", time.monotonic()
                        )
                        return one if time.monotonic() - seen > MOMENTS else None
            return None

        return eventually(waiting, PATIENCE)

    def ends(self, run_id: str, task_id: str, state: str) -> None:
        """Wait until a task has ended so."""

        def ended() -> bool:
            with self.handle.rest("viewer") as rest:
                found = {one["task_id"]: one["state"] for one in rest.task_instances(DAG, run_id)}
            assert found[task_id] not in ({"success", "failed"} - {state}), found
            return bool(found[task_id] == state)

        eventually(ended, PATIENCE)

    def answer(
        self,
        run_id: str,
        kind: str,
        office: str,
        choice: str,
        *,
        user: str | None = None,
        key: str | None = None,
        **params: Any,
    ) -> None:
        """Answer a human task, as a user; with `key` signed by that office's key."""
        task_id = task_for(kind, office)
        asked = self.question(run_id, task_id)
        digits = asked["options"][0].rsplit("(", 1)[1].rstrip(")")
        about = next(one for one in self.state.records if one.startswith(f"sha256:{digits}"))
        form = dict.fromkeys(asked["params"]) | params
        if key is not None:
            said = answers.said_by(
                kind, office=office, choice=choice, reason="a test", at=datetime.now(UTC)
            )
            path = self.layout.keys / "officers" / f"{key}.pem"
            form["signature"] = answers.sign_answer(
                KeyFile(path), kind, about, said
            ).model_dump_json()
        with self.handle.rest(user or OFFICE_USERS[office]) as rest:
            rest.answer_human_task(
                DAG,
                run_id,
                task_id,
                chosen_options=[option_for(kind, choice, about)],
                params_input=form,
            )

    def findings(self) -> list[str]:
        """What the notary recorded as deviations."""
        return [one.finding for one in self.state.records.values() if isinstance(one, r.Deviation)]

    def permits(self) -> int:
        return len(self.state.runs[RUN].permits)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("people")
    world = World(home)
    world.now = datetime.now(UTC)
    gate = world.gate()
    world.assess(4, addition=190)
    hold = gate.may_continue(1.0).hold
    assert hold is not None
    # its trainer stands still and says so: no silence becomes a finding while the tests run
    gate.acknowledge(
        hold, state="stands still", last_step=64, last_flop=4 * X, last_checkpoint=None
    )
    world.notary.step()
    world.add_evidence()
    layout = stack_commands.layout_of(home, free_port())
    try:
        yield Desk(layout, stack_commands.start(layout, (), print))
    finally:
        stack_commands.down(home, layout.api_port)


def refused(code: int, desk: Desk, user: str, run_id: str, **asked: Any) -> None:
    with pytest.raises(AirflowRestError) as caught:
        desk.answer(run_id, "determination", "rso", "accept_recommendation", user=user, **asked)
    assert caught.value.status == code


def test_each_user_against_a_started_airflow(desk: Desk) -> None:
    """Nobody but the right person answers, once; a person's key opens one office only."""
    run_id = desk.trigger()
    desk.answer(run_id, "opinion", "second-line", "disagree", reason="the evidence is thin")
    task = desk.question(run_id, "sign_off_as_rso")["task_instance"]
    path = f"/api/v2/dags/{DAG}/dagRuns/{run_id}/taskInstances/{task['task_id']}/-1/hitlDetails"
    with httpx.Client(base_url=desk.handle.base_url) as anonymous:
        assert anonymous.get(path).status_code == 401
        assert anonymous.patch(path, json={"chosen_options": ["x"]}).status_code == 401
        assert anonymous.get("/redline/").status_code == 401
    for wrong in ("viewer", "engineer", "ceo", "secondline", "board"):
        refused(403, desk, wrong, run_id, reason="not mine")
    desk.answer(run_id, "determination", "rso", "accept_recommendation", key="rso")
    refused_again(desk, run_id)
    desk.ends(run_id, "verify_sign_off_as_rso", "success")
    # the same person for both: the RSO's key in the CEO's task
    desk.answer(run_id, "determination", "ceo", "accept_recommendation", key="rso")
    desk.ends(run_id, "verify_sign_off_as_ceo", "failed")
    assert desk.permits() == 1
    assert desk.state.runs[RUN].holds_in_force
    packet = next(one for one in desk.state.records.values() if isinstance(one, r.Packet))
    text = desk.reader.store.get("blobs/" + packet.document.blob.removeprefix("sha256:"))
    assert b"DISAGREE" in (text or b"").split(b"\n---\n")[0]


def refused_again(desk: Desk, run_id: str) -> None:
    """A second answer, also by the right person."""
    path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances/sign_off_as_rso/-1/hitlDetails"
    with desk.handle.rest("rso") as rest:
        again = {"chosen_options": rest.get(path)["options"][:1], "params_input": {}}
        with pytest.raises(AirflowRestError) as caught:
            rest.patch(path, again)
    assert caught.value.status == 409


def test_a_sign_off_marked_by_hand_ends_without_a_permit_and_is_found(desk: Desk) -> None:
    """Only an administrator can; it makes no answer, and the attempt is in the ledger."""
    run_id = desk.trigger()
    desk.answer(run_id, "opinion", "second-line", "agree", reason="read it")
    desk.answer(run_id, "determination", "rso", "accept_recommendation", reason="as advised")
    desk.question(run_id, "sign_off_as_ceo")
    before = len(desk.findings())
    with desk.handle.rest("admin") as admin:
        for task_id in ("follow_determination", "confirm_receipt_as_board", "sign_off_as_ceo"):
            path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances/{task_id}"
            admin.patch(path, {"new_state": "success"})
    desk.ends(run_id, "ask_for_permit", "failed")
    assert desk.permits() == 1
    assert desk.state.runs[RUN].holds_in_force
    assert desk.findings()[before:] == ["sign_off_bypassed"]


def test_a_sign_off_that_was_cleared_and_answered_again_is_refused_and_found(desk: Desk) -> None:
    run_id = desk.trigger()
    desk.answer(run_id, "opinion", "second-line", "agree", reason="read it")
    desk.answer(run_id, "determination", "rso", "accept_recommendation", reason="as advised")
    desk.question(run_id, "sign_off_as_ceo")
    before = len(desk.findings())
    with desk.handle.rest("engineer") as engineer:
        engineer.post(
            f"dags/{DAG}/clearTaskInstances",
            {
                "dag_run_id": run_id, "task_ids": ["sign_off_as_rso"], "dry_run": False,
                "include_downstream": True, "only_failed": False, "reset_dag_runs": True,
            },
        )  # fmt: skip
    desk.answer(run_id, "determination", "rso", "accept_recommendation", reason="once more")
    desk.ends(run_id, "verify_sign_off_as_rso", "failed")
    assert list(desk.state.refusals.values())[-1].code == "answered_already"
    assert desk.permits() == 1
    assert desk.findings()[before:] == ["answer_refused"]


def test_with_every_answer_in_place_the_hold_is_released(desk: Desk) -> None:
    run_id = desk.trigger()
    desk.answer(run_id, "opinion", "second-line", "agree", reason="read it")
    for office in ("rso", "ceo"):
        desk.answer(run_id, "determination", office, "accept_recommendation", key=office)
    desk.answer(run_id, "receipt", "board", "received", reason="read it")
    desk.ends(run_id, "ask_for_permit", "success")
    permit = list(desk.state.runs[RUN].permits.values())[-1]
    assert permit.identification == "ATTESTED_BY_AIRFLOW"
    assert not desk.state.runs[RUN].holds_in_force


def test_all_that_happened_verifies_offline(desk: Desk, tmp_path: Path) -> None:
    report = verify_store(DirectoryStore(desk.layout.store))
    assert report.problems == []
