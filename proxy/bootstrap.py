"""The composition root of the gateway: the only place that constructs its parts."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

import httpx
from azure.data.tables.aio import TableServiceClient

from metering.clock import Clock, utc_now
from metering.entries import LedgerKeys
from metering.increments import Granularity
from metering.ledger import Terms
from metering.meter import Meter
from metering.period_reader import PeriodReader
from metering.table_alerts import TableAlertStore
from metering.table_store import TableLedgerStore
from proxy.alerting import AlertDelivery
from proxy.capacity import CapacityWatch
from proxy.directory import Directory
from proxy.gateway import Gateway
from proxy.health import Health
from proxy.housekeeping import Housekeeping
from proxy.identity_endpoint import IdentityEndpoint
from proxy.mcp.server import McpServer
from proxy.open_sessions import OpenSessions
from proxy.pool import SessionPoolClient, TokenSource, open_transport
from proxy.pool_sessions import PoolSessions
from proxy.quotes import Quotes
from proxy.session_lists import SessionLists
from proxy.setting_values import parse_ledger_secret
from proxy.settings import LedgerSettings, PoolAuth, Settings
from proxy.storage import open_period_reader, open_tables
from proxy.table_tenants import TenantTables
from proxy.telemetry import Telemetry
from proxy.tokens import EntraTokens, NoTokens
from proxy.watched_pool import WatchedPool
from proxy.webhook_sender import WebhookSender


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerParts:
    """What stands on the storage alone; enough for the operator's work."""

    settings: LedgerSettings
    granularity: Granularity
    clock: Clock
    telemetry: Telemetry
    store: TableLedgerStore
    keys: LedgerKeys
    directory: Directory
    meter: Meter
    period_reader: PeriodReader
    webhooks: httpx.AsyncBaseTransport
    alerts: TableAlertStore
    alert_delivery: AlertDelivery

    async def aclose(self) -> None:
        """Finish what is under way, and close what was opened besides the service."""
        await self.meter.aclose()
        await self.directory.aclose()
        await self.period_reader.aclose()
        await self.webhooks.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What one process serves with; made in the event loop that uses it, and lives as long as the process."""

    ledger: LedgerParts
    gateway: Gateway
    identity: IdentityEndpoint
    mcp: McpServer
    health: Health
    pool_sessions: PoolSessions
    open_sessions: OpenSessions
    quotes: Quotes
    capacity: CapacityWatch
    housekeeping: Housekeeping


def build_ledger(settings: LedgerSettings, service: TableServiceClient, *, clock: Clock = utc_now) -> LedgerParts:
    """Construct what stands on the storage; whoever opened the service closes it.

    The instance's name is new each time, since what an instance remembers does not outlive it.
    """
    current_key, keys = parse_ledger_secret(settings.ledger_secret)
    terms = Terms(
        granularity=Granularity(increment_seconds=settings.increment_seconds, tail_seconds=settings.tail_seconds),
        keys=LedgerKeys(current_key, keys),
        instance=secrets.token_hex(8),
        pool_increment_seconds=settings.pool_billing_increment_seconds,
    )
    store, telemetry = TableLedgerStore(service), Telemetry(granularity=terms.granularity)
    directory, alerts = Directory(TenantTables(service), clock=clock), TableAlertStore(service)
    webhooks = open_transport()
    return LedgerParts(
        settings=settings,
        granularity=terms.granularity,
        clock=clock,
        telemetry=telemetry,
        store=store,
        keys=terms.keys,
        directory=directory,
        meter=Meter(store=store, terms=terms, clock=clock, watch=telemetry),
        period_reader=open_period_reader(service, store, clock=clock),
        webhooks=webhooks,
        alerts=alerts,
        alert_delivery=AlertDelivery(
            alerts=alerts,
            directory=directory,
            sender=WebhookSender(transport=webhooks, keys=terms.keys, clock=clock),
            operator_url=settings.alert_webhook,
            granularity=terms.granularity,
            clock=clock,
            telemetry=telemetry,
        ),
    )


def build(settings: Settings, *, clock: Clock = utc_now) -> Parts:
    """Construct the gateway and all that it stands on. No I/O: connections open with the first call that needs them."""
    ledger = build_ledger(settings, open_tables(settings.storage.get_secret_value()), clock=clock)
    transport = open_transport()
    tokens = _open_tokens(settings.pool_auth, clock)
    pools = settings.all_pools
    endpoints = tuple(endpoint for pool in pools for endpoint in pool.endpoints)
    secret = settings.namespace_secret.get_secret_value().encode()
    client = SessionPoolClient(
        tokens=tokens,
        timeout_seconds=settings.pool_timeout_seconds,
        answer_bytes_max=settings.max_answer_bytes,
        transport=transport,
    )
    pool = WatchedPool(client, ledger.telemetry)
    pool_sessions = PoolSessions(pool=pool, endpoints=endpoints)
    gateway = Gateway(
        authenticator=ledger.directory,
        meter=ledger.meter,
        pool=pool,
        pools=pools,
        sessions=SessionLists(ledger=ledger.store, pool_sessions=pool_sessions, namespace_secret=secret),
        namespace_secret=secret,
        granularity=ledger.granularity,
        clock=clock,
        body_bytes_max=settings.max_body_bytes,
        telemetry=ledger.telemetry,
    )
    health = Health(store=ledger.store, transport=transport, endpoints=endpoints, clock=clock)
    housekeeping = Housekeeping(
        ledger=ledger.store,
        directory=ledger.directory,
        held=timedelta(seconds=max(settings.pool_cooldown_seconds, settings.tail_seconds)),
        clock=clock,
    )
    return Parts(
        ledger=ledger,
        gateway=gateway,
        mcp=McpServer(gateway=gateway.handle, authenticator=ledger.directory, pools=pools),
        identity=IdentityEndpoint(authenticator=ledger.directory, clock=clock),
        health=health,
        pool_sessions=pool_sessions,
        open_sessions=OpenSessions(
            ledger=ledger.store,
            pools=pools,
            namespace_secret=secret,
            granularity=ledger.granularity,
            clock=clock,
            gateway=gateway,
        ),
        quotes=Quotes(
            meter=ledger.meter, pools=pools, namespace_secret=secret, granularity=ledger.granularity, clock=clock
        ),
        capacity=CapacityWatch(
            alerts=ledger.alerts, pool_sessions=pool_sessions, pools=pools, clock=clock, telemetry=ledger.telemetry
        ),
        housekeeping=housekeeping,
    )


def _open_tokens(auth: PoolAuth, clock: Clock) -> TokenSource:
    if auth is PoolAuth.NONE:
        return NoTokens()
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 -- slow, and of no use to the command line

    return EntraTokens(DefaultAzureCredential(), clock=clock)
