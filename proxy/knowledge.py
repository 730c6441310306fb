"""What an instance knows of rows kept in storage, and how old that may get.

Rules of this file: no call waits for what is known and in use; nothing is used more than 5 seconds after storage was
last asked for it, unless storage could not be reached; what is not in use is not asked for.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from proxy.table_tenants import DirectoryUnavailable

REFRESH_SECONDS = 2.0  # a use of older knowledge starts a refresh behind it; also how long absence is remembered
STALE_SECONDS = 5.0  # a use of older knowledge waits for the refresh
LAST_KNOWN_GOOD_SECONDS = 900.0  # while storage is out of reach
ATTEMPT_SECONDS = STALE_SECONDS - REFRESH_SECONDS  # so that a refresh has failed before its knowledge is stale
FIRST_ATTEMPT_SECONDS = 10.0  # nothing is known; a cold start may have to open connections and fetch a token
KNOWN_MAX = 10_000
ABSENT_MAX = 10_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Known[V]:
    """A value, or its absence, with instants in seconds of the injected counter.

    Attributes:
        read_at: when the read that found it began: every later write may be missing.
        checked_at: the same, or when a later read failed to reach storage.
    """

    value: V | None
    read_at: float
    checked_at: float


class Knowledge[V]:
    """Remembers rows by name; at most one read of a name is in flight. For one event loop."""

    def __init__(self, read: Callable[[str], Awaitable[V | None]], *, elapsed: Callable[[], float]) -> None:
        """Take the read, which raises DirectoryUnavailable, and a counter of seconds that never runs backwards."""
        self._read = read
        self._elapsed = elapsed
        self._known: OrderedDict[str, _Known[V]] = OrderedDict()
        self._absent: OrderedDict[str, _Known[V]] = OrderedDict()  # apart, so that guessing evicts nothing of worth
        self._attempts: dict[str, asyncio.Task[_Known[V] | None]] = {}
        self._running: set[asyncio.Task[_Known[V] | None]] = set()  # with those that were forgotten since

    async def get(self, name: str) -> V | None:
        """Return the row; None if there is none.

        Raises:
            DirectoryUnavailable: storage is out of reach, and what is known is too old, or nothing.
        """
        known = self._recall(name)
        age = self._age(known)
        if age > REFRESH_SECONDS:
            attempt = self._attempt(name)
            if known is None or known.value is None or age > STALE_SECONDS:
                known = await asyncio.shield(attempt)
        if known is None or self._elapsed() - known.read_at > LAST_KNOWN_GOOD_SECONDS:
            raise DirectoryUnavailable
        return known.value

    def peek(self, name: str) -> V | None:
        """Return what was known last, whatever its age."""
        known = self._known.get(name)
        return None if known is None else known.value

    def refresh(self, name: str) -> None:
        """Start a refresh, for a use that is about to come, if that use would start one."""
        if self._age(self._recall(name)) > REFRESH_SECONDS:
            self._attempt(name)

    def forget(self, name: str) -> None:
        """Know nothing of the row any more, nor learn it from a read that is already under way."""
        self._known.pop(name, None)
        self._absent.pop(name, None)
        self._attempts.pop(name, None)

    async def aclose(self) -> None:
        """Cancel the reads under way."""
        running = tuple(self._running)
        for attempt in running:
            attempt.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _recall(self, name: str) -> _Known[V] | None:
        for kept in (self._known, self._absent):
            if name in kept:
                kept.move_to_end(name)
                return kept[name]
        return None

    def _age(self, known: _Known[V] | None) -> float:
        return float("inf") if known is None else self._elapsed() - known.checked_at

    def _attempt(self, name: str) -> asyncio.Task[_Known[V] | None]:
        attempt = self._attempts.get(name)
        if attempt is None:
            attempt = self._attempts[name] = asyncio.create_task(self._look_up(name))
            self._running.add(attempt)
            attempt.add_done_callback(self._running.discard)
        return attempt

    async def _look_up(self, name: str) -> _Known[V] | None:
        """Read the row and remember it, unless it was forgotten meanwhile; None: out of reach, and nothing known."""
        before = self._known.get(name)
        started_at = self._elapsed()
        known: _Known[V] | None
        try:
            async with asyncio.timeout(FIRST_ATTEMPT_SECONDS if before is None else ATTEMPT_SECONDS):
                known = _Known(await self._read(name), read_at=started_at, checked_at=started_at)
        except (DirectoryUnavailable, TimeoutError):
            if before is None or before.checked_at == before.read_at:  # once, until storage answers again
                _log.warning("directory_unreachable last_known_good=%s", before is not None)
            known = before and replace(before, checked_at=self._elapsed())
        finally:
            current = self._attempts.get(name) is asyncio.current_task()
            if current:
                del self._attempts[name]
        if current and known is not None:
            self._remember(name, known)
        return known

    def _remember(self, name: str, known: _Known[V]) -> None:
        self._known.pop(name, None)
        self._absent.pop(name, None)
        kept, limit = (self._absent, ABSENT_MAX) if known.value is None else (self._known, KNOWN_MAX)
        kept[name] = known
        if len(kept) > limit:
            kept.popitem(last=False)
