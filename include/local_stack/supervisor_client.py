"""Asks the stack's supervisord over its unix socket: XML-RPC, typed, and never for long."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from include.local_stack.errors import SupervisorFailed

RPC_SECONDS = 10.0


class ProgramPhase(StrEnum):
    """supervisord's own process states."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    BACKOFF = "BACKOFF"
    STOPPING = "STOPPING"
    EXITED = "EXITED"
    FATAL = "FATAL"
    UNKNOWN = "UNKNOWN"


AT_REST = frozenset({ProgramPhase.STOPPED, ProgramPhase.EXITED, ProgramPhase.FATAL})
"""Phases in which supervisord has no process for a program and will not start one by itself."""


@dataclass(frozen=True, slots=True)
class ProgramStatus:
    """One supervised program now; `pid` is 0 while it has no process."""

    name: str
    phase: ProgramPhase
    pid: int
    description: str
    log: Path


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=RPC_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(RPC_SECONDS)
        try:
            self.sock.connect(self._path)
        except OSError:
            self.sock.close()
            raise


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        del host
        return _UnixConnection(self._path)


class SupervisorClient:
    """Calls to one supervisord; each opens and closes its own connection."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pid(self) -> int | None:
        """supervisord's process id, or None when nobody answers on the socket."""
        try:
            answer = self._call(lambda rpc: rpc.supervisor.getPID())
        except SupervisorFailed:
            return None
        return int(answer)

    def programs(self) -> tuple[ProgramStatus, ...]:
        """Every program, by name (their order is not told). Raises: SupervisorFailed."""
        infos: list[dict[str, Any]] = self._call(lambda rpc: rpc.supervisor.getAllProcessInfo())
        return tuple(
            ProgramStatus(
                name=str(info["name"]),
                phase=ProgramPhase(info["statename"]),
                pid=int(info["pid"]),
                description=str(info["description"] or info["spawnerr"]),
                log=Path(info["stdout_logfile"]),
            )
            for info in infos
        )

    def start(self, name: str) -> None:
        """Start a program and do not wait. Raises: SupervisorFailed (also when it runs already)."""
        self._call(lambda rpc: rpc.supervisor.startProcess(name, False))

    def stop(self, name: str) -> None:
        """Ask a program to stop and do not wait. Raises: SupervisorFailed (also if it is down)."""
        self._call(lambda rpc: rpc.supervisor.stopProcess(name, False))

    def shutdown(self) -> None:
        """Ask supervisord to stop all programs and end. Raises: SupervisorFailed."""
        self._call(lambda rpc: rpc.supervisor.shutdown())

    def _call(self, ask: Callable[[xmlrpc.client.ServerProxy], Any]) -> Any:
        transport = _UnixTransport(str(self._path))
        try:
            with xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport) as rpc:
                return ask(rpc)
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise SupervisorFailed(
                f"supervisord did not do what was asked on {self._path} ({error!r}). "
                "Look at `make status`; `make down` clears what is left of a dead one."
            ) from error
