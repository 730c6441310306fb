"""A tenant's windows, read from the ledger, and the pool that each belongs to."""

from collections.abc import Iterable

from metering.row_keys import WINDOWS, beyond, window_key
from metering.rows import Window
from metering.store import LedgerScan, LedgerUnavailable
from proxy.identifiers import pool_identifier
from proxy.pools import Pool
from proxy.refusals import metering_unavailable


async def read_windows(ledger: LedgerScan, tenant_id: str) -> list[Window]:
    """Read all windows of a tenant that are kept, open or not: one scan, and they are removed soon after they end.

    Raises:
        GatewayError: METERING_UNAVAILABLE.
    """
    return await _read(ledger, tenant_id, WINDOWS, beyond(WINDOWS))


async def read_window(ledger: LedgerScan, tenant_id: str, identifier: str) -> Window | None:
    """Read the newest window of one session; None if none is kept.

    Raises:
        GatewayError: METERING_UNAVAILABLE.
    """
    key = window_key(identifier)
    # No key starts with another one; the hyphen is the lowest character that they have.
    return next(iter(await _read(ledger, tenant_id, key, f"{key}-")), None)


def pool_of(window: Window, pools: Iterable[Pool], *, secret: bytes, tenant_id: str) -> Pool | None:
    """Find the pool of a window; None if it is none of these.

    Windows do not say of which pool they are; the identifier that the pool would have given them does.
    """
    for pool in pools:
        if window.pool_identifier == pool_identifier(secret, tenant_id, pool.name, window.session_name):
            return pool
    return None


async def _read(ledger: LedgerScan, tenant_id: str, start: str, stop: str) -> list[Window]:
    try:
        return [row async for row in ledger.scan(tenant_id, start, stop) if isinstance(row, Window)]
    except LedgerUnavailable as error:
        raise metering_unavailable("The ledger, which knows the tenant's sessions, cannot be reached now.") from error
