from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from include.local_stack.auth import Auth, bring_people_about, write_notary_account
from include.local_stack.credentials import ensure_passwords
from include.local_stack.errors import PeopleFailed
from include.local_stack.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout.of(tmp_path, api_port=8091)
    for folder in (layout.airflow_home, layout.logs, layout.keys):
        folder.mkdir(parents=True)
    return layout


def python_that(tmp_path: Path, program: str) -> str:
    file = tmp_path / "python"
    file.write_text(f"#!{sys.executable}\n{program}\n")
    file.chmod(0o755)
    return str(file)


def test_the_simple_manager_needs_no_people_in_the_database(layout: Layout) -> None:
    assert not bring_people_about(layout, {}, auth=Auth.SIMPLE, python="/does/not/exist")


def test_fabs_people_are_made_from_the_users_file(layout: Layout, tmp_path: Path) -> None:
    python = python_that(tmp_path, "import sys; print(sys.argv[1:])")

    assert bring_people_about(layout, {}, auth=Auth.FAB, python=python)

    said = layout.log_of("people").read_text()
    assert said == f"{['-m', 'include.wiring.auth.fab_people', str(layout.users_file)]}\n"


def test_a_failure_names_the_log(layout: Layout, tmp_path: Path) -> None:
    python = python_that(tmp_path, "raise SystemExit(3)")
    with pytest.raises(PeopleFailed, match=r"exit code 3.*people\.log"):
        bring_people_about(layout, {}, auth=Auth.FAB, python=python)


def test_the_notary_is_told_at_each_start(layout: Layout) -> None:
    passwords = ensure_passwords(layout)
    assert not write_notary_account(layout, passwords)
    (layout.keys / "notary").mkdir()
    file = layout.keys / "notary" / "airflow.json"
    file.write_text("of another start")

    assert write_notary_account(layout, passwords)

    assert json.loads(file.read_text()) == {
        "url": "http://127.0.0.1:8091",
        "user": "notary",
        "password": passwords["notary"],
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
