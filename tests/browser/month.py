"""A month of plausible usage, made by the meter itself with a clock that is moved: the ledger verifies as any other.

Some tenants work on weekdays, some every day; sessions are used for a while, some are ended early, some calls do not
run. The same month comes out each time, up to the day it is made on.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from metering.admissions import Admission, Outcome
from metering.meter import Meter
from metering.periods import Period
from metering.requests import Admit, Quota
from proxy.bootstrap import build_ledger
from proxy.settings import LedgerSettings
from proxy.storage import open_tables
from tests.support.building import FakeClock, granularity

FIRST_HOUR, LAST_HOUR = 7, 19
WEEKEND = 5
QUIET = timedelta(hours=3)  # before now: what was opened by then is over


@dataclass(frozen=True, slots=True)
class Habit:
    """How a tenant works: sessions on a usual day, calls in each, whether at weekends, and what it is sold for."""

    tenant: str
    name: str
    sessions: int
    calls: int
    weekends: bool = False
    minutes_per_month: int | None = None
    rate_per_session_hour: str | None = None

    @property
    def increments_per_month(self) -> int | None:
        """The quota as the ledger counts."""
        return None if self.minutes_per_month is None else granularity().within(Decimal(self.minutes_per_month))


HABITS = (
    Habit("acme", "Acme Robotics", 2, 13, minutes_per_month=3000, rate_per_session_hour="0.06"),
    Habit(
        "northwind", "Northwind Analytics", 2, 12, weekends=True, minutes_per_month=3000, rate_per_session_hour="0.05"
    ),
    Habit("contoso", "Contoso Labs", 3, 2, minutes_per_month=2000, rate_per_session_hour="0.03"),
    Habit("fabrikam", "Fabrikam", 1, 20, minutes_per_month=1800, rate_per_session_hour="0.055"),
    Habit("blue-yonder", "Blue Yonder Airlines", 1, 12, weekends=True, rate_per_session_hour="0.06"),
    Habit("tailspin", "Tailspin Toys", 1, 10, minutes_per_month=900, rate_per_session_hour="0.06"),
    Habit("proseware", "Proseware", 1, 12, rate_per_session_hour="0.05"),
    Habit("litware", "Litware", 1, 8, minutes_per_month=900, rate_per_session_hour="0.06"),
    Habit("adventure", "Adventure Works", 1, 6, weekends=True, rate_per_session_hour="0.06"),
    Habit("lucerne", "Lucerne Publishing", 1, 11, minutes_per_month=1200, rate_per_session_hour="0.055"),
    Habit("margies", "Margie's Travel", 1, 3, minutes_per_month=300, rate_per_session_hour="0.045"),
)


async def make_month(storage: str, ledger_secret: str, now: datetime) -> None:
    """Book the usage of the current month so far, for tenants that are there already."""
    settings = LedgerSettings.model_validate({"storage": storage, "ledger_secret": ledger_secret})
    clock = FakeClock()
    async with open_tables(storage) as service:
        parts = build_ledger(settings, service, clock=clock)
        try:
            for habit in HABITS:
                chance = random.Random(habit.tenant)
                for start_at in _starts(habit, now - QUIET, chance):
                    clock.now = start_at
                    await _use_session(parts.meter, clock, habit, chance)
        finally:
            await parts.aclose()


def _starts(habit: Habit, until: datetime, chance: random.Random) -> Iterator[datetime]:
    """Say when a tenant's sessions begin, in order."""
    day = Period.of(until).start_at
    while day < until:
        many = chance.randint(max(0, habit.sessions - 1), habit.sessions + 1)
        if habit.weekends or day.weekday() < WEEKEND:
            for number in range(many):
                hour = FIRST_HOUR + (LAST_HOUR - FIRST_HOUR) * number / many
                start_at = day + timedelta(hours=hour, seconds=chance.randint(0, 3600))
                if start_at < until:
                    yield start_at
        day += timedelta(days=1)


async def _use_session(meter: Meter, clock: FakeClock, habit: Habit, chance: random.Random) -> None:
    """Make calls on a new session, a few minutes apart; end some sessions early."""
    name = f"{chance.choice(('analysis', 'report', 'agent', 'notebook'))}-{chance.randrange(16**4):04x}"
    request = Admit(
        pool_identifier=f"{habit.tenant}-{name}",
        session_name=name,
        operation="code.execute",
        request_id="month",
        quota=Quota(increments_per_period=habit.increments_per_month),
    )
    for _ in range(chance.randint(max(1, habit.calls - 3), habit.calls + 3)):
        admission = await meter.admit(habit.tenant, request)
        if not isinstance(admission, Admission):
            return  # the quota is used up
        await meter.settle(admission, Outcome.DID_NOT_RUN if chance.random() < 0.02 else Outcome.RAN)
        clock.now += timedelta(seconds=chance.randint(200, 290))
    if chance.random() < 0.3:
        ending = meter.ending(request.pool_identifier)
        await meter.end(habit.tenant, ending, operation="session.end", request_id="month")
