"""Alerts in the ledger's table: a tenant's beside its entries, those about pools in a partition of their own.

| partition | row key                                        | holds                   |
|-----------|------------------------------------------------|-------------------------|
| tenant id | `alert:2026-11:quota:12:050`                   | `alerts.Alert`          |
| `_pools`  | `alert:<pool>:050:2026-11-23T09:00:00.000000Z` | `alerts.Alert`          |
| `_pools`  | `state:<pool>`                                 | `alert_store.PoolState` |

Rules of this file: those of `table_store`. A table that is missing is empty, and is created by the first write.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient

from metering.alert_rows import ALERTS, write_alert
from metering.alert_store import POOLS, PoolState, StoredAlert, StoredPoolState
from metering.alerts import Alert
from metering.entries import read_instant, write_instant
from metering.row_keys import beyond
from metering.store import LedgerUnavailable
from metering.table_rows import Entity, read_row
from metering.table_store import TABLE_NAME

_ALERTS = "PartitionKey eq @partition and RowKey ge @first and RowKey lt @stop"
_PENDING = f"{_ALERTS} and waiting_for gt @nobody"
_CONFLICTS = frozenset({404, 409, 412})  # gone, exists already, changed since: somebody else wrote


class TableAlertStore:
    """An `alert_store.AlertStore` on the ledger's table."""

    def __init__(self, service: TableServiceClient) -> None:
        self._table: TableClient = service.get_table_client(TABLE_NAME)

    async def pending(self, partition: str) -> tuple[StoredAlert, ...]:
        """See `AlertStore.pending`: 1 query per 1,000 alerts."""
        return await self._query(_PENDING, partition, nobody="")

    async def alerts(self, partition: str) -> tuple[Alert, ...]:
        """See `AlertStore.alerts`: 1 query per 1,000 alerts."""
        found = [stored.alert for stored in await self._query(_ALERTS, partition)]
        return tuple(sorted(found, key=lambda alert: (alert.at, alert.id)))

    async def update(self, partition: str, stored: StoredAlert, alert: Alert) -> bool:
        """See `AlertStore.update`: 1 conditional write."""
        row = write_alert(partition, alert)

        async def replace() -> None:
            await self._table.update_entity(
                row, UpdateMode.REPLACE, etag=stored.mark, match_condition=MatchConditions.IfNotModified
            )

        return await _conflict(replace) is None

    async def pool_state(self, pool: str) -> StoredPoolState:
        """See `AlertStore.pool_state`: 1 point read."""
        try:
            entity = await self._table.get_entity(POOLS, _state_key(pool))
        except ResourceNotFoundError:
            return StoredPoolState(PoolState(), None)
        except AzureError as error:
            raise LedgerUnavailable from error
        return StoredPoolState(_read_state(entity), _etag(entity))

    async def put_pool_state(
        self, pool: str, stored: StoredPoolState, state: PoolState, alerts: Sequence[Alert]
    ) -> bool:
        """See `AlertStore.put_pool_state`: 1 transaction."""
        operations = [_put(_write_state(pool, state), stored.mark)]
        operations += (("create", write_alert(POOLS, alert)) for alert in alerts)

        async def commit() -> None:
            await self._table.submit_transaction(operations)

        conflict = await _conflict(commit)
        if conflict == 404 and stored.mark is None:  # of a row that is new, only the table can be missing
            await _conflict(self._create_table)
            conflict = await _conflict(commit)
        return conflict is None

    async def _query(self, query_filter: str, partition: str, **parameters: str) -> tuple[StoredAlert, ...]:
        """Read the alerts that match; a table that is missing has none."""
        parameters |= {"partition": partition, "first": ALERTS, "stop": beyond(ALERTS)}
        found: list[StoredAlert] = []
        try:
            async for entity in self._table.query_entities(query_filter, parameters=parameters):
                row = read_row(entity)
                if isinstance(row, Alert):
                    found.append(StoredAlert(row, _etag(entity)))
        except ResourceNotFoundError:
            return ()
        except AzureError as error:
            raise LedgerUnavailable from error
        return tuple(found)

    async def _create_table(self) -> None:
        with suppress(ResourceExistsError):  # another call or instance was quicker
            await self._table.create_table()


async def _conflict(write: Callable[[], Awaitable[None]]) -> int | None:
    """Write, and return None; or the status that shows that somebody else wrote before, and nothing was written."""
    try:
        await write()
    except HttpResponseError as error:
        if error.status_code not in _CONFLICTS:
            raise LedgerUnavailable from error
        return error.status_code
    except AzureError as error:
        raise LedgerUnavailable from error
    return None


def _state_key(pool: str) -> str:
    return f"state:{pool}"


def _write_state(pool: str, state: PoolState) -> dict[str, Any]:
    alerted_at = {str(percent): write_instant(at) for percent, at in sorted(state.alerted_at.items())}
    return {
        "PartitionKey": POOLS,
        "RowKey": _state_key(pool),
        "reached": " ".join(map(str, sorted(state.reached))),
        "alerted_at": json.dumps(alerted_at, separators=(",", ":")),
    }


def _read_state(entity: Entity) -> PoolState:
    """Read a state; what cannot be read is as good as none: the worst is an alert that was sent before."""
    try:
        alerted_at = {int(percent): read_instant(at) for percent, at in json.loads(entity["alerted_at"]).items()}
        reached = frozenset(map(int, entity["reached"].split()))
    except (KeyError, TypeError, ValueError, AttributeError):
        return PoolState()
    return PoolState(reached=reached, alerted_at=MappingProxyType(alerted_at))


def _put(entity: dict[str, Any], etag: str | None) -> tuple[Any, ...]:
    """Create a row that did not exist, or replace exactly the one that was read."""
    if etag is None:
        return ("create", entity)
    condition = {"mode": UpdateMode.REPLACE, "etag": etag, "match_condition": MatchConditions.IfNotModified}
    return ("update", entity, condition)


def _etag(entity: Entity) -> str:
    etag: str = entity.metadata["etag"]  # type: ignore[attr-defined]  # the SDK hangs it on its own mapping type
    return etag
