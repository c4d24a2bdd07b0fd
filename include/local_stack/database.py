"""Brings Airflow's metadata database up to date, and knows quickly when it already is.

FAB's tables are in it, whether FAB is in use or not.
"""

from __future__ import annotations

import importlib.metadata
import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from include.local_stack.credentials import write_private
from include.local_stack.errors import MigrationFailed
from include.local_stack.layout import Layout

MIGRATION_SECONDS = 180
LOG_NAME = "db-migrate"


def is_migrated(layout: Layout) -> bool:
    """Whether the database is at the revisions to which these very versions brought it."""
    try:
        recorded = json.loads(_record(layout).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(recorded == _now(layout))


def migrate(
    layout: Layout, environment: Mapping[str, str], *, python: str = sys.executable
) -> bool:
    """Run `airflow db migrate` unless there is nothing to do; says whether it ran.

    Safe to repeat and to interrupt: Airflow's migration picks up where it was, and the record that
    lets the next start skip it is written only after it ended well.
    Raises: MigrationFailed naming the log.
    """
    if is_migrated(layout):
        return False
    log = layout.log_of(LOG_NAME)
    with log.open("w", encoding="utf-8") as stream:
        try:
            code = subprocess.run(
                [python, "-m", "airflow", "db", "migrate"],
                env=dict(environment),
                cwd=layout.project,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=MIGRATION_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise MigrationFailed(_failure(log, f"no end after {MIGRATION_SECONDS} s")) from error
    if code != 0 or not _now(layout)["revision"]:
        raise MigrationFailed(_failure(log, f"exit code {code}"))
    write_private(_record(layout), json.dumps(_now(layout)) + "\n")
    return True


def _record(layout: Layout) -> Path:
    return layout.airflow_home / "migrated.json"


def _now(layout: Layout) -> dict[str, str]:
    return {
        "airflow": importlib.metadata.version("apache-airflow-core"),
        "revision": _revision(layout.database, "alembic_version"),
        # `airflow db migrate` makes FAB's tables wherever FAB is installed, in use or not.
        "fab": importlib.metadata.version("apache-airflow-providers-fab"),
        "fab_revision": _revision(layout.database, "alembic_version_fab"),
    }


def _revision(database: Path, table: str) -> str:
    if not database.exists():
        return ""
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute(f"SELECT version_num FROM {table}").fetchone()  # noqa: S608
    except sqlite3.Error:
        return ""
    return str(row[0]) if row else ""


def _failure(log: Path, what: str) -> str:
    return (
        f"`airflow db migrate` failed ({what}; expected: exit code 0). Read {log}. If the database "
        "is from a newer Airflow, move the stack's folder away and run `make up` again."
    )
