"""Values for tests, valid unless a test says otherwise."""

import asyncio
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

from metering.entries import LedgerKeys
from metering.increments import Granularity
from metering.ledger import Terms
from metering.meter import Meter
from metering.rates import Rates
from metering.requests import Admit, Quota
from metering.rows import StatementTerms
from metering.store import LedgerStore
from metering.watch import LedgerWatch
from proxy.telemetry import Telemetry

MORNING = datetime(2026, 11, 23, 9, tzinfo=UTC)
KEYS = LedgerKeys("k1", {"k1": b"the tests' newer key of the ledger", "k0": b"the tests' older key of the ledger"})


def granularity(increment_seconds: int = 300, tail_seconds: int = 300) -> Granularity:
    """Make a granularity; five minutes each by default."""
    return Granularity(increment_seconds=increment_seconds, tail_seconds=tail_seconds)


def telemetry(of: Granularity | None = None) -> Telemetry:
    """Build telemetry that goes nowhere, and that the process does not keep for an SDK to come."""
    return Telemetry(granularity=of or granularity(), tracers=NoOpTracerProvider(), meters=NoOpMeterProvider())


def terms(instance: str = "i1", *, of: Granularity | None = None) -> Terms:
    """Make an instance's terms."""
    return Terms(granularity=of or granularity(), keys=KEYS, instance=instance)


def statement_terms(**changes: Any) -> StatementTerms:
    """Make a tenant's terms: 0.03 USD an hour, for the tenant and for the operator, without a quota."""
    usual = StatementTerms(
        name="Acme",
        quota=None,
        rates=Rates(Decimal("0.03")),
        list_rate_per_session_hour=Decimal("0.03"),
        currency="USD",
        increment_seconds=300,
        pool_rate_per_session_hour=Decimal("0.03"),
        issuer="Tollgate",
    )
    return replace(usual, **changes)


def admit(
    session: str = "s1", *, month: int | None = None, day: int | None = None, sessions: int | None = None
) -> Admit:
    """Ask for admission of a call on a session."""
    return Admit(
        pool_identifier=f"pool-{session}",
        session_name=session,
        operation="code.execute",
        request_id="r",
        quota=Quota(increments_per_period=month, increments_per_day=day, sessions=sessions),
    )


@dataclass
class FakeClock:
    """A clock that stands still until it is moved."""

    now: datetime = MORNING

    def __call__(self) -> datetime:
        """Read the clock."""
        return self.now

    def set(self, seconds: float, *, after: datetime = MORNING) -> None:
        """Put the clock so many seconds after an instant."""
        self.now = after + timedelta(seconds=seconds)


@dataclass
class Sleeps:
    """Takes the place of `asyncio.sleep`: moves the clock on instead, unless it is to stand still."""

    clock: FakeClock
    moving: bool = True

    async def __call__(self, seconds: float) -> None:
        """Sleep, in the clock's time."""
        if self.moving:
            self.clock.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)


def meter(
    store: LedgerStore,
    clock: FakeClock,
    instance: str = "i1",
    *,
    of: Granularity | None = None,
    sleeps_move_clock: bool = True,
    watch: LedgerWatch | None = None,
) -> Meter:
    """Make a meter whose chance is fixed.

    With several things asleep at once, one of them moves the clock under the others; where that matters, let it stand.
    """
    return Meter(
        store=store,
        terms=terms(instance, of=of),
        clock=clock,
        sleep=Sleeps(clock, moving=sleeps_move_clock),
        chance=random.Random(instance),
        watch=watch,
    )
