"""A storage that answers badly, between real hosts and a real Azurite: nothing is invented, lost or charged twice.

Azurite answers everything, once and at once. What the real service and the way to it also do is made here on the wire
(`tests.support.trouble`) and, many thousand times in any order, in simulated time (`tests.simulation.network`):

| what Azurite does not show               | here                               | simulated               |
|------------------------------------------|------------------------------------|-------------------------|
| throttling: 503 and Retry-After          | `THROTTLED`                        | `throttled`             |
| timeout after the commit was made        | `ANSWER_LOST`, `ANSWER_WITHHELD`   | `lost_answer`           |
| 500 for a commit that was made           | `ANSWER_DOUBTED`                   | `doubtful`              |
| a commit that arrives after its client   | `LATE`                             | `late`                  |
| has given up                             |                                    |                         |
| a commit that arrives twice              | `DOUBLED`                          | `doubled`, `echoed`     |
| connections that break, slow answers     | `CUT`, `SLOW`                      | `lost_request`, `slow`  |
| an outage                                | `tests.stack.test_outages`         | `Network.outages`       |
| clocks that differ                       |                                    | `Plan.skews`            |

A move of a partition shows itself as throttling, slow answers and broken connections, and in no other way here.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from infra.local.storage import connection_string
from tests.running import running_storage
from tests.stack.aside import running_aside
from tests.stack.books import Books
from tests.stack.crowd import NotingPool, at_once, noting_pool
from tests.stack.hosts import Hosts, running_hosts
from tests.stack.tenants import TenantClient
from tests.support.trouble import Trouble, TroubledStorage, troubled

pytestmark = [pytest.mark.stack, pytest.mark.azurite, pytest.mark.slow]

CALLS = 20
MOMENT_SECONDS = 0.5
LONG_SECONDS = 12  # longer than a host tries
SETTLING_SECONDS = 45


@pytest.fixture(scope="module")
def pool() -> Iterator[NotingPool]:
    """Run a pool that notes its calls."""
    with running_aside(noting_pool()) as pool:
        yield pool


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, pool: NotingPool) -> Iterator[tuple[Hosts, TroubledStorage]]:
    """Run two hosts on a storage that can be put into trouble."""
    folder = tmp_path_factory.mktemp("trouble")
    with contextlib.ExitStack() as stack:
        azurite = stack.enter_context(running_storage(folder / "storage"))
        port = int(azurite.rpartition(":")[2].partition("/")[0])
        storage = stack.enter_context(running_aside(troubled(port)))
        reached = connection_string(storage.port)
        yield stack.enter_context(running_hosts(folder, storage=reached, pool=pool.url, count=2)), storage


@pytest.fixture
def hosts(running: tuple[Hosts, TroubledStorage]) -> Hosts:
    """Reach the hosts."""
    return running[0]


@pytest.fixture
def storage(running: tuple[Hosts, TroubledStorage]) -> Iterator[TroubledStorage]:
    """Reach the storage; its trouble ends with the test."""
    storage = running[1]
    storage.struck = 0
    yield storage
    storage.trouble = Trouble.NONE


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens in the storage's thread."""
    async with asyncio.timeout(LONG_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


async def until_used(hosts: Hosts, tenant_id: str, tenant: TenantClient, pool: NotingPool) -> Books:
    """Wait until the tenant pays for no time in which the pool held nothing; read its books then."""
    async with asyncio.timeout(SETTLING_SECONDS):
        while True:
            books = await asyncio.to_thread(hosts.books, tenant_id, tenant)
            if not books.unused(pool.of(tenant_id)):
                break
            await asyncio.sleep(0.5)
    # The last reversal may have come between the statement and the entries that were just read.
    return await asyncio.to_thread(hosts.books, tenant_id, tenant)


@pytest.mark.parametrize("trouble", [trouble for trouble in Trouble if trouble is not Trouble.NONE])
async def test_a_moment_of_trouble_delays_calls_and_changes_nothing(
    hosts: Hosts, storage: TroubledStorage, pool: NotingPool, trouble: Trouble
) -> None:
    warm = 2  # opened through one host, extended through the other
    tenant_id, tenant = hosts.tenant(minutes_per_month=5 * (warm + CALLS))
    doors = hosts.everywhere(tenant)
    await at_once((door, "warm") for door in doors)  # the key is known from here on

    storage.trouble = trouble
    calls = asyncio.ensure_future(at_once((doors[n % 2], f"session-{n}") for n in range(CALLS)))
    await until(lambda: storage.struck > 0)
    await asyncio.sleep(MOMENT_SECONDS)
    storage.trouble = Trouble.NONE
    replies = await calls
    await until(lambda: storage.in_hand == 0)  # late commits have arrived, too

    assert Counter((reply.status, reply.code) for reply in replies) == {(200, ""): CALLS}
    books = hosts.books(tenant_id, tenant)
    assert books.problems == []
    if trouble not in {
        Trouble.ANSWER_WITHHELD,
        Trouble.LATE,
    }:  # an admission that comes late is taken back, and made anew
        assert {entry["kind"] for entry in books.entries} == {"charge"}
    assert books.balance == warm + CALLS
    assert books.unpaid(pool.of(tenant_id)) == []
    assert books.unused(pool.of(tenant_id)) == []


@pytest.mark.parametrize("trouble", [Trouble.THROTTLED, Trouble.CUT])
async def test_long_trouble_refuses_what_is_new_and_leaves_what_is_paid_alone(
    hosts: Hosts, storage: TroubledStorage, pool: NotingPool, trouble: Trouble
) -> None:
    tenant_id, tenant = hosts.tenant()
    _, stranger = hosts.tenant()
    for _ in range(2):
        await at_once([(tenant, "paid")])
    before = hosts.books(tenant_id, tenant)

    storage.trouble = trouble
    new = asyncio.ensure_future(at_once((tenant, f"session-{n}") for n in range(CALLS)))
    unknown = asyncio.ensure_future(at_once([(stranger, "session")]))
    paid = []
    while not (new.done() and unknown.done()):
        paid += await at_once([(tenant, "paid")])
        await asyncio.sleep(0.1)
    storage.trouble = Trouble.NONE

    assert {reply.status for reply in paid} == {200}
    assert max(reply.seconds for reply in paid) < 2
    for reply in [*new.result(), *unknown.result()]:
        assert (reply.status, reply.code) == (503, "MeteringUnavailable")
        assert (reply.retry_after or 0) >= 1
        assert reply.seconds < LONG_SECONDS
    assert hosts.books(tenant_id, tenant).entries == before.entries
    assert {arrival.session for arrival in pool.of(tenant_id)} == {"paid"}
    assert (await at_once([(tenant, "session-0")]))[0].status == 200


@pytest.mark.parametrize(("first", "then"), [(Trouble.ANSWER_WITHHELD, Trouble.CUT), (Trouble.LATE, Trouble.LATE)])
async def test_a_charge_whose_call_was_refused_is_taken_back(
    hosts: Hosts, storage: TroubledStorage, pool: NotingPool, first: Trouble, then: Trouble
) -> None:
    """The charge is made before the host gives up waiting for the answer, or after it has."""
    tenant_id, tenant = hosts.tenant(minutes_per_month=15)
    for _ in range(2):
        await at_once([(tenant, "paid")])

    storage.trouble = first
    call = asyncio.ensure_future(at_once([(tenant, "session")]))
    await until(lambda: storage.struck > 0)
    storage.trouble = then
    [refused] = await call
    storage.trouble = Trouble.NONE
    await until(lambda: storage.in_hand == 0)

    assert (refused.status, refused.code) == (503, "MeteringUnavailable")
    books = await until_used(hosts, tenant_id, tenant, pool)
    assert books.problems == []
    assert [entry["kind"] for entry in books.entries if entry["session"] == "session"] == ["charge", "reversal"]
    [again] = await at_once([(replace(tenant, url=hosts.urls[1]), "session")])
    assert again.status == 200
    assert hosts.books(tenant_id, tenant).balance == 3
