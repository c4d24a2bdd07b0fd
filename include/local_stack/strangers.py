"""Asks Airflow's API without credentials: a stack that answers strangers is never called ready."""

from __future__ import annotations

import httpx

from include.local_stack.errors import OpenToStrangers

CLOSED_PATHS = ("/api/v2/dags", "/api/v2/dags/~/dagRuns/~/hitlDetails")
UNAUTHORIZED = 401
ASK_SECONDS = 10.0


def refuse_strangers(base_url: str) -> None:
    """Return if each path answers 401 to somebody without credentials; anything else refuses.

    Settings say that authentication is on; this looks whether it is (an auth manager of one's own,
    a public role in airflow.cfg, a patched server). Raises: OpenToStrangers.
    """
    for path in CLOSED_PATHS:
        try:
            with httpx.Client(trust_env=False, timeout=ASK_SECONDS) as stranger:
                got = str(stranger.get(base_url + path).status_code)
        except httpx.HTTPError as error:
            got = f"{type(error).__name__}: {error}"
        if got != str(UNAUTHORIZED):
            raise OpenToStrangers(
                f"GET {path} without credentials was answered with {got} by {base_url} (expected: "
                f"{UNAUTHORIZED}); the stack was stopped. Look for `auth_role_public` and "
                "`simple_auth_manager_all_admins` in airflow.cfg, then `make up` again."
            )
