"""How fast one tenant's charges go through when many of its sessions begin at once, beside one transaction per charge.

Both ways make the same decision on the same storage. Tollgate's is the meter itself; the naive one reads, decides and
commits each charge by itself, and again after a pause whenever another charge came first. Instances are meters with
connections of their own, all in this process; each burst is a tenant that nobody has charged before.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.figures import percentile
from metering.clock import utc_now
from metering.entries import LedgerKeys
from metering.increments import Granularity
from metering.ledger import Terms, decide
from metering.meter import Meter
from metering.periods import Period
from metering.requests import Admit, Quota
from metering.store import CommitConflict, CommitUncertain, LedgerUnavailable
from metering.table_store import TableLedgerStore
from proxy.storage import open_tables

SESSIONS = (1, 16, 64, 256)  # that begin at once
INSTANCES = (1, 4)
PAUSE_SECONDS_MIN = 0.01
PAUSE_SECONDS_MAX = (
    5.0  # the naive way is at its best with long pauses: with 0.4 s, 256 sessions hardly ever get through
)
GRANULARITY = Granularity(increment_seconds=300, tail_seconds=300)

type Charge = Callable[[str, Admit], Awaitable[object]]


class Scheme(StrEnum):
    """How charges get into the ledger."""

    TOLLGATE = "tollgate"
    NAIVE = "one_transaction_per_charge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is made of each kind.

    Attributes:
        bursts_max: of one kind; there is always one.
        bursts_seconds: that bursts of one kind may take before the last of them begins.
        burst_seconds_max: after which a burst is cut off.
    """

    bursts_max: int
    bursts_seconds: float
    burst_seconds_max: float

    @classmethod
    def of(cls, seconds: float) -> "Effort":
        """Take about so long for all kinds, and twice that at worst."""
        return cls(bursts_max=50, bursts_seconds=seconds / 40, burst_seconds_max=seconds / 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contention:
    """Bursts of one kind.

    Attributes:
        charges: asked for, over all bursts.
        charged: made before their burst was cut off.
        p50_ms: None if less than so many were charged; the same for `p99_ms`.
    """

    scheme: Scheme
    instances: int
    sessions: int
    bursts: int
    charges: int
    charged: int
    charges_per_second: float
    p50_ms: float | None
    p99_ms: float | None


async def contend(
    storage: str, effort: Effort, tell: Callable[[str], None], *, at_once: Sequence[int] = SESSIONS
) -> Sequence[Contention]:
    """Measure all kinds, the two schemes of each next to each other."""
    found = []
    async with AsyncExitStack() as closing:
        stores = [
            TableLedgerStore(await closing.enter_async_context(open_tables(storage))) for _ in range(max(INSTANCES))
        ]
        meters = [Meter(store=store, terms=_terms(number), clock=utc_now) for number, store in enumerate(stores)]
        naive = [_naive(store, _terms(number)) for number, store in enumerate(stores)]
        schemes: dict[Scheme, Sequence[Charge]] = {
            Scheme.TOLLGATE: [meter.admit for meter in meters],
            Scheme.NAIVE: naive,
        }
        for charges in schemes.values():
            await _burst(charges, 2 * len(charges), effort.burst_seconds_max)  # opens connections
        for instances in INSTANCES:
            for sessions in at_once:
                tell(f"new sessions at once: {sessions}, instances: {instances}")
                found += [
                    await _bursts(scheme, charges[:instances], sessions, effort) for scheme, charges in schemes.items()
                ]
        for meter in meters:
            await meter.aclose()
    return found


async def _bursts(scheme: Scheme, charges: Sequence[Charge], sessions: int, effort: Effort) -> Contention:
    started = time.perf_counter()
    latencies: list[float] = []
    bursts, elapsed = 0, 0.0
    while not bursts or (bursts < effort.bursts_max and time.perf_counter() - started < effort.bursts_seconds):
        begun = time.perf_counter()
        latencies += await _burst(charges, sessions, effort.burst_seconds_max)
        elapsed += time.perf_counter() - begun
        bursts += 1
    latencies.sort()
    never = [float("inf")] * (bursts * sessions - len(latencies))
    p50, p99 = (percentile([*latencies, *never], share) * 1000 for share in (0.5, 0.99))
    return Contention(
        scheme=scheme,
        instances=len(charges),
        sessions=sessions,
        bursts=bursts,
        charges=bursts * sessions,
        charged=len(latencies),
        charges_per_second=len(latencies) / elapsed,
        p50_ms=p50 if p50 < float("inf") else None,
        p99_ms=p99 if p99 < float("inf") else None,
    )


async def _burst(charges: Sequence[Charge], sessions: int, seconds: float) -> list[float]:
    """Begin so many sessions of one tenant at once, spread over the instances; return what each charge took."""
    tenant_id = f"burst-{uuid.uuid4().hex[:16]}"
    latencies: list[float] = []
    begun = time.perf_counter()

    async def begin(number: int) -> None:
        request = Admit(
            pool_identifier=f"{tenant_id}-{number}",
            session_name=f"session-{number}",
            operation="code.execute",
            request_id=uuid.uuid4().hex,
            quota=Quota(increments_per_period=1_000_000),
        )
        try:
            await charges[number % len(charges)](tenant_id, request)
        except LedgerUnavailable:
            return  # refused: not charged
        latencies.append(time.perf_counter() - begun)

    beginning = [asyncio.create_task(begin(number)) for number in range(sessions)]
    _, late = await asyncio.wait(beginning, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    return latencies


def _naive(store: TableLedgerStore, terms: Terms) -> Charge:
    async def charge(tenant_id: str, request: Admit) -> None:
        pause = PAUSE_SECONDS_MIN
        while True:
            now = utc_now()
            try:
                snapshot = await store.read(tenant_id, Period.of(now), [request.pool_identifier], open_at=None)
                decision = decide(snapshot.rows, [request], terms=terms, now=now, commit_id=uuid.uuid4().hex)
                await store.commit(snapshot, decision)
            except (CommitConflict, CommitUncertain, LedgerUnavailable):
                await asyncio.sleep(random.uniform(pause / 4, pause))  # noqa: S311 -- no secret hangs on it
                pause = min(2 * pause, PAUSE_SECONDS_MAX)
            else:
                return

    return charge


def _terms(number: int) -> Terms:
    return Terms(granularity=GRANULARITY, keys=LedgerKeys("k1", {"k1": b"k" * 32}), instance=f"instance-{number}")
