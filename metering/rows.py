"""The running rows of a tenant: the sums of its period, and the paid windows of its sessions.

Rules of this file: values only; what changes them is decided in `ledger`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Self

from metering.entries import Entry, Kind, genesis
from metering.periods import Period, day_of


@dataclass(frozen=True, slots=True)
class DayNumbers:
    """One UTC day of a period: the sums over that day's entries."""

    increments: int = 0
    sessions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodRow:
    """The running sums of one tenant's period; its balance never drifts from the entries.

    Attributes:
        sessions_opened: windows opened, less those whose opening was reversed.
        next_sequence: the sequence of the entry to come; entries 1 up to, not including, this one exist.
        head_hash: hash of the newest entry, or the period's genesis.
        closed: no entry may be added any more.
    """

    period: Period
    charged: int = 0
    reversed: int = 0
    adjusted: int = 0
    sessions_opened: int = 0
    days: Mapping[date, DayNumbers] = field(default_factory=lambda: MappingProxyType({}))
    next_sequence: int = 1
    head_hash: str
    closed: bool = False

    @classmethod
    def empty(cls, tenant_id: str, period: Period) -> Self:
        """Return the row of a period without entries."""
        return cls(period=period, head_hash=genesis(tenant_id, period))

    @property
    def balance(self) -> int:
        """What the tenant has used, in increments."""
        return self.charged - self.reversed + self.adjusted

    def with_entry(self, entry: Entry) -> Self:
        """Return the row after one more entry."""
        opened = 0 if not entry.opens_window else -1 if entry.kind is Kind.REVERSAL else 1
        day = day_of(entry.at)
        before = self.days.get(day, DayNumbers())
        after = DayNumbers(before.increments + entry.effect, before.sessions + opened)
        return replace(
            self,
            charged=self.charged + (entry.increments if entry.kind is Kind.CHARGE else 0),
            reversed=self.reversed + (entry.increments if entry.kind is Kind.REVERSAL else 0),
            adjusted=self.adjusted + (entry.increments if entry.kind is Kind.ADJUSTMENT else 0),
            sessions_opened=self.sessions_opened + opened,
            days=MappingProxyType({**self.days, day: after}),
            next_sequence=entry.sequence + 1,
            head_hash=entry.hash,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The paid window `[opened_at, paid_until)` of one session.

    Attributes:
        increments: how many of it are paid for; they start at `opened_at`, one after the other.
        newest_charge: `period/sequence` of the latest charge, which a reversal names.
        owner: the instance that opened the window.
        shared: another instance relies on it, so nothing of it is taken back any more.
    """

    pool_identifier: str
    session_name: str
    opened_at: datetime
    paid_until: datetime
    increments: int
    newest_charge: str
    owner: str
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A tenant's rows as one read saw them.

    Attributes:
        windows: those of the requests' sessions that exist, by pool identifier, open or not.
        open_windows: paid_until of every open window of the tenant; None if no request has a limit on them.
    """

    tenant_id: str
    period_row: PeriodRow
    windows: Mapping[str, Window]
    open_windows: Mapping[str, datetime] | None = None
