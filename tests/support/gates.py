"""A gateway with everything around it simulated, and a transcript of what it asked of the world."""

import asyncio
import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from metering.increments import Granularity
from metering.periods import Period
from proxy.answering import answer
from proxy.answers import PoolAnswer
from proxy.calls import PoolCall
from proxy.errors import ErrorCode, GatewayError
from proxy.gateway import Gateway
from proxy.identifiers import pool_identifier
from proxy.messages import GatewayRequest, GatewayResponse
from proxy.pool import Answered, PoolOutcome
from proxy.pool_sessions import PoolSessions
from proxy.pools import Pool, PoolKind
from proxy.session_lists import SessionLists
from proxy.telemetry import Telemetry
from proxy.tenants import DEFAULT_POOL, TENANT_SCOPES, Principal, Scope, Tenant
from proxy.watched_pool import WatchedPool
from tests.support.building import FakeClock, granularity, meter, telemetry
from tests.support.memory_store import MemoryLedgerStore

SECRET = b"n" * 32
ENDPOINT = "https://pool.example/subscriptions/S/sessionPools/inner"
SHELL_ENDPOINT = "https://pool.example/subscriptions/S/sessionPools/bash"
CONTAINER_ENDPOINT = "https://agents.env.region.azurecontainerapps.example"
POOLS = (
    Pool(DEFAULT_POOL, PoolKind.PYTHON, (ENDPOINT,)),
    Pool("shell", PoolKind.SHELL, (SHELL_ENDPOINT,)),
    Pool("agents", PoolKind.CUSTOM, (CONTAINER_ENDPOINT,)),
    Pool("others", PoolKind.PYTHON, ("https://pool.example/others",)),
)
EXECUTED = {"properties": {"status": "Success", "stdout": "", "stderr": "", "result": 2}}


def answered(
    status: int = 200, body: Any = None, headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
) -> PoolAnswer:
    """Make an answer of the pool."""
    content = body if isinstance(body, bytes) else json.dumps(EXECUTED if body is None else body).encode()
    return PoolAnswer(status=status, headers=headers, body=content)


@dataclass
class ScriptedPool:
    """Answers every call with `outcome`, unless `by_path` knows its path, and remembers the calls."""

    outcome: PoolOutcome = field(default_factory=lambda: Answered(answered()))
    by_path: dict[str, PoolOutcome] = field(default_factory=dict)
    calls: list[PoolCall] = field(default_factory=list)

    async def send(self, call: PoolCall) -> PoolOutcome:
        """See `SessionPool.send`."""
        self.calls.append(call)
        return self.by_path.get(call.path, self.outcome)


@dataclass
class SilentPool:
    """Never answers a call; `reached` tells that one came."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, _: PoolCall) -> PoolOutcome:
        """See `SessionPool.send`."""
        self.reached.set()
        await asyncio.Event().wait()
        raise AssertionError


@dataclass
class KeyRing:
    """Proves keys that are the tenant's id; `operator` is an operator's."""

    tenants: dict[str, Tenant]
    scopes: frozenset[Scope] = TENANT_SCOPES

    async def authenticate(self, credential: str | None) -> Principal:
        """See `Authenticator.authenticate`."""
        if credential == "operator":
            return Principal(key_id="o", tenant=None, scopes=frozenset({Scope.OPERATOR}))
        if credential not in self.tenants:
            raise GatewayError(ErrorCode.INVALID_API_KEY)
        return Principal(key_id="k", tenant=self.tenants[credential], scopes=self.scopes)


class Gate:
    """One gateway, a store, pools, and two tenants that were given all of them but `others`."""

    def __init__(
        self,
        *,
        of: Granularity | None = None,
        body_bytes_max: int = 1_000,
        watch: Telemetry | None = None,
        **limits: Any,
    ) -> None:
        self.clock = FakeClock()
        self.store = MemoryLedgerStore()
        self.pool = ScriptedPool()
        self.keys = KeyRing({})
        self.limit(**limits)
        of = of or granularity()
        self.meter = meter(self.store, self.clock, of=of, watch=watch)
        self.gateway = Gateway(
            authenticator=self.keys,
            meter=self.meter,
            pool=self.pool if watch is None else WatchedPool(self.pool, watch),
            pools=POOLS,
            sessions=SessionLists(
                ledger=self.store,
                pool_sessions=PoolSessions(pool=self.pool, endpoints=(ENDPOINT,)),
                namespace_secret=SECRET,
            ),
            namespace_secret=SECRET,
            granularity=of,
            clock=self.clock,
            body_bytes_max=body_bytes_max,
            telemetry=telemetry(of) if watch is None else watch,
        )

    def limit(self, minutes: float | None = None, **limits: Any) -> None:
        """Set both tenants' limits."""
        month = None if minutes is None else Decimal(str(minutes))
        for name in ("acme", "beta"):
            self.keys.tenants[name] = Tenant(
                id=name, name=name, minutes_per_month=month, **{"pools": ("default", "shell", "agents"), **limits}
            )

    async def call(
        self,
        method: str = "POST",
        path: str = "/code/execute",
        *,
        session: str = "session-1",
        query: str | None = None,
        key: str | None = "acme",
        body: bytes | None = None,
        **headers: str,
    ) -> GatewayResponse:
        """Make one call; a POST carries code unless a body is given."""
        if body is None:
            body = b'{"properties": {"code": "1 + 1"}}' if method == "POST" else b""
        given = {"content-length": str(len(body)), "content-type": "application/json"}
        if key is not None:
            given["authorization"] = f"Bearer {key}"
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await answer(
            self.gateway.handle,
            GatewayRequest(
                id="req-1",
                method=method,
                origin="https://gate.example",
                path=path,
                query=f"api-version=2024-02-02-preview&identifier={session}" if query is None else query,
                headers={name: value for name, value in given.items() if value},
                body=body,
            ),
        )

    async def balance(self, tenant: str = "acme") -> int:
        """Read a tenant's balance."""
        return (await self.store.period_row(tenant, Period.of(self.clock()))).balance

    def period(self) -> Period:
        """Return the current period."""
        return Period.of(self.clock())

    def identifier(self, session: str = "session-1", tenant: str = "acme", pool: str = DEFAULT_POOL) -> str:
        """Compute what the pool calls a session."""
        return pool_identifier(SECRET, tenant, pool, session)


def error_of(response: GatewayResponse) -> dict[str, Any]:
    """Read the error of a refusal, after checking its shape."""
    error: dict[str, Any] = json.loads(response.body)["error"]
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["x-ms-error-code"] == error["code"]
    assert isinstance(error["message"], str)
    return error
