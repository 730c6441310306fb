"""Reads a tenant's ledger through and verifies it, while it is in use.

One scan hands out the rows in the order of their keys: entries, then periods, then windows. So a period row was read
after the entries before it, and a window row after both: each may know of entries that were booked meanwhile, which
are then read as well. A window row is at fault only if it differs from its entries and none about it came meanwhile.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from metering.alerts import Alert
from metering.entries import Entry
from metering.heads import Head
from metering.housekeeping import surely_kept_since
from metering.increments import Granularity
from metering.periods import Period
from metering.row_keys import ENTRIES, PERIODS, WINDOWS, beyond, entry_key, window_key
from metering.rows import PeriodRow, Window
from metering.store import BadRow, LedgerScan, StoredRow
from metering.verify import Finding, Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a verification found.

    Attributes:
        entries: how many entries of the periods asked for were read.
        findings: what is wrong, up to a limit; `findings_beyond` counts the others.
    """

    entries: int
    periods: tuple[Period, ...]
    findings: tuple[Finding, ...]
    findings_beyond: int


async def verify(
    ledger: LedgerScan,
    tenant_id: str,
    *,
    only: Period | None,
    granularity: Granularity,
    keys: Mapping[str, bytes],
    now: datetime,
    heads: Iterable[Head] = (),
) -> Verdict:
    """Verify a tenant's whole ledger, or one period of it and the windows that its entries are about.

    Each of the heads, of the periods asked for, must be that of an entry.

    Memory grows with the sessions that have a window row, not with the entries.

    Raises:
        LedgerUnavailable: it cannot be read now.
    """
    windows = ledger.scan(tenant_id, WINDOWS, beyond(WINDOWS))
    kept = frozenset([row.pool_identifier async for row in windows if isinstance(row, Window)])
    periods = ledger.scan(tenant_id, PERIODS, beyond(PERIODS))
    pool_seconds = {row.period: row.pool_increment_seconds async for row in periods if isinstance(row, PeriodRow)}
    state = Verification(
        tenant_id,
        granularity=granularity,
        keys=keys,
        kept=kept,
        only=only,
        pool_increment_seconds=pool_seconds,
        heads=heads,
    )
    await _Reading(ledger, tenant_id, state, only=only).run(now)
    return Verdict(
        entries=state.entries,
        periods=tuple(period for period in state.periods if only in {None, period}),
        findings=tuple(state.findings),
        findings_beyond=state.findings_beyond,
    )


class _Reading:
    """One reading of one tenant's rows."""

    def __init__(self, ledger: LedgerScan, tenant_id: str, state: Verification, *, only: Period | None) -> None:
        self._ledger = ledger
        self._tenant_id = tenant_id
        self._state = state
        self._start = ENTRIES if only is None else entry_key(only, 0)

    async def run(self, now: datetime) -> None:
        state = self._state
        async for row in self._ledger.scan(self._tenant_id, "", ENTRIES):
            self._add(row)
        await self._read_entries(self._start, beyond(ENTRIES))
        await self._read_newer()
        surely_there = state.accounts.paid_beyond(surely_kept_since(now))
        suspects = set(surely_there)
        async for row in self._ledger.scan(self._tenant_id, beyond(ENTRIES), None):
            if isinstance(row, Window) and state.accounts.problem(row) is None:
                suspects.discard(row.pool_identifier)
            elif isinstance(row, Window):
                suspects.add(row.pool_identifier)
            else:
                self._add(row)
        state.end_of_periods()
        if state.waits_for_entries:
            await self._read_newer()
        await self._judge(suspects, surely_there)
        state.end()

    async def _judge(self, suspects: set[str], surely_there: set[str]) -> None:
        """Look again at windows that differ, until no entry about them came between the look and the entries."""
        while suspects:
            await self._read_newer()
            problems = {s: problem for s in sorted(suspects) if (problem := await self._problem(s, surely_there))}
            met = await self._read_newer()
            for identifier in problems.keys() - met:
                self._state.add_window_problem(identifier, problems[identifier])
            suspects = problems.keys() & met

    async def _problem(self, pool_identifier: str, surely_there: set[str]) -> str | None:
        key = window_key(pool_identifier)
        async for row in self._ledger.scan(self._tenant_id, key, key + "\0"):
            return self._state.accounts.problem(row) if isinstance(row, Window) else None  # a bad row was noted
        return "is missing, though its time is paid for" if pool_identifier in surely_there else None

    async def _read_newer(self) -> set[str]:
        """Read the entries that came since; return the pool identifiers that they are about."""
        met: set[str] = set()
        start = self._start
        for period, sequence in self._state.periods.items():
            # One scan to the end of the newest period and of those to come: in no other order fit a window's entries.
            start = entry_key(period, sequence)
            if period != max(self._state.periods):
                met |= await self._read_entries(start, beyond(f"{ENTRIES}{period}:"))
        return met | await self._read_entries(start, beyond(ENTRIES))

    async def _read_entries(self, start: str, stop: str) -> set[str]:
        met: set[str] = set()
        async for row in self._ledger.scan(self._tenant_id, start, stop):
            self._add(row)
            if isinstance(row, Entry) and row.pool_identifier is not None:
                met.add(row.pool_identifier)
        return met

    def _add(self, row: StoredRow) -> None:
        if isinstance(row, Entry):
            self._state.add_entry(row)
        elif isinstance(row, PeriodRow):
            self._state.add_period(row)
        elif isinstance(row, BadRow):
            self._state.add_bad_row(row)
        else:
            assert isinstance(row, Alert), "windows are compared where they are read"  # no sum depends on alerts
