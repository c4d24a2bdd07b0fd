from __future__ import annotations

import importlib.metadata
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from include.local_stack.database import is_migrated, migrate
from include.local_stack.errors import MigrationFailed
from include.local_stack.layout import Layout

VERSION = importlib.metadata.version("apache-airflow-core")
FAB = importlib.metadata.version("apache-airflow-providers-fab")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout.of(tmp_path)
    layout.airflow_home.mkdir(parents=True)
    layout.logs.mkdir()
    return layout


def at_revision(layout: Layout, revision: str, fab_revision: str = "def") -> None:
    tables = {"alembic_version": revision, "alembic_version_fab": fab_revision}
    with closing(sqlite3.connect(layout.database)) as connection, connection:
        for table, value in tables.items():
            connection.execute(f"CREATE TABLE {table} (version_num TEXT)")
            connection.execute(f"INSERT INTO {table} VALUES (?)", (value,))  # noqa: S608


def recorded(layout: Layout, airflow: str, revision: str, **fab: str) -> None:
    fields = {"airflow": airflow, "revision": revision, "fab": FAB, "fab_revision": "def"} | fab
    (layout.airflow_home / "migrated.json").write_text(json.dumps(fields))


def test_a_database_of_this_airflow_at_its_recorded_revision_is_left_alone(layout: Layout) -> None:
    at_revision(layout, "abc")
    recorded(layout, VERSION, "abc")

    assert is_migrated(layout)
    assert migrate(layout, {}, python="/does/not/exist") is False


@pytest.mark.parametrize(
    ("airflow", "revision"),
    [("3.0.0", "abc"), (VERSION, "older"), (VERSION, "")],
)
def test_another_airflow_or_revision_is_migrated(
    layout: Layout, airflow: str, revision: str
) -> None:
    at_revision(layout, "abc")
    recorded(layout, airflow, revision)
    assert not is_migrated(layout)


@pytest.mark.parametrize("fab", [{"fab": "1.0"}, {"fab_revision": ""}])
def test_another_fab_is_migrated(layout: Layout, fab: dict[str, str]) -> None:
    at_revision(layout, "abc")
    recorded(layout, VERSION, "abc", **fab)
    assert not is_migrated(layout)


def test_a_record_without_its_database_does_not_count(layout: Layout) -> None:
    recorded(layout, VERSION, "abc")
    assert not is_migrated(layout)


def test_a_failure_names_the_log(layout: Layout, tmp_path: Path) -> None:
    failing = tmp_path / "python"
    failing.write_text(f"#!{sys.executable}\nprint('no such table')\nraise SystemExit(3)\n")
    failing.chmod(0o755)

    with pytest.raises(MigrationFailed, match=r"exit code 3.*db-migrate\.log"):
        migrate(layout, {}, python=str(failing))

    assert "no such table" in layout.log_of("db-migrate").read_text()
    assert not is_migrated(layout)


def test_success_without_a_database_is_a_failure(layout: Layout, tmp_path: Path) -> None:
    idle = tmp_path / "python"
    idle.write_text(f"#!{sys.executable}\n")
    idle.chmod(0o755)

    with pytest.raises(MigrationFailed):
        migrate(layout, {}, python=str(idle))
