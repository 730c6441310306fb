"""The operator's report of a month, page by page, and the closing of it.

A page reads one row for each of its tenants, side by side, however many calls those have made.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from console.queries import ReportQuery, begun
from console.usage import Usage, reaching_ledger
from console.views import instant
from metering.clock import Clock
from metering.closer import close_period
from metering.closing import closable_at
from metering.entries import LedgerKeys
from metering.period_reader import read_many
from metering.periods import Period
from metering.reports import ReportLine, report_line
from metering.rows import PeriodRow
from metering.statements import make_statement
from metering.store import LedgerStore
from proxy.directory import Directory
from proxy.errors import ErrorCode, GatewayError
from proxy.tenants import Tenant

READS_AT_ONCE = 32
CLOSED_AT_ONCE = 16

type ReadRow = Callable[[str, Period], Awaitable[PeriodRow]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """Some lines of a report, by tenant id.

    Attributes:
        complete_until: everything before this instant is in all of the lines.
        following: the query of the page after it; None if there is none.
    """

    period: Period
    lines: tuple[ReportLine, ...]
    complete_until: datetime
    following: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedPage:
    """How many statements were closed now, and how many were already; `following` as in a report's page."""

    period: Period
    closed: int
    already_closed: int
    following: str | None


class Reports:
    """Reads and closes months of all tenants; safe to use from any number of tasks.

    Every method raises GatewayError METERING_UNAVAILABLE if storage cannot be reached.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        ledger: LedgerStore,
        read_row: ReadRow,
        usage: Usage,
        keys: LedgerKeys,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self._read_row = read_row
        self._usage = usage
        self._keys = keys
        self._clock = clock

    async def page(self, period: Period, query: ReportQuery) -> ReportPage:
        """Read a page of the report of a month.

        Raises:
            GatewayError: VALIDATION_FAILED for a month that has not begun.
        """
        now = self._clock()
        begun(period, now)
        tenants, following = await self._tenants(period, query)

        async def line(tenant: Tenant) -> ReportLine:
            # Made as soon as the row is there, while the storage is at work on others.
            row = await self._read_row(tenant.id, period)
            return report_line(row, make_statement(row, tenant_id=tenant.id, terms=self._usage.terms(tenant), now=now))

        with reaching_ledger():
            lines = await read_many(line, tenants, concurrency=READS_AT_ONCE)
        return ReportPage(
            period=period,
            lines=tuple(lines),
            complete_until=min(now, period.until),
            following=following,
        )

    async def close(self, period: Period, query: ReportQuery) -> ClosedPage:
        """Close the statements of a page's tenants for good; those that are closed stay as they are.

        Raises:
            GatewayError: PERIOD_NOT_OVER.
        """
        now, ready_at = self._clock(), closable_at(period)
        if now < ready_at:
            raise GatewayError(
                ErrorCode.PERIOD_NOT_OVER,
                f"{period} can be closed from {instant(ready_at)} on.",
                retry_after_seconds=(ready_at - now).total_seconds(),
                target="period",
            )
        tenants, following = await self._tenants(period, query)

        async def close(tenant: Tenant) -> bool:
            terms = self._usage.terms(tenant)
            return await close_period(self._ledger, tenant.id, period, terms=terms, clock=self._clock, keys=self._keys)

        with reaching_ledger():
            closed = sum(await read_many(close, tenants, concurrency=CLOSED_AT_ONCE))
        return ClosedPage(period=period, closed=closed, already_closed=len(tenants) - closed, following=following)

    async def _tenants(self, period: Period, query: ReportQuery) -> tuple[list[Tenant], str | None]:
        """Read a page of the tenants that were there in that month, and the query of the next one.

        The last page may be empty: to look for one tenant more costs a whole page of the storage's.
        """
        found: list[Tenant] = []
        async for tenant in self._directory.list_billed(after=query.after):
            if tenant.created_at is not None and tenant.created_at >= period.until:
                continue
            found.append(tenant)
            if len(found) == query.limit:
                return found, f"after={tenant.id}&limit={query.limit}"
        return found, None
