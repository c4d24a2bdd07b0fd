"""The roles of Redline in FAB, each with exactly the permissions that it needs.

Names are FAB's own (`airflow.providers.fab.www.security.permissions`); a test looks each one up.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from include.local_stack.credentials import NOTARY_USER, OFFICE_USERS

Permission = tuple[str, str]
"""Action and resource."""

READ, CREATE, EDIT, MENU = "can_read", "can_create", "can_edit", "menu_access"
ADMIN = "Admin"
"""FAB's own role: at each start the API server gives it every permission there is."""

CLEAR: Permission = (EDIT, "DAG Runs")

READER: frozenset[Permission] = frozenset(
    {
        *(
            (READ, resource)
            for resource in (
                "Website",
                "DAGs",
                "DAG Code",
                "DAG Dependencies",
                "DAG Runs",
                "DAG Versions",
                "DAG Warnings",
                "Task Instances",
                "Task Logs",
                "XComs",
                "HITL Detail",
                "Assets",
                "Asset Aliases",
                "Pools",
                "Jobs",
                "ImportError",
                "Cluster Activity",
                "My Profile",
                # Without it the UI does not learn that there is a console to show.
                "Plugins",
            )
        ),
        *(
            (MENU, resource)
            for resource in ("Browse", "DAGs", "DAG Runs", "Task Instances", "Assets", "Docs")
        ),
        (MENU, "HITL Detail"),
    }
)
ANSWERER = READER | {(EDIT, "HITL Detail")}
ENGINEER = READER | {
    # Pausing; FAB also asks for it before runs are started and cleared.
    (EDIT, "DAGs"),
    (CREATE, "DAG Runs"),
    CLEAR,
    (EDIT, "Task Instances"),
    # Asset events by REST: a checkpoint's announcement, which carries no truth.
    (CREATE, "Assets"),
}


def office_role(office: str) -> str:
    """The role of a human office, `second_line` for the policies' `second-line`."""
    return office.replace("-", "_")


ROLES: Mapping[str, frozenset[Permission]] = MappingProxyType(
    {
        "viewer": READER,
        "engineer": ENGINEER,
        **{office_role(office): ANSWERER for office in OFFICE_USERS},
    }
)
ROLE_OF: Mapping[str, str] = MappingProxyType(
    {
        "viewer": "viewer",
        NOTARY_USER: "viewer",
        "engineer": "engineer",
        **{user: office_role(office) for office, user in OFFICE_USERS.items()},
        "admin": ADMIN,
    }
)
"""User name to role."""
