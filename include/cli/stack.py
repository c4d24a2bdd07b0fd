"""`rsp up | down | status`: the local stack (Airflow and the notary) under one folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from include.local_stack.layout import Layout
    from include.local_stack.stack import StackHandle
    from include.local_stack.supervisor_config import Program

from include.local_stack.auth import Auth

PROJECT = Path(__file__).resolve().parents[2]
HomeOption = Annotated[
    Path, typer.Option("--home", envvar="REDLINE_HOME", help="folder of everything that runs")
]
PortOption = Annotated[int, typer.Option("--port", envvar="REDLINE_PORT", help="of the UI")]
AuthOption = Annotated[
    Auth,
    typer.Option("--auth", envvar="REDLINE_AUTH", help="who signs people in (docs/identities.md)"),
]


def layout_of(home: Path, port: int) -> Layout:
    """Where everything of the stack in `home` is."""
    from include.local_stack.layout import Layout

    return Layout.of(PROJECT, home=home, api_port=port)


def notary_program(layout: Layout) -> Program:
    """The notary as a supervised process; it alone is told of its keys."""
    from include.local_stack.supervisor_config import Program

    return Program(
        name="notary",
        command=(
            sys.executable,
            "-m",
            "include.notary",
            "--store",
            str(layout.store),
            "--keys",
            str(layout.keys / "notary"),
        ),
    )


def start(
    layout: Layout,
    programs: Sequence[Program],
    say: Callable[[str], None],
    *,
    auth: Auth = Auth.SIMPLE,
    suite: str = "toylab",
) -> StackHandle:
    """Begin a ledger where there is none, then start what does not run."""
    from include.cli.main import init
    from include.local_stack.lifecycle import up as start_stack

    init(store=str(layout.store), keys=layout.keys, suite=suite)
    return start_stack(layout, programs=[notary_program(layout), *programs], auth=auth, say=say)


def up(
    home: HomeOption = Path(".redline"),
    port: PortOption = 8080,
    auth: AuthOption = Auth.SIMPLE,
) -> None:
    """Start Airflow and the notary, or say that they run."""
    layout = layout_of(home, port)
    (layout.checkpoints.parent / "proposals").mkdir(parents=True, exist_ok=True)
    handle = start(layout, (), typer.echo, auth=auth)
    typer.echo(f"UI: {handle.base_url}  users and passwords: {handle.layout.users_file}")


def down(home: HomeOption = Path(".redline"), port: PortOption = 8080) -> None:
    """Stop everything that `rsp up` started, and evaluations that still run."""
    from include.adapters.process_evaluator import ProcessEvaluator
    from include.local_stack.lifecycle import down as stop_stack

    layout = layout_of(home, port)
    stop_stack(layout, say=typer.echo)
    jobs = ProcessEvaluator(layout.jobs)
    for job in list(jobs.running()):
        jobs.cancel(job)


def status(
    home: HomeOption = Path(".redline"),
    port: PortOption = 8080,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Say what runs."""
    from include.local_stack.lifecycle import status as stack_status

    found = stack_status(layout_of(home, port))
    if as_json:
        programs = [
            {"name": one.name, "phase": one.phase.value, "pid": one.pid} for one in found.programs
        ]
        plain = {"running": found.running, "url": found.base_url, "programs": programs}
        typer.echo(json.dumps(plain, indent=1))
        return
    typer.echo(f"{'running' if found.running else 'not running'}  {found.base_url}  in {home}")
    for one in found.programs:
        typer.echo(f"  {one.name:16} {one.phase.value:10} pid {one.pid}")
