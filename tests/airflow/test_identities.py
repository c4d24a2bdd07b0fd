"""FAB's roles and users in a real database of Airflow, and the guard before the real managers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from include.local_stack.credentials import USERS
from include.wiring.auth import fab_roles

pytestmark = pytest.mark.airflow


@pytest.fixture
def session(bag: Any) -> Iterator[Any]:
    from airflow.utils.session import create_session

    with create_session() as session:
        yield session
        session.rollback()


def passwords(suffix: str = "") -> dict[str, str]:
    return {name: f"{name}-password{suffix}" for name in USERS}


def people(session: Any) -> dict[str, tuple[str, frozenset[tuple[str, str]]]]:
    from airflow.providers.fab.auth_manager.models import User
    from sqlalchemy import select

    session.flush()
    found = session.scalars(select(User)).unique().all()
    return {
        user.username: (
            ",".join(role.name for role in user.roles),
            frozenset(
                (each.action.name, each.resource.name)
                for role in user.roles
                for each in role.permissions
            ),
        )
        for user in found
    }


def test_every_permission_is_one_that_fab_knows() -> None:
    from airflow.providers.fab.auth_manager.security_manager.override import (
        FabAirflowSecurityManagerOverride as Fab,
    )

    known = {each for config in Fab.ROLE_CONFIGS for each in config["perms"]}
    used = frozenset().union(*fab_roles.ROLES.values())
    assert used
    assert used - known == set()


def test_people_are_made_once_and_put_right_again(session: Any) -> None:
    from airflow.providers.fab.auth_manager.models import Role, User
    from sqlalchemy import select
    from werkzeug.security import check_password_hash

    from include.wiring.auth.fab_people import set_people

    set_people(session, passwords())
    made = people(session)
    assert {name: role for name, (role, _) in made.items()} == dict(fab_roles.ROLE_OF)
    assert made["rso"][1] == fab_roles.ANSWERER

    rso = session.scalars(select(User).where(User.username == "rso")).unique().one()
    engineer = session.scalars(select(Role).where(Role.name == "engineer")).unique().one()
    rso.roles.append(engineer)
    rso.roles[0].permissions.append(
        next(each for each in engineer.permissions if each.action.name == "can_create")
    )
    assert people(session) != made
    set_people(session, passwords("-new"))
    session.flush()
    session.expire_all()

    assert people(session) == made
    assert check_password_hash(rso.password, "rso-password-new")


def test_fabs_user_is_reported_by_name(session: Any) -> None:
    from airflow.providers.fab.auth_manager.models import User
    from sqlalchemy import select

    from include.wiring.auth.fab import GuardedFabAuthManager
    from include.wiring.auth.fab_people import set_people

    set_people(session, passwords())
    session.commit()
    row = session.scalars(select(User).where(User.username == "rso")).unique().one()
    manager = GuardedFabAuthManager()

    token = manager.serialize_user(row)
    user = manager.deserialize_user(token)

    assert (user.get_id(), user.get_name()) == ("rso", "rso")
    assert row.get_id() == token["sub"] == str(row.id)
    assert manager.is_authorized_hitl_task(assigned_users={"rso"}, user=user)
    assert not manager.is_authorized_hitl_task(assigned_users={"ceo", str(row.id)}, user=user)
