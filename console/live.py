"""What needs the session pool: open sessions and their end, and what a call would cost now."""

from dataclasses import dataclass
from decimal import Decimal

from console.queries import SessionQuery
from console.usage import Usage
from console.views import Json, instant, instant_or_none, number
from metering.increments import Granularity
from metering.periods import day_of
from metering.statements import price, round_price
from proxy.errors import ErrorCode, GatewayError
from proxy.open_sessions import OpenSession, OpenSessions
from proxy.quotes import Quote, Quotes
from proxy.tenants import Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Shows and ends sessions.

    Every method raises GatewayError METERING_UNAVAILABLE if the ledger cannot be reached.
    """

    usage: Usage
    open_sessions: OpenSessions
    quotes: Quotes

    async def sessions(self, tenant: Tenant) -> Json:
        """List the tenant's open sessions, the oldest first."""
        now = self.usage.clock()
        sessions = await self.open_sessions.list(tenant)
        return {
            "at": instant(now),
            "sessions": [open_session_view(session, self.usage.granularity) for session in sessions],
        }

    async def end(self, tenant: Tenant, query: SessionQuery, *, request_id: str) -> Json:
        """End a session in the tenant's place.

        Raises:
            GatewayError: RESOURCE_NOT_FOUND, POOL_NOT_FOUND, VALIDATION_FAILED, or what the gateway says.
        """
        returned = await self.open_sessions.end(
            tenant, pool_name=query.pool_name, session_name=query.session_name or "", request_id=request_id
        )
        return {
            "session": query.session_name,
            "pool": query.pool_name or tenant.pools[0],
            "ended": True,
            "reversed_minutes": number(self.usage.granularity.minutes(returned)),
        }

    async def quote(self, tenant: Tenant, query: SessionQuery) -> Json:
        """Say what a call on a session would be charged now, without making it.

        Raises:
            GatewayError: POOL_NOT_FOUND, VALIDATION_FAILED.
        """
        quote = await self.quotes.quote(tenant, session_name=query.session_name, pool_name=query.pool_name)
        terms = self.usage.terms(tenant)
        exact = price(
            quote.increments,
            increment_seconds=terms.increment_seconds,
            rate_per_session_hour=terms.rates.on(day_of(quote.at)),
        )
        return quote_view(quote, self.usage.granularity, cost=round_price(exact), currency=terms.currency)


def open_session_view(session: OpenSession, granularity: Granularity) -> Json:
    """Show an open session; `end` is the call that ends it, null for a pool that the tenant does not reach."""
    ending = session.ending
    return {
        "session": session.session_name,
        "pool": session.pool_name,
        "opened_at": instant(session.opened_at),
        "paid_until": instant(session.paid_until),
        "minutes": number(granularity.minutes(session.increments)),
        "would_return_minutes": number(granularity.minutes(session.would_return)),
        "end": None if ending is None else {"method": ending.method, "path": ending.target},
    }


def quote_view(quote: Quote, granularity: Granularity, *, cost: Decimal, currency: str) -> Json:
    """Show what a call would cost."""
    refusal = quote.refusal
    return {
        "session": quote.session_name,
        "pool": quote.pool_name,
        "at": instant(quote.at),
        "admitted": quote.admitted,
        "charged_minutes": number(granularity.minutes(quote.increments)),
        "cost": {"amount": f"{cost:f}", "currency": currency},
        "opens_session": quote.opens_session,
        "paid_until": instant_or_none(quote.paid_until),
        "refusal": None if refusal is None else {"code": refusal.code.value, "message": refusal.message},
    }


def needed(live: Live | None) -> Live:
    """Pass on the way to the pool.

    Raises:
        GatewayError: VALIDATION_FAILED where there is none.
    """
    if live is None:
        raise GatewayError(
            ErrorCode.VALIDATION_FAILED,
            "Here is no way to the pool: ask over HTTP, with the URL of a Tollgate that runs.",
        )
    return live
