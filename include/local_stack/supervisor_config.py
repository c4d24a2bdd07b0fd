"""Renders the supervisord configuration of the local stack, and places its socket."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from include.local_stack.airflow_settings import NOTHING, process_environment
from include.local_stack.errors import SupervisorFailed
from include.local_stack.layout import Layout

SOCKET_NAME = "s.sock"
SOCKET_PATH_LIMIT = 90
"""Bytes. The system allows 104-108, and supervisord binds `<socket>.<pid>` before it links it."""
SOCKET_RECORD = "socket-folder"
FIRST_PRIORITY = 100
PRIORITY_STEP = 10


AIRFLOW: tuple[tuple[str, tuple[str, ...], int], ...] = (
    # An open browser page may stream a log for as long as it likes.
    ("api-server", ("api-server",), 5),
    # Tasks that run may end in this time.
    ("scheduler", ("scheduler", "--skip-serve-logs"), 10),
    # It waits five seconds for each file that it parses just now, even if that parser has ended.
    ("dag-processor", ("dag-processor",), 5),
    # Its runner ends in the first second, with all triggers; it then waits ten more for nobody.
    ("triggerer", ("triggerer", "--skip-serve-logs"), 4),
)
"""Name, arguments, and how many seconds it may take to stop before it is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One supervised process; `environment` is added to what every process of the stack gets."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=lambda: NOTHING, repr=False)
    autostart: bool = True
    directory: Path | None = None
    stop_seconds: int = 10


def airflow_programs(
    environment: Mapping[str, str], *, python: str = sys.executable
) -> tuple[Program, ...]:
    """Airflow's four processes in starting order; task logs are read from disk, none is served."""
    launcher = (python, "-m", "include.local_stack.airflow_process")
    return tuple(
        Program(
            name=name,
            command=(*launcher, *arguments),
            environment=environment,
            stop_seconds=stop_seconds,
        )
        for name, arguments, stop_seconds in AIRFLOW
    )


def render(
    layout: Layout, programs: Sequence[Program], *, socket: Path, as_root: bool = False
) -> str:
    """The configuration's text: started in the order given, stopped in reverse, restarted if dead.

    Raises: SupervisorFailed for a value that supervisord's format cannot carry, or no program.
    """
    names = [program.name for program in programs]
    if not names or len(set(names)) != len(names):
        raise SupervisorFailed(
            f"Programs to supervise are {names} (expected: at least one, each name once). "
            "Give every Program of `up(programs=...)` a name of its own."
        )
    sections = [
        _section(
            "unix_http_server",
            {"file": _value(str(socket)), "chmod": "0700"},
        ),
        _section("supervisord", _supervisord(layout, as_root=as_root)),
        _section(
            "rpcinterface:supervisor",
            {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
        ),
    ]
    for position, program in enumerate(programs):
        priority = FIRST_PRIORITY + PRIORITY_STEP * position
        sections.append(_section(f"program:{program.name}", _program(layout, program, priority)))
    return "\n".join(sections)


def socket_path(layout: Layout) -> Path:
    """The supervisor's socket: under `run/`, or in a private short folder where that is too long.

    The short folder is recorded under `run/`, so that later calls find the same socket.
    """
    preferred = layout.run / SOCKET_NAME
    if len(os.fsencode(preferred)) <= SOCKET_PATH_LIMIT:
        return preferred
    record = layout.run / SOCKET_RECORD
    if record.exists():
        folder = Path(record.read_text(encoding="utf-8").strip())
        if folder.is_dir() and folder.stat().st_uid == os.getuid():
            return folder / SOCKET_NAME
    folder = Path(tempfile.mkdtemp(prefix="redline-"))
    record.write_text(f"{folder}\n", encoding="utf-8")
    return folder / SOCKET_NAME


def forget_socket(layout: Layout) -> None:
    """Remove the socket, and the short folder if one was made."""
    (layout.run / SOCKET_NAME).unlink(missing_ok=True)
    record = layout.run / SOCKET_RECORD
    if not record.exists():
        return
    folder = Path(record.read_text(encoding="utf-8").strip())
    (folder / SOCKET_NAME).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    record.unlink()


def _supervisord(layout: Layout, *, as_root: bool) -> dict[str, str]:
    settings = {
        "nodaemon": "false",
        "loglevel": "warn",
        "logfile": _value(str(layout.log_of("supervisord"))),
        "logfile_maxbytes": "5MB",
        "logfile_backups": "1",
        "childlogdir": _value(str(layout.logs)),
        "pidfile": _value(str(layout.supervisor_pid)),
        "directory": _value(str(layout.project)),
        "identifier": "redline",
        "strip_ansi": "true",
    }
    # Without it supervisord warns at every start that it did not drop privileges.
    return settings | ({"user": "root"} if as_root else {})


def _program(layout: Layout, program: Program, priority: int) -> dict[str, str]:
    environment = process_environment(layout) | dict(program.environment)
    return {
        "command": _value(shlex.join(program.command), f"{program.name}: command"),
        "directory": _value(str(program.directory or layout.project)),
        "environment": _environment(program.name, environment),
        "priority": str(priority),
        "autostart": str(program.autostart).lower(),
        "autorestart": "true",
        "startsecs": "1",
        "startretries": "1000",
        "stopsignal": "TERM",
        "stopwaitsecs": str(program.stop_seconds),
        "stopasgroup": "true",
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": _value(str(layout.log_of(program.name))),
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": "2",
    }


def _section(name: str, settings: Mapping[str, str]) -> str:
    lines = [f"[{name}]", *(f"{key} = {value}" for key, value in settings.items())]
    return "\n".join(lines) + "\n"


def _environment(program: str, environment: Mapping[str, str]) -> str:
    return ",".join(
        f"{name}={_quoted(f'{program}: {name}', value)}"
        for name, value in sorted(environment.items())
    )


def _quoted(what: str, value: str) -> str:
    """Supervisord reads one quoted token, has no escapes, and strips quotes off both ends."""
    quote = '"' if '"' not in value else "'"
    if quote in value or value[:1] in {'"', "'"} or value[-1:] in {'"', "'"}:
        raise SupervisorFailed(
            f"Environment value of {what} has quotes that supervisord cannot carry (expected: one "
            "kind of quote, none at its ends). Write it to a file and pass the path."
        )
    return f"{quote}{_value(value, what)}{quote}"


def _value(value: str, what: str = "a path") -> str:
    """Escape `%`, and refuse what would end the value early; the value may be secret: not shown."""
    if any(ord(each) < ord(" ") for each in value) or " ;" in value or " #" in value:
        raise SupervisorFailed(
            f"The value of {what} has a control character or starts a comment in supervisord's "
            "configuration (` ;` or ` #`; expected: neither). Use a path or value without them."
        )
    return value.replace("%", "%%")
