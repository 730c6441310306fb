"""Closes one tenant's period in the ledger, whoever else is at work on it."""

from metering.clock import Clock
from metering.closing import close
from metering.entries import LedgerKeys
from metering.ledger import Decision
from metering.periods import Period
from metering.rows import StatementTerms
from metering.store import CommitConflict, CommitUncertain, LedgerStore, LedgerUnavailable

ATTEMPTS_MAX = 5


async def close_period(
    store: LedgerStore, tenant_id: str, period: Period, *, terms: StatementTerms, clock: Clock, keys: LedgerKeys
) -> bool:
    """Close a period that is over; say whether it was open until now. A period without entries is closed, too.

    The row is written under the mark of the one that was read, so a commit that is still under way is either in the
    closed sums, or can not be made any more.

    Raises:
        LedgerUnavailable: it may have been closed, or not; closing again tells.
    """
    for _ in range(ATTEMPTS_MAX):
        snapshot = await store.read(tenant_id, period, (), open_at=None)
        if snapshot.rows.period_row.closed:
            return False
        row = close(snapshot.rows.period_row, tenant_id=tenant_id, terms=terms, now=clock(), keys=keys)
        decision = Decision(entries=(), period_row=row, writes_period=True, windows={}, answers=())
        try:
            await store.commit(snapshot, decision)
        except (CommitConflict, CommitUncertain):
            continue
        return True
    raise LedgerUnavailable("the period could not be closed")
