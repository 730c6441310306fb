"""Several functions hosts, each a process, on one real table storage: the quota is one, wherever the calls arrive."""

import contextlib
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.running import running_storage
from tests.stack.aside import running_aside
from tests.stack.crowd import NotingPool, Reply, at_once, noting_pool
from tests.stack.hosts import Hosts, running_hosts

pytestmark = [pytest.mark.stack, pytest.mark.azurite, pytest.mark.slow, pytest.mark.alone]

HOSTS = 4


@pytest.fixture(scope="module")
def pool() -> Iterator[NotingPool]:
    """Run a pool that notes its calls."""
    with running_aside(noting_pool()) as pool:
        yield pool


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, pool: NotingPool) -> Iterator[Hosts]:
    """Run four hosts with increments of five minutes."""
    folder = tmp_path_factory.mktemp("hosts")
    with contextlib.ExitStack() as running:
        storage = running.enter_context(running_storage(folder / "storage"))
        yield running.enter_context(running_hosts(folder, storage=storage, pool=pool.url, count=HOSTS))


def outcomes(replies: list[Reply]) -> Counter[tuple[int, str]]:
    return Counter((reply.status, reply.code) for reply in replies)


@pytest.mark.parametrize("calls", [256, 1_000])
async def test_ten_increments_admit_exactly_ten_of_many_first_calls_at_once(
    hosts: Hosts, pool: NotingPool, calls: int
) -> None:
    tenant_id, tenant = hosts.tenant(minutes_per_month=50)
    doors = hosts.everywhere(tenant)

    replies = await at_once((doors[number % HOSTS], f"session-{number}") for number in range(calls))

    assert outcomes(replies) == {(200, ""): 10, (403, "QuotaExceeded"): calls - 10}
    books = hosts.books(tenant_id, tenant)
    assert books.problems == []
    assert [entry["kind"] for entry in books.entries] == ["charge"] * 10
    assert books.balance == 10
    admitted = {reply.session for reply in replies if reply.status == 200}
    assert {arrival.session for arrival in pool.of(tenant_id)} == set(books.paid) == admitted


@pytest.mark.parametrize("sessions", [50, 400])
async def test_a_tenant_without_limits_is_never_refused_for_having_many_calls_at_once(
    hosts: Hosts, pool: NotingPool, sessions: int
) -> None:
    tenant_id, tenant = hosts.tenant()
    doors = hosts.everywhere(tenant)

    replies = await at_once((doors[number % HOSTS], f"session-{number}") for number in range(sessions))

    assert outcomes(replies) == {(200, ""): sessions}
    books = hosts.books(tenant_id, tenant)
    assert (books.problems, books.balance, len(books.paid)) == ([], sessions, sessions)
    assert books.unpaid(pool.of(tenant_id)) == []
    assert books.unused(pool.of(tenant_id)) == []


async def test_a_limit_on_sessions_holds_across_hosts(hosts: Hosts, pool: NotingPool) -> None:
    tenant_id, tenant = hosts.tenant(max_concurrent_sessions=10)
    doors = hosts.everywhere(tenant)

    replies = await at_once((doors[number % HOSTS], f"session-{number}") for number in range(100))

    assert outcomes(replies) == {(200, ""): 10, (429, "TooManySessions"): 90}
    books = hosts.books(tenant_id, tenant)
    assert (books.problems, books.balance) == ([], 10)
    assert len({arrival.session for arrival in pool.of(tenant_id)}) == 10


async def test_one_session_called_through_all_hosts_at_once_is_one_window(hosts: Hosts, pool: NotingPool) -> None:
    tenant_id, tenant = hosts.tenant()

    replies = await at_once((door, "the-one") for door in hosts.everywhere(tenant) * 16)

    assert outcomes(replies) == {(200, ""): 16 * HOSTS}
    books = hosts.books(tenant_id, tenant)
    assert books.problems == []
    assert books.balance == 2  # the first call opens the window, the next one needs a moment more
    assert tenant.usage()["sessions_opened"] == 1
    assert books.unpaid(pool.of(tenant_id)) == []
