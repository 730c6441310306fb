"""The session pool: it holds a session from its first call until a cooldown after its last, and tells no lie about it.

A data call on an unknown identifier silently takes a session. Refusals at the door (429, 401, 403, a 400 of an
execution) take none and reset no timer. `SimulatedPoolTransport` is one instance's way there, below the product's own
client: connections fail before sending, and answers get lost; several calls are under way at once.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import override
from urllib.parse import parse_qs

import httpx

from tests.simulation.calls import CALL, CallRecord

MICROSECONDS = 1_000_000
_DOOR = frozenset({400, 401, 403, 429})
_JSON = {"content-type": "application/json"}
_EXECUTED = b'{"properties": {"status": "Success", "stdout": "", "stderr": "", "result": 2}}'
_REFUSED = b'{"error": {"code": "Refused", "message": "refused"}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFaults:
    """How often what goes wrong at the pool; shares of the calls."""

    unconnected: float = 0.0  # no connection, so nothing was sent
    busy: float = 0.0  # 429
    unauthorized: float = 0.0  # 401 or 403
    invalid: float = 0.0  # 4xx, at the door for executions, with a session for files
    failed: float = 0.0  # 500, with a session
    lost: float = 0.0  # the connection breaks: before or after the pool took the call in


@dataclass(slots=True)
class SimulatedPool:
    """The pool itself; `received` is told of each call that it takes in, `ended` of each session that is ended."""

    cooldown: int
    sessions_max: int
    chance: random.Random
    faults: PoolFaults
    now: Callable[[], int]
    received: Callable[[CallRecord], None]
    ended: Callable[[CallRecord], None]
    held_until: dict[str, int] = field(default_factory=dict)
    healed: bool = False

    def draw(self) -> str | None:
        """Draw what goes wrong with a call, if anything."""
        if self.healed:
            return None
        drawn, faults = self.chance.random(), self.faults
        for name in ("unconnected", "busy", "unauthorized", "invalid", "failed", "lost"):
            drawn -= getattr(faults, name)
            if drawn < 0:
                return name
        return None

    def take(self, record: CallRecord, fault: str | None) -> httpx.Response:
        """Take a call in, or refuse it at the door."""
        now, identifier = self.now(), record.identifier
        holds = self.held_until.get(identifier, 0) > now
        if record.verb in {"end", "look"}:
            return self._end_or_look(record, holds=holds)
        status = self._status(record, fault, full=not holds and not self.healed and self._full(now))
        if status in _DOOR:
            return httpx.Response(status, headers=_JSON, content=_REFUSED)
        self.held_until[identifier] = now + self.cooldown
        record.received_at = now
        self.received(record)
        return httpx.Response(status, headers=_JSON, content=_EXECUTED if status == 200 else _REFUSED)

    def _status(self, record: CallRecord, fault: str | None, *, full: bool) -> int:
        if fault == "busy" or full:
            return 429
        if fault == "unauthorized":
            return self.chance.choice((401, 403))
        if fault == "invalid":
            return 400 if record.verb == "execute" else 404
        return 500 if fault == "failed" else 200

    def _end_or_look(self, record: CallRecord, *, holds: bool) -> httpx.Response:
        if not holds:
            return httpx.Response(400, headers=_JSON, content=_REFUSED)
        if record.verb == "end":
            self.held_until[record.identifier] = record.received_at = self.now()
            self.ended(record)
        return httpx.Response(204 if record.verb == "end" else 200, headers=_JSON)

    def _full(self, now: int) -> bool:
        return sum(until > now for until in self.held_until.values()) >= self.sessions_max


class SimulatedPoolTransport(httpx.AsyncBaseTransport):
    """One instance's connections to the pool."""

    def __init__(self, pool: SimulatedPool, tell: Callable[[str], None]) -> None:
        self._pool = pool
        self._tell = tell
        self.dead = False

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one call to the pool; each may be overtaken by others on the way there and back."""
        if self.dead:
            raise asyncio.CancelledError
        pool, record = self._pool, CALL.get()
        chance, fault = pool.chance, pool.draw()
        record.identifier = parse_qs(request.url.query.decode())["identifier"][0]
        record.sent_at, record.ran = pool.now(), True
        if fault == "unconnected":
            self._tell(f"{record.id} finds no connection to the pool")
            await asyncio.sleep(chance.random() * 5)
            record.ran = False
            raise httpx.ConnectError("no connection")
        if fault == "lost" and chance.random() < 0.5:
            self._tell(f"{record.id} gets lost on its way to the pool")
            await asyncio.sleep(chance.choice((0.1, 10.0, 1_000.0)))
            raise httpx.ReadError("the connection broke")
        response = await self._arrive(record, fault)
        duration = chance.choice((0.01, 0.1, 1.0, 3.0)) if chance.random() < 0.9 else chance.uniform(10, 200)
        await asyncio.sleep(duration * (0.5 + chance.random()))
        if fault == "lost":
            self._tell(f"the pool's answer to {record.id} gets lost")
            await asyncio.sleep(chance.choice((0.1, 10.0, 1_000.0)))
            raise httpx.ReadError("the connection broke")
        record.ran = record.received_at is not None
        return response

    async def _arrive(self, record: CallRecord, fault: str | None) -> httpx.Response:
        """Let the call arrive. Once it is sent a dead instance cannot call it back; a caller who hangs up may."""
        chance, loop = self._pool.chance, asyncio.get_running_loop()
        answered: asyncio.Future[httpx.Response] = loop.create_future()
        arrived = False

        def arrive() -> None:
            nonlocal arrived
            arrived = True
            response = self._pool.take(record, fault)
            self._tell(f"{record.id} reaches the pool: {response.status_code}")
            if not answered.done():
                answered.set_result(response)

        transit = chance.random() * (3.0 if chance.random() < 0.05 else 0.05)
        timer = loop.call_later(transit, arrive)
        try:
            return await answered
        except asyncio.CancelledError:
            if not self.dead and not arrived:
                timer.cancel()
                if chance.random() < 0.5:
                    arrive()
            raise
