"""Housekeeping: removes what is long over, nothing else, and disturbs nobody."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from metering.admissions import Admission
from metering.audit import verify
from metering.clock import CLOCKS_APART
from metering.housekeeping import LATE, removable_before, remove_ended_windows, surely_kept_since
from metering.periods import Period
from metering.requests import QuotaExceeded
from metering.row_keys import WINDOWS, beyond, entry_key, window_key
from metering.rows import Window
from metering.store import EndedWindow, LedgerUnavailable
from metering.table_store import TableLedgerStore
from proxy.storage import open_tables
from tests.support.building import KEYS, MORNING, FakeClock, admit, granularity, meter
from tests.support.memory_store import MemoryLedgerStore

type Store = MemoryLedgerStore | TableLedgerStore

COOLDOWN = timedelta(minutes=5)
NOVEMBER = Period(2026, 11)
NOWHERE = (
    "DefaultEndpointsProtocol=http;AccountName=nobody;AccountKey=bm9ib2R5;"
    "TableEndpoint=http://127.0.0.1:9/nobody;"  # the discard port: nothing listens there
)


@pytest.fixture(params=["memory", pytest.param("table", marks=pytest.mark.azurite)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryLedgerStore()
        return
    async with open_tables(request.getfixturevalue("azurite")) as service:
        yield TableLedgerStore(service)


@pytest.fixture
def tenant() -> str:
    return f"t{uuid4().hex[:12]}"


async def sessions(store: Store, tenant: str) -> list[str]:
    """Name the sessions that have a window row."""
    rows = store.scan(tenant, WINDOWS, beyond(WINDOWS))
    return [row.session_name async for row in rows if isinstance(row, Window)]


async def keep_house(store: Store, tenant: str, clock: FakeClock) -> int:
    before = removable_before(clock(), held=COOLDOWN)
    return await remove_ended_windows(store, [tenant], before=before, chance=random.Random(1))


async def test_windows_go_when_they_are_long_over_and_not_before(store: Store, tenant: str) -> None:
    clock = FakeClock()
    assert await keep_house(store, tenant, clock) == 0
    await meter(store, clock).admit(tenant, admit("old"))  # paid until 300 s
    clock.set(10)
    await meter(store, clock).admit(tenant, admit("newer"))
    needed_until = 300 + (CLOCKS_APART + LATE + COOLDOWN).total_seconds()

    clock.set(needed_until)
    assert await keep_house(store, tenant, clock) == 0
    clock.set(needed_until + 1)
    assert await keep_house(store, tenant, clock) == 1

    assert await sessions(store, tenant) == ["newer"]
    found = await verify(store, tenant, only=None, granularity=granularity(), keys=KEYS.keys, now=clock())
    assert (found.entries, found.findings) == (2, ())


async def test_a_window_that_changed_since_it_was_read_stays_and_the_others_go(store: Store, tenant: str) -> None:
    clock = FakeClock()
    one = meter(store, clock)
    await asyncio.gather(*(one.admit(tenant, admit(f"s{n}")) for n in range(3)))
    clock.set(7_200)
    ended = await store.ended_windows(tenant, before=clock(), limit=10)
    await one.admit(tenant, admit("s1"))

    assert await store.remove_windows(tenant, ended) == 2
    assert await store.remove_windows(tenant, ended) == 0

    assert await sessions(store, tenant) == ["s1"]


async def test_one_run_takes_no_more_than_its_limit_and_the_next_goes_on(store: Store, tenant: str) -> None:
    clock = FakeClock()
    one = meter(store, clock)
    await asyncio.gather(*(one.admit(tenant, admit(f"s{n}")) for n in range(130)))

    ended = await store.ended_windows(tenant, before=clock() + timedelta(hours=1), limit=105)
    assert await store.remove_windows(tenant, ended) == 105
    clock.set(7_200)
    assert await keep_house(store, tenant, clock) == 25


async def test_an_instance_that_read_a_window_before_it_was_removed_opens_a_new_one(store: Store, tenant: str) -> None:
    clock = FakeClock()
    one = meter(store, clock)
    await one.admit(tenant, admit("s1"))
    clock.set(7_200)
    snapshot = await store.read(tenant, NOVEMBER, ["pool-s1"], open_at=None)
    assert "pool-s1" in snapshot.rows.windows
    assert await keep_house(store, tenant, clock) == 1

    admission = await one.admit(tenant, admit("s1"))

    assert isinstance(admission, Admission)
    assert admission.increments == 1
    assert admission.opened_at == clock()
    assert (await store.period_row(tenant, NOVEMBER)).balance == 2


async def test_admissions_go_on_exactly_beside_housekeeping(store: Store, tenant: str) -> None:
    clock = FakeClock()
    meters = [meter(store, clock, f"i{n}") for n in range(3)]
    admitted = refused = removed = 0
    for day_part in range(6):
        clock.set(day_part * 7_200)
        calls = [meters[n % 3].admit(tenant, admit(f"s{n % 5}", month=24, sessions=5)) for n in range(15)]
        cleaning = asyncio.gather(keep_house(store, tenant, clock), keep_house(store, tenant, clock))
        answers = await asyncio.gather(*calls)
        removed += sum(await cleaning)
        admitted += sum(isinstance(answer, Admission) for answer in answers)
        refused += sum(isinstance(answer, QuotaExceeded) for answer in answers)

    assert (await store.period_row(tenant, NOVEMBER)).balance == 24
    assert admitted + refused == 90
    assert refused > 0
    assert removed > 0
    found = await verify(store, tenant, only=None, granularity=granularity(), keys=KEYS.keys, now=clock())
    assert found.findings == ()


def test_a_window_that_must_still_be_there_is_removed_by_no_instance_whatever_its_clock() -> None:
    ahead = MORNING + CLOCKS_APART

    assert removable_before(ahead, held=timedelta(0)) <= surely_kept_since(MORNING)


async def test_storage_that_cannot_be_reached_is_said_to_be_so() -> None:
    async with open_tables(NOWHERE) as service:
        store = TableLedgerStore(service)
        with pytest.raises(LedgerUnavailable):
            await store.ended_windows("t", before=MORNING, limit=1)
        with pytest.raises(LedgerUnavailable):
            await store.remove_windows("t", [EndedWindow("pool-s1", "x")])
        with pytest.raises(LedgerUnavailable):
            async for _ in store.scan("t", "", None):
                pass


@pytest.mark.azurite
async def test_a_refusal_that_is_no_conflict_is_storage_that_cannot_be_reached(azurite: str, tenant: str) -> None:
    async with open_tables(azurite) as service:
        with pytest.raises(LedgerUnavailable):
            await TableLedgerStore(service).remove_windows(tenant, [EndedWindow("a/b", "no etag")])


def test_keys_are_in_the_order_of_sequences() -> None:
    assert entry_key(NOVEMBER, 9) < entry_key(NOVEMBER, 10) < beyond("entry:") < WINDOWS < window_key("x")
