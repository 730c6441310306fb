"""Watches how many sessions the pools hold, and alerts the operator before they are full.

What a pool can hold is the operator's word (`max_sessions`); a pool of which nobody has said it is not asked. A
threshold is alerted when it is reached, and again only after use has fallen below it. A pool that flaps around a
threshold is alerted at most once an hour; if it stands above when the hour is over, it is alerted then. Several
instances may watch at once: the state that they share is written in one transaction with the alerts.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from metering.alert_store import AlertStore, PoolState
from metering.alerts import PERCENTS_DEFAULT, Alert, Subject, Target, crossed
from metering.clock import Clock
from metering.entries import write_instant
from metering.store import LedgerUnavailable
from proxy.errors import GatewayError
from proxy.pool_sessions import PoolSessions
from proxy.pools import Pool
from proxy.telemetry import Telemetry

APART = timedelta(hours=1)  # two alerts of one threshold

_logger = logging.getLogger(__name__)


def after_look(
    state: PoolState, *, pool: str, used: int, limit: int, percents: Sequence[int], now: datetime
) -> tuple[PoolState, tuple[Alert, ...]]:
    """Say what is to be remembered of a pool that holds so many sessions, and the alerts for what it has reached.

    A threshold that may not be alerted yet does not count as reached, so it is looked at again.
    """
    above = frozenset(crossed(used=used, limit=limit, percents=percents))
    new = [p for p in sorted(above - state.reached) if p not in state.alerted_at or now - state.alerted_at[p] >= APART]
    after = replace(
        state,
        reached=(state.reached & above) | frozenset(new),
        alerted_at=MappingProxyType({**state.alerted_at, **dict.fromkeys(new, now)}),
    )
    return after, tuple(_alert(pool, percent, used=used, limit=limit, now=now) for percent in new)


def pool_alert_id(pool: str, percent: int, at: datetime) -> str:
    """Name the crossing of a threshold of a pool's capacity; without full stops, for it is signed with its message."""
    return f"pool:{pool}:{percent:03}:{write_instant(at).replace('.', '-')}"


def _alert(pool: str, percent: int, *, used: int, limit: int, now: datetime) -> Alert:
    return Alert(
        id=pool_alert_id(pool, percent, now),
        subject=Subject.POOL,
        pool=pool,
        percent=percent,
        limit=limit,
        used=used,
        at=now,
        waiting_for=frozenset({Target.OPERATOR}),
        next_attempt_at=now,
    )


class CapacityWatch:
    """Looks at the pools that have a `max_sessions`."""

    def __init__(
        self,
        *,
        alerts: AlertStore,
        pool_sessions: PoolSessions,
        pools: Sequence[Pool],
        clock: Clock,
        telemetry: Telemetry,
        percents: Sequence[int] = PERCENTS_DEFAULT,
    ) -> None:
        self._alerts = alerts
        self._pool_sessions = pool_sessions
        self._pools = pools
        self._clock = clock
        self._telemetry = telemetry
        self._percents = percents

    async def run(self) -> int:
        """Look at each pool once; return how many alerts were made. What cannot be reached is logged and skipped."""
        made = 0
        for pool in self._pools:
            if pool.max_sessions is None:
                continue
            try:
                made += await self._look(pool, pool.max_sessions)
            except GatewayError:
                _logger.warning("The pool '%s' was not watched: it does not tell its sessions now.", pool.name)
            except LedgerUnavailable:
                _logger.warning("The pool '%s' was not watched: storage cannot be reached.", pool.name)
        return made

    async def _look(self, pool: Pool, limit: int) -> int:
        used = len(await self._pool_sessions.held(pool.endpoints))
        self._telemetry.pool_holds(pool.name, used, limit)
        stored = await self._alerts.pool_state(pool.name)
        state, alerts = after_look(
            stored.state, pool=pool.name, used=used, limit=limit, percents=self._percents, now=self._clock()
        )
        if state == stored.state or not await self._alerts.put_pool_state(pool.name, stored, state, alerts):
            return 0  # nothing new, or another instance was quicker
        return len(alerts)
