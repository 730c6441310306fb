"""Liveness, and readiness on demand: can the ledger be read, and does the pool's address answer?"""

import asyncio
from collections.abc import Sequence
from urllib.parse import parse_qs

import httpx

from metering.clock import Clock
from metering.periods import Period
from metering.store import LedgerStore, LedgerUnavailable
from proxy.messages import GatewayRequest, GatewayResponse, json_response

PROBE_SECONDS = 5
_PROBE_TENANT = "healthz"  # its partition stays empty; reading it shows that storage answers


class Health:
    """Answers `GET /healthz`; with `?ready=1` it looks further, and says 503 if something is out of reach."""

    def __init__(
        self, *, store: LedgerStore, transport: httpx.AsyncBaseTransport, endpoints: Sequence[str], clock: Clock
    ) -> None:
        self._store = store
        self._transport = transport
        self._endpoints = endpoints
        self._clock = clock

    async def handle(self, request: GatewayRequest) -> GatewayResponse:
        """Answer without looking at any key."""
        if parse_qs(request.query).get("ready") != ["1"]:
            return json_response({"status": "ok"})
        storage, *pools = await asyncio.gather(self._storage(), *(self._pool(e) for e in self._endpoints))
        checks = {"storage": "ok" if storage else "unreachable", "pool": "ok" if all(pools) else "unreachable"}
        ready = storage and all(pools)
        return json_response({"status": "ok" if ready else "unavailable", **checks}, status=200 if ready else 503)

    async def _storage(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._store.period_row(_PROBE_TENANT, Period.of(self._clock()))
        except (LedgerUnavailable, TimeoutError):
            return False
        return True

    async def _pool(self, endpoint: str) -> bool:
        """Say whether the address answers at all: without a token and without an identifier, no session is taken."""
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                response = await self._transport.handle_async_request(httpx.Request("GET", f"{endpoint}/metadata"))
                await response.aclose()
        except (httpx.HTTPError, TimeoutError):
            return False
        return True
