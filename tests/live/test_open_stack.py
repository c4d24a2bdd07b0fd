"""A stack whose API answers strangers is stopped again, however it came to be open."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.local_stack.auth import Auth
from include.local_stack.errors import OpenToStrangers
from include.local_stack.layout import Layout
from include.local_stack.lifecycle import down, status, up
from include.local_stack.ports import free_port
from include.local_stack.processes import stack_processes

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]
UP_SECONDS = 240.0


def test_a_public_role_in_airflows_own_file_stops_the_stack(tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    layout = Layout.of(PROJECT, home=tmp_path / "home", api_port=free_port(), dags_folder=dags)
    layout.airflow_home.mkdir(parents=True)
    (layout.airflow_home / "airflow.cfg").write_text("[fab]\nauth_role_public = Viewer\n")
    try:
        with pytest.raises(OpenToStrangers, match=r"answered with 200 .* the stack was stopped"):
            up(layout, auth=Auth.FAB, time_limit=UP_SECONDS)
        assert stack_processes(layout) == ()
        assert not status(layout).running
    finally:
        down(layout)
