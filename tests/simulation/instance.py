"""One process of the product: the real gateway, meter, store and pool client, on simulated ways out."""

import asyncio
import random
from typing import Any

from metering.clock import Clock
from metering.entries import LedgerKeys
from metering.increments import Granularity
from metering.ledger import Terms
from proxy.answering import answer
from proxy.messages import GatewayRequest, GatewayResponse
from proxy.pool import SessionPoolClient
from proxy.pool_sessions import PoolSessions
from proxy.pools import Pool, PoolKind
from proxy.session_lists import SessionLists
from proxy.tenants import DEFAULT_POOL
from proxy.tokens import NoTokens
from tests.simulation.network import SimulatedTableClient
from tests.simulation.parts import Parts
from tests.simulation.plan import Plan
from tests.simulation.pool import SimulatedPoolTransport
from tests.support.building import telemetry
from tests.support.gates import KeyRing

_KEYS = LedgerKeys("k1", {"k1": b"1" * 32})
_SECRET = b"n" * 32
_ENDPOINT = "https://pool.example/subscriptions/S/sessionPools/inner"


class Instance:
    """Handles calls until it is killed; `tasks` are those that its calls have started."""

    def __init__(
        self,
        *,
        plan: Plan,
        parts: Parts,
        skew: float,
        clock: Clock,
        client: SimulatedTableClient,
        transport: SimulatedPoolTransport,
        keys: KeyRing,
    ) -> None:
        self.name = client.name
        self.skew = skew
        self.tasks: list[asyncio.Task[Any]] = []
        self._client = client
        self._transport = transport
        granularity = Granularity(increment_seconds=plan.increment_seconds, tail_seconds=plan.tail_seconds)
        store = parts.store(client)
        self._meter = parts.meter(
            store=store,
            terms=Terms(granularity=granularity, keys=_KEYS, instance=self.name),
            clock=clock,
            chance=random.Random(f"{self.name} {plan.seed}"),
        )
        pool = SessionPoolClient(
            tokens=NoTokens(), timeout_seconds=225, answer_bytes_max=1_000_000, transport=transport
        )
        pool_sessions = PoolSessions(pool=pool, endpoints=(_ENDPOINT,))
        self._gateway = parts.gateway(
            authenticator=keys,
            meter=self._meter,
            pool=pool,
            pools=(Pool(DEFAULT_POOL, PoolKind.PYTHON, (_ENDPOINT,)),),
            sessions=SessionLists(ledger=store, pool_sessions=pool_sessions, namespace_secret=_SECRET),
            namespace_secret=_SECRET,
            granularity=granularity,
            clock=clock,
            body_bytes_max=1_000,
            telemetry=telemetry(granularity),
        )

    async def answer(self, request: GatewayRequest) -> GatewayResponse:
        """Answer a call as the product does."""
        return await answer(self._gateway.handle, request)

    def kill(self) -> bool:
        """Lose everything at once: reach nothing any more, and end all tasks; say whether some are left.

        What was sent before still arrives.
        """
        self._client.dead = self._transport.dead = True
        left = [task for task in self.tasks if not task.done()]
        for task in left:
            task.cancel()
        return bool(left)

    async def aclose(self) -> None:
        """Wait until what was submitted is decided."""
        await self._meter.aclose()
