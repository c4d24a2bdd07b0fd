"""What can go wrong with the local stack; every message names the next step.

LocalStackError
├── PortBusy             something else listens on the port (raised before anything starts)
├── UnsafeSetting        a setting was asked for that would open the stack, or hand out the keys
├── OpenToStrangers      the API answered somebody without credentials; the stack was stopped
├── MigrationFailed      `airflow db migrate` ended with an error
├── PeopleFailed         FAB's roles and users could not be made
├── SupervisorFailed     supervisord did not start, or does not answer
├── StackNotHealthy      the time limit passed; the message names the log of each late part
├── StackNotRunning      a handle was asked for, and nothing runs
└── ProcessesSurvived    `down` could not end everything that it found

AirflowRestError         Airflow's REST API answered with an error; `.status` is the HTTP status
"""

from __future__ import annotations

from include.rsp.errors import RedlineError, TransportError


class LocalStackError(RedlineError):
    """The local stack could not do what was asked."""


class PortBusy(LocalStackError):  # noqa: N818 - named for what is wrong
    """The port for Airflow's API server is taken."""


class UnsafeSetting(LocalStackError):  # noqa: N818
    """An environment for Airflow would disable authentication or carry the signing keys."""


class MigrationFailed(LocalStackError):  # noqa: N818
    """Airflow's metadata database could not be created or upgraded."""


class OpenToStrangers(LocalStackError):  # noqa: N818
    """Airflow's API does not answer 401 to somebody without credentials."""


class PeopleFailed(LocalStackError):  # noqa: N818
    """The named users and their roles could not be written to Airflow's database."""


class SupervisorFailed(LocalStackError):  # noqa: N818
    """supervisord could not be started, or stopped answering."""


class StackNotHealthy(LocalStackError):  # noqa: N818
    """Some part of the stack was not healthy within the time limit."""


class StackNotRunning(LocalStackError):  # noqa: N818
    """No supervised stack runs for this folder."""


class ProcessesSurvived(LocalStackError):  # noqa: N818
    """Some process of the stack outlived SIGKILL."""


class AirflowRestError(TransportError):
    """Airflow's REST API refused or failed; `status` is the HTTP status, 0 if nothing answered.

    `repeated`: an earlier attempt of the same request failed after it may have been carried out,
    so that a conflict (409) can be with ourselves.
    """

    def __init__(self, status: int, message: str, *, repeated: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.repeated = repeated
