"""What lies between one instance and the table: delay, loss, late and doubled delivery, throttling, outages, death.

`SimulatedTableClient` takes the place of the Tables client. Its caller waits `ANSWER_SECONDS` at most; a request may
well arrive after that, or twice.
"""

import asyncio
import functools
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from azure.core.exceptions import ServiceRequestError, ServiceResponseError

from tests.simulation.table import Columns, Entity, Refusal, SimulatedTable, condition_of, writes_of

ANSWER_SECONDS = 5.0
LATE_SECONDS_MAX = 180.0
DOUBLED_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often what goes wrong between an instance and the table; shares of the requests."""

    slow: float = 0.0  # seconds instead of milliseconds, one way
    lost_request: float = 0.0  # never arrives
    lost_answer: float = 0.0  # done, and the answer never comes
    late: float = 0.0  # arrives when nobody waits for it any more, up to three minutes later
    doubled: float = 0.0  # arrives twice, the second time up to a minute later
    echoed: float = 0.0  # arrives twice at once, and the second arrival's answer is the one that comes back
    throttled: float = 0.0  # 503, nothing done
    doubtful: float = 0.0  # 500, done all the same


@dataclass(slots=True)
class Network:
    """The way to the table, the same for all instances; `tell` gets a line for each request."""

    table: SimulatedTable
    chance: random.Random
    faults: Faults
    outages: Sequence[tuple[float, float]] = ()
    delay_seconds: float = 0.004
    page_size: int = 1_000
    healed: bool = False

    def is_down(self, at: float) -> bool:
        """Say whether nothing can reach the table at this time."""
        return not self.healed and any(start <= at < until for start, until in self.outages)

    def delay(self) -> float:
        """Draw how long one way takes."""
        if not self.healed and self.chance.random() < self.faults.slow:
            return self.chance.uniform(0.1, ANSWER_SECONDS)
        return self.chance.random() * 2 * self.delay_seconds

    def draw(self) -> str | None:
        """Draw what goes wrong with a request, if anything."""
        if self.healed:
            return None
        drawn, faults = self.chance.random(), self.faults
        for name in ("lost_request", "lost_answer", "late", "doubled", "echoed", "throttled", "doubtful"):
            drawn -= getattr(faults, name)
            if drawn < 0:
                return name
        return None


class SimulatedTableClient:
    """One instance's client of the table (`azure.data.tables.aio.TableClient`, as far as the product uses it)."""

    def __init__(self, network: Network, name: str = "", tell: Callable[[str], None] = lambda _: None) -> None:
        self.name = name
        self._network = network
        self._tell = tell
        self.dead = False

    def get_table_client(self, _: str) -> Self:
        """Stand for the service's client as well: there is one table."""
        return self

    async def get_entity(self, partition_key: str, row_key: str) -> Entity:
        """Read one row."""
        table = self._network.table
        found: Entity = await self._exchange(f"get {row_key}", lambda: table.get(partition_key, row_key))
        return found

    async def query_entities(
        self, query_filter: str, *, parameters: Mapping[str, Any], select: Sequence[str] | None = None
    ) -> AsyncIterator[Entity]:
        """Read rows page by page; in between, they may change."""
        condition, size, beyond = condition_of(query_filter, parameters), self._network.page_size, ("", "")
        while True:
            look = functools.partial(self._network.table.query, condition, beyond, size)
            page: list[Entity] = await self._exchange("query", look)
            for entity in page:
                beyond = (entity["PartitionKey"], entity["RowKey"])
                yield entity if select is None else Entity({name: entity[name] for name in select}, "")
            if len(page) < size:
                return

    async def submit_transaction(self, operations: Sequence[tuple[Any, ...]]) -> None:
        """Write a transaction."""
        writes = list(writes_of(operations))
        told = ", ".join(f"{kind} {columns['RowKey']}" for kind, columns, _ in writes)
        await self._exchange(f"commit [{told}]", lambda: self._network.table.transact(writes), writing=True)

    async def update_entity(self, entity: Columns, *, etag: str | None = None, **_: Any) -> None:
        """Replace one row, if it still has the ETag."""
        write = ("update", dict(entity), etag)
        told = f"replace {entity['RowKey']}"
        await self._exchange(told, lambda: self._network.table.transact([write]), writing=True)

    async def create_entity(self, entity: Columns) -> None:
        """Create one row."""
        write = ("create", dict(entity), None)
        told = f"create {entity['RowKey']}"
        await self._exchange(told, lambda: self._network.table.transact([write]), writing=True)

    async def _exchange(self, name: str, apply: Callable[[], Any], *, writing: bool = False) -> Any:
        """Carry one request to the table and its answer back, as the network pleases."""
        if self.dead:
            raise asyncio.CancelledError
        network, loop = self._network, asyncio.get_running_loop()
        fault, there = network.draw(), network.delay()
        if network.is_down(loop.time()):
            fault = "down"
        answered: asyncio.Future[Any] = loop.create_future()
        if fault == "down":
            loop.call_later(there, self._answer, answered, None, ServiceRequestError("no connection"))
        elif fault == "throttled":
            loop.call_later(2 * there, self._answer, answered, None, Refusal(503).as_error())
        else:
            loop.call_later(ANSWER_SECONDS, self._answer, answered, None, ServiceResponseError("no answer in time"))
            for delay, told, heard in _deliveries(fault if writing else _as_read(fault), there, network):
                loop.call_later(delay, self._arrive, name, apply, answered if heard else None, told)
        if fault is not None:
            self._tell(f"{name}: {fault}")
        return await answered

    def _arrive(
        self, name: str, apply: Callable[[], Any], answered: asyncio.Future[Any] | None, fault: str | None
    ) -> None:
        """Do what was asked, and send the answer back."""
        result, error = None, None
        try:
            result = apply()
        except Refusal as refusal:
            error = refusal.as_error()
        outcome = "done" if error is None else f"refused with {error.status_code}"
        if not name.startswith(("get", "query")):
            self._tell(f"{name}: {outcome}{'' if fault is None else f' ({fault})'}")
        if answered is None:
            return
        if fault == "doubtful" and error is None:
            error, result = Refusal(500).as_error(), None
        delay = self._network.delay()
        asyncio.get_running_loop().call_later(delay, self._answer, answered, result, error)

    def _answer(self, answered: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
        if answered.done():
            return
        if error is None:
            answered.set_result(result)
        else:
            answered.set_exception(error)


def _as_read(fault: str | None) -> str | None:
    """Say what a fault comes to for a request that changes nothing."""
    if fault == "late":
        return "lost_answer"
    return None if fault in {"doubled", "echoed"} else fault


def _deliveries(fault: str | None, there: float, network: Network) -> list[tuple[float, str | None, bool]]:
    """Say when a request arrives, what to tell of that, and whether the answer comes back."""
    match fault:
        case "lost_request":
            return []
        case "lost_answer":
            return [(there, fault, False)]
        case "late":
            return [(network.chance.uniform(ANSWER_SECONDS, LATE_SECONDS_MAX), fault, False)]
        case "doubled":
            again = there + network.chance.uniform(0, DOUBLED_SECONDS_MAX)
            return [(there, fault, True), (again, "second delivery", False)]
        case "echoed":
            return [(there, "first delivery", False), (2 * there, fault, True)]
        case _:
            return [(there, fault, True)]
