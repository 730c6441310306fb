"""Opens Table Storage for the ledger and the directory: with the SDK, and leanly for the many reads of a report.

The lean way is one GET for a row over aiohttp, with a permit that is good for many: a signature for reading the
ledger's table, which the SDK makes, or a token. See docs/adr/0015-lean-reads-for-reports.md.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import yarl
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.data.tables import TableSasPermissions, generate_table_sas
from azure.data.tables.aio import TableServiceClient

from metering.clock import Clock
from metering.period_reader import Answer, PeriodReader, PeriodRows
from metering.table_store import TABLE_NAME

CONNECT_SECONDS = 2
ANSWER_SECONDS = 3
CONNECTIONS_MAX = 64  # of lean reads
KEEPALIVE_SECONDS = 15.0
SIGNED_FOR = timedelta(hours=1)
RENEWED_AHEAD = timedelta(minutes=4)  # later than credentials renew their tokens by themselves, which is five
SCOPE = "https://storage.azure.com/.default"


def open_tables(storage: str) -> TableServiceClient:
    """Open a table service, by its endpoint URL (with Entra) or by a connection string; the caller closes it.

    The client never retries by itself: the ledger decides what a lost answer means, the directory has its own rules.

    Raises:
        ValueError: if the text is neither; the message does not repeat it.
    """
    options: dict[str, Any] = {
        "retry_total": 0,
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": ANSWER_SECONDS,
    }
    if storage.startswith("https://"):
        from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 -- slow, and of no use otherwise

        credential = DefaultAzureCredential()
        return TableServiceClient(storage, credential=credential, use_env_settings=is_proxied(storage), **options)
    try:
        # Only the SDK knows where in the text the address stands; what is opened for that alone has no connections yet.
        url = TableServiceClient.from_connection_string(storage, **options).url
        return TableServiceClient.from_connection_string(storage, use_env_settings=is_proxied(url), **options)
    except ValueError:
        raise ValueError("TOLLGATE_STORAGE is neither an https:// endpoint nor a connection string") from None


def is_proxied(url: str) -> bool:
    """Say whether the environment names a proxy for this URL.

    Left to itself, the HTTP client asks that for every single request, and .netrc with it, in a thread of its own.
    """
    parts = urlsplit(url)
    return parts.scheme in getproxies() and not proxy_bypass(parts.hostname or "")


def open_period_reader(service: TableServiceClient, ledger: PeriodRows, *, clock: Clock) -> PeriodReader:
    """Open the lean way to period rows, with the service's rights; the caller closes the reader before the service.

    What cannot be read leanly, `ledger` reads. No I/O: connections open with the first read, in its event loop.
    """
    permits = Permits(permit_maker(service.credential, clock), clock=clock)
    return PeriodReader(LedgerRows(service.url, version=service.api_version, permits=permits), ledger)


@dataclass(frozen=True, slots=True)
class Permit:
    """What lets requests in until then, as part of the query or as the header `Authorization`."""

    until: datetime
    query: str = field(default="", repr=False)
    authorization: str = field(default="", repr=False)


class Permits:
    """The permit of the moment; one is made at a time, whoever waits for it."""

    def __init__(self, make: Callable[[], Awaitable[Permit]], *, clock: Clock) -> None:
        self._make = make
        self._clock = clock
        self._permit: Permit | None = None
        self._making = asyncio.Lock()

    async def get(self) -> Permit:
        """Return a permit that is good for a while. Raises AzureError."""
        if (permit := self._good()) is not None:
            return permit
        async with self._making:
            if (permit := self._good()) is None:
                permit = self._permit = await self._make()
        return permit

    def forget(self, permit: Permit) -> None:
        """Give this permit no more: it was refused."""
        if self._permit is permit:
            self._permit = None

    def _good(self) -> Permit | None:
        permit = self._permit
        return None if permit is None or permit.until - RENEWED_AHEAD <= self._clock() else permit


def permit_maker(
    credential: AzureNamedKeyCredential | AzureSasCredential | AsyncTokenCredential | None, clock: Clock
) -> Callable[[], Awaitable[Permit]]:
    """Make permits for reading the ledger's table, of what the SDK's client was opened with."""

    async def make() -> Permit:
        until = clock() + SIGNED_FOR
        match credential:
            case AzureNamedKeyCredential():
                reading = TableSasPermissions(read=True)
                return Permit(until, query=generate_table_sas(credential, TABLE_NAME, permission=reading, expiry=until))
            case AzureSasCredential():
                return Permit(until, query=credential.signature.lstrip("?"))
            case None:
                return Permit(until)
            case _:
                token = await credential.get_token(SCOPE)
                return Permit(datetime.fromtimestamp(token.expires_on, UTC), authorization=f"Bearer {token.token}")

    return make


class LedgerRows:
    """A `period_reader.RowSource` over HTTP."""

    def __init__(self, endpoint: str, *, version: str, permits: Permits) -> None:
        self._endpoint = endpoint
        self._headers = {
            "Accept": "application/json;odata=nometadata",
            "DataServiceVersion": "3.0",
            "x-ms-version": version,
        }
        self._permits = permits
        self._session: aiohttp.ClientSession | None = None

    async def get(self, partition_key: str, row_key: str) -> Answer | None:
        """See `RowSource.get`."""
        try:
            permit = await self._permits.get()
            keys = f"PartitionKey={_literal(partition_key)},RowKey={_literal(row_key)}"
            url = f"{self._endpoint}/{TABLE_NAME}({keys}){permit.query and '?' + permit.query}"
            headers = (
                {**self._headers, "Authorization": permit.authorization} if permit.authorization else self._headers
            )
            async with self._connections().get(
                yarl.URL(url, encoded=True), headers=headers, allow_redirects=False
            ) as response:
                body = await response.read()
        except (AzureError, aiohttp.ClientError, OSError):
            return None
        if response.status in {401, 403}:
            self._permits.forget(permit)
        return response.status, body

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, keepalive_timeout=KEEPALIVE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=ANSWER_SECONDS),
                trust_env=is_proxied(self._endpoint),
            )
        return self._session


def _literal(key: str) -> str:
    """Write a key as it stands in a URL: in quotes, with those in it doubled, and whatever could end it encoded."""
    return "'" + quote(key.replace("'", "''"), safe="") + "'"
