"""An Airflow of this process: a migrated SQLite database, the real DAGs, named users."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HOME = Path(tempfile.mkdtemp(prefix="redline-airflow-"))
USERS = {
    "viewer": "viewer",
    "engineer": "op",
    "rso": "user",
    "ceo": "user",
    "secondline": "user",
    "board": "user",
    "admin": "admin",
}
ROOT = Path(__file__).resolve().parents[2]
PASSWORDS = HOME / "passwords.json"
PASSWORDS.write_text(json.dumps({name: f"{name}-password" for name in USERS}))
os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{k}:{v}" for k, v in USERS.items()),
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(PASSWORDS),
    "AIRFLOW__API_AUTH__JWT_SECRET": "for tests only, and longer than sixty-four bytes as asked "
    * 2,
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    "GX_ANALYTICS_ENABLED": "false",
    "REDLINE_NOTARY_SECONDS": "10",
}

from tests.support.airflow_world import LoopingWorld  # noqa: E402
from tests.support.factories import (  # noqa: E402
    POLICY_BYTES,
    SUITE_BYTES,
    changed,
    with_a_screening_test,
    with_preliminary,
)


@pytest.fixture(scope="session", autouse=True)
def short_breaks() -> Iterator[None]:
    """`dag.test()` looks once in a second whether a task can go on; here more often."""
    real = time.sleep
    time.sleep = lambda seconds: real(0.03 if seconds == 1 else seconds)
    yield
    time.sleep = real


@pytest.fixture(scope="session")
def bag() -> Any:
    """The real DAGs, synchronised into a fresh database."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.utils.db import initdb

    initdb()
    DagBundlesManager().sync_bundles_to_db()
    folder = ROOT / "dags"
    found = DagBag(str(folder), bundle_path=folder, bundle_name="dags-folder")
    assert found.import_errors == {}
    assert found.dags
    sync_bag_to_db(found, "dags-folder", None)
    for dag in found.dags.values():
        for task in dag.tasks:
            task.retries = 0
    return found


@pytest.fixture
def looping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopingWorld]:
    """A world with a looping notary, to which the tasks of this process are pointed."""
    yield from pointed_to(LoopingWorld(tmp_path), tmp_path, monkeypatch)


@pytest.fixture
def looping_with_preliminary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LoopingWorld]:
    """The same, under a policy that asks first whether a model is notably more capable."""
    rules = {
        "policy": changed(POLICY_BYTES, with_preliminary),
        "suite": changed(SUITE_BYTES, with_a_screening_test),
    }
    yield from pointed_to(LoopingWorld(tmp_path, **rules), tmp_path, monkeypatch)


@pytest.fixture
def looping_impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopingWorld]:
    """The same, under a policy that gives a trainer one second to answer a hold."""

    def soon(plain: dict[str, Any]) -> None:
        plain["hold"] |= {"acknowledge_within_seconds": 1, "verify_after_seconds": 0.5}
        plain["hold"]["escalation"] = [{"after_seconds": 1, "to": ["rso"]}]

    rules = {"policy": changed(POLICY_BYTES, soon)}
    yield from pointed_to(LoopingWorld(tmp_path, **rules), tmp_path, monkeypatch)


def pointed_to(
    world: LoopingWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LoopingWorld]:
    """The world, with the tasks of this process pointed to it."""
    monkeypatch.setenv("REDLINE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("REDLINE_CHECKPOINTS", str(tmp_path / "checkpoints"))
    monkeypatch.setenv("REDLINE_JOBS", str(tmp_path / "jobs"))
    with world.notary_running():
        yield world
