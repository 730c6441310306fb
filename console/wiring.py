"""Builds the console's two APIs, and what they stand on, from parts that the gateway has already."""

from datetime import timedelta
from typing import Protocol

from console.adjustments import Adjuster, Adjustments
from console.alerts import Alerts
from console.audits import Audits, SessionLister
from console.books import Books
from console.documents import Documents
from console.live import Live
from console.operator_api import OperatorApi
from console.reports import Reports
from console.tenant_api import TenantApi
from console.usage import Prices, Usage
from metering.alert_store import AlertStore
from metering.clock import Clock
from metering.entries import LedgerKeys
from metering.increments import Granularity
from metering.period_reader import PeriodRows
from metering.store import LedgerScan, LedgerStore
from proxy.alerting import AlertDelivery
from proxy.directory import Directory
from proxy.open_sessions import OpenSessions
from proxy.quotes import Quotes
from proxy.settings import LedgerSettings


class Ledger(LedgerStore, LedgerScan, Protocol):
    """The ledger as the request path knows it, and as those who verify it do."""


class Parts(Protocol):
    """What the APIs stand on; `proxy.bootstrap.LedgerParts` has it all. Whoever made the parts closes them."""

    @property
    def settings(self) -> LedgerSettings:
        """Has the rates, the currency and the pool's cooldown."""
        ...

    @property
    def granularity(self) -> Granularity:
        """The increment of billing."""
        ...

    @property
    def clock(self) -> Clock:
        """Reads the time."""
        ...

    @property
    def store(self) -> Ledger:
        """The ledger."""
        ...

    @property
    def period_reader(self) -> PeriodRows:
        """Reads period rows, many of them."""
        ...

    @property
    def keys(self) -> LedgerKeys:
        """The keys of the ledger's chain."""
        ...

    @property
    def directory(self) -> Directory:
        """The tenants and keys."""
        ...

    @property
    def alerts(self) -> AlertStore:
        """The alerts."""
        ...

    @property
    def alert_delivery(self) -> AlertDelivery:
        """Delivers alerts."""
        ...

    @property
    def meter(self) -> Adjuster:
        """Books adjustments."""
        ...


class SessionParts(Protocol):
    """What sessions are shown and ended with; `proxy.bootstrap.Parts` has it."""

    @property
    def open_sessions(self) -> OpenSessions:
        """Lists and ends tenants' sessions."""
        ...

    @property
    def quotes(self) -> Quotes:
        """Says what calls would cost."""
        ...


def build_apis(
    parts: Parts, *, pool_sessions: SessionLister | None = None, sessions: SessionParts | None = None
) -> tuple[OperatorApi, TenantApi]:
    """Build the operator's and the tenants' API; what needs the pool is refused without its parts."""
    books = build_books(parts, pool_sessions=pool_sessions, sessions=sessions)
    tenant_api = TenantApi(
        directory=parts.directory, usage=books.usage, documents=books.documents, live=books.live, alerts=books.alerts
    )
    return OperatorApi(directory=parts.directory, clock=parts.clock, books=lambda: books), tenant_api


def build_books(
    parts: Parts, *, pool_sessions: SessionLister | None = None, sessions: SessionParts | None = None
) -> Books:
    """Build the verbs on the ledger."""
    prices = Prices(
        rate_per_session_hour=parts.settings.rate_per_session_hour,
        pool_rate_per_session_hour=parts.settings.pool_rate_per_session_hour,
        currency=parts.settings.currency,
        issuer=parts.settings.issuer,
    )
    usage = Usage(ledger=parts.store, granularity=parts.granularity, clock=parts.clock, prices=prices)
    live = None
    if sessions is not None:
        live = Live(usage=usage, open_sessions=sessions.open_sessions, quotes=sessions.quotes)
    return Books(
        usage=usage,
        adjustments=Adjustments(adjuster=parts.meter, usage=usage),
        audits=Audits(
            ledger=parts.store,
            directory=parts.directory,
            pool_sessions=pool_sessions,
            granularity=parts.granularity,
            keys=parts.keys,
            cooldown=timedelta(seconds=parts.settings.pool_cooldown_seconds),
            clock=parts.clock,
        ),
        reports=Reports(
            directory=parts.directory,
            ledger=parts.store,
            read_row=parts.period_reader.period_row,
            usage=usage,
            keys=parts.keys,
            clock=parts.clock,
        ),
        documents=Documents(granularity=parts.granularity, currency=prices.currency),
        alerts=Alerts(
            store=parts.alerts,
            delivery=parts.alert_delivery,
            directory=parts.directory,
            keys=parts.keys,
            operator_url=parts.settings.alert_webhook,
            granularity=parts.granularity,
        ),
        live=live,
    )
