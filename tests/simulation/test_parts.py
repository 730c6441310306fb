"""The simulated world is as strict as the real one: the loop, the table and the pool keep their own rules."""

import asyncio
import random
from typing import Any

import pytest

from tests.simulation.calls import CallRecord
from tests.simulation.loop import SimulatedLoop, Stuck
from tests.simulation.pool import MICROSECONDS, PoolFaults, SimulatedPool
from tests.simulation.table import Refusal, SimulatedTable, condition_of

ROW = {"PartitionKey": "t", "RowKey": "a", "value": 1}


def order_of(seed: int) -> list[int]:
    order: list[int] = []

    async def step(number: int) -> None:
        await asyncio.sleep(0)
        order.append(number)

    async def main() -> None:
        await asyncio.gather(*(step(number) for number in range(10)))

    SimulatedLoop(random.Random(seed)).run(main())
    return order


def test_the_seed_alone_decides_the_order_of_steps() -> None:
    assert order_of(1) == order_of(1)
    assert order_of(1) != order_of(2)


def test_an_hour_passes_at_once() -> None:
    loop = SimulatedLoop(random.Random(0))

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3_600):
                await asyncio.sleep(7_200)

    loop.run(main())

    assert loop.time() == 3_600


def test_waiting_for_what_cannot_happen_is_found() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck):
        SimulatedLoop(random.Random(0)).run(main())


@pytest.mark.parametrize(
    ("writes", "status"),
    [
        ([("create", ROW, None)], 409),
        ([("update", {**ROW, "RowKey": "b"}, "1")], 404),
        ([("update", ROW, "0")], 412),
        ([("create", {**ROW, "RowKey": "b"}, None), ("update", ROW, "0")], 412),
        ([("create", {**ROW, "RowKey": "b"}, None), ("create", {**ROW, "RowKey": "b"}, None)], 400),
        ([("create", {**ROW, "RowKey": "b"}, None), ("create", {**ROW, "PartitionKey": "u"}, None)], 400),
        ([("create", {**ROW, "RowKey": f"b{n}"}, None) for n in range(101)], 400),
        ([], 400),
    ],
)
def test_a_transaction_that_is_refused_changes_nothing(writes: Any, status: int) -> None:
    table = SimulatedTable()
    table.transact([("create", ROW, None)])

    with pytest.raises(Refusal) as refusal:
        table.transact(writes)

    assert refusal.value.status == status
    assert table.partitions == {"t": {"a": (ROW, 1)}}


def test_every_write_changes_the_etag() -> None:
    table = SimulatedTable()
    table.transact([("create", ROW, None)])
    before = table.get("t", "a")
    table.transact([("update", ROW, before.metadata["etag"])])

    assert table.get("t", "a").metadata != before.metadata


def test_a_query_reads_page_by_page_in_the_order_of_keys() -> None:
    table = SimulatedTable()
    for name in "cab":
        table.transact([("create", {**ROW, "RowKey": name}, None)])
    condition = condition_of("PartitionKey eq @tenant and RowKey lt @last", {"tenant": "t", "last": "c"})

    assert [row["RowKey"] for row in table.query(condition, ("", ""), 1)] == ["a"]
    assert [row["RowKey"] for row in table.query(condition, ("t", "a"), 9)] == ["b"]


class Bench:
    """A pool with a clock of its own."""

    def __init__(self) -> None:
        self.time = 0
        self.received: list[str] = []
        self.ended: list[str] = []
        self.pool = SimulatedPool(
            cooldown=300 * MICROSECONDS,
            sessions_max=1,
            chance=random.Random(0),
            faults=PoolFaults(),
            now=lambda: self.time,
            received=lambda call: self.received.append(call.id),
            ended=lambda call: self.ended.append(call.id),
        )

    def call(self, seconds: int, verb: str, identifier: str = "s", fault: str | None = None) -> int:
        self.time = seconds * MICROSECONDS
        record = CallRecord(
            id=f"{seconds}",
            tenant="t",
            session="s",
            verb=verb,
            instance="i",
            skew=0,
            started_at=0,
            identifier=identifier,
        )
        return self.pool.take(record, fault).status_code


def test_even_a_listing_takes_a_session_and_each_call_keeps_it_for_a_cooldown() -> None:
    bench = Bench()

    assert bench.call(0, "files") == 200
    assert bench.call(299, "execute") == 200
    assert bench.call(598, "look") == 200
    assert bench.call(599, "look") == 400
    assert bench.received == ["0", "299"]


def test_what_is_refused_at_the_door_takes_no_session() -> None:
    bench = Bench()

    assert bench.call(0, "execute", fault="busy") == 429
    assert bench.call(1, "execute", fault="unauthorized") in {401, 403}
    assert bench.call(2, "execute", fault="invalid") == 400
    assert bench.received == []
    assert bench.call(3, "files", fault="invalid") == 404
    assert bench.received == ["3"]


def test_a_full_pool_refuses_until_a_session_ends() -> None:
    bench = Bench()

    assert bench.call(0, "execute", "first") == 200
    assert bench.call(1, "execute", "second") == 429
    assert bench.call(2, "end", "first") == 204
    assert bench.call(3, "end", "first") == 400
    assert bench.call(4, "execute", "second") == 200
    assert bench.ended == ["2"]
