"""One tenant's account for one period, from its running sums and nothing else: a statement is one point read.

Rules of this file: pure. Quantities are increments. A statement of a closed period is made of its row alone, with the
terms that were sealed with it, so it is the same for ever.

The one rounding point: the lines of a statement are priced exactly, as fractions; the running total up to each line is
rounded half to even to four decimal places, and a line costs the difference between two of those. So a statement costs
its exact price rounded once, and its lines sum up to that.

A line is priced at the rate of its day; an adjustment that corrects another period, at the rate of that period's last
day, since that is what is made good.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from metering.increments import Granularity
from metering.periods import Period, day_of
from metering.rows import DayNumbers, PeriodRow, StatementTerms

_COST_PLACES = 4
_SECONDS_PER_HOUR = 3600


class LineKind(StrEnum):
    """What a line of a statement is made of."""

    USAGE = "usage"  # charges less reversals
    ADJUSTMENT = "adjustment"  # the operator's corrections


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one day costs: its usage, or its adjustments for one period.

    Attributes:
        corrects: the earlier period that an adjustment corrects; None for usage, and for all other adjustments.
        increments: signed.
        sessions: windows opened, less those whose opening was reversed; 0 for adjustments.
        cost: see the module; in the statement's currency.
    """

    day: date
    kind: LineKind
    corrects: Period | None
    increments: int
    sessions: int
    rate_per_session_hour: Decimal
    cost: Decimal


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
        terms: the tenant's terms; those of the closing, once it is closed.
        today: the current day's quota; None without one, and for any period but the current.
        days: the days with entries, in order.
        adjustments: the part of `days` that is adjustments: day, period that is corrected, increments; in order.
        closed_at: when it was closed; None: it can still change.
        complete_until: everything before this instant is in the statement.
        head_hash: hash of the newest entry, which seals all of them.
    """

    tenant_id: str
    period: Period
    terms: StatementTerms
    charged: int
    reversed: int
    adjusted: int
    today: DayQuota | None
    sessions_opened: int
    days: tuple[tuple[date, DayNumbers], ...]
    adjustments: tuple[tuple[date, Period | None, int], ...]
    closed_at: datetime | None
    complete_until: datetime
    head_hash: str

    @property
    def billed(self) -> int:
        """The balance: charges - reversals + adjustments. Below 0 when a correction gave more than was used."""
        return self.charged - self.reversed + self.adjusted

    @property
    def quota(self) -> int | None:
        """The quota of the period; None without limit."""
        return self.terms.quota

    @property
    def remaining(self) -> int | None:
        """What is left of the quota, not below 0; None without limit."""
        return None if self.quota is None else max(0, self.quota - self.billed)

    @property
    def cost(self) -> Decimal:
        """The price of what is billed: the sum of the lines, which need not be drawn up for it."""
        rates, increment_seconds = self.terms.rates, self.terms.increment_seconds
        if rates.changes:
            quantities = [(rate, increments) for *_, increments, _, rate in _quantities(self)]
        else:  # nearly always, and a report has thousands of them
            quantities = [(rates.base, sum(numbers.increments for _, numbers in self.days))]
        prices = (
            price(increments, increment_seconds=increment_seconds, rate_per_session_hour=rate)
            for rate, increments in quantities
        )
        return round_price(sum(prices, start=Fraction(0)))

    @property
    def lines(self) -> tuple[Line, ...]:
        """What it costs, in the order of days, usage before adjustments; priced anew each time.

        A report over many tenants needs the cost alone, and lines are most of the work.
        """
        return tuple(_lines(self))

    @property
    def rate_per_session_hour(self) -> Decimal:
        """The rate of the last day that the statement covers."""
        covered = min(day_of(self.complete_until), self.period.last_day)
        return self.terms.rates.on(covered)

    @property
    def granularity(self) -> Granularity:
        """Turns the statement's increments into minutes."""
        return Granularity(increment_seconds=self.terms.increment_seconds, tail_seconds=0)


def make_statement(
    row: PeriodRow, *, tenant_id: str, terms: StatementTerms, now: datetime, increments_per_day: int | None = None
) -> Statement:
    """Draw up the statement of a period as its row stands at `now`; a period to come is complete up to its start.

    Once the row is closed, neither the terms nor the instant given make a difference.
    """
    closing, today = row.closing, None
    if closing is not None:
        terms = closing.terms
    elif increments_per_day is not None and row.period == Period.of(now):
        today = DayQuota(row.days.get(day_of(now), DayNumbers()).increments, increments_per_day)
    complete_until = row.period.until if closing is not None else max(row.period.start_at, min(now, row.period.until))
    return Statement(
        tenant_id=tenant_id,
        period=row.period,
        terms=terms,
        charged=row.charged,
        reversed=row.reversed,
        adjusted=row.adjusted,
        today=today,
        sessions_opened=row.sessions_opened,
        days=tuple(sorted(row.days.items())),
        adjustments=tuple(
            (day, corrects, increments)
            for (day, corrects), increments in sorted(
                row.adjustments.items(), key=lambda item: (item[0][0], str(item[0][1] or ""))
            )
        ),
        closed_at=None if closing is None else closing.at,
        complete_until=complete_until,
        head_hash=row.head_hash,
    )


def price(increments: int, *, increment_seconds: int, rate_per_session_hour: Decimal) -> Fraction:
    """Price so many increments exactly, in the rate's currency."""
    return Fraction(increments * increment_seconds, _SECONDS_PER_HOUR) * Fraction(rate_per_session_hour)


def round_price(exact: Fraction) -> Decimal:
    """Round an exact price: half to even, to four decimal places."""
    return Decimal(round(exact * 10**_COST_PLACES)).scaleb(-_COST_PLACES)


def _lines(statement: Statement) -> Iterator[Line]:
    increment_seconds = statement.terms.increment_seconds
    total, rounded = Fraction(0), round_price(Fraction(0))
    for day, kind, corrects, increments, sessions, rate in _quantities(statement):
        total += price(increments, increment_seconds=increment_seconds, rate_per_session_hour=rate)
        before, rounded = rounded, round_price(total)
        yield Line(
            day=day,
            kind=kind,
            corrects=corrects,
            increments=increments,
            sessions=sessions,
            rate_per_session_hour=rate,
            cost=rounded - before,
        )


def _quantities(statement: Statement) -> Iterator[tuple[date, LineKind, Period | None, int, int, Decimal]]:
    rates = statement.terms.rates
    for day, numbers in statement.days:
        adjusted = [(corrects, increments) for at, corrects, increments in statement.adjustments if at == day]
        used = numbers.increments - sum(increments for _, increments in adjusted)
        if used or numbers.sessions or not adjusted:
            yield day, LineKind.USAGE, None, used, numbers.sessions, rates.on(day)
        for corrects, increments in adjusted:
            rate = rates.on(day if corrects is None else corrects.last_day)
            yield day, LineKind.ADJUSTMENT, corrects, increments, 0, rate
