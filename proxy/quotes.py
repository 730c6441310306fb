"""What a tenant's next call on a session would cost, without making it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from metering.clock import Clock
from metering.increments import Granularity
from metering.meter import Meter
from metering.requests import Admit, Admitted
from metering.store import LedgerUnavailable
from proxy.errors import ErrorCode, GatewayError
from proxy.identifiers import checked_name, pool_identifier
from proxy.pools import Pool
from proxy.refusals import metering_unavailable, not_admitted
from proxy.tenants import Tenant


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the call would be refused: the code and the words of the refusal itself."""

    code: ErrorCode
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a call that takes a session would meet at `at`.

    Attributes:
        increments: what it would be charged; 0 if it is covered, or would be refused.
        opens_session: whether nothing is paid for now, so that files and variables of an earlier session may be gone.
        paid_until: until when the session would be paid for; None if the call would be refused.
        refusal: None if the call would be admitted.
    """

    session_name: str
    pool_name: str
    at: datetime
    increments: int = 0
    opens_session: bool = False
    paid_until: datetime | None = None
    refusal: Refusal | None = None

    @property
    def admitted(self) -> bool:
        """Whether the call would go to the pool."""
        return self.refusal is None


class Quotes:
    """Tells tenants what a call would cost; changes nothing; safe to use from any number of tasks."""

    def __init__(
        self, *, meter: Meter, pools: Sequence[Pool], namespace_secret: bytes, granularity: Granularity, clock: Clock
    ) -> None:
        self._meter = meter
        self._pools = {pool.name: pool for pool in pools}
        self._namespace_secret = namespace_secret
        self._granularity = granularity
        self._clock = clock

    async def quote(self, tenant: Tenant, *, session_name: str | None, pool_name: str | None = None) -> Quote:
        """Say what a call on a session (its decoded name) of a pool (by default the tenant's first) would cost now.

        The cap on calls a minute is not looked at: each instance keeps its own.

        Raises:
            GatewayError: VALIDATION_FAILED for a name that the call would be refused for; POOL_NOT_FOUND;
                METERING_UNAVAILABLE.
        """
        name = tenant.pools[0] if pool_name is None else pool_name
        pool = self._pools.get(name) if name in tenant.pools else None
        if pool is None:
            raise GatewayError(ErrorCode.POOL_NOT_FOUND)
        session_name = checked_name(session_name)
        if tenant.suspended:
            return self._refused(session_name, pool, GatewayError(ErrorCode.TENANT_SUSPENDED))
        request = Admit(
            pool_identifier=pool_identifier(self._namespace_secret, tenant.id, pool.name, session_name),
            session_name=session_name,
            operation="quote",
            request_id="quote",
            quota=tenant.quota(self._granularity),
        )
        try:
            answer = await self._meter.quote(tenant.id, request)
        except LedgerUnavailable as error:
            raise metering_unavailable("The ledger cannot be reached now.") from error
        if not isinstance(answer, Admitted):
            refusal = not_admitted(answer, self._granularity, now=self._clock())
            return self._refused(session_name, pool, refusal)
        return Quote(
            session_name=session_name,
            pool_name=pool.name,
            at=answer.at,
            increments=0 if answer.charge is None else answer.charge.increments,
            opens_session=answer.charge is not None and answer.charge.from_at == answer.opened_at,
            paid_until=answer.paid_until,
        )

    def _refused(self, session_name: str, pool: Pool, error: GatewayError) -> Quote:
        refusal = Refusal(error.code, error.message)
        return Quote(session_name=session_name, pool_name=pool.name, at=self._clock(), refusal=refusal)
