"""The secrets of one stack: made once at first start, kept in files that only their owner reads."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from include.local_stack.errors import LocalStackError
from include.local_stack.layout import Layout

OFFICE_USERS: Mapping[str, str] = MappingProxyType(
    {
        "second-line": "secondline",
        "rso": "rso",
        "ceo": "ceo",
        "board": "board",
        "ltbt": "ltbt",
        "ciso": "ciso",
        "governance-function": "governance",
        "sag": "sag",
    }
)
"""The offices of the policies, and the user by whom each of them answers: the one place for it."""

NOTARY_USER = "notary"
"""A service account that only reads: with it the notary reads answers again."""

USERS: Mapping[str, str] = MappingProxyType(
    {
        "viewer": "viewer",
        NOTARY_USER: "viewer",
        "engineer": "op",
        **dict.fromkeys(OFFICE_USERS.values(), "user"),
        "admin": "admin",
    }
)
"""Named users and their roles in Airflow's simple auth manager (viewer < user < op < admin)."""

PRIVATE = 0o600
JWT_SECRET_BYTES = 64


@dataclass(frozen=True, slots=True)
class AirflowSecrets:
    """What all Airflow processes of one stack share; never shown by `repr`."""

    jwt_secret: str = field(repr=False)
    api_secret_key: str = field(repr=False)
    fernet_key: str = field(repr=False)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; it is 0600 from its first byte."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.replace(path)


def ensure_secrets(layout: Layout) -> AirflowSecrets:
    """Read the stack's Airflow secrets, making those that are missing.

    Raises: LocalStackError when the file exists and does not read.
    """

    def fernet_key() -> str:
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()

    makers: Mapping[str, Callable[[], str]] = {
        "jwt_secret": lambda: secrets.token_hex(JWT_SECRET_BYTES),
        "api_secret_key": lambda: secrets.token_hex(32),
        "fernet_key": fernet_key,
    }
    kept = _ensure(layout.secrets_file, makers)
    return AirflowSecrets(**{name: kept[name] for name in makers})


def ensure_passwords(layout: Layout, users: Mapping[str, str] = USERS) -> dict[str, str]:
    """Read the named users' passwords, making those that are missing; others stay as they are.

    Raises: LocalStackError when the file exists and does not read.
    """

    def password() -> str:
        return secrets.token_urlsafe(18)

    kept = _ensure(layout.users_file, dict.fromkeys(users, password))
    return {name: kept[name] for name in users}


def read_passwords(layout: Layout) -> dict[str, str]:
    """The passwords of the stack's named users, or nothing when it was never started."""
    return _read(layout.users_file)


def _ensure(path: Path, makers: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    kept = _read(path)
    missing = {name: make() for name, make in makers.items() if not kept.get(name)}
    if missing:
        kept |= missing
        write_private(path, json.dumps(kept, indent=2) + "\n")
    else:
        path.chmod(PRIVATE)
    return kept


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LocalStackError(_unreadable(path, str(error))) from error
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise LocalStackError(_unreadable(path, "expected one JSON object of strings"))
    return value


def _unreadable(path: Path, reason: str) -> str:
    return (
        f"Credentials file {path} does not read ({reason}). Restore it, or delete it to have new "
        "credentials made at the next `make up` (everybody is logged out then)."
    )
