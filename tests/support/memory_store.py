"""A ledger store in memory, with the ETag semantics of Table Storage, and switches for its faults."""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from metering.entries import Entry
from metering.ledger import Decision
from metering.periods import Period
from metering.rows import PeriodRow, Rows, Window
from metering.store import CommitConflict, CommitUncertain, LedgerUnavailable, Snapshot


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
        writes += [(_entry_key(entry), None, entry) for entry in decision.entries]
        for key, etag, _ in writes:
            current = self.rows.get((tenant_id, key))
            if etag != (None if current is None else str(current[1])):
                raise CommitConflict
        for key, _, value in writes:
            self.version += 1
            self.rows[tenant_id, key] = (value, self.version)

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
        found = self.rows.get((tenant_id, f"entry:{period}:{sequence}"))
        return None if found is None else found[0]

    async def entries(self, tenant_id: str, period: Period, *, after: int, limit: int) -> tuple[Entry, ...]:
        """See `LedgerStore.entries`."""
        self._operation("entries")
        wanted = (self.rows.get((tenant_id, f"entry:{period}:{after + 1 + n}")) for n in range(limit))
        return tuple(found[0] for found in wanted if found is not None)

    async def period_row(self, tenant_id: str, period: Period) -> PeriodRow:
        """See `LedgerStore.period_row`."""
        self._operation("period_row")
        found = self.rows.get((tenant_id, f"period:{period}"))
        return PeriodRow.empty(tenant_id, period) if found is None else found[0]

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


def _entry_key(entry: Entry) -> str:
    return f"entry:{entry.period}:{entry.sequence}"
