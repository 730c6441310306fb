"""Removes windows that are long over, so that counting the open ones stays cheap.

Nothing depends on it: a window that is over is as good as none, and its entries stay. A row goes only if it has not
changed since it was read, and only when no instance can take it for open any more, even with clocks apart, and no
call on it can still be taken back.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from metering.clock import CLOCKS_APART
from metering.store import LedgerUpkeep

LATE = timedelta(minutes=10)  # a call's charge is taken back at most so long after its window's end, storage permitting
WINDOWS_MAX = 5_000  # of one tenant in one run; what is left waits for the next


def removable_before(now: datetime, *, held: timedelta) -> datetime:
    """Return the instant such that windows paid until before it are not needed any more.

    `held` is how long the pool may hold a session beyond its paid time: reconciliation wants its window.
    """
    return now - CLOCKS_APART - LATE - held


def surely_kept_since(now: datetime) -> datetime:
    """Return the instant such that windows paid until after it were removed by no instance, whatever its clock."""
    return now - LATE


async def remove_ended_windows(
    ledger: LedgerUpkeep, tenant_ids: Sequence[str], *, before: datetime, chance: random.Random
) -> int:
    """Remove the tenants' windows that were paid until before that instant; return how many.

    Tenants come in an order by chance, so that a run that is cut off short neglects nobody for long.

    Raises:
        LedgerUnavailable: some may have been removed.
    """
    removed = 0
    for tenant_id in chance.sample(tenant_ids, len(tenant_ids)):
        ended = await ledger.ended_windows(tenant_id, before=before, limit=WINDOWS_MAX)
        removed += await ledger.remove_windows(tenant_id, ended)
    return removed
