"""Puts the rules of `rules.py` before any auth manager of Airflow."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from typing import Any

from fastapi import HTTPException, status

from include.wiring.auth.rules import Asked, Change, Standing, refusal

NOTHING_ASKED = Asked(method="GET", path="")
_asked: ContextVar[Asked] = ContextVar("redline_asked", default=NOTHING_ASKED)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class RememberRequest:
    """ASGI middleware: keeps what is asked where the guard, which is not given it, can look."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Remember while the request is answered, also in the threads that answer it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        token = _asked.set(Asked(method=scope["method"], path=scope["path"]))
        try:
            await self.app(scope, receive, send)
        finally:
            _asked.reset(token)


class Guard:
    """Mixed in before an auth manager; it only ever refuses more than that manager does."""

    @abstractmethod
    def standing(self, user: Any) -> Standing:
        """What this user is."""

    def get_fastapi_middlewares(self) -> list[tuple[Any, dict[str, Any]]]:
        """The manager's own, and the one that remembers the request."""
        return [*super().get_fastapi_middlewares(), (RememberRequest, {})]  # type: ignore[misc]

    def is_authorized_dag(
        self, *, method: Any, user: Any, access_entity: Any = None, details: Any = None
    ) -> bool:
        """Raises: HTTPException (403 with the reason) where a request would change what it may not.

        While something is only read (Airflow also asks what a page should offer), plain False.
        """
        asked = _asked.get()
        change = Change(
            method=method,
            entity=access_entity.name if access_entity else None,
            dag_id=details.id if details else None,
            clears=asked.clears,
        )
        reason = refusal(change, self.standing(user))
        if reason is None:
            return self._manager_allows(
                method=method, user=user, access_entity=access_entity, details=details
            )
        if asked.changes:
            raise HTTPException(status.HTTP_403_FORBIDDEN, reason)
        return False

    def _manager_allows(self, **question: Any) -> bool:
        return bool(super().is_authorized_dag(**question))  # type: ignore[misc]
