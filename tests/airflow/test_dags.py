"""The exact set of DAGs, what each says of itself, and what parsing them may not do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.conftest import ROOT

pytestmark = pytest.mark.airflow

EXPECTED = {
    "register_checkpoint": {"redline", "intake"},
    "assess_checkpoint": {"redline", "decision"},
    "release_hold": {"redline", "decision"},
    "permit_deployment": {"redline", "decision"},
    "verify_safeguards": {"redline", "decision"},
    "watch_deadlines": {"redline", "oversight"},
    "adopt_policy": {"redline", "policy"},
}
LINES = ("Question", "Runs when", "Reads and writes", "Where a human acts", "If it fails")
HEAVY = ("great_expectations", "pandas", "scipy", "inspect_ai", "boto3", "numpy")


def test_exactly_these_dags_are_there(bag: Any) -> None:
    assert set(bag.dags) == set(EXPECTED)
    assert {path.stem for path in (ROOT / "dags").glob("*.py")} == set(EXPECTED)


@pytest.mark.parametrize("dag_id", sorted(EXPECTED))
def test_each_dag_says_what_it_is(bag: Any, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert set(dag.tags) == EXPECTED[dag_id]
    assert all(f"**{line}:**" in (dag.doc_md or "") for line in LINES)
    assert (ROOT / "docs" / "runbooks" / f"{dag_id}.md").is_file()
    assert not dag.catchup
    assert dag.tasks
    assert all(task.owner == "redline" for task in dag.tasks)


def test_the_branch_targets_are_the_outcomes(bag: Any) -> None:
    from include.rsp.vocabulary import Outcome

    dag = bag.dags["assess_checkpoint"]
    assert {one.value for one in Outcome} <= dag.get_task("verdict").downstream_task_ids


def test_the_way_to_a_verdict_has_at_most_thirteen_hops(bag: Any) -> None:
    dag = bag.dags["assess_checkpoint"]
    before = dag.get_task("verdict").get_flat_relative_ids(upstream=True)
    # no process where nothing has to be read, and no evaluation waits for another
    idle = {"review_transcripts", "count_reviews", "evaluate_triggered"}
    assert idle < before
    assert len((before | {"verdict"}) - idle) + 1 <= 13  # evaluate is two: submit, and resume


def test_human_tasks_have_no_default_and_one_assigned_person(bag: Any) -> None:
    from airflow.providers.standard.operators.hitl import HITLOperator

    from include.rsp.human_tasks import DELETERS, SIGNERS, TOLD, WORDS, task_for
    from include.wiring.people import AskPerson

    human = [
        task for dag in bag.dags.values() for task in dag.tasks if isinstance(task, HITLOperator)
    ]
    each = 1 + len(SIGNERS) + len(TOLD)
    assert len(human) == 3 * each + len(DELETERS) + len(SIGNERS)
    for task in human:
        assert isinstance(task, AskPerson)
        assert not task.defaults
        assert task.task_id == task_for(task.kind, task.office)
        assert [user["id"] for user in task.assigned_users] == [task.office]
        assert {"reason", "signature"} <= set(task.params)
        assert len(task.options) == len(WORDS[task.kind])


def test_every_asset_has_a_plain_uri() -> None:
    import re

    from include.wiring import assets

    found = [assets.CHECKPOINT_FOLDER, assets.DUE_ASSESSMENTS, assets.PROPOSAL_FOLDER]
    for asset in found:
        assert re.fullmatch(r"redline://[a-z_]+(/[a-z_]+)*", asset.uri), asset.uri


def test_no_task_waits_in_a_pool_that_nobody_makes(bag: Any) -> None:
    assert {task.pool for dag in bag.dags.values() for task in dag.tasks} == {"default_pool"}


def test_parsing_a_dag_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, runpy\n"
        "from airflow.sdk import Asset\n"
        "Asset(name='any', uri='redline://any')\n"  # loads every provider's own asset handlers
        f"[sys.modules.pop(m, None) for m in {HEAVY!r}]\n"
        f"[runpy.run_path(p) for p in {[str(p) for p in (ROOT / 'dags').glob('*.py')]!r}]\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "path",
    [
        "/redline/",
        "/redline/evaluations",
        "/redline/records/x",
        "/redline/reports/x",
        "/redline/validations/x/y",
        "/redline/files/x",
    ],
)
def test_a_page_is_for_signed_in_people_only(bag: Any, path: str) -> None:
    from tests.support.airflow_world import Person

    viewer = Person("viewer")
    assert viewer.client.get(path).status_code == 401
    assert viewer.client.get(path, headers={"Authorization": "Bearer x"}).status_code in (401, 403)


def test_every_route_of_the_console_asks_who_is_there(bag: Any) -> None:
    from airflow.api_fastapi.app import cached_app
    from fastapi.routing import APIRoute
    from starlette.routing import Mount

    mounts = [
        one for one in cached_app().routes if isinstance(one, Mount) and one.path == "/redline"
    ]
    assert mounts
    routes = [one for one in mounts[0].routes if isinstance(one, APIRoute)]
    assert len(routes) == 6
    from tests.support.airflow_world import Person

    client = Person("viewer").client
    for route in routes:
        path = "/redline" + route.path.replace("{digest}", "sha256:" + "0" * 64)
        assert client.get(path).status_code == 401


def test_a_record_page_shows_the_record_and_escapes_what_is_in_it(bag: Any, looping: Any) -> None:
    from tests.support.airflow_world import Person

    looping.gate()
    viewer = Person("viewer")
    digest = next(iter(looping.state.records))
    page = viewer.get(f"/redline/records/{digest}")
    assert page.status_code == 200
    assert "trust_root" in page.text
    assert "BEGIN PUBLIC KEY" in page.text
    assert "script" not in page.text
    assert viewer.get("/redline/").status_code == 200
    assert viewer.get("/redline/records/sha256:" + "0" * 64).status_code == 404
    assert viewer.get("/redline/files/passwd").status_code == 404
