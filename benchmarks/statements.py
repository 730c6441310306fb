"""How long a tenant's statement takes, however many entries the tenant has.

It is drawn up as the gateway does it (`console.usage`): the period's row is read, the statement made of it, and written
as JSON. Sizes take turns, so that a slow moment of the machine weighs on all of them, and each is compared with the
smallest one in the same place. What the read takes is told apart, since Azurite has no index within a partition: it
goes through all rows of one to find the one that was asked for.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import median
from typing import Protocol, cast

from benchmarks.seeding import GRANULARITY
from benchmarks.targets import Kept, StatementFigures, growth
from console.usage import Prices, Usage
from console.views import statement_view
from metering.entries import Entry
from metering.periods import Period
from metering.rows import PeriodRow
from metering.store import LedgerStore
from proxy.tenants import Tenant

ROUNDS = 200
PAGES = 10  # of the rounds also read a page of entries
PAGE_ENTRIES = 1_000
PRICES = Prices(
    rate_per_session_hour=Decimal("0.03"),
    pool_rate_per_session_hour=Decimal("0.03"),
    currency="USD",
    issuer="Benchmark",
)


class Entries(Protocol):
    """What is read of a ledger's store."""

    async def period_row(self, tenant_id: str, period: Period) -> PeriodRow:
        """See `store.LedgerStore`."""
        ...

    async def entries(self, tenant_id: str, period: Period, *, after: int, limit: int) -> tuple[Entry, ...]:
        """See `store.LedgerStore`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A tenant whose statement is measured."""

    kept: Kept
    tenant_id: str
    entries: int
    ledger: Entries


@dataclass(slots=True)
class _Timed:
    """A ledger's store that counts what is read of it, and how long that takes."""

    ledger: Entries
    reads: int = 0
    seconds: float = 0

    async def period_row(self, tenant_id: str, period: Period) -> PeriodRow:
        started = time.perf_counter()
        row = await self.ledger.period_row(tenant_id, period)
        self.seconds += time.perf_counter() - started
        self.reads += 1
        return row


@dataclass(frozen=True, slots=True)
class _Sample:
    reads: int
    seconds: float
    own_seconds: float


async def measure_statements(
    subjects: Sequence[Subject], period: Period, now: datetime, *, rounds: int = ROUNDS
) -> list[StatementFigures]:
    """Measure tenants that are kept in one place, the one with the fewest entries first."""
    for subject in subjects:
        await _draw_up(subject, period, now)  # opens connections
    samples: list[list[_Sample]] = []
    pages: list[list[float]] = []
    for number in range(rounds):
        samples.append([await _draw_up(subject, period, now) for subject in subjects])
        if number < PAGES:
            pages.append([await _page(subject, period) for subject in subjects])
    grown = growth([[sample.own_seconds for sample in round_] for round_ in samples])
    return [
        _figures(subject, [round_[column] for round_ in samples], grown[column], [page[column] for page in pages])
        for column, subject in enumerate(subjects)
    ]


def _figures(subject: Subject, samples: Sequence[_Sample], grown: float, pages: Sequence[float]) -> StatementFigures:
    reads = {sample.reads for sample in samples}
    return StatementFigures(
        kept=subject.kept,
        entries=subject.entries,
        reads=reads.pop() if len(reads) == 1 else None,
        statement_ms=median(sample.seconds for sample in samples) * 1000,
        own_ms=median(sample.own_seconds for sample in samples) * 1000,
        growth=grown,
        page_ms=median(pages) * 1000,
        page_entries=min(PAGE_ENTRIES, subject.entries),
    )


async def _draw_up(subject: Subject, period: Period, now: datetime) -> _Sample:
    ledger = _Timed(subject.ledger)
    usage = Usage(ledger=cast(LedgerStore, ledger), granularity=GRANULARITY, clock=lambda: now, prices=PRICES)
    tenant = Tenant(id=subject.tenant_id, name="Benchmark", minutes_per_month=Decimal(10_000_000))
    started = time.perf_counter()
    json.dumps(statement_view(await usage.statement(tenant, period)))
    seconds = time.perf_counter() - started
    return _Sample(ledger.reads, seconds, seconds - ledger.seconds)


async def _page(subject: Subject, period: Period) -> float:
    after = (subject.entries - min(PAGE_ENTRIES, subject.entries)) // 2
    started = time.perf_counter()
    await subject.ledger.entries(subject.tenant_id, period, after=after, limit=PAGE_ENTRIES)
    return time.perf_counter() - started
