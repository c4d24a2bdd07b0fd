from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

from include.local_stack.credentials import (
    OFFICE_USERS,
    USERS,
    assigned,
    ensure_passwords,
    ensure_secrets,
    read_passwords,
)
from include.local_stack.errors import LocalStackError
from include.local_stack.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout.of(tmp_path)
    layout.airflow_home.mkdir(parents=True)
    return layout


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_long_and_private(layout: Layout) -> None:
    first = ensure_secrets(layout)

    assert len(first.jwt_secret.encode()) >= 64
    assert len(base64.urlsafe_b64decode(first.fernet_key)) == 32
    assert ensure_secrets(layout) == first
    assert mode(layout.secrets_file) == 0o600


def test_secrets_do_not_show_in_a_repr(layout: Layout) -> None:
    secrets = ensure_secrets(layout)
    for secret in (secrets.jwt_secret, secrets.api_secret_key, secrets.fernet_key):
        assert secret not in repr(secrets)


def test_every_named_user_has_a_password_of_its_own(layout: Layout) -> None:
    passwords = ensure_passwords(layout)

    assert set(passwords) == set(USERS)
    assert len(set(passwords.values())) == len(USERS)
    assert all(len(password) >= 20 for password in passwords.values())
    assert mode(layout.users_file) == 0o600
    assert read_passwords(layout) == ensure_passwords(layout) == passwords


def test_a_new_user_gets_a_password_and_the_others_keep_theirs(layout: Layout) -> None:
    before = ensure_passwords(layout, {"rso": "user"})
    after = ensure_passwords(layout, {"rso": "user", "board": "viewer"})

    assert after["rso"] == before["rso"]
    assert set(json.loads(layout.users_file.read_text())) == {"rso", "board"}


def test_a_file_left_readable_by_others_is_closed(layout: Layout) -> None:
    ensure_passwords(layout)
    layout.users_file.chmod(0o644)

    ensure_passwords(layout)

    assert mode(layout.users_file) == 0o600


@pytest.mark.parametrize("content", ["{", "[]", '{"admin": 1}'])
def test_an_unreadable_file_is_never_replaced_in_silence(layout: Layout, content: str) -> None:
    layout.users_file.write_text(content)

    with pytest.raises(LocalStackError, match=r"users\.json does not read"):
        ensure_passwords(layout)

    assert layout.users_file.read_text() == content


def test_no_stack_has_no_passwords(layout: Layout) -> None:
    assert read_passwords(layout) == {}


def test_every_office_of_a_policy_has_a_user_of_its_own() -> None:
    assert len(set(OFFICE_USERS.values())) == len(OFFICE_USERS)
    for office, user in OFFICE_USERS.items():
        assert USERS[user] == "user"
        assert assigned(office) == {"id": user, "name": user}


def test_an_office_without_a_user_is_refused_not_guessed() -> None:
    with pytest.raises(LocalStackError, match=r"'treasurer' .*'rso'.*OFFICE_USERS"):
        assigned("treasurer")


def test_only_reading_is_left_to_the_notary() -> None:
    assert USERS["notary"] == USERS["viewer"] == "viewer"
