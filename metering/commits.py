"""Group commit: one transaction in flight per tenant and instance, whatever arrives meanwhile goes into the next.

Requests keep their order. A transaction holds at most `REQUESTS_MAX` requests, so that its rows (the period's, alerts,
and an entry and a window each) stay within the 100 of an entity-group transaction (Table Storage documentation,
"Performing entity group transactions", read 2026-11).
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from metering.clock import Clock
from metering.ledger import ALERTS_MAX, Decision, Terms, decide
from metering.periods import Period
from metering.requests import (
    Admit,
    Admitted,
    Answer,
    Charge,
    End,
    QuotaExceeded,
    Request,
    Reverse,
    TooManySessions,
)
from metering.store import CommitConflict, CommitUncertain, LedgerStore, LedgerUnavailable, Snapshot
from metering.watch import LedgerWatch

REQUESTS_MAX = (100 - 1 - ALERTS_MAX) // 2
QUEUE_MAX = 2_000  # requests of one tenant that wait in one instance: some seconds of work; more is refused at once
ATTEMPTS_MAX = 20
TRYING_SECONDS_MAX = 5.0  # clients with the shortest patience have gone by then; the last try may add a timeout
BACKOFF_SECONDS_MIN = 0.01
BACKOFF_SECONDS_MAX = 0.4

SETTLE_SECONDS_MIN = 1.0  # between looks at doubtful commits while nothing else asks for the tenant
SETTLE_SECONDS_MAX = 30.0

LOOKS_MAX = 5  # of a preview, at rows that do not stand still

type Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Committed:
    """A decision that holds, and the open windows as they are after it (None: nobody asked)."""

    decision: Decision
    open_windows: dict[str, datetime] | None


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A commit for `requests` that may have been made.

    Attributes:
        may_land: no answer came, so it may also be made yet; otherwise a conflict was the answer, which it could have
            met in a duplicate of itself.
    """

    requests: Sequence[Request]
    result: Committed
    may_land: bool


@dataclass(slots=True)
class _Line:
    """One tenant's requests that wait, and its doubts."""

    waiting: deque[tuple[Request, asyncio.Future[Answer]]] = field(default_factory=deque)
    doubts: list[_Doubt] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


class Observer(Protocol):
    """Is told what became of requests, in order, before anyone is answered."""

    def committed(self, tenant_id: str, requests: Sequence[Request], result: Committed) -> None:
        """Note a decision that holds."""
        ...

    def orphaned(self, tenant_id: str, charges: Sequence[Charge]) -> None:
        """Note charges that were made after all, though their callers were told that they were not."""
        ...


