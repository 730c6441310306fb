"""Fills an Azurite with what reports and statements are measured on.

A report's tenants are 20,000 rows in 10,000 partitions, which no transaction can hold together: they are inserted one
by one, without the SDK, which would take minutes. The account is Azurite's own, whose key is public, so each table's
inserts share one signature. The entries of a tenant are real decisions, committed through the ledger's store.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from types import MappingProxyType
from typing import Any, Self, cast

import aiohttp

from infra.local.processes import LocalError
from infra.local.storage import ACCOUNT, ACCOUNT_KEY
from metering.clock import utc_now
from metering.entries import LedgerKeys
from metering.increments import Granularity
from metering.ledger import Terms, decide
from metering.period_reader import read_many
from metering.periods import Period
from metering.requests import Adjust, Admit, Quota, Request
from metering.rows import DayNumbers, PeriodRow
from metering.store import CommitConflict, CommitUncertain
from metering.table_rows import write_period
from metering.table_store import TABLE_NAME, TableLedgerStore
from proxy.table_tenants import TableService, TenantTables
from proxy.tenants import Tenant

INSERTS_AT_ONCE = 32
TOLD_EACH = 2_000
GRANULARITY = Granularity(increment_seconds=300, tail_seconds=300)
KEYS = LedgerKeys("k1", {"k1": b"k" * 32})
ENTRIES_AT_ONCE = 66  # half of them charges: with their 33 windows and the period's row they make 100 rows

_NO_CONTENT = 204

type Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Inserts:
    """As much of a table client as adding rows takes."""

    session: aiohttp.ClientSession
    endpoint: str
    table: str
    headers: Mapping[str, str]

    async def create_entity(self, entity: Mapping[str, Any]) -> None:
        """See `table_tenants.Table`; every row is a new one here. Raises LocalError."""
        async with self.session.post(f"{self.endpoint}/{self.table}", json=entity, headers=self.headers) as answer:
            if answer.status != _NO_CONTENT:
                raise LocalError(f"the storage answered {answer.status} to a row of {self.table}")


class Seeder:
    """Inserts rows into an Azurite at a port, inside `async with`."""

    def __init__(self, port: int) -> None:
        self._endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"

    async def __aenter__(self) -> Self:
        """Open connections as they are needed."""
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=INSERTS_AT_ONCE))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close them."""
        await self._session.close()

    def get_table_client(self, table_name: str) -> Inserts:
        """See `table_tenants.TableService`."""
        date = format_datetime(utc_now(), usegmt=True)
        signed = f"{date}\n/{ACCOUNT}/{ACCOUNT}/{table_name}".encode()
        signature = base64.b64encode(hmac.digest(base64.b64decode(ACCOUNT_KEY), signed, hashlib.sha256)).decode()
        headers = {
            "Authorization": f"SharedKeyLite {ACCOUNT}:{signature}",
            "Accept": "application/json;odata=nometadata",
            "Prefer": "return-no-content",
            "x-ms-date": date,
            "x-ms-version": "2019-02-02",
        }
        return Inserts(self._session, self._endpoint, table_name, headers)

    async def tenants(self, count: int, period: Period, tell: Tell) -> None:
        """Add tenants, each with a row of that period; the tables exist. Raises LocalError."""
        ledger = self.get_table_client(TABLE_NAME)
        directory = TenantTables(cast(TableService, self))  # adds rows, and nothing else
        created_at = period.start_at - timedelta(days=1)

        async def add(number: int) -> None:
            tenant = a_tenant(number)
            await directory.put_tenant(tenant, now=created_at)
            await ledger.create_entity(write_period(tenant.id, a_row(number, period)))
            if (number + 1) % TOLD_EACH == 0:
                tell(f"seeding: {number + 1:,} of {count:,} tenants")

        await read_many(add, range(count), concurrency=INSERTS_AT_ONCE)


def a_tenant(number: int) -> Tenant:
    """Make up a tenant; the same one for the same number."""
    rate = Decimal("0.028") if number % 3 == 0 else None
    name = f"Tenant {number}, Ltd"
    return Tenant(id=f"tenant-{number:06}", name=name, minutes_per_month=Decimal(100_000), rate_per_session_hour=rate)


def a_row(number: int, period: Period) -> PeriodRow:
    """Make up a month with usage on every day, which is the most that a row can hold of it."""
    days = {
        period.first_day + timedelta(days=day): DayNumbers(20 + (number * 7 + day * 13) % 90, 3 + (number + day) % 20)
        for day in range(period.last_day.day)
    }
    used = sum(numbers.increments for numbers in days.values())
    return PeriodRow(
        period=period,
        charged=used + number % 50,
        reversed=number % 50,
        adjusted=0,
        sessions_opened=sum(numbers.sessions for numbers in days.values()),
        days=MappingProxyType(days),
        next_sequence=used + 1,
        head_hash=f"{number:064x}",
        pool_increment_seconds=3600,
        pool_increments=used // 6,
    )


async def seed_entries(store: TableLedgerStore, tenant_id: str, period: Period, count: int, tell: Tell) -> None:
    """Book so many entries for a tenant, on all days of the period, in transactions of up to 100 rows.

    Few entries and many make statements of the same length: it goes by the days.
    """
    terms = Terms(granularity=GRANULARITY, keys=KEYS, instance="benchmark", pool_increment_seconds=3600)
    at_once = min(ENTRIES_AT_ONCE, max(1, count // period.last_day.day))
    while True:
        snapshot = await store.read(tenant_id, period, [], open_at=None)  # every session is a new one
        booked = snapshot.rows.period_row.next_sequence - 1
        if booked % TOLD_EACH < at_once <= booked:
            tell(f"seeding: {booked:,} of {count:,} entries of one tenant")
        if booked == count:
            return
        requests = list(_requests(booked, min(at_once, count - booked)))
        now = _at(period, booked / count)
        decision = decide(snapshot.rows, requests, terms=terms, now=now, commit_id=f"commit-{booked}")
        # A connection that idled may be gone when it is written to; whether the commit was made, the next look tells.
        with suppress(CommitConflict, CommitUncertain):
            await store.commit(snapshot, decision)


def _requests(booked: int, count: int) -> Iterator[Request]:
    quota = Quota()
    for number in range(booked, booked + count):
        if number % 2 == 0:
            yield Admit(
                pool_identifier=f"pool-{number}",
                session_name=f"session-{number}",
                operation="code.execute",
                request_id=f"request-{number}",
                quota=quota,
            )
        else:
            yield Adjust(increments=1, reason="benchmark", request_id=f"request-{number}", quota=quota)


def _at(period: Period, share: float) -> datetime:
    return period.start_at + (period.until - period.start_at) * share
