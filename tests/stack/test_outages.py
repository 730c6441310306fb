"""The storage's process stopped or killed under load: paid sessions go on, new charges are refused, nothing is lost."""

import asyncio
import contextlib
import itertools
import os
import signal
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import pytest
from azure.data.tables import TableServiceClient

from infra.local.claims import free_port
from infra.local.storage import connection_string
from metering.clock import utc_now
from tests.running import Running, running_module
from tests.stack.aside import running_aside
from tests.stack.books import Books
from tests.stack.crowd import NotingPool, Reply, at_once, calling, crowd, execute, noting_pool
from tests.stack.hosts import Hosts, running_hosts
from tests.stack.tenants import TenantClient

pytestmark = [pytest.mark.stack, pytest.mark.azurite, pytest.mark.slow]

OUTAGE_SECONDS = 60
QUOTA = 60
SESSIONS = 8
LOAD_SECONDS = 2
SHORT_OUTAGE_SECONDS = 10
PAID_SECONDS = 2  # at most, for a call on a paid session, whatever the machine does
PATIENCE_SECONDS = 30  # of a caller
RECOVERY_SECONDS = 20
SETTLING_SECONDS = 60
SAVING_SECONDS = 90  # Azurite saves every five, when it gets to it: calls keep it busy


@dataclass
class Storage:
    """An Azurite that keeps its tables in a folder, and its address when it is started again."""

    folder: Path
    ending: contextlib.ExitStack
    port: int = field(default_factory=free_port)

    def start(self) -> Running:
        """Start it on what the folder holds."""
        options = ["--port", str(self.port), "--data-dir", str(self.folder / "data")]
        return self.ending.enter_context(running_module("infra.local.storage", self.folder, *options))

    async def saved(self) -> None:
        """Wait until everything that was written before now is in the folder.

        What has not changed since the last time is not saved again, so something is changed that nobody needs.
        """
        since = utc_now().timestamp()
        await asyncio.to_thread(self._change_something)
        async with asyncio.timeout(SAVING_SECONDS):
            while max(path.stat().st_mtime for path in (self.folder / "data").glob("*.json")) < since:
                await asyncio.sleep(0.2)

    def _change_something(self) -> None:
        with TableServiceClient.from_connection_string(connection_string(self.port)) as service:
            service.create_table(f"Saved{uuid.uuid4().hex}")


@dataclass
class Load:
    """Callers of one tenant: some go on with sessions that are paid for long ahead, some begin new ones."""

    tenant_id: str
    doors: list[TenantClient]
    paid: list[Reply] = field(default_factory=list)
    new: list[Reply] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def pay_ahead(self) -> None:
        """Call each session twice: the second call pays for a second increment."""
        for _ in range(2):
            replies = await at_once((self._door(number), f"paid-{number}") for number in range(SESSIONS))
            assert {reply.status for reply in replies} == {200}

    def callers(self, client: aiohttp.ClientSession) -> Sequence[Callable[[], Awaitable[None]]]:
        """Make the callers, two of each kind for each host."""

        async def go_on() -> None:
            number = next(self.numbers) % SESSIONS
            self.paid.append(await execute(client, self._door(number), f"paid-{number}"))
            await asyncio.sleep(0.05)

        async def begin() -> None:
            number = next(self.numbers)
            self.new.append(await execute(client, self._door(number), f"new-{number}"))
            await asyncio.sleep(0.2)

        return [go_on, begin] * 2 * len(self.doors)

    def _door(self, number: int) -> TenantClient:
        return self.doors[number % len(self.doors)]


@pytest.fixture
def pool() -> Iterator[NotingPool]:
    """Run a pool that notes its calls."""
    with running_aside(noting_pool()) as pool:
        yield pool


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    """Keep tables in a folder of the test's."""
    with contextlib.ExitStack() as ending:
        yield Storage(tmp_path / "storage", ending)


@pytest.fixture
def azurite(storage: Storage) -> Running:
    """Run the storage."""
    return storage.start()


@pytest.fixture
def hosts(tmp_path: Path, azurite: Running, pool: NotingPool) -> Iterator[Hosts]:
    """Run two hosts with increments of five minutes."""
    reached = azurite.ready["connection_string"]
    with running_hosts(tmp_path, storage=reached, pool=pool.url, count=2) as hosts:
        yield hosts


