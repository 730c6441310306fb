"""Tenants and API keys in Azure Table Storage: one row each, alone in its partition, so that a lookup is a point read.

| table             | partition key | row key  | holds            |
|-------------------|---------------|----------|------------------|
| `TollgateTenants` | tenant id     | `tenant` | `tenants.Tenant` |
| `TollgateKeys`    | key id        | `key`    | `tenants.ApiKey` |

Rules of this file: columns are named after the fields; decimals and instants are text, and no text stands for None;
a column that came after the first rows may be missing, and then stands for its field's default; filters with
parameters only. A table that is missing is empty, and is created by the first write.
"""

import json
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import UpdateMode

from metering.entries import read_instant, write_instant
from metering.rates import RateChange
from proxy.errors import ErrorCode, GatewayError
from proxy.refusals import LEDGER_RETRY_SECONDS
from proxy.tenants import DEFAULT_POOL, ApiKey, Scope, Tenant

TENANTS_TABLE = "TollgateTenants"
KEYS_TABLE = "TollgateKeys"

_BILLED = ["PartitionKey", "name", "minutes_per_month", "rate_per_session_hour", "rate_changes", "created_at"]
_NO_PERCENTS = "none"  # no text stands for the usual ones

type Entity = Mapping[str, Any]


class DirectoryUnavailable(GatewayError):  # noqa: N818 -- named after the state that the caller has to answer with
    """The tenants and keys cannot be read or written now; a write may or may not have been made."""

    def __init__(self) -> None:
        super().__init__(
            ErrorCode.METERING_UNAVAILABLE,
            "The directory of tenants and keys cannot be reached now.",
            retry_after_seconds=LEDGER_RETRY_SECONDS,
        )


class Table(Protocol):
    """What is used of the SDK's async `TableClient`; missing rows and tables raise `ResourceNotFoundError`."""

    def create_table(self) -> Awaitable[object]:
        """Create the table, or raise ResourceExistsError."""
        ...

    def get_entity(self, partition_key: str, row_key: str) -> Awaitable[Entity]:
        """Read one row."""
        ...

    def create_entity(self, entity: Entity) -> Awaitable[object]:
        """Add one row, or raise ResourceExistsError."""
        ...

    def upsert_entity(self, entity: Entity, mode: UpdateMode) -> Awaitable[object]:
        """Add or replace one row."""
        ...

    def update_entity(self, entity: Entity, mode: UpdateMode) -> Awaitable[object]:
        """Change one row that exists."""
        ...

    def query_entities(
        self, query_filter: str, *, parameters: dict[str, Any], select: list[str] | None = None
    ) -> AsyncIterable[Entity]:
        """Read the rows that match; with `select`, these columns of them."""
        ...


class TableService(Protocol):
    """What is used of the SDK's async `TableServiceClient`; its retries are those of every lookup."""

    def get_table_client(self, table_name: str) -> Table:
        """Return the client of a table, which need not exist."""
        ...


class TenantTables:
    """Reads and writes tenants and keys; knows nothing older than storage does.

    Every method raises DirectoryUnavailable if storage cannot be reached.
    """

    def __init__(self, service: TableService) -> None:
        self._tenants = service.get_table_client(TENANTS_TABLE)
        self._keys = service.get_table_client(KEYS_TABLE)

    async def tenant(self, tenant_id: str) -> Tenant | None:
        """Read a tenant: 1 point read."""
        entity = await _get(self._tenants, tenant_id, "tenant")
        return None if entity is None else _read_tenant(entity)

    async def put_tenant(self, tenant: Tenant, *, now: datetime) -> bool:
        """Create a tenant, or change all that is said of it but when it was created; say whether it was created."""
        entity = _write_tenant(tenant)
        if await _create(self._tenants, {**entity, "created_at": write_instant(now)}):
            return True
        with _reaching_storage():
            await self._tenants.upsert_entity(entity, UpdateMode.MERGE)
        return False

    async def all_tenants(self, *, after: str = "") -> AsyncIterator[Tenant]:
        """Read all tenants whose ids come after this one, by id."""
        async for entity in self._all(after, None):
            yield _read_tenant(entity)

    async def all_billed(self, *, after: str = "") -> AsyncIterator[Tenant]:
        """Read what bills are made with of all tenants whose ids come after this one, by id, in a third of the time.

        That is name, monthly quota, rates and creation; the other fields stand at their defaults.
        """
        async for entity in self._all(after, _BILLED):
            yield _read_tenant(entity)

    def _all(self, after: str, columns: list[str] | None) -> AsyncIterator[Entity]:
        parameters = {"after": after}
        return _rows(
            lambda: self._tenants.query_entities("PartitionKey gt @after", parameters=parameters, select=columns)
        )

    async def key(self, key_id: str) -> ApiKey | None:
        """Read a key: 1 point read."""
        entity = await _get(self._keys, key_id, "key")
        return None if entity is None else _read_key(entity)

    async def add_key(self, key: ApiKey) -> bool:
        """Add a key; False if its id is taken."""
        return await _create(self._keys, _write_key(key))

    async def change_key(self, key: ApiKey, column: Literal["expires_at", "revoked_at"]) -> bool:
        """Write this column and no other, so that what others changed meanwhile stays; False if there is no such key.

        An end that is moved never undoes a revocation.
        """
        changes = {"PartitionKey": key.id, "RowKey": "key", column: _write_key(key)[column]}
        try:
            with _reaching_storage():
                await self._keys.update_entity(changes, UpdateMode.MERGE)
        except ResourceNotFoundError:
            return False
        return True

    async def keys_of(self, tenant_id: str | None) -> AsyncIterator[ApiKey]:
        """Read all keys of a tenant, or of operators: scans the table, so for operators' eyes only."""
        parameters = {"tenant": tenant_id or ""}
        async for entity in _rows(lambda: self._keys.query_entities("tenant_id eq @tenant", parameters=parameters)):
            yield _read_key(entity)


