"""Sessions: from the first data request with an identifier to the cooldown after the last one.

Rules: a data request for an unknown identifier makes a session, silently, unless the pool is full. Every data request
moves the session's end to its own time plus the cooldown. A session that is over is gone for the very next request,
whether or not it has been cleared away; one that is at work is not over before that work is, unless what was in it has
ended by itself. Nothing is kept across a restart of the process.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from infra.local.pool.errors import PoolError, Problem

type Clock = Callable[[], datetime]


class Content(Protocol):
    """What a session has inside."""

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself, and the session with it."""
        ...

    async def close(self) -> None:
        """End it, with what it is running, and delete its files."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class Session[Inside: Content]:
    """One session.

    Attributes:
        identifier: the name that callers chose.
        etag: names this life of the session; a later one under the same identifier has another.
        expires_at: when it ends unless another data request comes.
        inside: its files and its kernel, or its container.
        visits: requests and executions in it at present.
    """

    identifier: str
    etag: str
    created_at: datetime
    last_accessed_at: datetime
    expires_at: datetime
    inside: Inside
    visits: int = 0

    def is_over(self, now: datetime) -> bool:
        """Say whether its time is up, or what was in it is gone."""
        return self.inside.ended or (self.visits == 0 and now >= self.expires_at)


@dataclass(frozen=True, slots=True)
class Visit[Inside: Content]:
    """A data request's stay in a session, and whether the session was made for it."""

    session: Session[Inside]
    is_new: bool


class Sessions[Inside: Content]:
    """All sessions of the pool. For one event loop; whatever changes the table does so without waiting."""

    def __init__(self, *, clock: Clock, cooldown: timedelta, most: int, make_inside: Callable[[], Inside]) -> None:
        self._clock = clock
        self._cooldown = cooldown
        self._most = most
        self._make_inside = make_inside
        self._by_identifier: dict[str, Session[Inside]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def visit(self, identifier: str) -> Iterator[Visit[Inside]]:
        """Enter a session for a data request, making it if need be; it cannot expire before the visit ends.

        Raises:
            PoolError: `POOL_FULL`.
        """
        now = self._clock()
        session = self.find(identifier)
        is_new = session is None
        if session is None:
            session = self._make(identifier, now)
        session.last_accessed_at, session.expires_at = now, now + self._cooldown
        session.visits += 1
        try:
            yield Visit(session, is_new)
        finally:
            session.visits -= 1

    def find(self, identifier: str) -> Session[Inside] | None:
        """Return a session that is not over, without touching it."""
        session = self._by_identifier.get(identifier)
        if session is not None and session.is_over(self._clock()):
            self._remove(session)
            return None
        return session

    def all(self) -> list[Session[Inside]]:
        """Return the sessions that are not over, oldest first."""
        self.clear_expired()
        return list(self._by_identifier.values())

    def clear_expired(self) -> None:
        """End the sessions whose time is up."""
        now = self._clock()
        for session in [session for session in self._by_identifier.values() if session.is_over(now)]:
            self._remove(session)

    async def end(self, session: Session[Inside]) -> None:
        """End a session now, with what it is running."""
        await asyncio.shield(self._remove(session))

    async def close(self) -> None:
        """End all sessions and wait until nothing of them is left."""
        for session in list(self._by_identifier.values()):
            self._remove(session)
        await asyncio.gather(*self._ending)

    def _make(self, identifier: str, now: datetime) -> Session[Inside]:
        self.clear_expired()
        if len(self._by_identifier) >= self._most:
            message = f"The pool already has its maximum of {self._most} sessions."
            raise PoolError(Problem.POOL_FULL, message)
        session = Session(
            identifier=identifier,
            etag=str(uuid.uuid4()),
            created_at=now,
            last_accessed_at=now,
            expires_at=now,
            inside=self._make_inside(),
        )
        self._by_identifier[identifier] = session
        return session

    def _remove(self, session: Session[Inside]) -> asyncio.Task[None]:
        del self._by_identifier[session.identifier]
        task = asyncio.create_task(session.inside.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task
