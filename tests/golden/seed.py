"""A month of three tenants, made by the real meter: always the same calls, at the same instants, with the same ids.

* `acme` pays less from the middle of the month on. Its month is closed.
* `bolt` has a name that a spreadsheet would take for a formula, pays a rate of its own, and was adjusted in both
  directions. Its month is open.
* `crux` used October at another rate than November, and October is corrected in November. Its month is closed.
"""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from metering.admissions import Admission, Outcome
from metering.closer import close_period
from metering.entries import Entry
from metering.meter import Meter
from metering.periods import Period
from metering.rates import Rates
from metering.reports import ReportLine, report_line
from metering.requests import Adjusted, Admit, Quota
from metering.rows import StatementTerms
from metering.statements import make_statement
from tests.support.building import KEYS, FakeClock, meter, statement_terms
from tests.support.memory_store import MemoryLedgerStore

OCTOBER, NOVEMBER = Period(2026, 10), Period(2026, 11)
CLOSED_AT = datetime(2026, 12, 1, 6, tzinfo=UTC)
NOW = datetime(2026, 12, 2, 8, 30, tzinfo=UTC)
QUOTA = Quota(increments_per_period=10_000)


@dataclass(frozen=True, slots=True)
class Correction:
    """What the operator makes good, at noon of a day of November."""

    day: int
    increments: int
    reason: str
    corrects: Period | None = None


@dataclass(frozen=True, slots=True)
class Customer:
    """A tenant of the golden month, and what happens to it."""

    id: str
    terms: StatementTerms
    first_day: date
    corrections: tuple[Correction, ...] = ()
    closes: bool = True


CUSTOMERS = (
    Customer(
        id="acme",
        terms=statement_terms(
            quota=QUOTA.increments_per_period,
            rates=Rates(Decimal("0.03"), ((date(2026, 11, 16), Decimal("0.026")),)),
        ),
        first_day=NOVEMBER.first_day,
    ),
    Customer(
        id="bolt",
        terms=statement_terms(name='=1+1, "Größe & Söhne"', rates=Rates(Decimal("0.025"))),
        first_day=NOVEMBER.first_day,
        corrections=(
            Correction(10, -24, "@bolt: two hours lost, ours to bear"),
            Correction(10, 5, "a session that was not metered"),
            Correction(20, 3, "-"),
        ),
        closes=False,
    ),
    Customer(
        id="crux",
        terms=statement_terms(
            name="Crux 東京",
            rates=Rates(Decimal("0.03"), ((NOVEMBER.first_day, Decimal("0.0257")),)),
        ),
        first_day=date(2026, 10, 20),
        corrections=(
            Correction(3, -7, "October: the pool was down", corrects=OCTOBER),
            Correction(3, 1, "counted twice"),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Month:
    """The golden month as the ledger has it: lines by tenant id, and the entries of each tenant."""

    lines: tuple[ReportLine, ...]
    entries: dict[str, tuple[Entry, ...]]


async def make_month() -> Month:
    """Let the month happen, close it, and draw it up."""
    lines, entries = [], {}
    for customer in CUSTOMERS:
        store, clock = MemoryLedgerStore(), FakeClock()
        await _use(customer, store, clock)
        clock.now = CLOSED_AT
        if customer.closes:
            await close_period(store, customer.id, NOVEMBER, terms=customer.terms, clock=clock, keys=KEYS)
        row = await store.period_row(customer.id, NOVEMBER)
        statement = make_statement(row, tenant_id=customer.id, terms=customer.terms, now=NOW)
        lines.append(report_line(row, statement))
        entries[customer.id] = await store.entries(customer.id, NOVEMBER, after=0, limit=row.next_sequence)
    return Month(tuple(lines), entries)


async def _use(customer: Customer, store: MemoryLedgerStore, clock: FakeClock) -> None:
    chance, metering = random.Random(customer.id), meter(store, clock)
    day = customer.first_day
    while day <= NOVEMBER.last_day:
        clock.now = datetime(day.year, day.month, day.day, 8, tzinfo=UTC)
        for number in range(chance.choice([0, 0, 1, 2, 3])):
            await _session(customer, f"{day:%d}-{number}", metering, clock, chance)
        clock.now = max(clock.now, datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
        for correction in customer.corrections if Period(day.year, day.month) == NOVEMBER else ():
            if correction.day == day.day:
                await _correct(customer, correction, metering)
        day += timedelta(days=1)
    await metering.aclose()


async def _session(customer: Customer, name: str, metering: Meter, clock: FakeClock, chance: random.Random) -> None:
    """Call on one session a few times; now and then a call does not run, or the session is ended early."""
    pool_identifier = f"{customer.id}-{name}"
    for call in range(chance.randint(1, 9)):
        clock.now += timedelta(seconds=chance.choice([1, 40, 200, 290, 700]), microseconds=chance.randrange(10**6))
        request = Admit(
            pool_identifier=pool_identifier,
            session_name=name,
            operation="code.execute",
            request_id=f"{name}-{call}",
            quota=QUOTA,
        )
        admission = await metering.admit(customer.id, request)
        assert isinstance(admission, Admission)
        await metering.settle(admission, Outcome.DID_NOT_RUN if chance.random() < 0.1 else Outcome.RAN)
    if chance.random() < 0.4:
        ending = metering.ending(pool_identifier)
        await metering.end(customer.id, ending, operation="session.delete", request_id=f"{name}-end")


async def _correct(customer: Customer, correction: Correction, metering: Meter) -> None:
    booked = await metering.adjust(
        customer.id,
        quota=QUOTA,
        increments=correction.increments,
        reason=correction.reason,
        request_id=f"correction-{correction.day}",
        corrects=correction.corrects,
    )
    assert isinstance(booked, Adjusted)
