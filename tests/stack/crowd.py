"""Many callers at once, and a pool that answers at once and notes whom it saw."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

import aiohttp
from aiohttp import web

from metering.clock import utc_now
from tests.stack.tenants import CALL_SECONDS, ENVELOPE_VERSION, TenantClient

EXECUTED = {"properties": {"status": "Success", "stdout": "", "stderr": "", "result": 2}}
NO_ANSWER = 0  # the status of a call whose connection broke


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call that the pool saw, on a session of a tenant."""

    tenant: str
    session: str
    at: datetime


@dataclass
class NotingPool:
    """A session pool without sessions. Callers send the session's name as their code, so that it can be noted here."""

    url: str = ""
    arrivals: list[Arrival] = field(default_factory=list)

    async def execute(self, request: web.Request) -> web.Response:
        """Note the call and answer it."""
        at = utc_now()
        session = (await request.json())["properties"]["code"]
        self.arrivals.append(Arrival(request.query["identifier"].rpartition("-")[0], session, at))
        return web.json_response(EXECUTED)

    def of(self, tenant: str) -> list[Arrival]:
        """Return the calls of a tenant."""
        return [arrival for arrival in self.arrivals if arrival.tenant == tenant]


@contextlib.asynccontextmanager
async def noting_pool() -> AsyncIterator[NotingPool]:
    """Serve a pool on a free port."""
    pool, app = NotingPool(), web.Application()
    app.router.add_post("/code/execute", pool.execute)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0]
        pool.url = f"http://{host}:{port}"
        yield pool
    finally:
        await runner.cleanup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a caller was told.

    Attributes:
        url: the host that was asked.
        status: HTTP status, or `NO_ANSWER`.
        code: of the error; empty where there is none.
        begun: when the call was made, in seconds of the monotonic clock.
        seconds: how long it took.
    """

    url: str
    session: str
    status: int
    code: str = ""
    retry_after: int | None = None
    begun: float
    seconds: float


@contextlib.asynccontextmanager
async def crowd() -> AsyncIterator[aiohttp.ClientSession]:
    """Open a client with as many connections as there are calls."""
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as client:
        yield client


async def execute(client: aiohttp.ClientSession, tenant: TenantClient, session: str) -> Reply:
    """Make one call on a session."""
    begun = time.monotonic()
    status, code, retry_after = NO_ANSWER, "", None
    with contextlib.suppress(aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):  # the host was killed
        async with client.post(
            f"{tenant.url}/code/execute",
            params={"api-version": ENVELOPE_VERSION, "identifier": session},
            headers={"Authorization": f"Bearer {tenant.key}"},
            json={"properties": {"codeInputType": "inline", "executionType": "synchronous", "code": session}},
        ) as response:
            body = await response.json()
            status, code = response.status, response.headers.get("x-ms-error-code", "")
            retry_after = int(response.headers["Retry-After"]) if "Retry-After" in response.headers else None
            assert status != 200 or body == EXECUTED
    seconds = time.monotonic() - begun
    return Reply(
        url=tenant.url,
        session=session,
        status=status,
        code=code,
        retry_after=retry_after,
        begun=begun,
        seconds=seconds,
    )


async def at_once(calls: Iterable[tuple[TenantClient, str]]) -> list[Reply]:
    """Make all these calls at the same time, each on a connection of its own."""
    async with crowd() as client:
        return await asyncio.gather(*(execute(client, tenant, session) for tenant, session in calls))


@contextlib.asynccontextmanager
async def calling(*callers: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Let callers repeat themselves in the background; at the end each finishes the call that it is in."""
    resting = asyncio.Event()

    async def repeat(call: Callable[[], Awaitable[None]]) -> None:
        while not resting.is_set():
            await call()

    async with asyncio.TaskGroup() as group:
        for call in callers:
            group.create_task(repeat(call))
        try:
            yield
        finally:
            resting.set()
