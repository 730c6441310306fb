"""The console's APIs for tests: their parts on a real table storage, and a small HTTP server in front of them."""

import asyncio
import contextlib
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from aiohttp import web

from console.wiring import Ledger, build_apis
from metering.clock import Clock, utc_now
from metering.entries import LedgerKeys
from metering.increments import Granularity
from metering.meter import Meter
from metering.period_reader import PeriodReader
from metering.table_alerts import TableAlertStore
from metering.table_store import TableLedgerStore
from proxy.alerting import AlertDelivery
from proxy.answering import answer
from proxy.directory import Directory
from proxy.messages import GatewayRequest
from proxy.pool import open_transport
from proxy.settings import LedgerSettings
from proxy.storage import open_period_reader, open_tables
from proxy.table_tenants import TenantTables
from proxy.webhook_sender import WebhookSender
from tests.support.building import KEYS, granularity, telemetry, terms

LEDGER_SECRET = f"k1:{KEYS.keys['k1'].decode()}"


@dataclass(kw_only=True)
class Parts:
    """See `console.wiring.Parts`."""

    settings: LedgerSettings
    clock: Clock
    store: Ledger
    directory: Directory
    meter: Meter
    period_reader: PeriodReader
    alerts: TableAlertStore
    alert_delivery: AlertDelivery
    granularity: Granularity = field(default_factory=granularity)
    keys: LedgerKeys = KEYS


@contextlib.asynccontextmanager
async def open_parts(azurite: str, clock: Clock) -> AsyncIterator[Parts]:
    """Make the parts, and close them."""
    async with open_tables(azurite) as service, open_transport() as webhooks:
        store, alerts, directory = (
            TableLedgerStore(service),
            TableAlertStore(service),
            Directory(TenantTables(service), clock=clock),
        )
        parts = Parts(
            settings=LedgerSettings.model_validate({"storage": azurite, "ledger_secret": LEDGER_SECRET}),
            clock=clock,
            store=store,
            directory=directory,
            meter=Meter(store=store, terms=terms(), clock=clock),
            period_reader=open_period_reader(service, store, clock=utc_now),  # storage has a clock of its own
            alerts=alerts,
            alert_delivery=AlertDelivery(
                alerts=alerts,
                directory=directory,
                sender=WebhookSender(transport=webhooks, keys=KEYS, clock=clock),
                operator_url=None,
                granularity=granularity(),
                clock=clock,
                telemetry=telemetry(),
            ),
        )
        yield parts
        await parts.meter.aclose()
        await parts.directory.aclose()
        await parts.period_reader.aclose()


def fresh_id() -> str:
    """Make the id of a tenant that no other test has."""
    return f"t{uuid.uuid4().hex[:20]}"


@contextlib.contextmanager
def serving(azurite: str, clock: Clock) -> Iterator[str]:
    """Serve both APIs on loopback from a thread of its own; yields its URL."""
    started: list[str] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with open_parts(azurite, clock) as parts:
            operator_api, tenant_api = build_apis(parts)

            async def handle(request: web.BaseRequest) -> web.Response:
                api = operator_api if request.path.startswith("/operator") else tenant_api
                response = await answer(
                    api.handle,
                    GatewayRequest(
                        id=str(uuid.uuid4()),
                        method=request.method,
                        path=request.rel_url.raw_path,
                        query=request.rel_url.raw_query_string,
                        headers={name.lower(): value for name, value in request.headers.items()},
                        body=await request.read(),
                    ),
                )
                return web.Response(body=response.body, status=response.status, headers=dict(response.headers))

            server = web.Server(handle)
            runner = web.ServerRunner(server)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            started.append(f"http://{host}:{port}")
            ready.set()
            await stop.wait()
            await runner.cleanup()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(30)
        assert started, "the server did not start"
        yield started[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