@contextmanager
def _reaching_storage() -> Iterator[None]:
    try:
        yield
    except (ResourceNotFoundError, ResourceExistsError):
        raise
    except AzureError as error:
        raise DirectoryUnavailable from error


async def _get(table: Table, partition_key: str, row_key: str) -> Entity | None:
    try:
        with _reaching_storage():
            return await table.get_entity(partition_key, row_key)
    except ResourceNotFoundError:
        return None


async def _rows(read: Callable[[], AsyncIterable[Entity]]) -> AsyncIterator[Entity]:
    try:
        with _reaching_storage():
            async for entity in read():
                yield entity
    except ResourceNotFoundError:
        return


async def _create(table: Table, entity: Entity) -> bool:
    """Add a row, and the table before it if need be; False if the row exists."""

    async def add() -> None:
        try:
            await table.create_entity(entity)
        except AttributeError as error:
            # azure-data-tables 12.7.0 trips over an error that came without a response: nobody gave it a token.
            if isinstance(error.__context__, AzureError):
                raise DirectoryUnavailable from error
            raise

    with _reaching_storage():
        try:
            await _with_table(table, add)
        except ResourceExistsError:
            return False
    return True


async def _with_table(table: Table, write: Callable[[], Awaitable[None]]) -> None:
    try:
        await write()
    except ResourceNotFoundError:
        with suppress(ResourceExistsError):  # another call or instance was quicker
            await table.create_table()
        await write()


def _write_tenant(tenant: Tenant) -> dict[str, Any]:
    return {
        "PartitionKey": tenant.id,
        "RowKey": "tenant",
        "name": tenant.name,
        "minutes_per_month": _write_decimal(tenant.minutes_per_month),
        "minutes_per_day": _write_decimal(tenant.minutes_per_day),
        "max_concurrent_sessions": tenant.max_concurrent_sessions or 0,
        "calls_per_minute": tenant.calls_per_minute or 0,
        "rate_per_session_hour": _write_decimal(tenant.rate_per_session_hour),
        "pools": " ".join(tenant.pools),
        "suspended": tenant.suspended,
        "rate_changes": _write_changes(tenant.rate_changes),
        "webhook_url": tenant.webhook_url or "",
        "alert_percents": _write_percents(tenant.alert_percents),
    }


def _read_tenant(entity: Entity) -> Tenant:
    """Read a tenant; a column that is not there stands for its field's default."""
    return Tenant(
        id=entity["PartitionKey"],
        name=entity["name"],
        minutes_per_month=_read_decimal(entity["minutes_per_month"]),
        minutes_per_day=_read_decimal(entity.get("minutes_per_day", "")),
        max_concurrent_sessions=entity.get("max_concurrent_sessions") or None,
        calls_per_minute=entity.get("calls_per_minute") or None,
        rate_per_session_hour=_read_decimal(entity["rate_per_session_hour"]),
        pools=tuple(entity.get("pools", DEFAULT_POOL).split()),
        suspended=entity.get("suspended", False),
        rate_changes=_read_changes(entity.get("rate_changes", "[]")),
        webhook_url=entity.get("webhook_url") or None,
        alert_percents=_read_percents(entity.get("alert_percents", "")),
        created_at=_read_optional(entity.get("created_at", "")),
    )


def _write_key(key: ApiKey) -> dict[str, Any]:
    return {
        "PartitionKey": key.id,
        "RowKey": "key",
        "tenant_id": key.tenant_id or "",
        "label": key.label,
        "scopes": " ".join(sorted(key.scopes)),
        "sha256": key.sha256,
        "created_at": write_instant(key.created_at),
        "expires_at": _write_optional(key.expires_at),
        "revoked_at": _write_optional(key.revoked_at),
    }


def _read_key(entity: Entity) -> ApiKey:
    return ApiKey(
        id=entity["PartitionKey"],
        tenant_id=entity["tenant_id"] or None,
        label=entity["label"],
        scopes=frozenset(map(Scope, entity["scopes"].split())),
        sha256=entity["sha256"],
        created_at=read_instant(entity["created_at"]),
        expires_at=_read_optional(entity["expires_at"]),
        revoked_at=_read_optional(entity["revoked_at"]),
    )


def _write_decimal(value: Decimal | None) -> str:
    return "" if value is None else format(value, "f")


def _read_decimal(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def _write_changes(changes: tuple[RateChange, ...]) -> str:
    return json.dumps([[c.from_day.isoformat(), _write_decimal(c.per_session_hour)] for c in changes])


def _read_changes(text: str) -> tuple[RateChange, ...]:
    return tuple(RateChange(date.fromisoformat(day), _read_decimal(rate)) for day, rate in json.loads(text))


def _write_percents(percents: tuple[int, ...] | None) -> str:
    return "" if percents is None else " ".join(map(str, percents)) or _NO_PERCENTS


def _read_percents(text: str) -> tuple[int, ...] | None:
    return None if not text else tuple(map(int, text.removeprefix(_NO_PERCENTS).split()))


def _write_optional(at: datetime | None) -> str:
    return "" if at is None else write_instant(at)


def _read_optional(text: str) -> datetime | None:
    return read_instant(text) if text else None
