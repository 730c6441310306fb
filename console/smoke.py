"""A deployment's first call, as a new user would make it, in steps; each is told as it ends.

Rules of this file: whatever happens, also Ctrl-C, the session is ended and the key revoked. Sums are looked at as lower
bounds, since others may use the same tenant meanwhile.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus

from console.backends import NOT_REACHABLE, REFUSED, CommandError, HttpBackend, Json, read_answer
from console.smoke_calls import CODE, RESULT, Caller, Ran
from console.views import instant, number
from metering.clock import Clock, utc_now
from proxy.errors import ErrorCode

STEP_SECONDS = 60.0  # an instance that has to start first takes much of it
SLOW_SECONDS = 5.0
RETRY_SECONDS = 2.0
KEY_LIVES = timedelta(hours=1)
MADE_WITH: Json = {"name": "Smoke test", "minutes_per_month": 300, "max_concurrent_sessions": 2}

_STARTING = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class Step:
    """One step that ended; `what` says what was seen, or what came instead."""

    name: str
    ok: bool
    seconds: float
    what: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost the tenant."""

    minutes: Decimal
    amount: Decimal
    currency: str


@dataclass(slots=True)
class _Seen:
    """What a step saw so far; `instead` is what keeps it waiting."""

    what: str = ""
    instead: str = ""


