"""Compares what tenants pay for with what the session pool says it holds.

Rules of this file: pure. The pool holds a session until a cooldown after its last call, so a session of a tenant that
pays for the whole cooldown is held only while it is paid for. A lower billed tail leaves the rest of the cooldown to
the operator: so much more is allowed.

| finding         | meaning                                                                    | an error |
|-----------------|----------------------------------------------------------------------------|----------|
| `held_not_paid` | the pool holds a session for which nobody pays, or that is no tenant's     | yes      |
| `differs`       | a session that is paid for is, or will be, held over one increment longer  | yes      |
| `paid_not_held` | a tenant still pays for a session that the pool has ended                  | no       |

The last is what paying in whole increments means, as long as it is short; a tenant pays until `paid_until`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from metering.increments import Granularity
from metering.rows import Window

IN_FLIGHT = timedelta(seconds=30)  # from the charge to the pool's own clock reading for the call


class Mismatch(StrEnum):
    """How ledger and pool differ."""

    HELD_NOT_PAID = "held_not_paid"
    DIFFERS = "differs"
    PAID_NOT_HELD = "paid_not_held"

    @property
    def is_error(self) -> bool:
        """Whether someone has to look into it."""
        return self is not Mismatch.PAID_NOT_HELD


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSession:
    """A session as the pool lists it."""

    identifier: str
    created_at: datetime | None
    last_accessed_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One session on which ledger and pool differ.

    Attributes:
        tenant_id: None for a session that is no tenant's.
        session_name: None if no window is left to name it.
        window: what is paid for; None if there is no window.
        held: what the pool says; None if it holds no such session.
        seconds: time held and not paid for, or paid for and not held.
    """

    mismatch: Mismatch
    pool_identifier: str
    tenant_id: str | None
    session_name: str | None
    window: Window | None
    held: PoolSession | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is the same for all sessions.

    Attributes:
        cooldown: how long the pool keeps an idle session.
        listed_at: when the pool was asked, before the windows were read.
    """

    granularity: Granularity
    cooldown: timedelta
    listed_at: datetime

    @property
    def unpaid(self) -> timedelta:
        """How much of the cooldown tenants need not pay for."""
        return max(timedelta(0), self.cooldown - timedelta(seconds=self.granularity.tail_seconds))


def compare(
    windows: Mapping[str, tuple[str, Window]],
    sessions: Iterable[PoolSession],
    *,
    tenant_ids: frozenset[str],
    bounds: Bounds,
) -> Iterator[Difference]:
    """Compare all tenants' windows (pool identifier to tenant and window) with all sessions of all pools."""
    held = {session.identifier: session for session in sessions}
    for identifier, session in held.items():
        tenant_id, window = windows.get(identifier, (_tenant_of(identifier, tenant_ids), None))
        found = _held(session, window, bounds)
        if found is not None:
            yield _difference(found, identifier, tenant_id, window, session)
    for identifier, (tenant_id, window) in windows.items():
        left = window.paid_until - bounds.listed_at
        if identifier not in held and left > timedelta(0) and window.opened_at < bounds.listed_at - IN_FLIGHT:
            yield _difference((Mismatch.PAID_NOT_HELD, left), identifier, tenant_id, window, None)


def _held(session: PoolSession, window: Window | None, bounds: Bounds) -> tuple[Mismatch, timedelta] | None:
    until = _held_until(session, bounds)
    if window is None:
        return Mismatch.HELD_NOT_PAID, until - (session.created_at or bounds.listed_at)
    allowed_until = window.paid_until + bounds.unpaid
    if bounds.listed_at >= allowed_until + IN_FLIGHT:
        return Mismatch.HELD_NOT_PAID, until - allowed_until
    if until - allowed_until > bounds.granularity.length(1):
        return Mismatch.DIFFERS, until - allowed_until
    return None


def _held_until(session: PoolSession, bounds: Bounds) -> datetime:
    """Return until when the pool will hold a session if nobody calls it; at least until it was listed."""
    if session.expires_at is not None:
        return max(session.expires_at, bounds.listed_at)
    if session.last_accessed_at is not None:
        return max(session.last_accessed_at + bounds.cooldown, bounds.listed_at)
    return bounds.listed_at


def _tenant_of(pool_identifier: str, tenant_ids: frozenset[str]) -> str | None:
    """Return the tenant whose name a pool identifier begins with; its last part is the session's."""
    tenant_id = pool_identifier.rpartition("-")[0]
    return tenant_id if tenant_id in tenant_ids else None


def _difference(
    found: tuple[Mismatch, timedelta],
    pool_identifier: str,
    tenant_id: str | None,
    window: Window | None,
    held: PoolSession | None,
) -> Difference:
    mismatch, length = found
    return Difference(
        mismatch=mismatch,
        pool_identifier=pool_identifier,
        tenant_id=tenant_id,
        session_name=None if window is None else window.session_name,
        window=window,
        held=held,
        seconds=max(0.0, length.total_seconds()),
    )
