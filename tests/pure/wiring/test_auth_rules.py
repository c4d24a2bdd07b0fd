from __future__ import annotations

import ast
from pathlib import Path

import pytest

from include.local_stack.credentials import OFFICE_USERS, USERS
from include.wiring.auth import fab_roles
from include.wiring.auth.rules import DECIDING_DAGS, Asked, Change, Standing, refusal

DAGS = Path(__file__).resolve().parents[3] / "dags"
HARMLESS_DAG = "register_checkpoint"
ENTITIES = (None, "RUN", "TASK_INSTANCE", "XCOM", "TASK", "CODE")
CHANGES = ("POST", "PUT", "DELETE")


def asked(
    method: str, entity: str | None, dag_id: str | None = DECIDING_DAGS[0], clears: bool = False
) -> Change:
    return Change(method=method, entity=entity, dag_id=dag_id, clears=clears)


@pytest.mark.parametrize("standing", list(Standing))
@pytest.mark.parametrize("entity", ENTITIES)
def test_reading_and_answering_is_left_to_the_auth_manager(
    standing: Standing, entity: str | None
) -> None:
    assert refusal(asked("GET", entity), standing) is None
    assert refusal(asked("PUT", "HITL_DETAIL"), standing) is None


@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize("entity", ENTITIES)
@pytest.mark.parametrize("dag_id", [*DECIDING_DAGS, HARMLESS_DAG, None])
@pytest.mark.parametrize("clears", [True, False])
def test_a_person_changes_nothing_and_an_admin_anything(
    method: str, entity: str | None, dag_id: str | None, clears: bool
) -> None:
    change = asked(method, entity, dag_id, clears)
    assert "Only engineers" in (refusal(change, Standing.PERSON) or "")
    assert refusal(change, Standing.ADMIN) is None


@pytest.mark.parametrize("dag_id", DECIDING_DAGS)
def test_an_engineer_pauses_triggers_and_clears_what_decides_and_no_more(dag_id: str) -> None:
    allowed = {
        (method, entity, clears)
        for method in CHANGES
        for entity in ENTITIES
        for clears in (True, False)
        if refusal(asked(method, entity, dag_id, clears), Standing.ENGINEER) is None
    }
    pause_and_trigger = {("PUT", None), ("POST", "RUN")}
    assert allowed == {
        (*each, clears) for each in pause_and_trigger for clears in (True, False)
    } | {
        ("PUT", "RUN", True),
        ("PUT", "TASK_INSTANCE", True),
    }


@pytest.mark.parametrize("dag_id", [HARMLESS_DAG, None])
def test_an_engineer_is_free_where_nothing_is_decided(dag_id: str | None) -> None:
    assert refusal(asked("PUT", "TASK_INSTANCE", dag_id), Standing.ENGINEER) is None


@pytest.mark.parametrize(
    ("method", "path", "clears"),
    [
        ("POST", "/api/v2/dags/a/clearTaskInstances", True),
        ("POST", "/api/v2/dags/a/clearDagRuns", True),
        ("POST", "/api/v2/dags/a/dagRuns/b/clear", True),
        ("POST", "/api/v2/dags/a/clearPartitions", False),
        ("PATCH", "/api/v2/dags/a/dagRuns/clear", False),
        ("PATCH", "/api/v2/dags/a/dagRuns/b/taskInstances/clearTaskInstances", False),
        ("DELETE", "/api/v2/dags/a/dagRuns/clear", False),
        ("PUT", "/clear", False),
    ],
)
def test_only_a_post_to_a_clearing_endpoint_clears(method: str, path: str, clears: bool) -> None:
    assert Asked(method=method, path=path).clears is clears


def test_every_dag_with_a_human_task_is_guarded() -> None:
    sources = {path.stem: path.read_text() for path in DAGS.glob("*.py")}
    assert sources
    asking = {stem for stem, text in sources.items() if "determine" in names(text)}
    assert asking
    assert asking <= set(DECIDING_DAGS)


def names(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def test_each_user_has_a_role_and_each_role_a_user() -> None:
    assert set(fab_roles.ROLE_OF) == set(USERS)
    assert set(fab_roles.ROLE_OF.values()) == {*fab_roles.ROLES, fab_roles.ADMIN}


def test_roles_carry_no_more_than_they_need() -> None:
    changing = {
        role: {each for each in permissions if each[0] not in {"can_read", "menu_access"}}
        for role, permissions in fab_roles.ROLES.items()
    }
    answer = {("can_edit", "HITL Detail")}
    assert changing == {
        "viewer": set(),
        "engineer": {
            ("can_edit", "DAGs"),
            ("can_create", "DAG Runs"),
            ("can_edit", "DAG Runs"),
            ("can_edit", "Task Instances"),
            ("can_create", "Assets"),
        },
        **{fab_roles.office_role(office): answer for office in OFFICE_USERS},
    }
