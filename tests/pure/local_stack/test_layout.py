from __future__ import annotations

import dataclasses
from pathlib import Path

from include.local_stack.layout import Layout

FOLDERS = ["airflow_home", "store", "keys", "checkpoints", "jobs", "logs", "run"]
FILES = ["users_file", "stack_file", "secrets_file", "database", "supervisor_config", "lock_file"]


def test_everything_is_under_one_folder_of_the_project(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)

    assert layout.home == tmp_path / ".redline"
    for name in FOLDERS + FILES:
        assert getattr(layout, name).is_relative_to(layout.home), name
    assert layout.dags_folder == tmp_path / "dags"
    assert layout.plugins_folder == tmp_path / "plugins"
    assert layout.base_url == "http://127.0.0.1:8080"


def test_what_is_given_wins_and_becomes_absolute(tmp_path: Path) -> None:
    layout = Layout.of(
        tmp_path,
        home=Path("elsewhere"),
        api_port=8090,
        dags_folder=Path("few"),
        plugins_folder=None,
    )

    assert layout.home == Path.cwd() / "elsewhere"
    assert layout.dags_folder == Path.cwd() / "few"
    assert layout.base_url == "http://127.0.0.1:8090"


def test_a_layout_is_a_value(tmp_path: Path) -> None:
    assert Layout.of(tmp_path) == Layout.of(tmp_path)
    assert dataclasses.replace(Layout.of(tmp_path), api_port=1) != Layout.of(tmp_path)
