from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

from include.adapters.policy_files import read_policy
from include.local_stack.credentials import (
    OFFICE_USERS,
    USERS,
    ensure_passwords,
    ensure_secrets,
    read_passwords,
)
from include.local_stack.errors import LocalStackError
from include.local_stack.layout import Layout
from include.rsp import human_tasks

POLICIES = sorted(Path(__file__).resolve().parents[3].glob("include/policies/*.yaml"))
assert POLICIES


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


def test_every_office_has_a_user_of_its_own() -> None:
    assert len(set(OFFICE_USERS.values())) == len(OFFICE_USERS)
    assert {USERS[user] for user in OFFICE_USERS.values()} == {"user"}


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_whom_a_policy_asks_has_a_user_and_a_task(path: Path) -> None:
    policy = read_policy(path.read_bytes(), where=path.name)
    told = {office for one in policy.notices if one.before_permit for office in one.to}
    deleting = {
        office
        for one in policy.responses
        if "consider_deletion" in one.actions
        for office in one.people
    }
    signing = policy.sign_off
    assert {*signing.roles, signing.second_line.office} | told | deleting <= set(OFFICE_USERS)
    assert told <= set(human_tasks.TOLD)
    assert deleting <= set(human_tasks.DELETERS)
    assert signing.roles == [one for one in human_tasks.SIGNERS if one in signing.roles]


def test_only_reading_is_left_to_the_notary() -> None:
    assert USERS["notary"] == USERS["viewer"] == "viewer"
