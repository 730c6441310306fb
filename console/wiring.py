"""Builds the console's two APIs from parts that the gateway has already."""

from datetime import timedelta
from typing import Protocol

from console.administration import Adjuster, Administration
from console.audits import Audits, SessionLister
from console.operator_api import OperatorApi
from console.tenant_api import TenantApi
from console.usage import Usage
from metering.clock import Clock
from metering.entries import LedgerKeys
from metering.increments import Granularity
from metering.store import LedgerScan, LedgerStore
from proxy.directory import Directory
from proxy.settings import LedgerSettings


class Ledger(LedgerStore, LedgerScan, Protocol):
    """The ledger as the request path knows it, and as those who verify it do."""


class Parts(Protocol):
    """What the APIs stand on; `proxy.bootstrap.LedgerParts` has it all. Whoever made the parts closes them."""

    @property
    def settings(self) -> LedgerSettings:
        """Has the rate, the currency and the pool's cooldown."""
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
    def keys(self) -> LedgerKeys:
        """The keys of the ledger's chain."""
        ...

    @property
    def directory(self) -> Directory:
        """The tenants and keys."""
        ...

    @property
    def meter(self) -> Adjuster:
        """Books adjustments."""
        ...


def build_apis(parts: Parts, *, pool_sessions: SessionLister | None = None) -> tuple[OperatorApi, TenantApi]:
    """Build the operator's and the tenants' API; without `pool_sessions` nothing can be reconciled."""
    usage = Usage(
        ledger=parts.store,
        granularity=parts.granularity,
        clock=parts.clock,
        rate_per_session_hour=parts.settings.rate_per_session_hour,
        currency=parts.settings.currency,
    )
    administration = Administration(directory=parts.directory, adjuster=parts.meter, usage=usage)
    audits = Audits(
        ledger=parts.store,
        directory=parts.directory,
        pool_sessions=pool_sessions,
        granularity=parts.granularity,
        keys=parts.keys,
        cooldown=timedelta(seconds=parts.settings.pool_cooldown_seconds),
        clock=parts.clock,
    )
    return (
        OperatorApi(directory=parts.directory, administration=administration, audits=audits),
        TenantApi(directory=parts.directory, usage=usage),
    )
