"""What a tenant has used, as the ledger has it: for the tenant itself and for the operator."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from console.bodies import UsageQuery
from console.views import Json, entry_view, statement_view
from metering.clock import Clock
from metering.entries import Entry
from metering.increments import Granularity
from metering.periods import Period
from metering.statements import make_statement
from metering.store import LedgerStore, LedgerUnavailable
from proxy.errors import ErrorCode, GatewayError
from proxy.tenants import Tenant

LEDGER_RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Reads statements and entries.

    Every method raises GatewayError METERING_UNAVAILABLE if the ledger cannot be reached.

    Attributes:
        rate_per_session_hour: for tenants without a rate of their own.
    """

    ledger: LedgerStore
    granularity: Granularity
    clock: Clock
    rate_per_session_hour: Decimal
    currency: str

    async def statement(self, tenant: Tenant, period: Period | None) -> Json:
        """Show the statement of a period, by default the current one."""
        now = self.clock()
        with reaching_ledger():
            row = await self.ledger.period_row(tenant.id, period or Period.of(now))
        own_rate = tenant.rate_per_session_hour
        statement = make_statement(
            row,
            tenant_id=tenant.id,
            quota=tenant.quota(self.granularity),
            granularity=self.granularity,
            rate_per_session_hour=self.rate_per_session_hour if own_rate is None else own_rate,
            currency=self.currency,
            now=now,
        )
        return statement_view(statement, self.granularity)

    async def entries(self, tenant: Tenant, query: UsageQuery, *, path: str) -> Json:
        """Show one page of entries; `next` is the `path` of the pages with the query of the one after it, or null."""
        period = query.period or Period.of(self.clock())
        with reaching_ledger():
            # One more than asked for tells whether there is a next page.
            found = await self.ledger.entries(tenant.id, period, after=query.after, limit=query.limit + 1)
        page = found[: query.limit]
        following = None
        if len(found) > query.limit:
            following = f"{path}?period={period}&after={page[-1].sequence}&limit={query.limit}"
        return {"entries": [self.entry(entry) for entry in page], "next": following}

    def entry(self, entry: Entry) -> Json:
        """Show one entry."""
        return entry_view(entry, self.granularity)


@contextmanager
def reaching_ledger() -> Iterator[None]:
    """Answer for a ledger that cannot be reached."""
    try:
        yield
    except LedgerUnavailable as error:
        raise GatewayError(
            ErrorCode.METERING_UNAVAILABLE,
            "The ledger cannot be reached now.",
            retry_after_seconds=LEDGER_RETRY_SECONDS,
        ) from error
