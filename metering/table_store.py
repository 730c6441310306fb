"""The ledger in Azure Table Storage (or Azurite, or Cosmos DB for Table): one partition per tenant.

| row key                     | holds                 |
|-----------------------------|-----------------------|
| `period:2026-11`            | `rows.PeriodRow`      |
| `window:<pool identifier>`  | `rows.Window`         |
| `entry:2026-11:0000000042`  | `entries.Entry`       |

Rules of this file: columns are named after the fields; instants are text of fixed width (`entries.write_instant`), so
that they compare as they are; point reads, and filters with parameters only. The client given must not retry by
itself: whether a commit without an answer was made is decided by `commits`, from the entry's commit id.
"""

import asyncio
import json
from collections.abc import Collection, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient

from metering.entries import Entry, Kind, read_instant, write_instant
from metering.ledger import Decision
from metering.periods import Period
from metering.rows import DayNumbers, PeriodRow, Rows, Window
from metering.store import CommitConflict, CommitUncertain, LedgerUnavailable, Snapshot

TABLE_NAME = "TollgateLedger"

type Entity = Mapping[str, Any]

_CONFLICTS = frozenset({404, 409, 412})  # gone, exists already, changed since: somebody else wrote
_INSTANTS = ("opened_at", "from_at", "until")
_TEXTS = ("session_name", "pool_identifier", "operation", "reverses", "reason")


class TableLedgerStore:
    """A `store.LedgerStore` on one table, which it creates when it first finds it missing."""

    def __init__(self, service: TableServiceClient) -> None:
        self._table: TableClient = service.get_table_client(TABLE_NAME)

    async def read(
        self, tenant_id: str, period: Period, pool_identifiers: Collection[str], *, open_at: datetime | None
    ) -> Snapshot:
        """See `store.LedgerStore.read`: 1 point read for the period and 1 per session, and 1 query for `open_at`."""
        (period_entity, open_windows), windows = await asyncio.gather(
            self._period_then_open(tenant_id, period, open_at), self._windows(tenant_id, pool_identifiers)
        )
        etags = {identifier: _etag(entity) for identifier, entity in windows.items()}
        if period_entity is not None:
            etags[str(period)] = _etag(period_entity)
        rows = Rows(
            tenant_id=tenant_id,
            period_row=_read_period(tenant_id, period, period_entity),
            windows={identifier: _read_window(entity) for identifier, entity in windows.items()},
            open_windows=open_windows,
        )
        return Snapshot(rows, etags)

    async def commit(self, snapshot: Snapshot, decision: Decision) -> None:
        """See `store.LedgerStore.commit`: one entity-group transaction."""
        tenant_id, etags = snapshot.rows.tenant_id, snapshot.etags
        operations: list[Any] = []
        if decision.writes_period:
            period = decision.period_row.period
            operations.append(_put(_write_period(tenant_id, decision.period_row), etags.get(str(period))))
        operations += (("create", _write_entry(tenant_id, entry)) for entry in decision.entries)
        operations += (_put(_write_window(tenant_id, w), etags.get(key)) for key, w in decision.windows.items())
        try:
            await self._table.submit_transaction(operations)
        except HttpResponseError as error:
            if error.status_code in _CONFLICTS:
                raise CommitConflict from error
            raise CommitUncertain from error
        except AzureError as error:
            raise CommitUncertain from error

    async def fence(self, tenant_id: str, period: Period) -> None:
        """See `store.LedgerStore.fence`: 1 point read and 1 conditional write."""
        entity = await self._get(tenant_id, f"period:{period}")
        row = _write_period(tenant_id, _read_period(tenant_id, period, entity))
        try:
            await self._table.submit_transaction([_put(row, None if entity is None else _etag(entity))])
        except HttpResponseError as error:
            if error.status_code not in _CONFLICTS:  # a conflict is as good: somebody else has rewritten it
                raise LedgerUnavailable from error
        except AzureError as error:
            raise LedgerUnavailable from error

    async def entry(self, tenant_id: str, period: Period, sequence: int) -> Entry | None:
        """See `store.LedgerStore.entry`: 1 point read."""
        entity = await self._get(tenant_id, _entry_key(period, sequence))
        return None if entity is None else _read_entry(entity)

    async def entries(self, tenant_id: str, period: Period, *, after: int, limit: int) -> tuple[Entry, ...]:
        """See `store.LedgerStore.entries`: 1 query per 1,000 entries."""
        query = self._table.query_entities(
            "PartitionKey eq @tenant and RowKey gt @after and RowKey le @last",
            parameters={
                "tenant": tenant_id,
                "after": _entry_key(period, after),
                "last": _entry_key(period, after + limit),  # sequences have no gaps
            },
        )
        try:
            return tuple([_read_entry(entity) async for entity in query])
        except HttpResponseError as error:
            if error.status_code == 404:
                return ()
            raise LedgerUnavailable from error
        except AzureError as error:
            raise LedgerUnavailable from error

    async def period_row(self, tenant_id: str, period: Period) -> PeriodRow:
        """See `store.LedgerStore.period_row`: 1 point read."""
        return _read_period(tenant_id, period, await self._get(tenant_id, f"period:{period}"))

    async def _period_then_open(
        self, tenant_id: str, period: Period, open_at: datetime | None
    ) -> tuple[Entity | None, dict[str, datetime] | None]:
        entity = await self._get(tenant_id, f"period:{period}")
        if open_at is None:
            return entity, None
        query = self._table.query_entities(
            "PartitionKey eq @tenant and RowKey ge @first and RowKey lt @beyond and paid_until gt @now",
            parameters={"tenant": tenant_id, "first": "window:", "beyond": "window;", "now": write_instant(open_at)},
            select=["pool_identifier", "paid_until"],
        )
        try:
            return entity, {row["pool_identifier"]: read_instant(row["paid_until"]) async for row in query}
        except AzureError as error:
            raise LedgerUnavailable from error

    async def _windows(self, tenant_id: str, pool_identifiers: Collection[str]) -> dict[str, Entity]:
        names = list(pool_identifiers)
        found = await asyncio.gather(*(self._get(tenant_id, f"window:{name}") for name in names))
        return {name: entity for name, entity in zip(names, found, strict=True) if entity is not None}

    async def _get(self, tenant_id: str, row_key: str) -> Entity | None:
        try:
            return await self._table.get_entity(tenant_id, row_key)
        except ResourceNotFoundError as error:
            if getattr(error, "error_code", None) == "TableNotFound":  # set by the SDK on some errors only
                await self._create_table()
            return None
        except AzureError as error:
            raise LedgerUnavailable from error

    async def _create_table(self) -> None:
        try:
            await self._table.create_table()
        except ResourceExistsError:
            pass  # another call or instance was quicker
        except AzureError as error:
            raise LedgerUnavailable from error


