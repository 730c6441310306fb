"""All tenants' statements of a period, and what the pool costs the operator: is money lost on anyone?

Rules of this file: pure. What the pool bills is an estimate: it bills a session from when it takes it until it lets it
go, in increments of its own (Azure documents one hour: Container Apps, "Billing", read 2026-11), and lets it go about
when the window ends. The time in between, billed by the pool and sold to nobody, is stranded.

A report grows with the tenants, one row read each, and never with their calls. It comes in pages, by tenant id.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from metering.rows import DayNumbers, PeriodRow
from metering.statements import Statement, price, round_price


@dataclass(frozen=True, slots=True)
class PoolEstimate:
    """What a tenant's sessions are estimated to cost the operator; `seconds` as the pool bills them."""

    seconds: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One tenant's statement as the operator sees it.

    Attributes:
        cost: the statement's, made once.
        pool: None where the pool's time was not counted.
    """

    statement: Statement
    cost: Decimal
    pool: PoolEstimate | None

    @property
    def stranded_seconds(self) -> int | None:
        """What the pool bills beyond the session time sold; corrections sell none. None: not counted.

        Below 0 where a session's hour began in the month before and was sold in this one.
        """
        if self.pool is None:
            return None
        statement = self.statement
        sold = (statement.charged - statement.reversed) * statement.terms.increment_seconds
        return self.pool.seconds - sold

    @property
    def margin(self) -> Decimal | None:
        """What is left of the tenant's bill after the pool's; below 0: money is lost. None: not counted."""
        return None if self.pool is None else self.cost - self.pool.cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The sums over some lines: increments, sessions, and amounts that are rounded already.

    Attributes:
        pool_seconds, stranded_seconds, pool_cost, margin: over the lines for which the pool's time was counted.
        days: the sums of each day, in order.
    """

    tenants: int
    charged: int
    reversed: int
    adjusted: int
    sessions_opened: int
    cost: Decimal
    pool_seconds: int
    stranded_seconds: int
    pool_cost: Decimal
    margin: Decimal
    days: tuple[tuple[date, DayNumbers], ...]

    @property
    def billed(self) -> int:
        """What the tenants are billed, in increments."""
        return self.charged - self.reversed + self.adjusted


def report_line(row: PeriodRow, statement: Statement) -> ReportLine:
    """Add to a statement what the same row says of the pool."""
    if not row.pool_increment_seconds and row.next_sequence > 1:
        return ReportLine(statement, statement.cost, None)
    exact = price(
        row.pool_increments,
        increment_seconds=row.pool_increment_seconds,
        rate_per_session_hour=statement.terms.pool_rate_per_session_hour,
    )
    pool = PoolEstimate(row.pool_increments * row.pool_increment_seconds, round_price(exact))
    return ReportLine(statement, statement.cost, pool)


def total(lines: Iterable[ReportLine]) -> Totals:
    """Sum up lines; what is summed is what the lines say, to the last digit."""
    every = tuple(lines)
    statements = [line.statement for line in every]
    counted = [(line.pool, line.stranded_seconds or 0) for line in every if line.pool is not None]
    nothing = Decimal("0.0000")
    return Totals(
        tenants=len(every),
        charged=sum(statement.charged for statement in statements),
        reversed=sum(statement.reversed for statement in statements),
        adjusted=sum(statement.adjusted for statement in statements),
        sessions_opened=sum(statement.sessions_opened for statement in statements),
        cost=sum((line.cost for line in every), start=nothing),
        pool_seconds=sum(pool.seconds for pool, _ in counted),
        stranded_seconds=sum(stranded for _, stranded in counted),
        pool_cost=sum((pool.cost for pool, _ in counted), start=nothing),
        margin=sum((line.margin or nothing for line in every), start=nothing),
        days=tuple(sorted(_days(statements).items())),
    )


def _days(statements: Iterable[Statement]) -> Mapping[date, DayNumbers]:
    days: dict[date, DayNumbers] = {}
    for statement in statements:
        for day, numbers in statement.days:
            before = days.get(day, DayNumbers())
            days[day] = DayNumbers(before.increments + numbers.increments, before.sessions + numbers.sessions)
    return days
