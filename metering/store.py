"""What a ledger store promises to the meter, whatever it is made of."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from metering.alerts import Alert
from metering.entries import Entry
from metering.ledger import Decision
from metering.periods import Period
from metering.rows import PeriodRow, Rows, Window


class LedgerUnavailable(Exception):  # noqa: N818 -- named after the state that the caller has to answer with
    """The ledger cannot be read or written now; nothing was admitted, and the call may be repeated later."""


class CommitConflict(Exception):  # noqa: N818
    """A row has changed since it was read; nothing was written."""


class CommitUncertain(Exception):  # noqa: N818
    """No answer came: the commit may have been made, may be made yet, or never will be."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows as one read saw them, with the marks by which a commit proves that they have not changed.

    Attributes:
        etags: by row: the period as text, or the pool identifier; a row that did not exist has none.
    """

    rows: Rows
    etags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is none of a ledger, or not as Tollgate writes it; `problem` is a predicate: "cannot be read"."""

    key: str
    problem: str


type StoredRow = Entry | PeriodRow | Window | Alert | BadRow


@dataclass(frozen=True, slots=True)
class EndedWindow:
    """A window that has ended, with the mark that proves that its row has not changed since."""

    pool_identifier: str
    etag: str


class LedgerStore(Protocol):
    """Keeps one partition per tenant; safe to use from many tasks and many instances at once."""

    async def read(
        self, tenant_id: str, period: Period, pool_identifiers: Collection[str], *, open_at: datetime | None
    ) -> Snapshot:
        """Read the period row and these sessions' windows and, unless `open_at` is None, all windows open then.

        The period row is read before the open windows: a window that was opened in between has changed the period row,
        so that a commit over this snapshot fails.

        Raises:
            LedgerUnavailable: if that cannot be done now.
        """
        ...

    async def commit(self, snapshot: Snapshot, decision: Decision) -> None:
        """Write a decision made from this snapshot: all of it, or nothing.

        Raises:
            CommitConflict: a row that the decision writes has changed since; nothing was written.
            CommitUncertain: no answer; ask `entry` whether it was made.
        """
        ...

    async def fence(self, tenant_id: str, period: Period) -> None:
        """Rewrite the period row as it is: no commit over an earlier snapshot that writes it can be made any more.

        Raises:
            LedgerUnavailable: it is not certain that this was done.
        """
        ...

    async def entry(self, tenant_id: str, period: Period, sequence: int) -> Entry | None:
        """Read one entry; None if there is none. Raises LedgerUnavailable."""
        ...

    async def entries(self, tenant_id: str, period: Period, *, after: int, limit: int) -> tuple[Entry, ...]:
        """Read up to `limit` entries with sequences above `after`, ascending. Raises LedgerUnavailable."""
        ...

    async def period_row(self, tenant_id: str, period: Period) -> PeriodRow:
        """Read the period row; an empty one if nothing was ever booked. Raises LedgerUnavailable."""
        ...


class LedgerScan(Protocol):
    """Reads a tenant's rows whole, for those who verify them; the request path does not need it."""

    def scan(self, tenant_id: str, start: str, stop: str | None) -> AsyncIterator[StoredRow]:
        """Read the tenant's rows with `start <= key < stop` (None: to the last), in the order of their `row_keys`.

        Rows are handed out as they arrive, never held all at once; a scan is no snapshot, but it misses no row that was
        there when it began, and sees entries of one commit together with all those before them.

        Raises:
            LedgerUnavailable: while rows are handed out, too.
        """
        ...


class LedgerUpkeep(Protocol):
    """Removes rows that nobody needs any more; the request path does not need it."""

    async def ended_windows(self, tenant_id: str, *, before: datetime, limit: int) -> tuple[EndedWindow, ...]:
        """Read up to `limit` windows that were paid until before that instant. Raises LedgerUnavailable."""
        ...

    async def remove_windows(self, tenant_id: str, windows: Sequence[EndedWindow]) -> int:
        """Remove those of these rows that have not changed since they were read; return how many that were.

        Raises:
            LedgerUnavailable: some may have been removed.
        """
        ...
