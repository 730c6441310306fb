"""What a world is built of: the product as it is, unless a variant says otherwise."""

from dataclasses import dataclass

from metering.meter import Meter
from proxy.gateway import Gateway
from tests.simulation.store import SimulatedLedgerStore
from tests.simulation.table import SimulatedTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The classes of which a world is built."""

    table: type[SimulatedTable] = SimulatedTable
    store: type[SimulatedLedgerStore] = SimulatedLedgerStore
    meter: type[Meter] = Meter
    gateway: type[Gateway] = Gateway


PRODUCT = Parts()
