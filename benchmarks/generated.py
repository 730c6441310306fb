"""A ledger with any number of entries that takes no room: each is made up when it is read, and always the same.

Rules of this file: pure. Its period row is the sum of its entries; a test adds up as many as it takes to see that.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType

from metering.entries import Entry, Kind
from metering.periods import Period
from metering.row_keys import entry_key, period_key
from metering.rows import DayNumbers, PeriodRow
from metering.store import StoredRow

INCREMENT = timedelta(minutes=5)
MICROSECOND = timedelta(microseconds=1)
TENTH = 10  # of ten entries, the first opens a session, eight extend it, and the last takes one increment back


@dataclass(frozen=True, slots=True)
class GeneratedLedger:
    """One tenant with `size` entries, spread evenly over the days of the period.

    It reads like a `store.LedgerStore` and scans like a `store.LedgerScan`; nothing can be written.
    """

    tenant_id: str
    period: Period
    size: int

    async def period_row(self, tenant_id: str, period: Period) -> PeriodRow:
        """See `LedgerStore.period_row`; made in a time that does not depend on the size."""
        row = PeriodRow.empty(tenant_id, period)
        if not self.size or not self._has(tenant_id, period):
            return row
        every = [self._day(number) for number in range(self._days)]
        reversals = self.size // TENTH
        return replace(
            row,
            charged=self.size - reversals,
            reversed=reversals,
            sessions_opened=sum(numbers.sessions for _, numbers in every),
            days=MappingProxyType({day: numbers for day, numbers in every if numbers != DayNumbers()}),
            next_sequence=self.size + 1,
            head_hash=self._entry(self.size).hash,
        )

    async def entry(self, tenant_id: str, period: Period, sequence: int) -> Entry | None:
        """See `LedgerStore.entry`."""
        there = self._has(tenant_id, period) and 1 <= sequence <= self.size
        return self._entry(sequence) if there else None

    async def entries(self, tenant_id: str, period: Period, *, after: int, limit: int) -> tuple[Entry, ...]:
        """See `LedgerStore.entries`."""
        if not self._has(tenant_id, period):
            return ()
        return tuple(map(self._entry, range(after + 1, min(after + limit, self.size) + 1)))

    async def scan(self, tenant_id: str, start: str, stop: str | None) -> AsyncIterator[StoredRow]:
        """See `LedgerScan.scan`."""
        if not self._has(tenant_id, self.period):
            return
        for sequence in range(1, self.size + 1):
            if start <= (key := entry_key(self.period, sequence)) and (stop is None or key < stop):
                yield self._entry(sequence)
        if start <= (key := period_key(self.period)) and (stop is None or key < stop):
            yield await self.period_row(tenant_id, self.period)

    @property
    def _days(self) -> int:
        return self.period.last_day.day

    def _has(self, tenant_id: str, period: Period) -> bool:
        return (tenant_id, period) == (self.tenant_id, self.period)

    def _at(self, sequence: int) -> datetime:
        whole = timedelta(days=self._days) // MICROSECOND
        return self.period.start_at + MICROSECOND * (whole * (sequence - 1) // self.size)

    def _day(self, number: int) -> tuple[date, DayNumbers]:
        """Sum up a day, the first being 0: its entries are those from one sequence to another."""
        first, beyond = (-(-self.size * days // self._days) for days in (number, number + 1))  # sequences from 0
        reversals = beyond // TENTH - first // TENTH
        opened = -(-beyond // TENTH) - -(-first // TENTH)
        day = self.period.first_day + timedelta(days=number)
        return day, DayNumbers(beyond - first - 2 * reversals, opened)

    def _entry(self, sequence: int) -> Entry:
        position = (sequence - 1) % TENTH
        session, at = (sequence - 1) // TENTH, self._at(sequence)
        opened_at = self._at(session * TENTH + 1)
        reversal = position == TENTH - 1
        from_at = opened_at + INCREMENT * (position - 1 if reversal else position)
        return Entry(
            period=self.period,
            sequence=sequence,
            kind=Kind.REVERSAL if reversal else Kind.CHARGE,
            at=at,
            increments=1,
            session_name=f"session-{session}",
            pool_identifier=f"{self.tenant_id}-{session}",
            opened_at=opened_at,
            from_at=from_at,
            until=from_at + INCREMENT,
            operation="code.execute",
            reverses=f"{self.period}/{sequence - 1}" if reversal else None,
            request_id=f"request-{sequence}",
            commit_id=f"commit-{sequence}",
            hash=f"{sequence:064x}",
            key_id="generated",
        )
