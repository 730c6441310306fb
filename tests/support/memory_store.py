"""A ledger store in memory, with the ETag semantics of Table Storage, and switches for its faults."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from metering.alert_rows import alert_key
from metering.entries import Entry
from metering.ledger import Decision
from metering.periods import Period
from metering.row_keys import entry_key, window_key
from metering.rows import PeriodRow, Rows, Window
from metering.store import CommitConflict, CommitUncertain, EndedWindow, LedgerUnavailable, Snapshot, StoredRow

PAGE = 10  # rows of one page of a scan: few, so that tests see several


class Fault(Enum):
    """What can go wrong with one operation."""

    UNAVAILABLE = "unavailable"  # a read fails
    LOST_REQUEST = "lost request"  # a commit is not made, and no answer comes
    LOST_ANSWER = "lost answer"  # a commit is made, and no answer comes
    LATE = "late"  # no answer comes, and the commit is made when `land` is called, if it still can be
    DUPLICATE = "duplicate"  # a commit arrives twice, and the answer is that of the second


type Chooser = Callable[[str], Fault | None]


@dataclass
class MemoryLedgerStore:
    """Keeps rows by key with a version each; `fault` is asked before each operation, by its name."""

    fault: Chooser = lambda _: None
    rows: dict[tuple[str, str], tuple[Any, int]] = field(default_factory=dict)
    operations: list[str] = field(default_factory=list)
    version: int = 0
    late: list[tuple[Snapshot, Decision]] = field(default_factory=list)

    async def read(
        self, tenant_id: str, period: Period, pool_identifiers: Collection[str], *, open_at: datetime | None
    ) -> Snapshot:
        """See `LedgerStore.read`."""
        self._operation("read")
        etags: dict[str, str] = {}
        row = self._take(tenant_id, f"period:{period}", str(period), etags)
        found = {name: self._take(tenant_id, f"window:{name}", name, etags) for name in pool_identifiers}
        open_windows = None if open_at is None else self._open_windows(tenant_id, open_at)
        rows = Rows(
            tenant_id=tenant_id,
            period_row=row or PeriodRow.empty(tenant_id, period),
            windows={name: window for name, window in found.items() if window is not None},
            open_windows=open_windows,
        )
        return Snapshot(rows, etags)

    async def commit(self, snapshot: Snapshot, decision: Decision) -> None:
        """See `LedgerStore.commit`."""
        fault = self._operation("commit")
        if fault is Fault.LATE:
            self.late.append((snapshot, decision))
        if fault in {Fault.LATE, Fault.LOST_REQUEST}:
            raise CommitUncertain
        self._apply(snapshot, decision)
        if fault is Fault.DUPLICATE:
            self._apply(snapshot, decision)
        if fault is Fault.LOST_ANSWER:
            raise CommitUncertain

    def land(self) -> int:
        """Let late commits arrive; return how many were made."""
        made = 0
        for snapshot, decision in self.late:
            with suppress(CommitConflict):
                self._apply(snapshot, decision)
                made += 1
        self.late.clear()
        return made

    def _apply(self, snapshot: Snapshot, decision: Decision) -> None:
        tenant_id = snapshot.rows.tenant_id
        writes: list[tuple[str, str | None, Any]] = [
            (f"window:{name}", snapshot.etags.get(name), window) for name, window in decision.windows.items()
        ]
        if decision.writes_period:
            period = str(decision.period_row.period)
            writes.append((f"period:{period}", snapshot.etags.get(period), decision.period_row))
        writes += [(entry_key(entry.period, entry.sequence), None, entry) for entry in decision.entries]
        for key, etag, _ in writes:
            current = self.rows.get((tenant_id, key))
            if etag != (None if current is None else str(current[1])):
                raise CommitConflict
        for key, _, value in writes:
            self.version += 1
            self.rows[tenant_id, key] = (value, self.version)
        for alert in decision.alerts:
            self.version += 1
            self.rows[tenant_id, alert_key(alert)] = (alert, self.version)

    async def fence(self, tenant_id: str, period: Period) -> None:
        """See `LedgerStore.fence`."""
        self._operation("fence")
        key = (tenant_id, f"period:{period}")
        row, _ = self.rows.get(key, (PeriodRow.empty(tenant_id, period), 0))
        self.version += 1
        self.rows[key] = (row, self.version)

    async def entry(self, tenant_id: str, period: Period, sequence: int) -> Entry | None:
        """See `LedgerStore.entry`."""
        self._operation("entry")
        found = self.rows.get((tenant_id, entry_key(period, sequence)))
        return None if found is None else found[0]

    async def entries(self, tenant_id: str, period: Period, *, after: int, limit: int) -> tuple[Entry, ...]:
        """See `LedgerStore.entries`."""
        self._operation("entries")
        wanted = (self.rows.get((tenant_id, entry_key(period, after + 1 + n))) for n in range(limit))
        return tuple(found[0] for found in wanted if found is not None)

    async def period_row(self, tenant_id: str, period: Period) -> PeriodRow:
        """See `LedgerStore.period_row`."""
        self._operation("period_row")
        found = self.rows.get((tenant_id, f"period:{period}"))
        return PeriodRow.empty(tenant_id, period) if found is None else found[0]

    async def scan(self, tenant_id: str, start: str, stop: str | None) -> AsyncIterator[StoredRow]:
        """See `LedgerScan.scan`: looks for the next page only when it is asked for."""
        self._operation("scan")
        while True:
            await asyncio.sleep(0)  # others write meanwhile
            keys = (key for tenant, key in self.rows if tenant == tenant_id)
            page = sorted(key for key in keys if start <= key and (stop is None or key < stop))[:PAGE]
            if not page:
                return
            for key in page:
                if (tenant_id, key) in self.rows:
                    yield self.rows[tenant_id, key][0]
            start = page[-1] + "\0"

    async def ended_windows(self, tenant_id: str, *, before: datetime, limit: int) -> tuple[EndedWindow, ...]:
        """See `LedgerUpkeep.ended_windows`."""
        self._operation("ended_windows")
        rows = [(row, version) for (tenant, _), (row, version) in self.rows.items() if tenant == tenant_id]
        ended = [
            EndedWindow(row.pool_identifier, str(version))
            for row, version in rows
            if isinstance(row, Window) and row.paid_until < before
        ]
        return tuple(ended[:limit])

    async def remove_windows(self, tenant_id: str, windows: Sequence[EndedWindow]) -> int:
        """See `LedgerUpkeep.remove_windows`."""
        self._operation("remove_windows")
        removed = 0
        for window in windows:
            key = (tenant_id, window_key(window.pool_identifier))
            if key in self.rows and str(self.rows[key][1]) == window.etag:
                del self.rows[key]
                removed += 1
        return removed

    def _operation(self, name: str) -> Fault | None:
        self.operations.append(name)
        fault = self.fault(name)
        if fault is Fault.UNAVAILABLE:
            raise LedgerUnavailable("simulated")
        return fault

    def _take(self, tenant_id: str, key: str, name: str, etags: dict[str, str]) -> Any:
        found = self.rows.get((tenant_id, key))
        if found is None:
            return None
        etags[name] = str(found[1])
        return found[0]

    def _open_windows(self, tenant_id: str, at: datetime) -> dict[str, datetime]:
        windows = (value for (tenant, _), (value, _) in self.rows.items() if tenant == tenant_id)
        return {w.pool_identifier: w.paid_until for w in windows if isinstance(w, Window) and w.paid_until > at}
