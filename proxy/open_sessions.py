"""The sessions that a tenant pays for now, and their end before their time.

What is told comes from the ledger alone: a session is open while its window is, whether the pool still holds it or not.
An ending goes through the gateway as the tenant's own call would, so the meter settles both in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from urllib.parse import quote

from metering.clock import Clock
from metering.increments import Granularity
from metering.rows import Window
from metering.store import LedgerScan
from proxy.errors import ErrorCode, GatewayError
from proxy.gateway import Gateway
from proxy.identifiers import checked_name, pool_identifier
from proxy.messages import GatewayRequest, GatewayResponse
from proxy.operations import MANAGEMENT_VERSION
from proxy.pools import Pool, PoolKind
from proxy.telemetry import CallRecord
from proxy.tenants import Principal, Scope, Tenant
from proxy.windows import pool_of, read_window, read_windows

SESSION_VERSION = "2025-10-02-preview"  # with which clients end sessions; containers have the management calls instead

# Both have been seen for a session that the pool does not hold.
_NO_SESSION = frozenset({"SessionWithIdentifierNotFound", "SessionNotFound"})


@dataclass(frozen=True, slots=True)
class EndingRequest:
    """The call that ends a session, as it stands on the wire: path and query are percent-encoded."""

    method: str
    path: str
    query: str

    @property
    def target(self) -> str:
        """Path and query in one."""
        return f"{self.path}?{self.query}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A session whose window is open.

    Attributes:
        pool_name: None if it is of a pool that this gateway does not know any more.
        increments: what the window has cost.
        would_return: increments of it that have not begun; 0 if several instances of the gateway rely on the window.
            Ending it gives them back if the call meets the instance that opened it, and no other call is in flight.
        ending: what the tenant calls to end it, with a key of scope `execute`; None if it does not reach the pool.
    """

    session_name: str
    pool_name: str | None
    opened_at: datetime
    paid_until: datetime
    increments: int
    would_return: int
    ending: EndingRequest | None


class OpenSessions:
    """Lists tenants' open sessions, and ends them for the operator; safe to use from any number of tasks."""

    def __init__(
        self,
        *,
        ledger: LedgerScan,
        pools: Sequence[Pool],
        namespace_secret: bytes,
        granularity: Granularity,
        clock: Clock,
        gateway: Gateway,
    ) -> None:
        self._ledger = ledger
        self._pools = {pool.name: pool for pool in pools}
        self._namespace_secret = namespace_secret
        self._granularity = granularity
        self._clock = clock
        self._gateway = gateway

    async def list(self, tenant: Tenant) -> tuple[OpenSession, ...]:
        """List the tenant's open sessions in all pools, the oldest first.

        Raises:
            GatewayError: METERING_UNAVAILABLE.
        """
        windows = await read_windows(self._ledger, tenant.id)
        now = self._clock()
        told = [self._tell(tenant, window, now) for window in windows if self._is_open(window, now)]
        return tuple(sorted(told, key=lambda session: (session.opened_at, session.session_name)))

    async def end(self, tenant: Tenant, *, pool_name: str | None, session_name: str, request_id: str) -> int:
        """End a session at the operator's wish, though the tenant be suspended; return the increments given back.

        `pool_name` is by default that of the tenant's first pool; pools that the tenant was once given will do. An
        instance of the gateway that does not own the window, or has a call of the session in flight, ends the session
        in the pool and gives nothing back: the window then stays open, and paid for.

        Raises:
            GatewayError: RESOURCE_NOT_FOUND if the tenant has no such session open, or the pool does not hold it;
                POOL_NOT_FOUND; VALIDATION_FAILED for a name that no session can have; POOL_UNAVAILABLE if the pool
                refuses; whatever else the gateway raises.
        """
        pool = self._pools.get(tenant.pools[0] if pool_name is None else pool_name)
        if pool is None:
            raise GatewayError(ErrorCode.POOL_NOT_FOUND)
        name = checked_name(session_name)
        identifier = pool_identifier(self._namespace_secret, tenant.id, pool.name, name)
        window = await read_window(self._ledger, tenant.id, identifier)
        if window is None or not self._is_open(window, self._clock()):
            raise _not_found(f"The tenant has no open session of that name in the pool '{pool.name}'.")
        in_its_place = replace(tenant, suspended=False, pools=(pool.name,))
        ending = ending_request(in_its_place, pool, name)
        assert ending is not None, "the pool is the one that it was given"
        response = await self._gateway.carry(
            Principal(key_id="operator", tenant=in_its_place, scopes=frozenset({Scope.EXECUTE})),
            GatewayRequest(id=request_id, method=ending.method, path=ending.path, query=ending.query),
            CallRecord(),  # no call of the tenant's, so nobody counts it
        )
        if response.status >= 400:
            raise _refused(response)
        # Where an increment is no whole number of minutes, the header is rounded a little.
        minutes = Decimal(response.headers["Tollgate-Reversed-Minutes"])
        return round(minutes * 60 / self._granularity.increment_seconds)

    def _tell(self, tenant: Tenant, window: Window, now: datetime) -> OpenSession:
        pool = pool_of(window, self._pools.values(), secret=self._namespace_secret, tenant_id=tenant.id)
        begun = self._granularity.begun(opened_at=window.opened_at, at=now)
        return OpenSession(
            session_name=window.session_name,
            pool_name=None if pool is None else pool.name,
            opened_at=window.opened_at,
            paid_until=window.paid_until,
            increments=window.increments,
            would_return=0 if window.shared else window.increments - begun,
            ending=None if pool is None else ending_request(tenant, pool, window.session_name),
        )

    def _is_open(self, window: Window, now: datetime) -> bool:
        """Say whether a window is open; one that was ended by a faster clock may still seem paid for, and is not."""
        whole = window.opened_at + self._granularity.length(window.increments)
        return now < window.paid_until == whole and window.increments > 0


def ending_request(tenant: Tenant, pool: Pool, session_name: str) -> EndingRequest | None:
    """Write the call by which a tenant ends a session in one of its pools; None if it was not given the pool.

    Pools of custom containers know no `DELETE /session`: it goes through to the container (Microsoft, "a gap in the
    BYOC implementation", 2026-03-04, read 2026-11).
    """
    if pool.name not in tenant.pools:
        return None
    prefix = "" if pool.name == tenant.pools[0] else f"/pools/{pool.name}"
    method, path, version = "DELETE", "/session", SESSION_VERSION
    if pool.kind is PoolKind.CUSTOM:
        method, path, version = "POST", "/.management/stopSession", MANAGEMENT_VERSION
    return EndingRequest(method, prefix + path, f"api-version={version}&identifier={quote(session_name, safe='')}")


def _refused(response: GatewayResponse) -> GatewayError:
    """Make the error of a pool that has not ended the session; its own code is told, and no other word of it."""
    code = response.headers.get("x-ms-error-code", f"PoolStatus{response.status}")
    if code in _NO_SESSION:
        return _not_found("The session pool holds no such session.")
    return GatewayError(ErrorCode.POOL_UNAVAILABLE, f"The session pool did not end the session: {code}.")


def _not_found(message: str) -> GatewayError:
    return GatewayError(ErrorCode.RESOURCE_NOT_FOUND, message, target="session")
