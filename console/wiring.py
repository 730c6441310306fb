"""Builds the console's two APIs from parts that the gateway has already."""

from typing import Protocol

from console.administration import Adjuster, Administration
from console.operator_api import OperatorApi
from console.tenant_api import TenantApi
from console.usage import Usage
from metering.clock import Clock
from metering.increments import Granularity
from metering.store import LedgerStore
from proxy.directory import Directory
from proxy.settings import LedgerSettings


class Parts(Protocol):
    """What the APIs stand on; `proxy.bootstrap.LedgerParts` has it all. Whoever made the parts closes them."""

    @property
    def settings(self) -> LedgerSettings:
        """Has the rate and the currency."""
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
    def store(self) -> LedgerStore:
        """The ledger."""
        ...

    @property
    def directory(self) -> Directory:
        """The tenants and keys."""
        ...

    @property
    def meter(self) -> Adjuster:
        """Books adjustments."""
        ...


def build_apis(parts: Parts) -> tuple[OperatorApi, TenantApi]:
    """Build the operator's and the tenants' API."""
    usage = Usage(
        ledger=parts.store,
        granularity=parts.granularity,
        clock=parts.clock,
        rate_per_session_hour=parts.settings.rate_per_session_hour,
        currency=parts.settings.currency,
    )
    administration = Administration(directory=parts.directory, adjuster=parts.meter, usage=usage)
    return (
        OperatorApi(directory=parts.directory, administration=administration),
        TenantApi(directory=parts.directory, usage=usage),
    )
