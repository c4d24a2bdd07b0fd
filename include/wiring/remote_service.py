"""What a service that runs evaluations elsewhere can be asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from include.adapters.remote_job import RemoteJob
    from include.adapters.remote_place import RemotePlace


class Phase(StrEnum):
    """What the service itself says of a job."""

    ABSENT = "absent"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the service: the job's handle for people, and why it failed, in one sentence."""

    phase: Phase
    handle: str = ""
    why: str = ""


class RemoteService(Protocol):
    """Kubernetes or AWS Batch. Every method may raise.

    Raises:
        Refused: the service denies it or rejects the job, or its name is taken by a stranger.
        InvalidDocument: the connection does not describe the service.
        TransportError: the service did not answer.
    """

    @property
    def place(self) -> RemotePlace:
        """Where and in what evaluations run there."""
        ...

    def owns(self, handle: str) -> bool:
        """Whether a handle that was written down is of this service."""
        ...

    def look(self, remote: RemoteJob) -> Look:
        """The job under its deterministic name, without waiting."""
        ...

    def start(self, remote: RemoteJob, context: Any, *, resume: str) -> None:
        """Submit through the provider's operator; defers (`TaskDeferred`) unless it ended already.

        Only for a job that `look` did not find.
        """
        ...

    def attach(self, remote: RemoteJob, *, resume: str) -> None:
        """Wait for a job that `look` found running: always defers (`TaskDeferred`)."""
        ...

    def cancel(self, remote: RemoteJob, *, reason: str) -> None:
        """End the job; one that is not there any more is no error."""
        ...
