"""Airflow's simple auth manager with the guard: the default of the local stack."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

from include.wiring.auth.guard import Guard
from include.wiring.auth.rules import Standing

STANDING = {"ADMIN": Standing.ADMIN, "OP": Standing.ENGINEER}


class GuardedSimpleAuthManager(Guard, SimpleAuthManager):
    """Users and passwords from the configuration; roles viewer < user < op < admin."""

    def standing(self, user: Any) -> Standing:
        """By the role; a role that is not known is a person's."""
        return STANDING.get((user.role or "").upper(), Standing.PERSON)
