"""What a tenant has used, as the ledger has it: for the tenant itself and for the operator."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from console.queries import UsageQuery, begun
from metering.clock import Clock
from metering.entries import Entry
from metering.increments import Granularity
from metering.periods import Period
from metering.rows import StatementTerms
from metering.statements import Statement, make_statement
from metering.store import LedgerStore, LedgerUnavailable
from proxy.refusals import metering_unavailable
from proxy.tenants import Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What a session hour costs: everybody without a rate of their own, and the operator; and who bills it."""

    rate_per_session_hour: Decimal
    pool_rate_per_session_hour: Decimal
    currency: str
    issuer: str


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Entries in their order; `following` is the query of the page after it, None if there is none."""

    period: Period
    entries: tuple[Entry, ...]
    following: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Reads statements and entries.

    Every method raises GatewayError: METERING_UNAVAILABLE if the ledger cannot be reached, VALIDATION_FAILED for a
    period that has not begun.
    """

    ledger: LedgerStore
    granularity: Granularity
    clock: Clock
    prices: Prices

    def terms(self, tenant: Tenant) -> StatementTerms:
        """Put together what a statement of the tenant says besides the ledger's sums, as it stands now."""
        return StatementTerms(
            name=tenant.name,
            quota=tenant.quota(self.granularity).increments_per_period,
            rates=tenant.rates(self.prices.rate_per_session_hour),
            list_rate_per_session_hour=self.prices.rate_per_session_hour,
            currency=self.prices.currency,
            increment_seconds=self.granularity.increment_seconds,
            pool_rate_per_session_hour=self.prices.pool_rate_per_session_hour,
            issuer=self.prices.issuer,
        )

    async def statement(self, tenant: Tenant, period: Period | None) -> Statement:
        """Draw up the statement of a period, by default the current one: one point read."""
        now = self.clock()
        period = begun(period or Period.of(now), now)
        with reaching_ledger():
            row = await self.ledger.period_row(tenant.id, period)
        return make_statement(
            row,
            tenant_id=tenant.id,
            terms=self.terms(tenant),
            increments_per_day=tenant.quota(self.granularity).increments_per_day,
            now=now,
        )

    async def entries(self, tenant: Tenant, query: UsageQuery) -> EntryPage:
        """Read one page of entries."""
        now = self.clock()
        period = begun(query.period or Period.of(now), now)
        after, limit = query.after, query.limit
        with reaching_ledger():
            if query.latest is not None:
                newest = (await self.ledger.period_row(tenant.id, period)).next_sequence - 1
                after, limit = max(0, newest - query.latest), query.latest
            # One more than asked for tells whether there is a next page.
            found = await self.ledger.entries(tenant.id, period, after=after, limit=limit + 1)
        page = found[:limit]
        more = len(found) > limit
        return EntryPage(period, page, f"period={period}&after={page[-1].sequence}&limit={limit}" if more else None)


@contextmanager
def reaching_ledger() -> Iterator[None]:
    """Answer for a ledger that cannot be reached."""
    try:
        yield
    except LedgerUnavailable as error:
        raise metering_unavailable("The ledger cannot be reached now.") from error
