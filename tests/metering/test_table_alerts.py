"""Alerts in Table Storage (Azurite): who is still to hear of what, and that nobody's change is written over."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import pytest
from azure.data.tables.aio import TableServiceClient

from metering.admissions import Admission
from metering.alert_rows import alert_key, write_alert
from metering.alert_store import POOLS, PoolState, StoredAlert, StoredPoolState
from metering.alerts import Alert, Subject, Target
from metering.store import LedgerUnavailable
from metering.table_alerts import TableAlertStore
from metering.table_store import TABLE_NAME, TableLedgerStore
from proxy.storage import open_tables
from tests.support.building import MORNING, FakeClock, admit, meter
from tests.support.own_table import OwnTables

pytestmark = pytest.mark.azurite

NOWHERE = (
    "DefaultEndpointsProtocol=http;AccountName=nobody;AccountKey=bm9ib2R5;"
    "TableEndpoint=http://127.0.0.1:9/nobody;"  # the discard port: nothing listens there
)


@pytest.fixture
async def service(azurite: str) -> AsyncIterator[TableServiceClient]:
    async with open_tables(azurite) as service:
        yield service


@pytest.fixture
async def store(service: TableServiceClient) -> TableAlertStore:
    return TableAlertStore(service)


@pytest.fixture
def tenant() -> str:
    return f"t{uuid4().hex[:12]}"


@pytest.fixture
def pool() -> str:
    return f"p{uuid4().hex[:12]}"


async def cross(service: TableServiceClient, tenant: str, sessions: int = 2) -> None:
    """Charge a tenant half of its quota with each session."""
    clock = FakeClock()
    made = meter(TableLedgerStore(service), clock)
    for number in range(sessions):
        clock.set(number)
        assert isinstance(await made.admit(tenant, admit(f"s{number}", month=2)), Admission)
    await made.aclose()


def of_pool(pool: str, percent: int = 50, *, seconds: float = 0) -> Alert:
    at = MORNING + timedelta(seconds=seconds)
    return Alert(
        id=f"pool:{pool}:{percent}:{seconds}",
        subject=Subject.POOL,
        pool=pool,
        percent=percent,
        limit=10,
        used=5,
        at=at,
        waiting_for=frozenset({Target.OPERATOR}),
        next_attempt_at=at,
    )


async def put_row(service: TableServiceClient, **columns: Any) -> None:
    await service.get_table_client(TABLE_NAME).upsert_entity(columns)


async def test_what_the_ledger_wrote_with_its_charges_is_pending(
    service: TableServiceClient, store: TableAlertStore, tenant: str
) -> None:
    await cross(service, tenant)

    assert [(s.alert.percent, s.alert.entry) for s in await store.pending(tenant)] == [
        (50, "2026-11/1"),
        (75, "2026-11/2"),
        (90, "2026-11/2"),
        (100, "2026-11/2"),
    ]
    assert await store.pending(tenant + "0") == ()


async def test_an_alert_of_which_all_have_heard_is_not_pending_and_is_kept(
    service: TableServiceClient, store: TableAlertStore, tenant: str
) -> None:
    await cross(service, tenant, sessions=1)
    [stored] = await store.pending(tenant)
    done = replace(stored.alert, waiting_for=frozenset(), delivered_at=MORNING)

    assert await store.update(tenant, stored, done)

    assert await store.pending(tenant) == ()
    assert await store.alerts(tenant) == (done,)


async def test_of_two_that_change_an_alert_one_does(
    service: TableServiceClient, store: TableAlertStore, tenant: str
) -> None:
    await cross(service, tenant, sessions=1)
    [stored] = await store.pending(tenant)
    changes = [replace(stored.alert, attempts=number) for number in (1, 2)]

    done = await asyncio.gather(*(store.update(tenant, stored, alert) for alert in changes))

    assert sorted(done) == [False, True]
    assert [s.alert for s in await store.pending(tenant)] == [changes[done.index(True)]]


async def test_an_alert_that_is_gone_is_not_changed(
    service: TableServiceClient, store: TableAlertStore, tenant: str
) -> None:
    await cross(service, tenant, sessions=1)
    [stored] = await store.pending(tenant)
    await service.get_table_client(TABLE_NAME).delete_entity(tenant, alert_key(stored.alert))

    assert not await store.update(tenant, stored, stored.alert)
    assert await store.alerts(tenant) == ()


async def test_alerts_are_told_in_the_order_of_their_instants(
    service: TableServiceClient, store: TableAlertStore, pool: str
) -> None:
    first, second = of_pool(pool, 90), of_pool(pool, 50, seconds=1)  # their keys are in the other order
    assert await store.put_pool_state(pool, StoredPoolState(PoolState(), None), PoolState(), [second, first])

    assert [alert for alert in await store.alerts(POOLS) if alert.pool == pool] == [first, second]


async def test_rows_that_are_not_as_tollgate_writes_them_are_left_out(
    service: TableServiceClient, store: TableAlertStore, tenant: str
) -> None:
    await cross(service, tenant, sessions=1)
    [stored] = await store.pending(tenant)
    await put_row(service, **write_alert(tenant, replace(stored.alert, percent=60)) | {"limit": "many"})
    await put_row(service, PartitionKey=tenant, RowKey="alert:x", waiting_for="tenant")

    assert [s.alert for s in await store.pending(tenant)] == [stored.alert]


async def test_what_is_known_of_a_pool_is_read_back_as_it_was_written(store: TableAlertStore, pool: str) -> None:
    alerted_at = {90: MORNING, 100: MORNING + timedelta(microseconds=1)}
    state = PoolState(reached=frozenset({90, 100}), alerted_at=MappingProxyType(alerted_at))
    before = await store.pool_state(pool)

    assert before == StoredPoolState(PoolState(), None)
    assert await store.put_pool_state(pool, before, state, [of_pool(pool, 90)])

    after = await store.pool_state(pool)
    assert after.state == state
    assert await store.put_pool_state(pool, after, PoolState(), [])
    assert (await store.pool_state(pool)).state == PoolState()


@pytest.mark.parametrize("known", [False, True])
async def test_of_two_that_watch_a_pool_one_alerts(store: TableAlertStore, pool: str, *, known: bool) -> None:
    if known:
        assert await store.put_pool_state(pool, StoredPoolState(PoolState(), None), PoolState(), [])
    before = await store.pool_state(pool)
    state = PoolState(reached=frozenset({50}))

    done = await asyncio.gather(
        *(store.put_pool_state(pool, before, state, [of_pool(pool, seconds=number)]) for number in range(2))
    )

    assert sorted(done) == [False, True]
    assert len([alert for alert in await store.alerts(POOLS) if alert.pool == pool]) == 1


async def test_a_state_that_somebody_has_edited_is_as_good_as_none(
    service: TableServiceClient, store: TableAlertStore, pool: str
) -> None:
    await store.put_pool_state(pool, StoredPoolState(PoolState(), None), PoolState(reached=frozenset({50})), [])
    await put_row(service, PartitionKey=POOLS, RowKey=f"state:{pool}", reached="a lot", alerted_at="{}")

    stored = await store.pool_state(pool)

    assert stored.state == PoolState()
    assert await store.put_pool_state(pool, stored, PoolState(reached=frozenset({90})), [])


@pytest.fixture
async def missing(service: TableServiceClient) -> TableAlertStore:
    return TableAlertStore(OwnTables(service).as_service())


async def test_a_table_that_is_missing_is_empty(missing: TableAlertStore) -> None:
    stored = StoredAlert(of_pool("p"), 'W/"x"')

    assert (await missing.pending("acme"), await missing.alerts("acme")) == ((), ())
    assert await missing.pool_state("p") == StoredPoolState(PoolState(), None)
    assert not await missing.update(POOLS, stored, stored.alert)
    assert not await missing.put_pool_state("p", StoredPoolState(PoolState(), 'W/"x"'), PoolState(), [])


async def test_a_table_that_is_missing_comes_into_being_with_the_first_state(missing: TableAlertStore) -> None:
    nothing, state = StoredPoolState(PoolState(), None), PoolState(reached=frozenset({50}))

    done = await asyncio.gather(*(missing.put_pool_state(pool, nothing, state, [of_pool(pool)]) for pool in ("p", "q")))

    assert all(done)
    assert {alert.pool for alert in await missing.alerts(POOLS)} == {"p", "q"}


def wrongly_signed(connection_string: str) -> str:
    return re.sub("AccountKey=[^;]*", "AccountKey=bm9ib2R5", connection_string)


@pytest.mark.parametrize("trouble", ["nobody listens", "refused"])
@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.pending("acme"),
        lambda store: store.alerts("acme"),
        lambda store: store.update("acme", StoredAlert(of_pool("p"), 'W/"x"'), of_pool("p")),
        lambda store: store.pool_state("p"),
        lambda store: store.put_pool_state("p", StoredPoolState(PoolState(), None), PoolState(), []),
    ],
    ids=["pending", "alerts", "update", "pool_state", "put_pool_state"],
)
async def test_storage_that_cannot_be_used_is_named(
    azurite: str, trouble: str, use: Callable[[TableAlertStore], Awaitable[object]]
) -> None:
    async with open_tables(NOWHERE if trouble == "nobody listens" else wrongly_signed(azurite)) as service:
        with pytest.raises(LedgerUnavailable):
            await use(TableAlertStore(service))