def check_outage(load: Load, begun: float, ended: float) -> None:
    """Paid sessions never noticed; what was new and asked while the storage was away was refused in time."""
    assert Counter(reply.status for reply in load.paid).keys() == {200}
    assert max(reply.seconds for reply in load.paid) < PAID_SECONDS
    assert any(begun < reply.begun < ended for reply in load.paid)
    refused = [reply for reply in load.new if begun < reply.begun and reply.begun + reply.seconds < ended]
    assert refused
    assert {(reply.status, reply.code) for reply in refused} == {(503, "MeteringUnavailable")}
    assert all(reply.retry_after for reply in refused)
    assert max(reply.seconds for reply in load.new) < PATIENCE_SECONDS
    assert {reply.status for reply in load.new} <= {200, 403, 503}


async def check_books(load: Load, hosts: Hosts, pool: NotingPool) -> Books:
    """Wait until nobody pays for time that nobody used; everything has to add up then, and whoever ran has paid."""
    async with asyncio.timeout(SETTLING_SECONDS):
        while True:
            books = await asyncio.to_thread(hosts.books, load.tenant_id, load.doors[0])
            if not books.unused(pool.of(load.tenant_id)):
                break
            await asyncio.sleep(1)
    assert books.problems == []
    assert books.unpaid(pool.of(load.tenant_id)) == []
    admitted = {reply.session for reply in load.new if reply.status == 200}
    assert {session for session, spans in books.paid.items() if spans and session.startswith("new")} == admitted
    return books


async def until_admitted(load: Load) -> None:
    """Wait until a new session is admitted again."""
    seen = len(load.new)
    async with asyncio.timeout(RECOVERY_SECONDS):
        while not any(reply.status == 200 for reply in load.new[seen:]):
            await asyncio.sleep(0.1)


async def test_a_minute_without_storage_costs_nobody_a_paid_session_and_nobody_money(
    azurite: Running, hosts: Hosts, pool: NotingPool
) -> None:
    """Azurite is stopped with SIGSTOP: connections open, nothing is answered, and all that was sent arrives later."""
    loads = []
    for limits in ({}, {"minutes_per_month": 5 * QUOTA}):
        tenant_id, tenant = hosts.tenant(**limits)
        loads.append(Load(tenant_id, hosts.everywhere(tenant)))
        await loads[-1].pay_ahead()
    unlimited, limited = loads
    _, stranger = hosts.tenant()

    async with crowd() as client, calling(*unlimited.callers(client), *limited.callers(client)):
        await asyncio.sleep(LOAD_SECONDS)
        os.kill(azurite.ready["pid"], signal.SIGSTOP)
        begun = time.monotonic()
        try:
            await asyncio.sleep(1)
            unknown = await execute(client, stranger, "session")
            await asyncio.sleep(begun + OUTAGE_SECONDS - time.monotonic())
        finally:
            ended = time.monotonic()
            os.kill(azurite.ready["pid"], signal.SIGCONT)
        await until_admitted(unlimited)
        await asyncio.sleep(LOAD_SECONDS)

    assert (unknown.status, unknown.code) == (503, "MeteringUnavailable")
    for load in loads:
        check_outage(load, begun + 1, ended)
        await check_books(load, hosts, pool)


async def test_a_storage_that_is_killed_and_started_again_finds_everything_adding_up(
    storage: Storage, azurite: Running, hosts: Hosts, pool: NotingPool
) -> None:
    """Azurite is killed with SIGKILL while only paid sessions are called, after it has saved what was charged.

    It answers before it saves, and would lose up to five seconds of what it has answered; Table Storage does not.
    """
    tenant_id, tenant = hosts.tenant(minutes_per_month=5 * QUOTA)
    load = Load(tenant_id, hosts.everywhere(tenant))
    await load.pay_ahead()
    async with crowd() as client:
        go_on, begin, *_ = load.callers(client)
        async with calling(go_on):
            async with calling(begin, begin):
                await asyncio.sleep(LOAD_SECONDS)
            await storage.saved()
            os.kill(azurite.ready["pid"], signal.SIGKILL)
            begun = time.monotonic()
            async with calling(begin, begin):
                await asyncio.sleep(SHORT_OUTAGE_SECONDS)
                ended = time.monotonic()
                await asyncio.to_thread(storage.start)
                await until_admitted(load)

    check_outage(load, begun, ended)
    books = await check_books(load, hosts, pool)
    replies = await at_once(
        (replace(tenant, url=hosts.urls[n % 2]), f"last-{n}") for n in range(QUOTA - books.balance + 10)
    )
    assert Counter(reply.status for reply in replies) == {200: QUOTA - books.balance, 403: 10}
    assert (await check_books(load, hosts, pool)).balance == QUOTA
