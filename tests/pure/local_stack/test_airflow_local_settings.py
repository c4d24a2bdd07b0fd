from __future__ import annotations

import subprocess
import sys

import pytest

from include.local_stack import airflow_local_settings
from include.local_stack.airflow_local_settings import PRELOADED

LOADED = (
    "import sys; sys.argv = ['airflow', *sys.argv[1:]];"
    "import include.local_stack.airflow_local_settings;"
    f"print(sum(name in sys.modules for name in {PRELOADED!r}))"
)


@pytest.mark.parametrize(
    "arguments",
    [
        ["api-server"],
        ["triggerer"],
        ["db", "migrate"],
        ["dags", "scheduler"],
        [],
    ],
)
def test_other_processes_load_nothing(arguments: list[str]) -> None:
    said = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "0"


def test_the_scheduler_preloads(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(airflow_local_settings.importlib, "import_module", loaded.append)

    wanted = airflow_local_settings._preloaded_by(["airflow", "scheduler", "--skip-serve-logs"])
    airflow_local_settings._preload(wanted)

    assert tuple(loaded) == PRELOADED


def test_the_dag_processor_preloads_what_airflow_imports_for_every_asset() -> None:
    wanted = airflow_local_settings._preloaded_by(["airflow", "dag-processor"])
    assert wanted == ("boto3.s3.transfer",)


def test_airflows_settings_are_not_overwritten() -> None:
    assert airflow_local_settings.__all__ == []
