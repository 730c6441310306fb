"""What a store of alerts promises to those who deliver them and to those who watch the pools.

Alerts about quotas come into being with the ledger's own commits; those about pools through this store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from metering.alerts import Alert

POOLS = "_pools"  # the partition of what concerns pools; no tenant's id has an underscore


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert, with the mark that proves that its row has not changed since it was read."""

    alert: Alert
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """What is remembered of a pool's use.

    Attributes:
        reached: thresholds that were alerted and have been reached ever since.
        alerted_at: when each threshold was alerted last.
    """

    reached: frozenset[int] = frozenset()
    alerted_at: Mapping[int, datetime] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class StoredPoolState:
    """A pool's state, with the mark that proves that its row has not changed since; None: there was no row."""

    state: PoolState
    mark: str | None


class AlertStore(Protocol):
    """Keeps alerts by partition: a tenant's id, or `POOLS`. Safe to use from many tasks and many instances at once.

    Rows that are not as Tollgate writes them are left out: to find them is the business of `verify`.
    """

    async def pending(self, partition: str) -> tuple[StoredAlert, ...]:
        """Read the alerts that somebody has still to hear of, due or not, by row key.

        Raises:
            LedgerUnavailable: if that cannot be done now.
        """
        ...

    async def alerts(self, partition: str) -> tuple[Alert, ...]:
        """Read all alerts, the newest last. Raises LedgerUnavailable."""
        ...

    async def update(self, partition: str, stored: StoredAlert, alert: Alert) -> bool:
        """Put an alert in the place of the one that was read; False if that has changed since, or is gone.

        Raises:
            LedgerUnavailable: it may have been put there.
        """
        ...

    async def pool_state(self, pool: str) -> StoredPoolState:
        """Read what is remembered of a pool; an empty state if there is nothing. Raises LedgerUnavailable."""
        ...

    async def put_pool_state(
        self, pool: str, stored: StoredPoolState, state: PoolState, alerts: Sequence[Alert]
    ) -> bool:
        """Put a pool's state in the place of the one that was read, and add its alerts: both, or neither.

        Returns:
            False if the state has changed since, and nothing was written.

        Raises:
            LedgerUnavailable: it may have been written.
        """
        ...
