"""Builds the world of a plan around the real gateway and meter, and runs it to rest."""

import asyncio
import contextvars
import functools
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from proxy.messages import GatewayRequest
from proxy.tenants import Tenant
from tests.simulation.calls import CALL, CallRecord
from tests.simulation.instance import Instance
from tests.simulation.ledger import Broken, instant
from tests.simulation.loop import OWNER, SimulatedLoop, Stuck
from tests.simulation.network import Network, SimulatedTableClient
from tests.simulation.oracle import SECOND, Oracle
from tests.simulation.parts import PRODUCT, Parts
from tests.simulation.plan import Plan, PlannedCall, draw_plan
from tests.simulation.pool import SimulatedPool, SimulatedPoolTransport
from tests.simulation.table import Columns
from tests.support.gates import KeyRing

REST_SECONDS = 400.0  # until late requests have arrived, and what failed before has been tried again
_REQUESTS = {
    "execute": ("POST", "/code/execute", b'{"properties": {"code": "1 + 1"}}'),
    "files": ("GET", "/files", b""),
    "end": ("DELETE", "/session", b""),
    "look": ("GET", "/session", b""),
}

_TOLD = frozenset(
    {"kind", "increments", "at", "opened_at", "from_at", "until", "paid_until", "request_id", "reverses", "shared"}
    | {"owner", "charged", "reversed"}
)

type Line = tuple[float, str, str]
"""What happened, for the transcript: when, where, what."""


