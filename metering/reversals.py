"""The last call out of a session takes back what no call has needed, now or as soon as that can be done.

A charge whose call did not run waits in the session's memory until no other call relies on the window. If the ledger
cannot be reached then, it is tried again in the background, until it is done or the process ends: a charge that is not
taken back is one that the tenant pays for nothing.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from metering.clock import Clock
from metering.commits import GroupCommit, Sleep
from metering.coverage import Coverage, SessionMemory
from metering.requests import Charge, Reverse, TakenBack
from metering.store import LedgerUnavailable

RETRY_SECONDS_MIN = 1.0
RETRY_SECONDS_MAX = 30.0


class Reversals:
    """Takes charges back; for one event loop."""

    def __init__(self, *, commits: GroupCommit, coverage: Coverage, clock: Clock, sleep: Sleep) -> None:
        self._commits = commits
        self._coverage = coverage
        self._clock = clock
        self._sleep = sleep
        self._retries: dict[str, asyncio.Task[None]] = {}

    @property
    def waiting(self) -> bool:
        """Whether something is still to be taken back in the background."""
        return bool(self._retries)

    async def leave(
        self, tenant_id: str, pool_identifier: str, session: SessionMemory, *, retrying: bool = False
    ) -> list[Charge]:
        """Count a call out; the last one takes back the charges that nothing needed. Return those taken back.

        What cannot be taken back, since others rely on it, stands: unless it may only have been in the way of another
        charge that is to go.

        Raises:
            LedgerUnavailable: they could not be taken back now; that is tried again in the background.
        """
        session.calls -= 1
        unneeded = session.take_unneeded()
        if not unneeded:
            return []
        session.forget()  # from here on, calls on this session go through the ledger, behind the reversal
        try:
            answers = await self._commits.submit(tenant_id, [Reverse(charge=charge) for charge in unneeded])
        except BaseException:  # cancelled, too; taking back a second time changes nothing
            self.withhold(tenant_id, pool_identifier, unneeded)
            raise
        taken_back = [c for c, a in zip(unneeded, answers, strict=True) if isinstance(a, TakenBack) and a.increments]
        if session.withheld or (pool_identifier in self._retries and not retrying):
            self.withhold(tenant_id, pool_identifier, [charge for charge in unneeded if charge not in taken_back])
        return taken_back

    def withhold(self, tenant_id: str, pool_identifier: str, charges: Sequence[Charge]) -> None:
        """Keep charges to be taken back once the ledger can be reached and nothing relies on them."""
        session = self._coverage.enter(pool_identifier, self._clock())
        session.withheld += charges
        session.calls -= 1
        if pool_identifier not in self._retries:
            self._retries[pool_identifier] = asyncio.create_task(self._retry(tenant_id, pool_identifier, session))

    async def aclose(self) -> None:
        """Stop trying; what could not be taken back by now stands."""
        retries = tuple(self._retries.values())
        for retry in retries:
            retry.cancel()
        await asyncio.gather(*retries, return_exceptions=True)

    async def _retry(self, tenant_id: str, pool_identifier: str, session: SessionMemory) -> None:
        pause = RETRY_SECONDS_MIN
        while session.withheld:
            await self._sleep(pause)
            pause = min(2 * pause, RETRY_SECONDS_MAX)
            session.calls += 1
            with suppress(LedgerUnavailable):
                await self.leave(tenant_id, pool_identifier, session, retrying=True)
        del self._retries[pool_identifier]
