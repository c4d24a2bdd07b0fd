"""Airflow's FAB auth manager with the guard: users in the database, or from an identity provider.

Two things differ from plain FAB beside the guard. Users are reported by name, where FAB reports the
number of a row in its database: policies and trust roots name people. And an answer to a human task
needs no leave to edit DAGs, so that people of an office cannot pause one.
"""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager

from include.wiring.auth.fab_roles import ADMIN, CLEAR
from include.wiring.auth.guard import Guard
from include.wiring.auth.rules import Standing


class NamedUser(BaseUser):
    """FAB's user, whose id for Airflow is its user name (unique in FAB); all else is FAB's.

    A wrapper, because FAB's own login sessions go by what the row itself calls its id.
    """

    def __init__(self, row: Any) -> None:
        self._row = row

    def get_id(self) -> str:
        """The user name."""
        return self.get_name()

    def get_name(self) -> str:
        """The user name."""
        return str(self._row.username)

    def __getattr__(self, name: str) -> Any:
        """What FAB's auth manager asks of its user: row number, roles, permissions."""
        return getattr(self._row, name)


class GuardedFabAuthManager(Guard, FabAuthManager):
    """Roles and permissions are in `fab_roles.py`; Airflow looks for `FabAuthManager` in a name."""

    def deserialize_user(self, token: dict[str, Any]) -> Any:
        """The user, whose id for Airflow is the user name. Raises: ValueError (gone, inactive)."""
        return NamedUser(super().deserialize_user(token))

    def standing(self, user: Any) -> Standing:
        """By role for admins, by permission for engineers."""
        if any(role.name == ADMIN for role in user.roles):
            return Standing.ADMIN
        return Standing.ENGINEER if CLEAR in user.perms else Standing.PERSON

    def _manager_allows(self, **question: Any) -> bool:
        entity, details = question["access_entity"], question["details"]
        if entity is DagAccessEntity.HITL_DETAIL and question["method"] == "PUT":
            may_answer = self._is_authorized(
                method="PUT",
                resource_type=self._get_fab_resource_types(entity)[0],
                user=question["user"],
            )
            return may_answer and super()._manager_allows(
                method="GET", user=question["user"], access_entity=entity, details=details
            )
        return super()._manager_allows(**question)
