"""The operations on sessions and on the pool as a whole. None of them makes a session or keeps one alive."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from infra.local.pool import shapes
from infra.local.pool.errors import PoolError, Problem
from infra.local.pool.runtimes import Runtime
from infra.local.pool.sessions import Session, Sessions
from infra.local.pool.web import Call, Reply

_PAGE = 300


class PoolDescription:
    """Says what the pool's sessions run."""

    def __init__(self, runtime: Runtime, *, started_at: datetime) -> None:
        self._metadata = shapes.metadata(runtime, started_at)

    async def get(self, call: Call) -> Reply:  # noqa: ARG002 -- all handlers take the call
        """Serve `GET /metadata`."""
        return Reply(document=self._metadata)


class SessionOperations:
    """Looks at sessions and ends them."""

    def __init__(self, sessions: Sessions[Any], *, name: str) -> None:
        self._sessions = sessions
        self._name = name

    async def get(self, call: Call) -> Reply:
        """Serve `GET /session`."""
        return Reply(document=shapes.session(self._known(call)))

    async def get_view(self, call: Call) -> Reply:
        """Serve `POST /.management/getSession`."""
        return Reply(document=shapes.session_view(self._known(call)))

    async def delete(self, call: Call) -> Reply:
        """Serve `DELETE /session`."""
        await self._sessions.end(self._known(call))
        return Reply(status=204)

    async def stop(self, call: Call) -> Reply:
        """Serve `POST /.management/stopSession`, which answers in words."""
        await self._sessions.end(self._known(call))
        return Reply(text=f"Session {call.identifier} in session pool {self._name} stopped.")

    async def list_sessions(self, call: Call) -> Reply:
        """Serve `GET /listSessions`."""
        sessions, link = self._page(call, "/listSessions", shapes.session)
        return Reply(document={"sessions": sessions} | ({"nextLink": link} if link else {}))

    async def list_views(self, call: Call) -> Reply:
        """Serve `POST /.management/listSessions`."""
        views, link = self._page(call, "/.management/listSessions", shapes.session_view)
        return Reply(document={"value": views, "count": len(views), "nextLink": link})

    def _known(self, call: Call) -> Session[Any]:
        session = self._sessions.find(call.identifier)
        if session is None:
            message = f"There is no session with the identifier '{call.identifier}'."
            raise PoolError(Problem.SESSION_UNKNOWN, message, target="identifier")
        return session

    def _page(
        self, call: Call, path: str, write: Callable[[Session[Any]], dict[str, Any]]
    ) -> tuple[list[dict[str, Any]], str | None]:
        skip = call.query.get("skip", "0")
        if not (skip.isascii() and skip.isdigit()):
            raise PoolError(Problem.VALIDATION, "'skip' must be a whole number, at least 0.", target="skip")
        sessions = self._sessions.all()
        following = int(skip) + _PAGE
        base = f"http://{call.headers.get('host', '127.0.0.1')}{path}"
        link = f"{base}?api-version={call.version}&skip={following}" if following < len(sessions) else None
        return [write(session) for session in sessions[int(skip) : following]], link
