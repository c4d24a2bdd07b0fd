"""Which auth manager a stack runs with, and bringing its users about before it starts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from enum import StrEnum

from include.local_stack.credentials import NOTARY_USER, write_private
from include.local_stack.errors import PeopleFailed
from include.local_stack.layout import Layout

PEOPLE_SECONDS = 60
LOG_NAME = "people"


class Auth(StrEnum):
    """The auth managers to choose from; both refuse changes by hand on deciding DAGs."""

    SIMPLE = "simple"
    FAB = "fab"

    @property
    def manager(self) -> str:
        """Value of Airflow's `core.auth_manager`."""
        return {
            Auth.SIMPLE: "include.wiring.auth.simple.GuardedSimpleAuthManager",
            Auth.FAB: "include.wiring.auth.fab.GuardedFabAuthManager",
        }[self]


def bring_people_about(
    layout: Layout, environment: Mapping[str, str], *, auth: Auth, python: str = sys.executable
) -> bool:
    """Make FAB's roles and users in its database; says whether there was anything to do.

    The simple auth manager reads users from its settings and passwords from `users.json` by itself.
    Raises: PeopleFailed naming the log.
    """
    if auth is Auth.SIMPLE:
        return False
    log = layout.log_of(LOG_NAME)
    command = [python, "-m", "include.wiring.auth.fab_people", str(layout.users_file)]
    with log.open("w", encoding="utf-8") as stream:
        try:
            code = subprocess.run(
                command,
                env=dict(environment),
                cwd=layout.project,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=PEOPLE_SECONDS,
                check=False,
            ).returncode
            said = f"exit code {code}"
        except subprocess.TimeoutExpired:
            code, said = None, f"no end after {PEOPLE_SECONDS} s"
    if code != 0:
        raise PeopleFailed(
            f"FAB's roles and users were not made ({said}; expected: exit code 0). Read {log}, "
            "then `make up` again."
        )
    return True


def write_notary_account(layout: Layout, passwords: Mapping[str, str]) -> bool:
    """Tell the notary where Airflow is and as whom it reads there; says whether it has a folder.

    Written at each start, before the notary's: port and password may have changed.
    """
    folder = layout.keys / "notary"
    if not folder.is_dir():
        return False
    account = {
        "url": layout.base_url,
        "user": NOTARY_USER,
        "password": passwords[NOTARY_USER],
    }
    write_private(folder / "airflow.json", json.dumps(account, indent=2) + "\n")
    return True
