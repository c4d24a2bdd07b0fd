"""Starts a stack that does not run: folders, database, supervisord."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from include.local_stack import airflow_local_settings
from include.local_stack.airflow_settings import (
    airflow_environment,
    inherited_environment,
    process_environment,
)
from include.local_stack.auth import Auth, bring_people_about, write_notary_account
from include.local_stack.credentials import ensure_passwords, ensure_secrets, write_private
from include.local_stack.database import migrate
from include.local_stack.errors import SupervisorFailed
from include.local_stack.layout import Layout
from include.local_stack.readiness import Say
from include.local_stack.stack_record import StackRecord, write_record
from include.local_stack.supervisor_client import SupervisorClient
from include.local_stack.supervisor_config import (
    Program,
    airflow_programs,
    render,
    socket_path,
)

SUPERVISOR_SECONDS = 15.0
POLL_SECONDS = 0.05
PRIVATE_FOLDER = 0o700


def make_folders(layout: Layout) -> None:
    """Create what is missing; folders with keys, secrets or sockets are for their owner alone."""
    for folder in (layout.home, layout.store, layout.checkpoints, layout.jobs, layout.logs):
        folder.mkdir(parents=True, exist_ok=True)
    for folder in (layout.keys, layout.run, layout.airflow_home):
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        folder.chmod(PRIVATE_FOLDER)


def start_stack(
    layout: Layout,
    programs: Sequence[Program],
    *,
    extra: Mapping[str, str],
    store_uri: str | None,
    auth: Auth,
    say: Say,
) -> StackRecord:
    """Make secrets, migrate, make users, write the configuration, start supervisord and record it.

    Raises: UnsafeSetting, MigrationFailed, PeopleFailed, SupervisorFailed.
    """
    environment = airflow_environment(
        layout, secrets=ensure_secrets(layout), auth=auth, store_uri=store_uri, extra=extra
    )
    passwords = ensure_passwords(layout)
    inherited = inherited_environment(os.environ)
    everything = (*airflow_programs(environment), *programs)
    socket = socket_path(layout)
    text = render(layout, everything, socket=socket, as_root=os.geteuid() == 0)
    write_private(layout.supervisor_config, text)
    _install_local_settings(layout)
    if migrate(layout, inherited | environment):
        say("Airflow's database is migrated")
    if bring_people_about(layout, inherited | environment, auth=auth):
        say("FAB's roles and users are as they should be")
    write_notary_account(layout, passwords)
    record = StackRecord(
        socket=socket,
        port=layout.api_port,
        started_at=datetime.now(UTC),
        dags_folder=layout.dags_folder,
        required=tuple(program.name for program in everything if program.autostart),
        stop_seconds=sum(program.stop_seconds for program in everything),
        auth=auth,
    )
    write_record(layout, record)
    pid = start_supervisor(layout, socket, inherited)
    say(f"supervisord runs (pid {pid}); waiting for {', '.join(record.required)}")
    return record


def _install_local_settings(layout: Layout) -> None:
    folder = layout.airflow_home / "config"
    folder.mkdir(exist_ok=True)
    source = Path(airflow_local_settings.__file__)
    (folder / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")


def start_supervisor(layout: Layout, socket: Path, environment: Mapping[str, str]) -> int:
    """Start supervisord as a daemon; answers its pid. Raises: SupervisorFailed."""
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(layout.supervisor_config)]
    try:
        ended = subprocess.run(
            command,
            env={**environment, **process_environment(layout)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SUPERVISOR_SECONDS,
            check=False,
        )
        said = f"exit code {ended.returncode}: {(ended.stdout + ended.stderr).strip()[-500:]}"
        started = ended.returncode == 0
    except subprocess.TimeoutExpired:
        said, started = f"no answer after {SUPERVISOR_SECONDS:g} s", False
    client = SupervisorClient(socket)
    give_up = time.monotonic() + SUPERVISOR_SECONDS
    while started and time.monotonic() < give_up:
        if (pid := client.pid()) is not None:
            return pid
        time.sleep(POLL_SECONDS)
    raise SupervisorFailed(
        f"supervisord did not start ({said}; expected: an answer on {socket}). Read "
        f"{layout.log_of('supervisord')} and {layout.supervisor_config}, then `make up` again."
    )
