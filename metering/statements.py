"""One tenant's account for one period, from its running sums.

Rules of this file: pure. Quantities are increments; the one price is rounded once, at the end.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from metering.increments import Granularity
from metering.periods import Period, day_of
from metering.requests import Quota
from metering.rows import DayNumbers, PeriodRow

_COST_PLACES = 4
_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class DayQuota:
    """Where a tenant stands in the quota of the current UTC day, in increments."""

    used: int
    quota: int

    @property
    def remaining(self) -> int:
        """What is left; 0 when more was used than a lowered quota grants."""
        return max(0, self.quota - self.used)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one tenant used in one period; quantities are increments.

    Attributes:
        quota: None without limit.
        today: the current day's quota; None without one, and for any period but the current.
        days: the days with entries, in order.
        rate_per_session_hour: the price that `cost` is made with.
        cost: price of what is billed; see `cost_of`.
        closed: it can no longer change.
        complete_until: everything before this instant is in the statement.
    """

    tenant_id: str
    period: Period
    charged: int
    reversed: int
    adjusted: int
    quota: int | None
    today: DayQuota | None
    sessions_opened: int
    days: tuple[tuple[date, DayNumbers], ...]
    rate_per_session_hour: Decimal
    currency: str
    cost: Decimal
    closed: bool
    complete_until: datetime

    @property
    def billed(self) -> int:
        """The balance: charges - reversals + adjustments. Below 0 when a correction gave more than was used."""
        return self.charged - self.reversed + self.adjusted

    @property
    def remaining(self) -> int | None:
        """What is left of the quota, not below 0; None without limit."""
        return None if self.quota is None else max(0, self.quota - self.billed)


def make_statement(
    row: PeriodRow,
    *,
    tenant_id: str,
    quota: Quota,
    granularity: Granularity,
    rate_per_session_hour: Decimal,
    currency: str,
    now: datetime,
) -> Statement:
    """Draw up the statement of a period as its row stands at `now`; a period to come is complete up to its start."""
    today = None
    if quota.increments_per_day is not None and row.period == Period.of(now):
        today = DayQuota(row.days.get(day_of(now), DayNumbers()).increments, quota.increments_per_day)
    return Statement(
        tenant_id=tenant_id,
        period=row.period,
        charged=row.charged,
        reversed=row.reversed,
        adjusted=row.adjusted,
        quota=quota.increments_per_period,
        today=today,
        sessions_opened=row.sessions_opened,
        days=tuple(sorted(row.days.items())),
        rate_per_session_hour=rate_per_session_hour,
        currency=currency,
        cost=cost_of(row.balance, granularity=granularity, rate_per_session_hour=rate_per_session_hour),
        closed=row.closed,
        complete_until=max(row.period.start_at, min(now, row.period.until)),
    )


def cost_of(increments: int, *, granularity: Granularity, rate_per_session_hour: Decimal) -> Decimal:
    """Price so many increments, in the rate's currency.

    The product of session hours and rate is exact; it is rounded once, half to even, to 4 decimal places.
    """
    hours = Fraction(increments * granularity.increment_seconds, _SECONDS_PER_HOUR)
    units = round(hours * Fraction(rate_per_session_hour) * 10**_COST_PLACES)
    return Decimal(units).scaleb(-_COST_PLACES)
