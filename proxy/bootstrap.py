"""The composition root of the gateway: the only place that constructs its parts."""

import secrets
from dataclasses import dataclass

from azure.identity.aio import DefaultAzureCredential

from metering.clock import Clock, utc_now
from metering.entries import LedgerKeys
from metering.increments import Granularity
from metering.ledger import Terms
from metering.meter import Meter
from metering.table_store import TableLedgerStore
from proxy.directory import Directory
from proxy.gateway import Gateway
from proxy.health import Health
from proxy.pool import SessionPoolClient, open_transport
from proxy.settings import LedgerSettings, PoolAuth, Settings, parse_ledger_secret
from proxy.storage import open_tables
from proxy.table_tenants import TenantTables
from proxy.tokens import EntraTokens, NoTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What one process serves with; made in the event loop that uses it, and lives as long as the process."""

    settings: Settings
    granularity: Granularity
    clock: Clock
    store: TableLedgerStore
    directory: Directory
    meter: Meter
    gateway: Gateway
    health: Health


def granularity_of(settings: LedgerSettings) -> Granularity:
    """Read the granularity of billing from the settings."""
    return Granularity(increment_seconds=settings.increment_seconds, tail_seconds=settings.tail_seconds)


def terms_of(settings: LedgerSettings) -> Terms:
    """Make the terms of this process; its instance name is new each time, since memory does not outlive it."""
    current, keys = parse_ledger_secret(settings.ledger_secret)
    return Terms(granularity=granularity_of(settings), keys=LedgerKeys(current, keys), instance=secrets.token_hex(8))


def build(settings: Settings, *, clock: Clock = utc_now) -> Parts:
    """Construct the gateway and all that it stands on. No I/O: connections open with the first call that needs them."""
    service = open_tables(settings.storage.get_secret_value())
    store = TableLedgerStore(service)
    directory = Directory(TenantTables(service), clock=clock)
    terms = terms_of(settings)
    meter = Meter(store=store, terms=terms, clock=clock)
    transport = open_transport()
    tokens = NoTokens() if settings.pool_auth is PoolAuth.NONE else EntraTokens(DefaultAzureCredential(), clock=clock)
    endpoints = tuple(str(endpoint).rstrip("/") for endpoint in settings.pool_endpoints)
    gateway = Gateway(
        authenticator=directory,
        meter=meter,
        pool=SessionPoolClient(tokens=tokens, timeout_seconds=settings.pool_timeout_seconds, transport=transport),
        endpoints=endpoints,
        namespace_secret=settings.namespace_secret.get_secret_value().encode(),
        granularity=terms.granularity,
        clock=clock,
        body_bytes_max=settings.max_body_bytes,
    )
    return Parts(
        settings=settings,
        granularity=terms.granularity,
        clock=clock,
        store=store,
        directory=directory,
        meter=meter,
        gateway=gateway,
        health=Health(store=store, transport=transport, endpoints=endpoints, clock=clock),
    )
