"""Runs the ledger's housekeeping for all tenants of the directory."""

import logging
import random
from datetime import timedelta

from metering.clock import Clock
from metering.housekeeping import removable_before, remove_ended_windows
from metering.store import LedgerUnavailable, LedgerUpkeep
from proxy.directory import Directory
from proxy.errors import GatewayError

_logger = logging.getLogger(__name__)


class Housekeeping:
    """Removes what the ledger does not need any more; several instances may do it at once."""

    def __init__(self, *, ledger: LedgerUpkeep, directory: Directory, held: timedelta, clock: Clock) -> None:
        self._ledger = ledger
        self._directory = directory
        self._held = held
        self._clock = clock

    async def run(self) -> int:
        """Remove expired windows; return how many. Storage that cannot be reached is logged: the next run is due."""
        before = removable_before(self._clock(), held=self._held)
        try:
            tenant_ids = [tenant.id async for tenant in self._directory.list_tenants()]
            return await remove_ended_windows(self._ledger, tenant_ids, before=before, chance=random.SystemRandom())
        except (LedgerUnavailable, GatewayError):
            _logger.warning("Housekeeping was not done: storage cannot be reached. The next run makes up for it.")
            return 0