def _entry_key(period: Period, sequence: int) -> str:
    return f"entry:{period}:{sequence:010}"


def _etag(entity: Entity) -> str:
    etag: str = entity.metadata["etag"]  # type: ignore[attr-defined]  # the SDK hangs it on its own mapping type
    return etag


def _put(entity: dict[str, Any], etag: str | None) -> tuple[Any, ...]:
    """Create a row that did not exist, or replace exactly the one that was read."""
    if etag is None:
        return ("create", entity)
    condition = {"mode": UpdateMode.REPLACE, "etag": etag, "match_condition": MatchConditions.IfNotModified}
    return ("update", entity, condition)


def _write_period(tenant_id: str, row: PeriodRow) -> dict[str, Any]:
    days = {day.isoformat(): [numbers.increments, numbers.sessions] for day, numbers in row.days.items()}
    return {
        "PartitionKey": tenant_id,
        "RowKey": f"period:{row.period}",
        "charged": row.charged,
        "reversed": row.reversed,
        "adjusted": row.adjusted,
        "sessions_opened": row.sessions_opened,
        "days": json.dumps(days, separators=(",", ":")),
        "next_sequence": row.next_sequence,
        "head_hash": row.head_hash,
        "closed": row.closed,
    }


def _read_period(tenant_id: str, period: Period, entity: Entity | None) -> PeriodRow:
    if entity is None:
        return PeriodRow.empty(tenant_id, period)
    days = {date.fromisoformat(day): DayNumbers(*numbers) for day, numbers in json.loads(entity["days"]).items()}
    return PeriodRow(
        period=period,
        charged=entity["charged"],
        reversed=entity["reversed"],
        adjusted=entity["adjusted"],
        sessions_opened=entity["sessions_opened"],
        days=MappingProxyType(days),
        next_sequence=entity["next_sequence"],
        head_hash=entity["head_hash"],
        closed=entity["closed"],
    )


def _write_window(tenant_id: str, window: Window) -> dict[str, Any]:
    return {
        "PartitionKey": tenant_id,
        "RowKey": f"window:{window.pool_identifier}",
        "pool_identifier": window.pool_identifier,
        "session_name": window.session_name,
        "opened_at": write_instant(window.opened_at),
        "paid_until": write_instant(window.paid_until),
        "increments": window.increments,
        "newest_charge": window.newest_charge,
        "owner": window.owner,
        "shared": window.shared,
    }


def _read_window(entity: Entity) -> Window:
    return Window(
        pool_identifier=entity["pool_identifier"],
        session_name=entity["session_name"],
        opened_at=read_instant(entity["opened_at"]),
        paid_until=read_instant(entity["paid_until"]),
        increments=entity["increments"],
        newest_charge=entity["newest_charge"],
        owner=entity["owner"],
        shared=entity["shared"],
    )


def _write_entry(tenant_id: str, entry: Entry) -> dict[str, Any]:
    columns: dict[str, Any] = {name: getattr(entry, name) for name in _TEXTS}
    columns |= {name: at and write_instant(at) for name in _INSTANTS for at in (getattr(entry, name),)}
    return {
        "PartitionKey": tenant_id,
        "RowKey": _entry_key(entry.period, entry.sequence),
        "period": str(entry.period),
        "sequence": entry.sequence,
        "kind": entry.kind.value,
        "at": write_instant(entry.at),
        "increments": entry.increments,
        "request_id": entry.request_id,
        "commit_id": entry.commit_id,
        "hash": entry.hash,
        "key_id": entry.key_id,
        **{name: value for name, value in columns.items() if value is not None},
    }


def _read_entry(entity: Entity) -> Entry:
    instants: dict[str, Any] = {name: at and read_instant(at) for name in _INSTANTS for at in (entity.get(name),)}
    texts: dict[str, Any] = {name: entity.get(name) for name in _TEXTS}
    return Entry(
        period=Period.parse(entity["period"]),
        sequence=entity["sequence"],
        kind=Kind(entity["kind"]),
        at=read_instant(entity["at"]),
        increments=entity["increments"],
        request_id=entity["request_id"],
        commit_id=entity["commit_id"],
        hash=entity["hash"],
        key_id=entity["key_id"],
        **texts,
        **instants,
    )
