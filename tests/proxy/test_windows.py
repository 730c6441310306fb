"""A tenant's windows as they are read, from the ledger in memory and from Table Storage (Azurite) alike."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast
from uuid import uuid4

import pytest

from metering.store import LedgerScan, LedgerStore
from metering.table_store import TableLedgerStore
from proxy.errors import ErrorCode, GatewayError
from proxy.storage import open_tables
from proxy.windows import read_window, read_windows
from tests.support.building import FakeClock, admit, meter
from tests.support.memory_store import Fault, MemoryLedgerStore


@pytest.fixture(params=["memory", pytest.param("table", marks=pytest.mark.azurite)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[LedgerStore]:
    if request.param == "memory":
        yield MemoryLedgerStore()
        return
    async with open_tables(request.getfixturevalue("azurite")) as service:
        yield TableLedgerStore(service)


async def test_each_window_is_found_by_its_identifier_and_no_other(store: LedgerStore) -> None:
    tenant, other, ledger = f"t{uuid4().hex[:12]}", f"t{uuid4().hex[:12]}", cast("LedgerScan", store)
    identifiers = ["t-0", "t-00", "t-1", "t-"]
    instance = meter(store, FakeClock())
    for identifier in identifiers:
        await instance.admit(tenant, replace(admit(identifier), pool_identifier=identifier))

    for identifier in identifiers:
        window = await read_window(ledger, tenant, identifier)
        assert window is not None
        assert window.session_name == identifier
        assert await read_window(ledger, other, identifier) is None
    assert await read_window(ledger, tenant, "t-2") is None
    assert [window.session_name for window in await read_windows(ledger, tenant)] == sorted(identifiers)
    assert await read_windows(ledger, other) == []


async def test_a_ledger_out_of_reach_is_told_as_such() -> None:
    with pytest.raises(GatewayError) as refusal:
        await read_windows(MemoryLedgerStore(fault=lambda _: Fault.UNAVAILABLE), "t")

    assert refusal.value.code is ErrorCode.METERING_UNAVAILABLE
