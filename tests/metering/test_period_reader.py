"""Period rows read leanly are the rows that the ledger's store reads, against a real Azurite."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from azure.data.tables.aio import TableServiceClient

from metering.clock import utc_now
from metering.period_reader import Answer, PeriodReader, PeriodRows, read_many
from metering.periods import Period
from metering.rates import Rates
from metering.rows import DayNumbers, PeriodRow
from metering.store import LedgerUnavailable
from metering.table_rows import write_period
from metering.table_store import TABLE_NAME, TableLedgerStore
from proxy.storage import SIGNED_FOR, open_period_reader, open_tables
from tests.metering.test_store import NOWHERE
from tests.running import running_storage
from tests.support.building import FakeClock, statement_terms
from tests.support.ledgers import TENANT, make_ledger
from tests.support.memory_store import MemoryLedgerStore
from tests.support.trouble import Trouble, troubled

NOVEMBER = Period(2026, 11)
ODD_IDS = ["o'neil", "' or '1' eq '1", "a%27b", "a+b &=c", "ä☃", "a),(b", " x "]


@dataclass
class Ledger:
    """Stands behind a reader and counts what is asked of it."""

    store: PeriodRows
    asked: list[str] = field(default_factory=list)

    async def period_row(self, tenant_id: str, period: Period) -> PeriodRow:
        self.asked.append(tenant_id)
        return await self.store.period_row(tenant_id, period)


@dataclass
class World:
    service: TableServiceClient
    reader: PeriodReader
    ledger: Ledger
    clock: FakeClock

    async def write(self, tenant_id: str, row: PeriodRow) -> None:
        await TableLedgerStore(self.service).period_row(tenant_id, NOVEMBER)  # makes the table
        await self.service.get_table_client(TABLE_NAME).upsert_entity(write_period(tenant_id, row))


@asynccontextmanager
async def world(storage: str, *, through: str | None = None) -> AsyncIterator[World]:
    """Open both ways to a storage; the lean one by another address, if one is given."""
    clock = FakeClock(utc_now())
    async with open_tables(storage) as service, open_tables(through or storage) as lean_service:
        ledger = Ledger(TableLedgerStore(service))
        reader = open_period_reader(lean_service, ledger, clock=clock)
        try:
            yield World(service, reader, ledger, clock)
        finally:
            await reader.aclose()


def a_tenant() -> str:
    return f"t{uuid4().hex[:12]}"


def rows() -> list[PeriodRow]:
    """Rows as real decisions make them, and rows with everything in them."""
    made = [row for seed in range(12) for row in make_ledger(seed).periods.values()]
    ledger = make_ledger(1)
    terms = statement_terms(
        name="Ünïcode 'quoted' \"twice\" \\ \N{SNOWMAN}\n",
        quota=7,
        rates=Rates(Decimal("0.030"), ((date(2026, 11, 15), Decimal("0.025")),)),
    )
    closed = ledger.close(NOVEMBER, terms)
    full = replace(
        closed,
        charged=2**31 - 1,
        adjusted=-(2**31),
        days=MappingProxyType({date(2026, 11, day): DayNumbers(-day, day) for day in range(1, 31)}),
        alerted=frozenset({(2**40, 50), (12, 100)}),
        pool_increment_seconds=3600,
        pool_increments=12,
    )
    return [*made, closed, full]


@pytest.mark.azurite
async def test_rows_are_the_ones_that_the_ledgers_store_reads(azurite: str) -> None:
    async with world(azurite) as of:
        tenants = {a_tenant(): row for row in rows()}
        for tenant_id, row in tenants.items():
            await of.write(tenant_id, row)

        for tenant_id, row in tenants.items():
            lean = await of.reader.period_row(tenant_id, row.period)
            assert lean == await TableLedgerStore(of.service).period_row(tenant_id, row.period)
            assert lean == row

    assert of.ledger.asked == []


@pytest.mark.azurite
async def test_a_key_is_never_more_than_a_key(azurite: str) -> None:
    async with world(azurite) as of:
        written = {tenant_id: PeriodRow.empty(tenant_id, NOVEMBER) for tenant_id in ODD_IDS}
        written = {tenant_id: replace(row, charged=n) for n, (tenant_id, row) in enumerate(written.items(), 1)}
        for tenant_id, row in written.items():
            await of.write(tenant_id, row)

        found = {tenant_id: await of.reader.period_row(tenant_id, NOVEMBER) for tenant_id in ODD_IDS}

    assert found == written
    assert of.ledger.asked == []


@pytest.mark.azurite
async def test_a_tenant_without_a_row_has_an_empty_one(azurite: str) -> None:
    async with world(azurite) as of:
        tenant_id = a_tenant()
        await of.write(a_tenant(), PeriodRow.empty(TENANT, NOVEMBER))

        assert await of.reader.period_row(tenant_id, NOVEMBER) == PeriodRow.empty(tenant_id, NOVEMBER)

    assert of.ledger.asked == []


@pytest.mark.azurite
async def test_a_ledger_whose_table_is_missing_has_empty_rows_and_no_table_is_made(tmp_path: Path) -> None:
    with running_storage(tmp_path) as storage:
        async with world(storage) as of:
            assert await of.reader.period_row("acme", NOVEMBER) == PeriodRow.empty("acme", NOVEMBER)
            assert [table async for table in of.service.list_tables()] == []

    assert of.ledger.asked == []


@pytest.mark.azurite
async def test_reads_go_on_leanly_when_the_signature_has_expired(azurite: str) -> None:
    async with world(azurite) as of:
        of.clock.now = utc_now() - 2 * SIGNED_FOR  # what is signed now has expired by the storage's clock
        tenant_id = a_tenant()
        row = replace(PeriodRow.empty(tenant_id, NOVEMBER), charged=3)
        await of.write(tenant_id, row)
        assert await of.reader.period_row(tenant_id, NOVEMBER) == row
        assert of.ledger.asked == [tenant_id]

        of.clock.now = utc_now()
        assert await of.reader.period_row(tenant_id, NOVEMBER) == row
        assert of.ledger.asked == [tenant_id]


@pytest.mark.azurite
@pytest.mark.filterwarnings("ignore:Testing an element's truth value:DeprecationWarning")  # in the SDK's own code
@pytest.mark.parametrize("trouble", [Trouble.THROTTLED, Trouble.CUT])
async def test_a_row_that_cannot_be_read_leanly_is_read_by_the_ledgers_store(azurite: str, trouble: Trouble) -> None:
    async with troubled(_port(azurite)) as storage:
        storage.trouble = trouble
        async with world(azurite, through=_at(azurite, storage.port)) as of:
            tenant_id = a_tenant()
            row = replace(PeriodRow.empty(tenant_id, NOVEMBER), charged=3)
            await of.write(tenant_id, row)

            assert await of.reader.period_row(tenant_id, NOVEMBER) == row

    assert of.ledger.asked == [tenant_id]
    assert storage.struck >= 1


@pytest.mark.azurite
@pytest.mark.filterwarnings("ignore:Testing an element's truth value:DeprecationWarning")  # in the SDK's own code
async def test_a_wrong_account_key_reads_nothing(azurite: str) -> None:
    head, _, tail = azurite.partition("AccountKey=")
    async with world(f"{head}AccountKey=d3Jvbmc=;{tail.partition(';')[2]}") as of:
        with pytest.raises(LedgerUnavailable):
            await of.reader.period_row("acme", NOVEMBER)


async def test_storage_that_cannot_be_reached_is_said_to_be_so() -> None:
    async with world(NOWHERE) as of:
        with pytest.raises(LedgerUnavailable):
            await of.reader.period_row("acme", NOVEMBER)


@dataclass(frozen=True)
class Answers:
    """A source that answers everything alike."""

    answer: Answer | None

    async def get(self, partition_key: str, row_key: str) -> Answer | None:
        return self.answer

    async def aclose(self) -> None:
        """Has nothing to close."""


def _error(code: object) -> bytes:
    return json.dumps({"odata.error": code}).encode()


def _columns(**changes: object) -> bytes:
    return json.dumps({**write_period("acme", PeriodRow.empty("acme", NOVEMBER)), "charged": 9, **changes}).encode()


@pytest.mark.parametrize(
    "answer",
    [
        None,
        (200, b""),
        (200, b"<html>welcome</html>"),
        (200, b"[]"),
        (200, b"\xff"),
        (200, _columns(PartitionKey="somebody-else")),
        (200, _columns(RowKey="period:2026-10")),
        (204, _columns()),
        (302, b""),
        (400, _error({"code": "ResourceNotFound"})),
        (404, b"<html>no such page</html>"),
        (404, b"[]"),
        (404, _error("ResourceNotFound")),
        (404, _error({"code": "AccountNotFound"})),
        (403, b""),
        (500, b""),
    ],
)
async def test_an_answer_that_is_not_plainly_a_row_or_none_decides_nothing(answer: Answer | None) -> None:
    ledger = Ledger(MemoryLedgerStore())

    row = await PeriodReader(Answers(answer), ledger).period_row("acme", NOVEMBER)

    assert row == PeriodRow.empty("acme", NOVEMBER)
    assert ledger.asked == ["acme"]


async def test_values_come_in_the_order_of_their_keys_and_no_more_reads_are_under_way_than_asked_for() -> None:
    under_way: set[int] = set()
    most = 0

    async def read(key: int) -> int:
        nonlocal most
        under_way.add(key)
        most = max(most, len(under_way))
        for _ in range(key * 7 % 5):
            await asyncio.sleep(0)
        under_way.discard(key)
        return -key

    assert await read_many(read, range(100), concurrency=8) == [-key for key in range(100)]
    assert most == 8
    assert await read_many(read, [], concurrency=8) == []


async def test_a_read_that_fails_ends_the_others() -> None:
    cancelled: list[int] = []

    async def read(key: int) -> int:
        try:
            await asyncio.sleep(0 if key == 1 else 3600)
        except asyncio.CancelledError:
            cancelled.append(key)
            raise
        raise LedgerUnavailable

    with pytest.raises(LedgerUnavailable):
        await read_many(read, range(100), concurrency=3)

    assert cancelled == [0, 2]


def _port(storage: str) -> int:
    port = urlsplit(_parts(storage)["TableEndpoint"]).port
    assert port is not None
    return port


def _at(storage: str, port: int) -> str:
    return storage.replace(f":{_port(storage)}/", f":{port}/")


def _parts(storage: str) -> Mapping[str, str]:
    return dict(part.split("=", 1) for part in storage.rstrip(";").split(";"))
