"""What every ledger store promises, asked of the ones in memory and of Table Storage (Azurite) alike."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Self, cast
from uuid import uuid4

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError, ServiceResponseError
from azure.data.tables.aio import TableServiceClient

from metering.admissions import Admission
from metering.ledger import Decision, decide
from metering.periods import Period
from metering.requests import Adjust, End, Quota, QuotaExceeded, Request
from metering.rows import PeriodRow
from metering.store import CommitConflict, CommitUncertain, LedgerStore, LedgerUnavailable, Snapshot
from metering.table_store import TableLedgerStore
from proxy.storage import open_tables
from tests.simulation.store import SimulatedLedgerStore
from tests.support.building import MORNING, FakeClock, admit, meter, terms
from tests.support.memory_store import MemoryLedgerStore

NOVEMBER = Period(2026, 11)
NOWHERE = (
    "DefaultEndpointsProtocol=http;AccountName=nobody;AccountKey=bm9ib2R5;"
    "TableEndpoint=http://127.0.0.1:9/nobody;"  # the discard port: nothing listens there
)


@pytest.fixture(params=["memory", "simulated", pytest.param("table", marks=pytest.mark.azurite)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[LedgerStore]:
    if request.param == "memory":
        yield MemoryLedgerStore()
        return
    if request.param == "simulated":
        yield SimulatedLedgerStore()
        return
    async with open_tables(request.getfixturevalue("azurite")) as service:
        yield TableLedgerStore(service)


@pytest.fixture
def tenant() -> str:
    return f"t{uuid4().hex[:12]}"


async def look(store: LedgerStore, tenant: str, *sessions: str, limited: bool = False) -> Snapshot:
    names = [f"pool-{session}" for session in sessions]
    return await store.read(tenant, NOVEMBER, names, open_at=MORNING if limited else None)


def decided(snapshot: Snapshot, *requests: Request, at: float = 0) -> Decision:
    now = MORNING + timedelta(seconds=at)
    return decide(snapshot.rows, requests, terms=terms(), now=now, commit_id="c")


async def test_an_unknown_tenant_has_no_rows(store: LedgerStore, tenant: str) -> None:
    snapshot = await look(store, tenant, "s1", limited=True)

    assert snapshot.rows.period_row == PeriodRow.empty(tenant, NOVEMBER)
    assert (snapshot.rows.windows, snapshot.rows.open_windows, snapshot.etags) == ({}, {}, {})
    assert await store.entry(tenant, NOVEMBER, 1) is None
    assert await store.entries(tenant, NOVEMBER, after=0, limit=10) == ()
    assert await store.period_row(tenant, NOVEMBER) == PeriodRow.empty(tenant, NOVEMBER)


async def test_what_is_committed_is_read_back_as_it_was(store: LedgerStore, tenant: str) -> None:
    snapshot = await look(store, tenant, "s1", "s2")
    adjust = Adjust(increments=-2, reason="goodwill, \N{SNOWMAN}", request_id="r", quota=Quota())
    decision = decided(snapshot, admit("s1"), admit("s2"), adjust)

    await store.commit(snapshot, decision)

    after = await look(store, tenant, "s1", "s2", "s3")
    assert after.rows.period_row == decision.period_row
    assert after.rows.windows == decision.windows
    assert await store.entries(tenant, NOVEMBER, after=0, limit=10) == decision.entries
    assert await store.entries(tenant, NOVEMBER, after=1, limit=1) == decision.entries[1:2]
    assert await store.entry(tenant, NOVEMBER, 3) == decision.entries[2]


async def test_open_windows_are_those_that_are_open(store: LedgerStore, tenant: str) -> None:
    snapshot = await look(store, tenant, "s1", "s2")
    await store.commit(snapshot, decided(snapshot, admit("s1"), admit("s2")))
    snapshot = await look(store, tenant, "s1")
    ended = End(pool_identifier="pool-s1", opened_at=MORNING, operation="o", request_id="r")
    await store.commit(snapshot, decided(snapshot, ended))

    assert (await look(store, tenant, limited=True)).rows.open_windows == {"pool-s2": MORNING + timedelta(seconds=300)}


async def test_of_two_commits_over_one_snapshot_the_second_changes_nothing(store: LedgerStore, tenant: str) -> None:
    for requests in ([admit("s1")], [admit("s2"), admit("s3")]):  # first rows that do not exist, then rows that do
        snapshot = await look(store, tenant, "s1", "s2", "s3")
        first, second = decided(snapshot, *requests), decided(snapshot, *requests, at=1)
        await store.commit(snapshot, first)
        with pytest.raises(CommitConflict):
            await store.commit(snapshot, second)

    assert (await store.period_row(tenant, NOVEMBER)).balance == 3
    assert len(await store.entries(tenant, NOVEMBER, after=0, limit=10)) == 3


async def test_a_window_that_changed_alone_makes_the_commit_fail_whole(store: LedgerStore, tenant: str) -> None:
    snapshot = await look(store, tenant, "s1")
    await store.commit(snapshot, decided(snapshot, admit("s1")))
    stale = await look(store, tenant, "s1")
    touch = decide(stale.rows, [admit("s1")], terms=terms("i2"), now=MORNING, commit_id="c")
    await store.commit(stale, touch)

    with pytest.raises(CommitConflict):
        await store.commit(stale, decided(stale, admit("s1"), at=10))

    assert (await store.period_row(tenant, NOVEMBER)).balance == 1


@pytest.mark.parametrize("booked", [False, True])
async def test_behind_a_fence_no_older_commit_can_be_made(store: LedgerStore, tenant: str, *, booked: bool) -> None:
    if booked:
        snapshot = await look(store, tenant, "s0")
        await store.commit(snapshot, decided(snapshot, admit("s0")))
    snapshot = await look(store, tenant, "s1")
    before = await store.period_row(tenant, NOVEMBER)

    await store.fence(tenant, NOVEMBER)

    with pytest.raises(CommitConflict):
        await store.commit(snapshot, decided(snapshot, admit("s1")))
    assert await store.period_row(tenant, NOVEMBER) == before


async def test_an_end_that_takes_nothing_back_still_changes_the_period_row(store: LedgerStore, tenant: str) -> None:
    snapshot = await look(store, tenant, "s1")
    await store.commit(snapshot, decided(snapshot, admit("s1")))
    older = await look(store, tenant, "s1", "s2")
    ended = End(pool_identifier="pool-s1", opened_at=MORNING, operation="o", request_id="r")

    await store.commit(older, decided(older, ended, at=10))

    with pytest.raises(CommitConflict):
        await store.commit(older, decided(older, admit("s2"), at=11))


@pytest.mark.parametrize("instances", [1, 4])
async def test_exactly_the_quota_is_admitted_by_instances_on_one_store(
    store: LedgerStore, tenant: str, instances: int
) -> None:
    meters = [meter(store, FakeClock(), f"i{n}") for n in range(instances)]

    answers = await asyncio.gather(
        *(meters[n % instances].admit(tenant, admit(f"s{n}", month=10, sessions=50)) for n in range(128))
    )

    assert Counter(type(answer) for answer in answers) == {Admission: 10, QuotaExceeded: 118}
    assert (await store.period_row(tenant, NOVEMBER)).balance == 10
    assert len(await store.entries(tenant, NOVEMBER, after=0, limit=100)) == 10


@pytest.mark.azurite
async def test_no_more_sessions_are_open_than_allowed_on_instances_of_one_store(azurite: str, tenant: str) -> None:
    async with open_tables(azurite) as service:
        meters = [meter(TableLedgerStore(service), FakeClock(), f"i{n}") for n in range(4)]

        answers = await asyncio.gather(*(meters[n % 4].admit(tenant, admit(f"s{n}", sessions=5)) for n in range(64)))

    assert sum(isinstance(answer, Admission) for answer in answers) == 5


@pytest.mark.azurite
async def test_pages_of_entries_are_read_beyond_what_one_query_gives(azurite: str, tenant: str) -> None:
    async with open_tables(azurite) as service:
        store = TableLedgerStore(service)
        for first in range(0, 1_078, 49):
            snapshot = await look(store, tenant, *(f"s{n}" for n in range(first, first + 49)))
            await store.commit(snapshot, decided(snapshot, *(admit(f"s{n}") for n in range(first, first + 49))))

        entries = await store.entries(tenant, NOVEMBER, after=10, limit=1_050)

    assert [entry.sequence for entry in entries] == list(range(11, 1_061))


async def test_storage_that_cannot_be_reached_is_said_to_be_so() -> None:
    async with open_tables(NOWHERE) as service:
        store = TableLedgerStore(service)
        reads: list[Any] = [
            store.read("t", NOVEMBER, ["p"], open_at=MORNING),
            store.entry("t", NOVEMBER, 1),
            store.entries("t", NOVEMBER, after=0, limit=1),
            store.period_row("t", NOVEMBER),
            store.fence("t", NOVEMBER),
        ]
        for read in reads:
            with pytest.raises(LedgerUnavailable):
                await read
        snapshot = await look(MemoryLedgerStore(), "t", "s1")
        with pytest.raises(CommitUncertain):
            await store.commit(snapshot, decided(snapshot, admit("s1")))


@pytest.mark.azurite
@pytest.mark.filterwarnings("ignore:Testing an element's truth value:DeprecationWarning")  # in the SDK's own code
async def test_a_wrong_account_key_refuses_everything(azurite: str) -> None:
    head, _, tail = azurite.partition("AccountKey=")
    wrong = f"{head}AccountKey=d3Jvbmc=;{tail.partition(';')[2]}"
    async with open_tables(wrong) as service:
        store = TableLedgerStore(service)
        with pytest.raises(LedgerUnavailable):
            await store.read("t", NOVEMBER, [], open_at=MORNING)
        with pytest.raises(LedgerUnavailable):
            await store.entries("t", NOVEMBER, after=0, limit=1)
        snapshot = await look(MemoryLedgerStore(), "t", "s1")
        with pytest.raises(CommitUncertain):
            await store.commit(snapshot, decided(snapshot, admit("s1")))


class ScriptedTable:
    """Stands for a table client whose table is missing, and whose creation and queries end as told."""

    def __init__(
        self,
        *,
        creating: Exception | None = None,
        querying: Exception | None = None,
        writing: Exception | None = None,
    ) -> None:
        self.creating = creating
        self.querying = querying
        self.writing = writing
        self.created = 0

    def get_table_client(self, _: str) -> Self:
        return self

    async def get_entity(self, *_: str) -> None:
        error = ResourceNotFoundError()
        error.error_code = "TableNotFound"  # type: ignore[attr-defined]  # as the SDK sets it
        raise error

    async def create_table(self) -> None:
        self.created += 1
        if self.creating is not None:
            raise self.creating

    async def submit_transaction(self, _: Any) -> None:
        if self.writing is not None:
            raise self.writing

    async def query_entities(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        if self.querying is not None:
            raise self.querying
        nothing: list[Any] = []
        for entity in nothing:
            yield entity


def scripted(table: ScriptedTable) -> TableLedgerStore:
    return TableLedgerStore(cast("TableServiceClient", table))


def answered(status: int) -> HttpResponseError:
    error = HttpResponseError()
    error.status_code = status
    return error


@pytest.mark.parametrize("creating", [None, ResourceExistsError()])
async def test_a_missing_table_is_created_by_whoever_comes_first(creating: Exception | None) -> None:
    table = ScriptedTable(creating=creating)

    assert (await scripted(table).period_row("t", NOVEMBER)).balance == 0
    assert table.created == 1


async def test_a_table_that_cannot_be_created_is_storage_that_cannot_be_reached() -> None:
    with pytest.raises(LedgerUnavailable):
        await scripted(ScriptedTable(creating=answered(403))).period_row("t", NOVEMBER)


async def test_a_missing_table_has_no_entries() -> None:
    assert await scripted(ScriptedTable(querying=answered(404))).entries("t", NOVEMBER, after=0, limit=1) == ()


async def test_open_windows_that_cannot_be_counted_are_not_taken_for_none() -> None:
    with pytest.raises(LedgerUnavailable):
        await scripted(ScriptedTable(querying=answered(503))).read("t", NOVEMBER, [], open_at=MORNING)


async def test_a_fence_that_met_a_conflict_has_been_put_up_by_somebody_else() -> None:
    await scripted(ScriptedTable(writing=answered(412))).fence("t", NOVEMBER)


@pytest.mark.parametrize("writing", [answered(503), ServiceResponseError("no answer")])
async def test_a_fence_that_may_not_stand_is_said_so(writing: Exception) -> None:
    with pytest.raises(LedgerUnavailable):
        await scripted(ScriptedTable(writing=writing)).fence("t", NOVEMBER)
