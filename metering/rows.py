"""The running rows of a tenant: the sums of its period, and the paid windows of its sessions.

Rules of this file: values only; what changes them is decided in `ledger`, and in `closing` when a period is closed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple, Self

from metering.alerts import Crossing
from metering.entries import Entry, Kind, genesis
from metering.increments import Granularity
from metering.periods import Period, day_of
from metering.rates import Rates


class DayNumbers(NamedTuple):
    """One UTC day of a period: the sums over that day's entries. A tuple, since a report makes them by the 100,000."""

    increments: int = 0
    sessions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementTerms:
    """What a statement says besides what the ledger's sums say: the tenant's terms, and the operator's.

    Attributes:
        name: what people call the tenant.
        quota: increments of the period; None without limit.
        rates: what a session hour costs the tenant.
        list_rate_per_session_hour: what it costs those who have no rate of their own.
        currency: of all prices.
        increment_seconds: length of one increment.
        pool_rate_per_session_hour: what a session hour costs the operator.
        issuer: who bills.
    """

    name: str
    quota: int | None
    rates: Rates
    list_rate_per_session_hour: Decimal
    currency: str
    increment_seconds: int
    pool_rate_per_session_hour: Decimal
    issuer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """A period was closed: its statement is made of its row alone from then on.

    Attributes:
        terms: as they stood then, whatever they become.
        hash: HMAC-SHA256, hex, over the row and the terms; see `closing`.
        key_id: which of the ledger's keys made it.
    """

    at: datetime
    terms: StatementTerms
    hash: str
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodRow:
    """The running sums of one tenant's period; its balance never drifts from the entries.

    Attributes:
        sessions_opened: windows opened, less those whose opening was reversed.
        days: the sums of each day with entries, whatever their kind.
        adjustments: the part of a day that is adjustments, by the day and the period that they correct (None: no other
            than their own).
        next_sequence: the sequence of the entry to come; entries 1 up to, not including, this one exist.
        head_hash: hash of the newest entry, or the period's genesis.
        pool_increment_seconds: the granularity in which the pool bills the operator, as it was when the period's first
            entry was made; 0: the pool's time is not counted in this row.
        pool_increments: what the pool is estimated to bill, in those.
        alerted: the crossings for which there is an alert.
        closing: set once no entry may be added any more.
    """

    period: Period
    charged: int = 0
    reversed: int = 0
    adjusted: int = 0
    sessions_opened: int = 0
    days: Mapping[date, DayNumbers] = field(default_factory=lambda: MappingProxyType({}))
    adjustments: Mapping[tuple[date, Period | None], int] = field(default_factory=lambda: MappingProxyType({}))
    next_sequence: int = 1
    head_hash: str
    pool_increment_seconds: int = 0
    pool_increments: int = 0
    alerted: frozenset[Crossing] = frozenset()
    closing: Closing | None = None

    @classmethod
    def empty(cls, tenant_id: str, period: Period) -> Self:
        """Return the row of a period without entries."""
        return cls(period=period, head_hash=genesis(tenant_id, period))

    @property
    def closed(self) -> bool:
        """Whether no entry may be added any more."""
        return self.closing is not None

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
        adjustments = self.adjustments
        if entry.kind is Kind.ADJUSTMENT:
            key = (day, entry.corrects)
            adjustments = MappingProxyType({**adjustments, key: adjustments.get(key, 0) + entry.increments})
        return replace(
            self,
            charged=self.charged + (entry.increments if entry.kind is Kind.CHARGE else 0),
            reversed=self.reversed + (entry.increments if entry.kind is Kind.REVERSAL else 0),
            adjusted=self.adjusted + (entry.increments if entry.kind is Kind.ADJUSTMENT else 0),
            sessions_opened=self.sessions_opened + opened,
            days=MappingProxyType({**self.days, day: after}),
            adjustments=adjustments,
            pool_increments=self.pool_increments + self._pool_increments(entry),
            next_sequence=entry.sequence + 1,
            head_hash=entry.hash,
        )

    def _pool_increments(self, entry: Entry) -> int:
        """Count the pool's increments that begin in the time that an entry pays for, or takes back.

        The pool bills a session from when it takes it, which is when the window opens, in increments of its own.
        """
        opened_at, from_at, until = entry.opened_at, entry.from_at, entry.until
        if not self.pool_increment_seconds or opened_at is None or from_at is None or until is None:
            return 0
        pool = Granularity(increment_seconds=self.pool_increment_seconds, tail_seconds=0)
        count = pool.begun(opened_at=opened_at, at=until) - pool.begun(opened_at=opened_at, at=from_at)
        return -count if entry.kind is Kind.REVERSAL else count


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
