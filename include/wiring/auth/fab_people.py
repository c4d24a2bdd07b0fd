"""Makes FAB's roles and the named users what the code and `users.json` say; run at each start.

    python -m include.wiring.auth.fab_people <users.json>

One process and one transaction on FAB's own tables, since FAB's command line costs one process for
each user. Safe to repeat; other roles and users are left alone. Permissions that somebody added to
one of our roles are taken away again, and a password that is not the one in the file is replaced.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.providers.fab.auth_manager.models import Action, Permission, Resource, Role, User
from airflow.utils.session import create_session
from sqlalchemy import select
from werkzeug.security import check_password_hash, generate_password_hash

from include.wiring.auth import fab_roles


def set_people(session: Any, passwords: Mapping[str, str]) -> None:
    """Bring roles and users about in this session; the caller commits."""
    roles = {name: _named(session, Role, name) for name in (*fab_roles.ROLES, fab_roles.ADMIN)}
    for name, wanted in fab_roles.ROLES.items():
        permissions = [_permission(session, *each) for each in sorted(wanted)]
        if set(roles[name].permissions) != set(permissions):
            roles[name].permissions = permissions
    for name, role in fab_roles.ROLE_OF.items():
        _set_user(session, name, password=passwords[name], role=roles[role])


def _named(session: Any, model: Any, name: str) -> Any:
    found = session.scalars(select(model).where(model.name == name)).unique().one_or_none()
    if found is None:
        found = model(name=name)
        session.add(found)
        session.flush()
    return found


def _permission(session: Any, action: str, resource: str) -> Any:
    pair = (_named(session, Action, action), _named(session, Resource, resource))
    wanted = select(Permission).where(
        Permission.action_id == pair[0].id, Permission.resource_id == pair[1].id
    )
    found = session.scalars(wanted).unique().one_or_none()
    if found is None:
        found = Permission(action=pair[0], resource=pair[1])
        session.add(found)
        session.flush()
    return found


def _set_user(session: Any, name: str, *, password: str, role: Any) -> None:
    user = session.scalars(select(User).where(User.username == name)).unique().one_or_none()
    if user is None:
        user = User(
            username=name,
            first_name=name,
            last_name="(Redline)",
            email=f"{name}@redline.invalid",
            active=True,
        )
        session.add(user)
    if not user.password or not check_password_hash(user.password, password):
        user.password = generate_password_hash(password)
    if user.roles != [role]:
        user.roles = [role]


def main() -> None:
    """Read the passwords and write the people."""
    passwords = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with create_session() as session:
        set_people(session, passwords)


if __name__ == "__main__":
    main()