class GroupCommit:
    """Takes requests to the ledger.

    A commit without an answer leaves a doubt. Doubts are settled before anything else is decided for the tenant: the
    entry is looked for by its commit id and, if it is not there, the period row is rewritten, so that the commit can
    not be made any more. A doubt that outlives its requests is settled in the background.
    """

    def __init__(
        self,
        *,
        store: LedgerStore,
        terms: Terms,
        clock: Clock,
        sleep: Sleep,
        chance: random.Random,
        observer: Observer,
        watch: LedgerWatch,
    ) -> None:
        self._store = store
        self._terms = terms
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._observer = observer
        self._watch = watch
        self._lines: dict[str, _Line] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closing = False

    async def submit(self, tenant_id: str, requests: Sequence[Request]) -> list[Answer]:
        """Decide and commit these requests, next to each other.

        Raises:
            LedgerUnavailable: nothing was decided, or nobody can say now whether it was.
        """
        line = self._lines.setdefault(tenant_id, _Line())
        if len(line.waiting) >= QUEUE_MAX:
            raise LedgerUnavailable("too many requests of this tenant wait for the ledger")
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Answer]] = [loop.create_future() for _ in requests]
        line.waiting.extend(zip(requests, futures, strict=True))
        line.arrived.set()
        if tenant_id not in self._tasks:
            self._tasks[tenant_id] = asyncio.create_task(self._drain(tenant_id, line))
        return await asyncio.gather(*futures)

    async def preview(self, tenant_id: str, request: Request) -> Answer:
        """Say what the request would be answered, were it decided on the rows as they are; nothing is written or told.

        It stands in no line: what waits there, or is in doubt, may be decided before the request is really made.

        Raises:
            LedgerUnavailable: the rows cannot be read now, or change with every look.
        """
        for look in range(LOOKS_MAX):
            if look:
                await self._back_off(look)
            now = self._clock()
            snapshot = await self._read(tenant_id, [request], now)
            if snapshot.rows.period_row.closed:
                raise LedgerUnavailable("the period is closed: a clock is wrong")
            decision = decide(snapshot.rows, [request], terms=self._terms, now=now, commit_id="preview")
            if not _refuses(decision) or await self._read(tenant_id, [request], now) == snapshot:
                return decision.answers[0]
        raise LedgerUnavailable("the tenant's rows change with every look")

    async def aclose(self) -> None:
        """Wait until everything that was submitted is decided; doubts that are left are the ledger's reader's."""
        self._closing = True
        while self._tasks:
            for line in self._lines.values():
                line.arrived.set()
            await asyncio.gather(*self._tasks.values())

    async def _drain(self, tenant_id: str, line: _Line) -> None:
        pause = SETTLE_SECONDS_MIN
        try:
            while line.waiting or (line.doubts and not self._closing):
                if not line.waiting:
                    await self._wait(line, pause)
                    pause = min(2 * pause, SETTLE_SECONDS_MAX)
                batch = [line.waiting.popleft() for _ in range(min(len(line.waiting), REQUESTS_MAX))]
                await self._carry(tenant_id, line, batch)
        finally:
            del self._tasks[tenant_id], self._lines[tenant_id]

    async def _wait(self, line: _Line, seconds: float) -> None:
        """Wait so long, or until a request arrives."""
        line.arrived.clear()
        either = [asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(line.arrived.wait())]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in either:
                future.cancel()

    async def _carry(self, tenant_id: str, line: _Line, batch: list[tuple[Request, asyncio.Future[Answer]]]) -> None:
        requests = [request for request, _ in batch]
        try:
            result = await self._commit(tenant_id, line, requests)
            if result is None:
                return
            self._observer.committed(tenant_id, requests, result)
        except Exception as error:  # noqa: BLE001 -- whatever it is, those who wait must hear of it
            if isinstance(error, LedgerUnavailable) and not isinstance(error.__cause__, CommitConflict):
                # Whoever waits behind would hear the same, only later.
                batch += line.waiting
                line.waiting.clear()
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, result.decision.answers, strict=True):
            if not future.done():  # a caller that was cancelled waits no more
                future.set_result(answer)

    async def _commit(self, tenant_id: str, line: _Line, requests: Sequence[Request]) -> Committed | None:
        """Try until it holds; None if there was nothing but doubts to settle."""
        give_up_at = self._clock() + timedelta(seconds=TRYING_SECONDS_MAX)
        last: Exception | None = None
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                await self._back_off(attempt)
            if self._clock() > give_up_at:
                break
            if attempt:
                self._watch.retried()
            try:
                made = await self._settle(tenant_id, line, requests)
                return made if made is not None or not requests else await self._attempt(tenant_id, line, requests)
            except (LedgerUnavailable, CommitConflict, CommitUncertain) as error:
                last = error
                if isinstance(error, CommitConflict):
                    self._watch.conflicted()
        if requests:
            self._watch.gave_up()
        raise LedgerUnavailable("the ledger did not take the commit in time") from last

    async def _attempt(self, tenant_id: str, line: _Line, requests: Sequence[Request]) -> Committed:
        """Read, decide and write once; each attempt decides anew, at its own instant and under its own commit id."""
        now = self._clock()
        snapshot = await self._read(tenant_id, requests, now)
        if snapshot.rows.period_row.closed:
            raise LedgerUnavailable("the period is closed: a clock is wrong")
        commit_id = f"{self._terms.instance}-{self._chance.getrandbits(64):016x}"
        decision = decide(snapshot.rows, requests, terms=self._terms, now=now, commit_id=commit_id)
        result = Committed(decision, _open_after(snapshot, decision))
        if _refuses(decision) and await self._read(tenant_id, requests, now) != snapshot:
            raise CommitConflict
        if decision.writes:
            try:
                await self._store.commit(snapshot, decision)
            except (CommitConflict, CommitUncertain) as error:
                if decision.writes_period:
                    line.doubts.append(_Doubt(requests, result, may_land=isinstance(error, CommitUncertain)))
                raise
            self._watch.committed(tenant_id, decision)
        return result

    async def _settle(self, tenant_id: str, line: _Line, requests: Sequence[Request]) -> Committed | None:
        """Settle the tenant's doubts; return the result of these requests' own commit if it was made after all."""
        own: Committed | None = None
        while line.doubts:
            doubt = line.doubts[0]
            made = await self._was_made(tenant_id, doubt.result.decision)
            if not made and doubt.may_land:
                await self._store.fence(tenant_id, doubt.result.decision.period_row.period)
                made = await self._was_made(tenant_id, doubt.result.decision)
            line.doubts.pop(0)
            if made:
                self._watch.committed(tenant_id, doubt.result.decision)
            if made and doubt.requests is requests:
                own = doubt.result
            elif made:
                self._observer.orphaned(tenant_id, _charges(doubt.result.decision))
        return own

    async def _was_made(self, tenant_id: str, decision: Decision) -> bool:
        """Look for a commit's first entry; one without entries changes nothing more if it is made twice."""
        if not decision.entries:
            return False
        first = decision.entries[0]
        entry = await self._store.entry(tenant_id, first.period, first.sequence)
        return entry is not None and entry.commit_id == first.commit_id

    async def _back_off(self, attempt: int) -> None:
        longest = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN * 2 ** min(attempt, 10))
        await self._sleep(self._chance.uniform(longest / 4, longest))

    async def _read(self, tenant_id: str, requests: Sequence[Request], now: datetime) -> Snapshot:
        identifiers = {identifier for request in requests if (identifier := _session_of(request)) is not None}
        limited = any(isinstance(request, Admit) and request.quota.sessions is not None for request in requests)
        return await self._store.read(tenant_id, Period.of(now), identifiers, open_at=now if limited else None)


def _refuses(decision: Decision) -> bool:
    """Say whether somebody is refused, which needs a second look.

    Rows are read one by one, and a refusal may rest on two that never stood beside each other; if a second look finds
    the same rows, they did. An admission needs none: its commit would fail.
    """
    return any(isinstance(answer, QuotaExceeded | TooManySessions) for answer in decision.answers)


def _charges(decision: Decision) -> list[Charge]:
    return [a.charge for a in decision.answers if isinstance(a, Admitted) and a.charge is not None]


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
