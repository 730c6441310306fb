"""The ledger in Azure Table Storage (or Azurite, or Cosmos DB for Table): one partition per tenant.

| row key                     | holds                 |
|-----------------------------|-----------------------|
| `period:2026-11`            | `rows.PeriodRow`      |
| `window:<pool identifier>`  | `rows.Window`         |
| `entry:2026-11:0000000042`  | `entries.Entry`       |
| `alert:2026-11:quota:12:050`| `alerts.Alert`        |

Rules of this file: columns are named after the fields; instants are text of fixed width (`entries.write_instant`), so
that they compare as they are; point reads, and filters with parameters only. The client given must not retry by
itself: whether a commit without an answer was made is decided by `commits`, from the entry's commit id.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient

from metering.alert_rows import write_alert
from metering.entries import Entry, read_instant, write_instant
from metering.ledger import Decision
from metering.periods import Period
from metering.row_keys import WINDOWS, beyond, entry_key, period_key, window_key
from metering.rows import PeriodRow, Rows
from metering.store import (
    CommitConflict,
    CommitUncertain,
    EndedWindow,
    LedgerUnavailable,
    Snapshot,
    StoredRow,
)
from metering.table_rows import (
    Entity,
    read_entry,
    read_period,
    read_row,
    read_window,
    write_entry,
    write_period,
    write_window,
)

TABLE_NAME = "TollgateLedger"

_CONFLICTS = frozenset({404, 409, 412})  # gone, exists already, changed since: somebody else wrote
_ROWS_MAX = 100  # of one transaction


class TableLedgerStore:
    """A `store.LedgerStore`, `LedgerScan` and `LedgerUpkeep` on one table, created when it is first found missing."""

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
            period_row=read_period(tenant_id, period, period_entity),
            windows={identifier: read_window(entity) for identifier, entity in windows.items()},
            open_windows=open_windows,
        )
        return Snapshot(rows, etags)

    async def commit(self, snapshot: Snapshot, decision: Decision) -> None:
        """See `store.LedgerStore.commit`: one entity-group transaction."""
        tenant_id, etags = snapshot.rows.tenant_id, snapshot.etags
        operations: list[Any] = []
        if decision.writes_period:
            period = decision.period_row.period
            operations.append(_put(write_period(tenant_id, decision.period_row), etags.get(str(period))))
        operations += (("create", write_entry(tenant_id, entry)) for entry in decision.entries)
        operations += (_put(write_window(tenant_id, w), etags.get(key)) for key, w in decision.windows.items())
        # No alert stands in the way of a charge: one of that name is replaced.
        replacing = {"mode": UpdateMode.REPLACE}
        operations += (("upsert", write_alert(tenant_id, alert), replacing) for alert in decision.alerts)
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
        entity = await self._get(tenant_id, period_key(period))
        row = write_period(tenant_id, read_period(tenant_id, period, entity))
        try:
            await self._table.submit_transaction([_put(row, None if entity is None else _etag(entity))])
        except HttpResponseError as error:
            if error.status_code not in _CONFLICTS:  # a conflict is as good: somebody else has rewritten it
                raise LedgerUnavailable from error
        except AzureError as error:
            raise LedgerUnavailable from error

    async def entry(self, tenant_id: str, period: Period, sequence: int) -> Entry | None:
        """See `store.LedgerStore.entry`: 1 point read."""
        entity = await self._get(tenant_id, entry_key(period, sequence))
        return None if entity is None else read_entry(entity)

    async def entries(self, tenant_id: str, period: Period, *, after: int, limit: int) -> tuple[Entry, ...]:
        """See `store.LedgerStore.entries`: 1 query per 1,000 entries."""
        rows = self._query(
            "PartitionKey eq @tenant and RowKey gt @after and RowKey le @last",
            tenant=tenant_id,
            after=entry_key(period, after),
            last=entry_key(period, after + limit),  # sequences have no gaps
        )
        return tuple([read_entry(entity) async for entity in rows])

    async def period_row(self, tenant_id: str, period: Period) -> PeriodRow:
        """See `store.LedgerStore.period_row`: 1 point read."""
        return read_period(tenant_id, period, await self._get(tenant_id, period_key(period)))

    async def scan(self, tenant_id: str, start: str, stop: str | None) -> AsyncIterator[StoredRow]:
        """See `store.LedgerScan.scan`: 1 query per 1,000 rows."""
        if stop is None:
            rows = self._query("PartitionKey eq @tenant and RowKey ge @start", tenant=tenant_id, start=start)
        else:
            query = "PartitionKey eq @tenant and RowKey ge @start and RowKey lt @stop"
            rows = self._query(query, tenant=tenant_id, start=start, stop=stop)
        async for entity in rows:
            yield read_row(entity)

    async def ended_windows(self, tenant_id: str, *, before: datetime, limit: int) -> tuple[EndedWindow, ...]:
        """See `store.LedgerUpkeep.ended_windows`: queries over all of the tenant's windows."""
        rows = self._query(
            "PartitionKey eq @tenant and RowKey ge @first and RowKey lt @stop and paid_until lt @before",
            tenant=tenant_id,
            first=WINDOWS,
            stop=beyond(WINDOWS),
            before=write_instant(before),
        )
        found: list[EndedWindow] = []
        async for entity in rows:
            found.append(EndedWindow(str(entity["RowKey"]).removeprefix(WINDOWS), _etag(entity)))
            if len(found) == limit:
                break
        return tuple(found)

    async def remove_windows(self, tenant_id: str, windows: Sequence[EndedWindow]) -> int:
        """See `store.LedgerUpkeep.remove_windows`: 1 transaction per 100 rows; if one has changed, 1 for each."""
        removed = 0
        for batch in itertools.batched(windows, _ROWS_MAX, strict=False):
            try:
                await self._table.submit_transaction([_remove(tenant_id, window) for window in batch])
            except HttpResponseError as error:
                if error.status_code not in _CONFLICTS:
                    raise LedgerUnavailable from error
                if len(batch) > 1:
                    removed += sum([await self.remove_windows(tenant_id, [window]) for window in batch])
            except AzureError as error:
                raise LedgerUnavailable from error
            else:
                removed += len(batch)
        return removed

    async def _query(self, query_filter: str, **parameters: str) -> AsyncIterator[Entity]:
        """Read the rows that match; a table that is missing has none."""
        try:
            async for entity in self._table.query_entities(query_filter, parameters=parameters):
                yield entity
        except HttpResponseError as error:
            if error.status_code != 404:
                raise LedgerUnavailable from error
        except AzureError as error:
            raise LedgerUnavailable from error

    async def _period_then_open(
        self, tenant_id: str, period: Period, open_at: datetime | None
    ) -> tuple[Entity | None, dict[str, datetime] | None]:
        entity = await self._get(tenant_id, period_key(period))
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
        found = await asyncio.gather(*(self._get(tenant_id, window_key(name)) for name in names))
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


def _etag(entity: Entity) -> str:
    etag: str = entity.metadata["etag"]  # type: ignore[attr-defined]  # the SDK hangs it on its own mapping type
    return etag


def _remove(tenant_id: str, window: EndedWindow) -> tuple[Any, ...]:
    entity = {"PartitionKey": tenant_id, "RowKey": window_key(window.pool_identifier)}
    return ("delete", entity, {"etag": window.etag, "match_condition": MatchConditions.IfNotModified})


def _put(entity: dict[str, Any], etag: str | None) -> tuple[Any, ...]:
    """Create a row that did not exist, or replace exactly the one that was read."""
    if etag is None:
        return ("create", entity)
    condition = {"mode": UpdateMode.REPLACE, "etag": etag, "match_condition": MatchConditions.IfNotModified}
    return ("update", entity, condition)
