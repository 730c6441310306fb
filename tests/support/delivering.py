"""A process that delivers a tenant's alerts once, for tests that kill it: `python -m tests.support.delivering`.

Arguments: the storage, the suffix of its tables, the tenant's id, its webhook, the instant that its clock stands at.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

from azure.data.tables.aio import TableServiceClient

from metering.clock import Clock
from metering.entries import read_instant
from metering.table_alerts import TableAlertStore
from proxy.alerting import AlertDelivery
from proxy.directory import Directory
from proxy.pool import open_transport
from proxy.storage import open_tables
from proxy.tenants import Tenant
from proxy.webhook_sender import WebhookSender
from tests.support.building import KEYS, FakeClock, granularity, telemetry
from tests.support.own_table import OwnTables


@dataclass
class Tenants:
    """A directory of these tenants."""

    tenants: tuple[Tenant, ...]

    async def list_tenants(self) -> AsyncIterator[Tenant]:
        """See `Directory.list_tenants`."""
        for tenant in self.tenants:
            yield tenant

    def as_directory(self) -> Directory:
        """Pass for the directory: no more of it is used than this."""
        return cast("Directory", self)


def tenant(tenant_id: str, url: str | None) -> Tenant:
    """Make a tenant with a webhook."""
    return Tenant(id=tenant_id, name=tenant_id, webhook_url=url)


async def deliver(service: TableServiceClient, tenants: tuple[Tenant, ...], clock: Clock) -> None:
    """Deliver once what is due."""
    transport = open_transport()
    delivery = AlertDelivery(
        alerts=TableAlertStore(service),
        directory=Tenants(tenants).as_directory(),
        sender=WebhookSender(transport=transport, keys=KEYS, clock=clock),
        operator_url=None,
        granularity=granularity(),
        clock=clock,
        telemetry=telemetry(),
    )
    await delivery.run()
    await transport.aclose()


async def main(storage: str, suffix: str, tenant_id: str, url: str, at: str) -> None:
    """Deliver, and end."""
    async with open_tables(storage) as service:
        tables = OwnTables(service, suffix).as_service()
        await deliver(tables, (tenant(tenant_id, url),), FakeClock(read_instant(at)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