@dataclass(kw_only=True)
class Smoke:
    """One run against a deployment, with an operator's key.

    Attributes:
        told: hears of each step as it ends.
        slow: hears of a step that takes its time.
    """

    backend: HttpBackend
    tenant_id: str
    told: Callable[[Step], None]
    slow: Callable[[str], None]
    clock: Clock = utc_now
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    step_seconds: float = STEP_SECONDS
    slow_seconds: float = SLOW_SECONDS
    session: str = field(default_factory=lambda: f"smoke-{secrets.token_hex(6)}")
    _making: asyncio.Task[Json] | None = None
    _has_session: bool = False

    async def run(self) -> Cost:
        """Go through all steps.

        Raises:
            CommandError: at the first one that fails.
        """
        async with self._step("ready") as seen:
            seen.what = await self._wait_until_ready(seen)
        async with self._step("tenant") as seen:
            seen.what = await self._have_tenant()
        try:
            cost = await self._call(await self._have_key())
        except BaseException:
            with suppress(CommandError):  # the step that failed is the one to tell of
                await self._clean_up()
            raise
        await self._clean_up()
        return cost

    async def _wait_until_ready(self, seen: _Seen) -> str:
        """Wait for a deployment that has to start first, or whose role assignments do not hold yet."""
        caller = self._caller(None)
        while True:
            answer = await caller.ask("GET", "/healthz?ready=1")
            if answer.status_code not in _STARTING:
                health = read_answer(answer.status_code, answer.content, caller.where)
                return _health(health)
            with suppress(ValueError, AttributeError):
                seen.instead = _health(answer.json())
            await self.pause(RETRY_SECONDS)

    async def _have_tenant(self) -> str:
        """Use the tenant as it is, or make it: its limits are the operator's own affair."""
        path = f"/operator/tenants/{self.tenant_id}"
        try:
            tenant = await self.backend.call("GET", path)
        except CommandError as error:
            if error.code != ErrorCode.RESOURCE_NOT_FOUND:
                raise
            await self.backend.call("PUT", path, body=MADE_WITH)
            return f"{self.tenant_id}, made with {MADE_WITH['minutes_per_month']} minutes a month"
        return f"{tenant['id']}, which was there"

    async def _have_key(self) -> Caller:
        async with self._step("key") as seen:
            path = f"/operator/tenants/{self.tenant_id}/keys"
            ends_at = instant(self.clock() + KEY_LIVES)
            body = {"label": "smoke", "scopes": ["execute", "usage"], "expires_at": ends_at}
            # A task of its own: Ctrl-C must not lose the id of a key that is being made.
            self._making = asyncio.create_task(self.backend.call("POST", path, body=body))
            key = await asyncio.shield(self._making)
            seen.what = f"{key['id']}, until {key['expires_at']}"
        return self._caller(key["key"])

    async def _call(self, caller: Caller) -> Cost:
        """Make the calls, and compare what they said with what the ledger says."""
        async with self._step("first call") as seen:
            period, before, _ = await caller.usage()
            self._has_session = True
            first = await caller.execute()
            seen.what = f"{CODE} = {RESULT}, {_charged(first)}"
        async with self._step("second call") as seen:
            second = await caller.execute()
            seen.what = f"{CODE} = {RESULT}, {_charged(second)}"
        charged = first.minutes + second.minutes
        async with self._step("usage") as seen:
            _, sums, _ = await caller.usage(period)
            seen.what = _risen("charged", (sums - before).charged, charged)
        async with self._step("end of session") as seen:
            expected = await caller.would_return()
            returned = await caller.end()
            self._has_session = False
            _, sums, statement = await caller.usage(period)
            increment = Decimal(statement["increment_seconds"]) / 60
            if not expected - increment <= returned <= expected:  # one more may have begun meanwhile
                raise _wrong(f"{number(returned)} minutes came back instead of {number(expected)}")
            seen.what = _risen("reversed", (sums - before).reversed, returned)
        cost, minutes = statement["cost"], charged - returned
        return Cost(minutes, minutes * Decimal(cost["rate_per_session_hour"]) / 60, cost["currency"])

    async def _clean_up(self) -> None:
        """Revoke the key, and end the session if it may be open; it ends by itself otherwise, but later."""
        if self._making is None:
            return
        async with self._step("clean up") as seen:
            try:
                key = await self._making
            except CommandError:
                seen.what = "no key was made"
                return
            tenant = f"/operator/tenants/{self.tenant_id}"
            await self.backend.call("DELETE", f"{tenant}/keys/{key['id']}")
            seen.what = "key revoked"
            if self._has_session:
                with suppress(CommandError):  # no session was opened, perhaps
                    await self.backend.call("DELETE", f"{tenant}/sessions", query=f"session={self.session}")
                    seen.what += ", session ended"

    @asynccontextmanager
    async def _step(self, name: str) -> AsyncIterator[_Seen]:
        began, seen = time.monotonic(), _Seen()
        waiting = asyncio.get_running_loop().call_later(self.slow_seconds, self.slow, name)

        def tell(what: str, *, ok: bool) -> None:
            self.told(Step(name, ok, round(time.monotonic() - began, 3), what))

        try:
            async with asyncio.timeout(self.step_seconds):
                yield seen
        except TimeoutError:
            status = REFUSED if seen.instead else NOT_REACHABLE
            what = seen.instead or f"no answer came within {self.step_seconds:g} s"
            tell(what, ok=False)
            raise CommandError(f"{name}: {what}", exit_status=status) from None
        except CommandError as error:
            tell(str(error), ok=False)
            raise CommandError(f"{name}: {error}", exit_status=error.exit_status, code=error.code) from None
        finally:
            waiting.cancel()
        tell(seen.what, ok=True)

    def _caller(self, key: str | None) -> Caller:
        return Caller(self.backend.client, key, self.session)


def _health(health: Json) -> str:
    return f"storage {health.get('storage', 'unknown')}, pool {health.get('pool', 'unknown')}"


def _charged(ran: Ran) -> str:
    return f"charged {number(ran.minutes)} minutes, paid until {ran.paid_until}"


def _risen(name: str, risen: Decimal, least: Decimal) -> str:
    if risen < least:
        raise _wrong(f"/usage says {number(risen)} minutes {name} since, and the answers {number(least)}")
    return f"{number(least)} minutes {name}, as the answers said"


def _wrong(what: str) -> CommandError:
    return CommandError(what, exit_status=REFUSED)
