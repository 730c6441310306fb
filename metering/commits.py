"""Group commit: one transaction in flight per tenant and instance, whatever arrives meanwhile goes into the next.

Requests keep their order. A transaction holds at most `REQUESTS_MAX` requests, so that its rows (the period's, and an
entry and a window each) stay within the 100 of an entity-group transaction (Table Storage documentation, "Performing
entity group transactions", read 2026-11).
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from metering.clock import Clock
from metering.ledger import Decision, Terms, decide
from metering.periods import Period
from metering.requests import Admit, Answer, End, Request, Reverse
from metering.store import CommitConflict, CommitUncertain, LedgerStore, LedgerUnavailable, Snapshot

REQUESTS_MAX = 49
QUEUE_MAX = 2_000  # requests of one tenant that wait in one instance: some seconds of work; more is refused at once
ATTEMPTS_MAX = 20
TRYING_SECONDS_MAX = 8.0  # clients with the shortest patience have gone by then
BACKOFF_SECONDS_MIN = 0.01
BACKOFF_SECONDS_MAX = 0.4

type Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Committed:
    """A decision that holds, and the open windows as they are after it (None: nobody asked)."""

    decision: Decision
    open_windows: dict[str, datetime] | None


type Observer = Callable[[str, Sequence[Request], Committed], None]


class GroupCommit:
    """Takes requests to the ledger; `observe` is told of each commit in order, before anyone is answered."""

    def __init__(
        self,
        *,
        store: LedgerStore,
        terms: Terms,
        clock: Clock,
        sleep: Sleep,
        chance: random.Random,
        observe: Observer,
    ) -> None:
        self._store = store
        self._terms = terms
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._observe = observe
        self._queues: dict[str, deque[tuple[Request, asyncio.Future[Answer]]]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def submit(self, tenant_id: str, requests: Sequence[Request]) -> list[Answer]:
        """Decide and commit these requests, next to each other.

        Raises:
            LedgerUnavailable: nothing was decided, or nobody can say now whether it was.
        """
        queue = self._queues.setdefault(tenant_id, deque())
        if len(queue) >= QUEUE_MAX:
            raise LedgerUnavailable("too many requests of this tenant wait for the ledger")
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Answer]] = [loop.create_future() for _ in requests]
        queue.extend(zip(requests, futures, strict=True))
        if tenant_id not in self._tasks:
            self._tasks[tenant_id] = asyncio.create_task(self._drain(tenant_id, queue))
        return await asyncio.gather(*futures)

    async def aclose(self) -> None:
        """Wait until everything that was submitted is decided."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values())

    async def _drain(self, tenant_id: str, queue: deque[tuple[Request, asyncio.Future[Answer]]]) -> None:
        try:
            while queue:
                batch = [queue.popleft() for _ in range(min(len(queue), REQUESTS_MAX))]
                await self._carry(tenant_id, batch)
        finally:
            del self._tasks[tenant_id], self._queues[tenant_id]

    async def _carry(self, tenant_id: str, batch: list[tuple[Request, asyncio.Future[Answer]]]) -> None:
        requests = [request for request, _ in batch]
        try:
            committed = await self._commit(tenant_id, requests)
            self._observe(tenant_id, requests, committed)
        except Exception as error:  # noqa: BLE001 -- whatever it is, those who wait must hear of it
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, committed.decision.answers, strict=True):
            if not future.done():  # a caller that was cancelled waits no more
                future.set_result(answer)

    async def _commit(self, tenant_id: str, requests: Sequence[Request]) -> Committed:
        """Read, decide and write until it holds. Each attempt decides anew, at its own instant and under its own id."""
        give_up_at = self._clock() + timedelta(seconds=TRYING_SECONDS_MAX)
        uncertain: list[Committed] = []
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                await self._back_off(attempt)
            now = self._clock()
            if now > give_up_at:
                break
            try:
                snapshot = await self._read(tenant_id, requests, now)
                # After the read, not before it: a commit that lands later than this check fails ours by its ETag.
                made = await self._made_after_all(tenant_id, uncertain)
            except LedgerUnavailable:
                continue
            if made is not None:
                return made
            commit_id = f"{self._terms.instance}-{self._chance.getrandbits(64):016x}"
            decision = decide(snapshot.rows, requests, terms=self._terms, now=now, commit_id=commit_id)
            result = Committed(decision, _open_after(snapshot, decision))
            if not decision.writes:
                return result
            try:
                await self._store.commit(snapshot, decision)
            except CommitConflict:
                continue
            except CommitUncertain:
                if decision.entries:
                    uncertain.append(result)
                continue
            return result
        raise LedgerUnavailable("the ledger did not take the commit in time")

    async def _back_off(self, attempt: int) -> None:
        longest = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN * 2 ** min(attempt, 10))
        await self._sleep(self._chance.uniform(longest / 4, longest))

    async def _read(self, tenant_id: str, requests: Sequence[Request], now: datetime) -> Snapshot:
        identifiers = {identifier for request in requests if (identifier := _session_of(request)) is not None}
        limited = any(isinstance(request, Admit) and request.quota.sessions is not None for request in requests)
        return await self._store.read(tenant_id, Period.of(now), identifiers, open_at=now if limited else None)

    async def _made_after_all(self, tenant_id: str, uncertain: list[Committed]) -> Committed | None:
        """Find out which of the commits without an answer was made, if any: its first entry stands in the ledger."""
        for result in uncertain:
            first = result.decision.entries[0]
            entry = await self._store.entry(tenant_id, first.period, first.sequence)
            if entry is not None and entry.commit_id == first.commit_id:
                return result
        return None


def _session_of(request: Request) -> str | None:
    match request:
        case Admit() | End():
            return request.pool_identifier
        case Reverse():
            return request.charge.pool_identifier
        case _:
            return None


def _open_after(snapshot: Snapshot, decision: Decision) -> dict[str, datetime] | None:
    if snapshot.rows.open_windows is None:
        return None
    changed = {identifier: window.paid_until for identifier, window in decision.windows.items()}
    return {**snapshot.rows.open_windows, **changed}
