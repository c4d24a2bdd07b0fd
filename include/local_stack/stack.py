"""What `up`, `status` and `down` answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from include.local_stack.health import Health
from include.local_stack.layout import Layout
from include.local_stack.processes import StackProcess
from include.local_stack.rest import AirflowRest
from include.local_stack.supervisor_client import ProgramStatus

ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackHandle:
    """A running stack: where it is, and who may talk to it."""

    layout: Layout
    base_url: str
    supervisor_pid: int
    was_running: bool
    passwords: Mapping[str, str] = field(repr=False)

    def rest(self, user: str = ADMIN) -> AirflowRest:
        """A REST client for one of the named users; close it."""
        return AirflowRest(self.base_url, user, self.passwords[user])

    def token(self, user: str = ADMIN) -> str:
        """A bearer token for one of the named users. Raises: AirflowRestError."""
        with self.rest(user) as rest:
            return rest.token()


@dataclass(frozen=True, slots=True, kw_only=True)
class StackStatus:
    """The stack now; `strays` are its processes that nobody supervises any more."""

    running: bool
    base_url: str
    supervisor_pid: int | None
    programs: tuple[ProgramStatus, ...]
    health: Health
    strays: tuple[StackProcess, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReport:
    """What `down` found; `forced` did not end with the supervisor and was ended by pid."""

    found: tuple[StackProcess, ...]
    forced: tuple[StackProcess, ...]