class World:
    """One history; `run` raises `Broken` at the first promise that does not hold."""

    def __init__(self, plan: Plan, *, parts: Parts = PRODUCT, transcript: list[Line] | None = None) -> None:
        self.plan = plan
        self.parts = parts
        self.transcript = transcript
        self.loop = SimulatedLoop(random.Random(f"steps {plan.seed}"))
        table = parts.table()
        self.network = Network(
            table,
            random.Random(f"network {plan.seed}"),
            plan.faults,
            outages=plan.outages,
            delay_seconds=plan.delay_seconds,
            page_size=plan.page_size,
        )
        self.oracle = Oracle(plan, epoch=instant(plan.start_at.isoformat()))
        table.watchers += [self._tell_change, self.oracle.changed]
        self.pool = SimulatedPool(
            cooldown=plan.cooldown_seconds * SECOND,
            sessions_max=plan.pool_sessions_max,
            chance=random.Random(f"pool {plan.seed}"),
            faults=plan.pool_faults,
            now=self.now,
            received=self.oracle.received,
            ended=self.oracle.session_ended,
        )
        self.keys = KeyRing({tenant: self._tenant(tenant) for tenant in plan.limits})
        self.births = 0
        self.instances = [self._start(skew) for skew in plan.skews]

    def run(self) -> None:
        """Run the calls, let everything come to rest, and check."""
        self.loop.run(self._main())

    def now(self) -> int:
        """Read the true time, in microseconds since the start."""
        return round(self.loop.time() * SECOND)

    def tell(self, where: str, what: str) -> None:
        """Add to the transcript."""
        if self.transcript is not None:
            self.transcript.append((self.loop.time(), where, what))

    def _tell_change(self, partition: str, rows: Mapping[str, Columns]) -> None:
        if self.transcript is not None:
            for key, row in rows.items():
                self.tell("table", f"{partition} {key} = { ({n: v for n, v in row.items() if n in _TOLD}) }")

    async def _main(self) -> None:
        over: list[asyncio.Task[None]] = []
        for number, call in enumerate(self.plan.calls):
            self.loop.call_at(call.at, self._begin, f"call-{number}", call, over)
        for at, place in self.plan.kills:
            self.loop.call_at(at, self._kill, place)
        await asyncio.sleep(max(call.at for call in self.plan.calls) + 2)
        await asyncio.gather(*over, return_exceptions=True)
        self.network.healed = self.pool.healed = True
        await asyncio.sleep(REST_SECONDS)
        self.tell("world", "all is at rest")
        self.oracle.at_rest()
        await self._probe()
        for instance in self.instances:
            await instance.aclose()
        if self.loop.accidents:
            raise Broken("always answered", self.loop.accidents[0])

    async def _probe(self) -> None:
        """With no other call in flight, call once for each tenant on an old session and on a new one."""
        for tenant in self.plan.limits:
            for session in ("s0", "new"):
                place = self.network.chance.randrange(len(self.instances))
                probe = PlannedCall(at=0, instance=place, tenant=tenant, session=session, verb="execute", patience=None)
                over: list[asyncio.Task[None]] = []
                self._begin(f"probe-{tenant}-{session}", probe, over)
                await asyncio.gather(*over)
                await asyncio.sleep(1)
        self.oracle.at_rest()

    def _begin(self, request_id: str, call: PlannedCall, over: list[asyncio.Task[None]]) -> None:
        instance = self.instances[call.instance]
        record = CallRecord(
            id=request_id,
            tenant=call.tenant,
            session=call.session,
            verb=call.verb,
            instance=instance.name,
            skew=round(instance.skew * SECOND),
            started_at=self.now(),
        )
        context = contextvars.copy_context()
        context.run(OWNER.set, instance.tasks)
        context.run(CALL.set, record)
        task = context.run(self.loop.create_task, self._call(instance, record))
        over.append(task)
        if call.patience is not None:
            self.loop.call_later(call.patience, self._hang_up, record, task)

    async def _call(self, instance: Instance, record: CallRecord) -> None:
        method, path, body = _REQUESTS[record.verb]
        request = GatewayRequest(
            id=record.id,
            method=method,
            origin="https://gate.example",
            path=path,
            query=f"api-version=2024-02-02-preview&identifier={record.session}",
            headers={"authorization": f"Bearer {record.tenant}", "content-length": str(len(body))},
            body=body,
        )
        self.tell(instance.name, f"{record.id} begins: {record.tenant} {record.verb} {record.session}")
        self.oracle.begun(record)
        try:
            response = await instance.answer(request)
            told = response.headers.get("x-ms-error-code", "")
            cost = response.headers.get("Tollgate-Charged-Minutes")
            self.tell(instance.name, f"{record.id} is answered {response.status} {told} charged={cost}")
            self.oracle.answered(record, self.now(), status=response.status, headers=response.headers)
        except Broken as broken:
            self.loop.call_soon(functools.partial(_raise, broken))
        finally:
            self.oracle.left(record, self.now())

    def _hang_up(self, record: CallRecord, task: asyncio.Task[None]) -> None:
        if not task.done():
            self.tell(record.instance, f"the caller of {record.id} hangs up")
            task.cancel()

    def _kill(self, place: int) -> None:
        if self.network.healed:  # the calls were over sooner than planned; nothing goes wrong any more
            return
        instance = self.instances[place]
        self.tell(instance.name, "is killed")
        self.oracle.dead.add(instance.name)
        self._bury(instance)
        self.instances[place] = self._start(instance.skew)

    def _bury(self, instance: Instance) -> None:
        """Kill, until no task is left that could still wait for something."""
        if instance.kill():
            self.loop.call_later(0.001, self._bury, instance)

    def _start(self, skew: float) -> Instance:
        self.births += 1
        name = f"i{self.births}"

        def clock() -> datetime:
            return self.plan.start_at + timedelta(microseconds=self.now() + round(skew * SECOND))

        tell = functools.partial(self.tell, name)
        client = SimulatedTableClient(self.network, name, tell)
        transport = SimulatedPoolTransport(self.pool, tell)
        return Instance(
            plan=self.plan, parts=self.parts, skew=skew, clock=clock, client=client, transport=transport, keys=self.keys
        )

    def _tenant(self, tenant: str) -> Tenant:
        limits = self.plan.limits[tenant]

        def minutes(increments: int | None) -> Decimal | None:
            if increments is None:
                return None
            return Decimal(increments * self.plan.increment_seconds) / 60 + Decimal("1e-9")  # the quotient may be short

        return Tenant(
            id=tenant,
            name=tenant,
            minutes_per_month=minutes(limits.month),
            minutes_per_day=minutes(limits.day),
            max_concurrent_sessions=limits.sessions,
        )


def _raise(broken: Broken) -> None:
    raise broken


def run_seed(seed: int, *, parts: Parts = PRODUCT, transcript: list[Line] | None = None) -> Broken | None:
    """Run a seed to its end; return the promise that it breaks, if any."""
    try:
        World(draw_plan(seed), parts=parts, transcript=transcript).run()
    except Broken as broken:
        return broken
    except Stuck as stuck:
        return Broken("always answered", str(stuck))
    return None
