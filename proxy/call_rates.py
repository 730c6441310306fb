"""Calls per minute: a cap for each tenant, kept by each instance for itself.

A protection of the gateway and the pool, no part of the bill: a tenant on several instances may make so many calls on
each. The rule is the generic cell rate algorithm: a whole minute's calls may come at once, and come back one by one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from metering.clock import Clock
from proxy.errors import ErrorCode, GatewayError
from proxy.tenants import Tenant

TENANTS_MAX = 10_000
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a call is within the rate.

    Attributes:
        full_at: when the whole minute's calls are available again.
        wait: until a call is within the rate; zero: this one is.
    """

    full_at: datetime
    wait: timedelta


def judge(full_at: datetime, now: datetime, calls_per_minute: int) -> Verdict:
    """Judge a call at `now`; a call that is not within the rate uses up nothing."""
    after = max(full_at, now) + _MINUTE / calls_per_minute
    excess = after - now - _MINUTE
    return Verdict(after, timedelta(0)) if excess <= timedelta(0) else Verdict(full_at, excess)


class CallRates:
    """Counts the calls of tenants that have a cap; for one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._full_at: dict[str, datetime] = {}

    def take(self, tenant: Tenant) -> None:
        """Count a call.

        Raises:
            GatewayError: `TooManyCalls`; the call was not counted.
        """
        limit = tenant.calls_per_minute
        if limit is None:
            return
        now = self._clock()
        verdict = judge(self._full_at.get(tenant.id, now), now, limit)
        if verdict.wait > timedelta(0):
            raise GatewayError(
                ErrorCode.TOO_MANY_CALLS,
                f"All {limit} calls of a minute are used up.",
                retry_after_seconds=verdict.wait.total_seconds(),
            )
        if len(self._full_at) >= TENANTS_MAX:
            self._full_at = {tenant_id: at for tenant_id, at in self._full_at.items() if at > now}
        self._full_at[tenant.id] = verdict.full_at
