"""Airflow's FAB auth manager with the guard: users in the database, or from an identity provider.

Two things differ from plain FAB beside the guard. Users are reported by name, where FAB reports the
number of a row in its database: policies and trust roots name people. And an answer to a human task
needs no leave to edit DAGs, so that people of an office cannot pause one.
"""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager

from include.wiring.auth.fab_roles import ADMIN, CLEAR
from include.wiring.auth.guard import Guard
from include.wiring.auth.rules import Standing


class GuardedFabAuthManager(Guard, FabAuthManager):
    """Roles and permissions are in `fab_roles.py`; Airflow looks for `FabAuthManager` in a name."""

    def deserialize_user(self, token: dict[str, Any]) -> Any:
        """The user, whose id for Airflow is the user name (unique in FAB).

        Only on this object: FAB's own login sessions go by the row number, on objects of their own.
        """
        user = super().deserialize_user(token)
        user.get_id = user.get_name
        return user

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
