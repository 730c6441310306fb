"""The product's own table store, on the simulated table.

By itself it stands on a calm network without delay, and then runs in any event loop: so it passes the contract tests
of every ledger store.
"""

import random
from collections.abc import Collection
from datetime import datetime
from typing import Any, cast

from metering.periods import Period
from metering.store import Snapshot
from metering.table_store import TableLedgerStore
from tests.simulation.network import Faults, Network, SimulatedTableClient
from tests.simulation.table import SimulatedTable


class SimulatedLedgerStore(TableLedgerStore):
    """A ledger store whose table is simulated."""

    def __init__(self, client: SimulatedTableClient | None = None) -> None:
        if client is None:
            network = Network(SimulatedTable(), random.Random(0), Faults(), delay_seconds=0)
            client = SimulatedTableClient(network)
        super().__init__(cast("Any", client))
        self.client = client

    async def read(
        self, tenant_id: str, period: Period, pool_identifiers: Collection[str], *, open_at: datetime | None
    ) -> Snapshot:
        """See `LedgerStore.read`; a set of text has another order in each process, and a seed has to replay."""
        return await super().read(tenant_id, period, sorted(pool_identifiers), open_at=open_at)
