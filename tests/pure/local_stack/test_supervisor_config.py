from __future__ import annotations

import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

import pytest
from supervisor.options import ServerOptions

from include.local_stack.errors import SupervisorFailed
from include.local_stack.layout import Layout
from include.local_stack.supervisor_config import (
    SOCKET_PATH_LIMIT,
    Program,
    airflow_programs,
    forget_socket,
    render,
    socket_path,
)

HARD_VALUES = {
    "PLAIN": "value",
    "PERCENT": "100%(here)s %d",
    "COMMAS": "a,b=c,d",
    "JSON": '[{"name": "x", "kwargs": {}}]',
    "APOSTROPHE": "it's",
    "EMPTY": "",
    "SPACES": "two words",
    "URL": "s3://bucket/prefix?region=eu#part",
    "SEMICOLON": "a;b",
}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout.of(tmp_path / "a project")
    for folder in (layout.run, layout.logs):
        folder.mkdir(parents=True)
    return layout


def program(name: str = "notary", **changes: Any) -> Program:
    return Program(**{"name": name, "command": ("python", "-m", name)} | changes)


def parsed(layout: Layout, *programs: Program, as_root: bool = False) -> ServerOptions:
    """The rendered text, as supervisord itself reads it."""
    text = render(layout, programs, socket=layout.run / "s.sock", as_root=as_root)
    layout.supervisor_config.write_text(text)
    options = ServerOptions()
    options.realize(["-c", str(layout.supervisor_config)])
    return options


def processes(options: ServerOptions) -> list[Any]:
    groups = sorted(options.process_group_configs)
    return [process for group in groups for process in group.process_configs]


def test_programs_start_in_the_order_given(layout: Layout) -> None:
    airflow = airflow_programs({"AIRFLOW_HOME": "/home"})
    options = parsed(layout, *airflow, program("notary"), program("trainer", autostart=False))

    found = processes(options)
    assert [each.name for each in found] == [
        *("api-server", "scheduler", "dag-processor", "triggerer"),
        *("notary", "trainer"),
    ]
    assert [each.autostart for each in found] == [True] * 5 + [False]
    assert len({each.priority for each in found}) == len(found)


def test_every_program_is_restarted_and_stopped_with_its_group(layout: Layout) -> None:
    for each in processes(parsed(layout, *airflow_programs({}), program())):
        assert each.autorestart.__name__ == "RestartUnconditionally"
        assert each.startretries >= 1000
        assert each.stopasgroup
        assert each.killasgroup
        assert each.redirect_stderr
        assert each.stdout_logfile == str(layout.log_of(each.name))
        assert each.directory == str(layout.project)


def test_no_airflow_program_serves_logs(layout: Layout) -> None:
    commands = {
        each.name: each.command for each in processes(parsed(layout, *airflow_programs({})))
    }
    assert "--skip-serve-logs" in commands["scheduler"]
    assert "--skip-serve-logs" in commands["triggerer"]


def test_environments_arrive_as_they_were_given(layout: Layout) -> None:
    (found,) = processes(parsed(layout, program(environment=HARD_VALUES)))

    assert {name: found.environment[name] for name in HARD_VALUES} == HARD_VALUES
    assert found.environment["REDLINE_STACK"] == str(layout.home)
    assert found.environment["PYTHONPATH"] == str(layout.project)


def test_only_the_program_that_was_given_the_keys_gets_them(layout: Layout) -> None:
    options = parsed(
        layout, *airflow_programs({}), program(environment={"REDLINE_KEYS": str(layout.keys)})
    )
    told = [each.name for each in processes(options) if "REDLINE_KEYS" in each.environment]
    assert told == ["notary"]


def test_commands_keep_spaces_and_percent_signs(layout: Layout) -> None:
    command = ("/opt/my python/bin", "-c", "print('100%')", "--store", "/a b/c")
    (found,) = processes(parsed(layout, program(command=command)))

    assert tuple(shlex.split(found.command)) == command


def test_supervisord_keeps_its_files_in_the_stack(layout: Layout) -> None:
    options = parsed(layout, program())

    assert options.pidfile == str(layout.supervisor_pid)
    assert options.logfile == str(layout.log_of("supervisord"))
    assert not options.nodaemon
    (server,) = options.server_configs
    assert server["file"] == str(layout.run / "s.sock")
    assert server["chmod"] == 0o700


@pytest.mark.parametrize(("as_root", "line"), [(True, 1), (False, 0)])
def test_a_root_stack_says_that_it_means_to_be_root(
    layout: Layout, as_root: bool, line: int
) -> None:
    text = render(layout, [program()], socket=layout.run / "s", as_root=as_root)
    assert text.count("\nuser = root\n") == line


@pytest.mark.parametrize(
    "value", ["two\nlines", "a ;comment", "a #comment", "both \" and '", '"quoted"', "'x'"]
)
def test_a_value_that_the_format_cannot_carry_is_refused(layout: Layout, value: str) -> None:
    with pytest.raises(SupervisorFailed, match="notary: SECRET") as raised:
        render(layout, [program(environment={"SECRET": value})], socket=layout.run / "s")
    assert value not in str(raised.value)


@pytest.mark.parametrize("programs", [[], [program("one"), program("one")]])
def test_an_empty_or_doubled_selection_is_an_error(layout: Layout, programs: list[Program]) -> None:
    with pytest.raises(SupervisorFailed, match="each name once"):
        render(layout, programs, socket=layout.run / "s")


def test_a_short_home_keeps_its_socket(tmp_path: Path) -> None:
    layout = Layout.of(Path("/p"))
    assert socket_path(layout) == layout.run / "s.sock"


def test_a_long_home_gets_a_short_private_socket_that_is_found_again(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path / ("long" * 30))
    layout.run.mkdir(parents=True)

    socket = socket_path(layout)

    try:
        assert len(os.fsencode(socket)) <= SOCKET_PATH_LIMIT
        assert socket.is_relative_to(tempfile.gettempdir())
        assert socket.parent.stat().st_mode & 0o777 == 0o700
        assert socket_path(layout) == socket
    finally:
        forget_socket(layout)
    assert not socket.parent.exists()
