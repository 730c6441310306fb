"""Hosts killed under load, again and again, on the same data: what was admitted is in the ledger, and the quota holds.

A host that is killed between a charge and the pool leaves time that was paid for and not used, one call's worth for
each call that it was serving; the session's next call uses what is left of it.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import aiohttp
import pytest

from tests.running import running_storage
from tests.stack.aside import running_aside
from tests.stack.crowd import NO_ANSWER, NotingPool, Reply, calling, crowd, execute, noting_pool
from tests.stack.hosts import Hosts, running_hosts
from tests.stack.tenants import TenantClient

pytestmark = [pytest.mark.stack, pytest.mark.azurite, pytest.mark.slow]

HOSTS = 3
ROUNDS = 5
INCREMENT_SECONDS = 3
QUOTA = 240
CALLERS = 8  # of each tenant
LOAD_SECONDS = 1.0  # before a kill and after it
USED_UP_SECONDS = 60


@pytest.fixture
def pool() -> Iterator[NotingPool]:
    """Run a pool that notes its calls."""
    with running_aside(noting_pool()) as pool:
        yield pool


@pytest.fixture
def hosts(tmp_path_factory: pytest.TempPathFactory, pool: NotingPool) -> Iterator[Hosts]:
    """Run three hosts with increments of three seconds."""
    folder = tmp_path_factory.mktemp("crashes")
    with contextlib.ExitStack() as running:
        storage = running.enter_context(running_storage(folder / "storage"))
        yield running.enter_context(
            running_hosts(folder, storage=storage, pool=pool.url, count=HOSTS, increment_seconds=INCREMENT_SECONDS)
        )


def caller(
    client: aiohttp.ClientSession, hosts: Hosts, tenant: TenantClient, replies: list[Reply], chance: random.Random
) -> Callable[[], Awaitable[None]]:
    """Make a caller that goes to any host, now with a session in use by others too, now with a new one."""

    async def call() -> None:
        session = f"session-{chance.randrange(20) if chance.random() < 0.8 else chance.getrandbits(64)}"
        replies.append(await execute(client, replace(tenant, url=chance.choice(hosts.urls)), session))
        await asyncio.sleep(0.03)

    return call


async def test_after_every_kill_the_ledger_is_whole_and_the_quota_held(hosts: Hosts, pool: NotingPool) -> None:
    tenants = [hosts.tenant(minutes_per_month=QUOTA * INCREMENT_SECONDS / 60), hosts.tenant()]
    killed: set[str] = set()
    chance = random.Random(7)
    replies: dict[str, list[Reply]] = {tenant_id: [] for tenant_id, _ in tenants}
    async with crowd() as client:
        callers = [
            caller(client, hosts, tenant, replies[tenant_id], chance)
            for tenant_id, tenant in tenants
            for _ in range(CALLERS)
        ]
        for number in range(ROUNDS):
            async with calling(*callers):
                await asyncio.sleep(LOAD_SECONDS + chance.random() / 2)
                killed.add(hosts.kill(number % HOSTS))
                await asyncio.sleep(LOAD_SECONDS)
            await asyncio.to_thread(hosts.start, number % HOSTS)

            for tenant_id, tenant in tenants:
                told = replies[tenant_id]
                assert {reply.status for reply in told if reply.url not in killed} <= {200, 403}
                lost = sum(reply.status == NO_ANSWER for reply in told)
                books = hosts.books(tenant_id, tenant)
                assert books.problems == []
                assert books.unpaid(pool.of(tenant_id)) == []
                assert len(books.unused(pool.of(tenant_id))) <= lost
        (limited, first), _ = tenants
        async with asyncio.timeout(USED_UP_SECONDS), calling(*callers):  # a slow machine takes longer to use it up
            while not any(reply.status == 403 for reply in replies[limited]) or (
                (await asyncio.to_thread(hosts.books, limited, first)).balance < QUOTA
            ):
                await asyncio.sleep(0.2)
    assert hosts.books(limited, first).balance == QUOTA
    assert {reply.code for reply in replies[limited] if reply.status == 403} == {"QuotaExceeded"}
