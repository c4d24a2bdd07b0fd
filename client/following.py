"""`FollowingLoop`: the loop of a rank that does not ask, and does as the asking rank decides."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self


class FollowingLoop:
    """The same calls as `TrainingLoop`, for every rank but the one with the gate.

    Args:
        save: saves this rank's part of the state; called exactly once for each stop.
        agree: the same collective as the asking rank's; this rank always wishes to go on.
    """

    def __init__(self, *, save: Callable[[], object], agree: Callable[[bool], bool]) -> None:
        self._save = save
        self._agree = agree
        self._moving = False
        self._save_error: Exception | None = None

    def may_go_on(self, *, step: int, flop: float, next_flop: float) -> bool:
        """What the ranks agreed on; the arguments are there to call all ranks alike."""
        if self._agree(True):
            self._moving = True
            return True
        if self._moving:
            self._moving = False
            try:
                self._save()
            except Exception as error:  # noqa: BLE001 - raised again when the loop is left
                self._save_error = error
        return False

    def checkpointed(self, *, step: int, flop: float, digest: str | None = None) -> None:
        """Nothing to do: the asking rank keeps the boundaries."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]:
        """A failure of `save` is raised here; no other error is hidden."""
        if error is None and self._save_error is not None:
            raise self._save_error
        return False
