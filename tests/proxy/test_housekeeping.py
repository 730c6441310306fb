"""The run over all tenants of the directory, and what becomes of it when storage is down."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import pytest

from proxy.directory import Directory
from proxy.housekeeping import Housekeeping
from proxy.tenants import Tenant
from tests.support.building import FakeClock, admit, meter
from tests.support.memory_store import Fault, MemoryLedgerStore


@dataclass
class Tenants:
    """A directory of these tenants."""

    ids: tuple[str, ...]

    async def list_tenants(self) -> AsyncIterator[Tenant]:
        for tenant_id in self.ids:
            yield Tenant(id=tenant_id, name=tenant_id, minutes_per_month=None)


def housekeeping(store: MemoryLedgerStore, clock: FakeClock, *ids: str) -> Housekeeping:
    directory = cast("Directory", Tenants(ids))
    return Housekeeping(ledger=store, directory=directory, held=timedelta(minutes=5), clock=clock)


async def test_a_run_removes_the_expired_windows_of_every_tenant() -> None:
    store, clock = MemoryLedgerStore(), FakeClock()
    for tenant in ("acme", "globex"):
        await meter(store, clock).admit(tenant, admit("s1"))
    clock.set(7_200)

    assert await housekeeping(store, clock, "acme", "globex").run() == 2


async def test_storage_that_cannot_be_reached_is_logged_and_left_for_the_next_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryLedgerStore(fault=lambda _: Fault.UNAVAILABLE)

    with caplog.at_level(logging.WARNING):
        assert await housekeeping(store, FakeClock(), "acme").run() == 0

    assert "Housekeeping was not done" in caplog.text
