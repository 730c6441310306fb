"""The operator's audits: is the ledger as it was written, and does it agree with the session pool?"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from console.usage import reaching_ledger
from console.views import Json, difference_view, finding_view, instant
from metering.audit import verify
from metering.clock import Clock
from metering.entries import LedgerKeys
from metering.heads import Head
from metering.increments import Granularity
from metering.periods import Period
from metering.reconcile import Bounds, Difference, PoolSession, compare
from metering.row_keys import WINDOWS, beyond
from metering.rows import Window
from metering.store import LedgerScan
from proxy.directory import Directory
from proxy.errors import ErrorCode, GatewayError
from proxy.tenants import Tenant


class SessionLister(Protocol):
    """What is needed of `proxy.pool_sessions.PoolSessions`."""

    async def read(self) -> list[PoolSession]:
        """Read the sessions of all pools. Raises GatewayError."""
        ...


class Audits:
    """Verifies the ledger and reconciles it with the pool.

    Every method raises GatewayError METERING_UNAVAILABLE if storage cannot be reached.
    """

    def __init__(
        self,
        *,
        ledger: LedgerScan,
        directory: Directory,
        pool_sessions: SessionLister | None,
        granularity: Granularity,
        keys: LedgerKeys,
        cooldown: timedelta,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._directory = directory
        self._pool_sessions = pool_sessions
        self._granularity = granularity
        self._keys = keys
        self._cooldown = cooldown
        self._clock = clock

    async def verification(self, tenant: Tenant, period: Period | None, *, heads: Iterable[Head] = ()) -> Json:
        """Verify one period of a tenant's ledger, or all of it (None), and that these heads are still in it."""
        with reaching_ledger():
            verdict = await verify(
                self._ledger,
                tenant.id,
                only=period,
                granularity=self._granularity,
                keys=self._keys.keys,
                now=self._clock(),
                heads=heads,
            )
        return {
            "tenant": tenant.id,
            "period": None if period is None else str(period),
            "periods": [str(period) for period in verdict.periods],
            "entries": verdict.entries,
            "findings": [finding_view(finding) for finding in verdict.findings],
            "findings_beyond": verdict.findings_beyond,
            "ok": not verdict.findings,
        }

    async def reconciliation(self) -> Json:
        """Compare all tenants' windows with all sessions of the pool.

        What differs at first is looked at again: a session may have ended between the two lists.

        Raises:
            GatewayError: POOL_UNAVAILABLE, POOL_TIMEOUT, or VALIDATION_FAILED where there is no way to the pool.
        """
        listed_at, sessions, windows, differences = await self._look()
        if differences:
            suspected = {(found.mismatch, found.pool_identifier) for found in differences}
            listed_at, sessions, windows, again = await self._look()
            differences = [found for found in again if (found.mismatch, found.pool_identifier) in suspected]
        return {
            "at": instant(listed_at),
            "sessions": sessions,
            "windows": windows,
            "findings": [difference_view(found) for found in differences],
            "ok": not any(found.mismatch.is_error for found in differences),
        }

    async def _look(self) -> tuple[datetime, int, int, list[Difference]]:
        """Ask the pool, then the ledger: whatever the pool holds was charged before."""
        if self._pool_sessions is None:
            raise GatewayError(
                ErrorCode.VALIDATION_FAILED,
                "Here is no way to the pool: reconcile over HTTP, with the URL of a Tollgate that runs.",
            )
        bounds = Bounds(granularity=self._granularity, cooldown=self._cooldown, listed_at=self._clock())
        sessions = await self._pool_sessions.read()
        windows: dict[str, tuple[str, Window]] = {}
        tenant_ids = frozenset([tenant.id async for tenant in self._directory.list_tenants()])
        with reaching_ledger():
            for tenant_id in sorted(tenant_ids):
                async for row in self._ledger.scan(tenant_id, WINDOWS, beyond(WINDOWS)):
                    if isinstance(row, Window):  # what cannot be read is for the verification to say
                        windows[row.pool_identifier] = (tenant_id, row)
        found = compare(windows, sessions, tenant_ids=tenant_ids, bounds=bounds)
        is_open = (window.paid_until > bounds.listed_at for _, window in windows.values())
        return bounds.listed_at, len(sessions), sum(is_open), list(found)
