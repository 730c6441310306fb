"""A closed period never changes: its statement is made of its row alone, and a row that was changed is known."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.views import statement_view
from metering.closer import ATTEMPTS_MAX, close_period
from metering.closing import closable_at, close, is_sealed
from metering.entries import LedgerKeys
from metering.meter import Meter
from metering.periods import Period
from metering.rates import Rates
from metering.requests import Quota
from metering.rows import PeriodRow
from metering.statements import make_statement
from metering.store import LedgerUnavailable
from tests.support.building import KEYS, MORNING, FakeClock, admit, meter, statement_terms
from tests.support.memory_store import Fault, MemoryLedgerStore

NOVEMBER, DECEMBER = Period(2026, 11), Period(2026, 12)
LATER = datetime(2026, 12, 1, 0, 10, tzinfo=UTC)
TERMS = statement_terms(quota=100, rates=Rates(Decimal("0.03"), ((date(2026, 11, 15), Decimal("0.026")),)))


async def used(store: MemoryLedgerStore) -> Meter:
    """Use some of November; the clock stands in December then."""
    clock = FakeClock()
    made = meter(store, clock)
    for session in ("s1", "s2"):
        await made.admit("acme", admit(session, month=100))
    await made.adjust(
        "acme", quota=Quota(), increments=-1, reason="goodwill", request_id="r", corrects=Period(2026, 10)
    )
    clock.now = LATER
    return made


async def closed(store: MemoryLedgerStore, **more: Any) -> bool:
    options = {"terms": TERMS, "clock": lambda: LATER, "keys": KEYS, **more}
    return await close_period(store, "acme", NOVEMBER, **options)


def shown(row: PeriodRow, *, now: datetime = LATER, **terms: Any) -> str:
    statement = make_statement(row, tenant_id="acme", terms=statement_terms(**terms), increments_per_day=3, now=now)
    return json.dumps(statement_view(statement))


async def test_a_closed_statement_is_the_same_whatever_becomes_of_the_tenants_terms() -> None:
    store = MemoryLedgerStore()
    await used(store)
    assert await closed(store)
    row = await store.period_row("acme", NOVEMBER)

    first = shown(row)
    second = shown(row, now=LATER + timedelta(days=900), name="Another", quota=1, increment_seconds=60, currency="EUR")

    assert first == second
    assert '"name": "Acme"' in first
    assert json.loads(first)["cost"]["rates"][1] == {"from": "2026-11-15", "rate_per_session_hour": "0.026"}
    assert json.loads(first)["complete_until"] == "2026-12-01T00:00:00Z"
    assert "minutes_today" not in json.loads(first)


async def test_closing_changes_no_sum() -> None:
    store = MemoryLedgerStore()
    await used(store)
    before = await store.period_row("acme", NOVEMBER)

    await closed(store)

    assert replace(await store.period_row("acme", NOVEMBER), closing=None) == before


async def test_a_second_close_changes_nothing() -> None:
    store = MemoryLedgerStore()
    await used(store)
    await closed(store)
    rows = dict(store.rows)

    assert not await closed(store, terms=statement_terms(name="Another"))
    assert store.rows == rows


async def test_a_period_without_entries_is_closed_too() -> None:
    store = MemoryLedgerStore()

    assert await closed(store)
    assert (await store.period_row("acme", NOVEMBER)).closed


async def test_a_correction_of_a_closed_period_leaves_it_as_it_was_and_names_it() -> None:
    store = MemoryLedgerStore()
    made = await used(store)
    await closed(store)
    before = shown(await store.period_row("acme", NOVEMBER))

    await made.adjust("acme", quota=Quota(), increments=-2, reason="outage", request_id="r", corrects=NOVEMBER)

    assert shown(await store.period_row("acme", NOVEMBER)) == before
    [entry] = await store.entries("acme", DECEMBER, after=0, limit=9)
    assert (entry.corrects, entry.increments) == (NOVEMBER, -2)
    assert (await store.period_row("acme", DECEMBER)).adjustments == {(LATER.date(), NOVEMBER): -2}


async def test_a_clock_that_is_a_month_behind_books_nothing_into_a_closed_period() -> None:
    store = MemoryLedgerStore()
    made = await used(store)
    await closed(store)
    rows = dict(store.rows)
    late = meter(store, FakeClock(MORNING), "i2")

    with pytest.raises(LedgerUnavailable):
        await late.admit("acme", admit("s3"))

    assert store.rows == rows
    await made.aclose()


@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.LATE, Fault.DUPLICATE])
async def test_a_close_whose_answer_is_lost_is_made_once(fault: Fault) -> None:
    store = MemoryLedgerStore()
    await used(store)
    faults = iter([fault])
    store.fault = lambda name: next(faults, None) if name == "commit" else None

    await closed(store)
    store.land()

    row = await store.period_row("acme", NOVEMBER)
    assert row.closed
    assert is_sealed(row, tenant_id="acme", keys=KEYS.keys)


async def test_a_close_that_meets_others_all_the_time_says_so() -> None:
    store = MemoryLedgerStore()
    store.fault = lambda name: Fault.LOST_REQUEST if name == "commit" else None

    with pytest.raises(LedgerUnavailable):
        await closed(store)

    assert store.operations.count("commit") == ATTEMPTS_MAX


def test_a_period_is_closable_once_no_clock_that_is_right_within_limits_books_into_it() -> None:
    assert closable_at(NOVEMBER) == datetime(2026, 12, 1, 0, 10, tzinfo=UTC)
    with pytest.raises(AssertionError):
        close(
            PeriodRow.empty("acme", NOVEMBER),
            tenant_id="acme",
            terms=TERMS,
            now=LATER - timedelta(seconds=1),
            keys=KEYS,
        )


async def sealed_row() -> PeriodRow:
    store = MemoryLedgerStore()
    await used(store)
    await closed(store)
    return await store.period_row("acme", NOVEMBER)


@given(st.data())
async def test_whatever_is_changed_of_a_closed_row_breaks_its_seal(data: st.DataObject) -> None:
    row = await sealed_row()
    assert row.closing is not None
    assert is_sealed(row, tenant_id="acme", keys=KEYS.keys)
    terms = row.closing.terms
    edit: tuple[str, Any] = data.draw(
        st.sampled_from(
            [
                ("charged", row.charged + 1),
                ("reversed", 1),
                ("adjusted", 0),
                ("sessions_opened", 7),
                ("days", {}),
                ("adjustments", {}),
                ("next_sequence", 1),
                ("head_hash", "0" * 64),
                ("pool_increments", 0),
                ("pool_increment_seconds", 60),
                ("closing", replace(row.closing, at=MORNING)),
                ("closing", replace(row.closing, terms=replace(terms, quota=None))),
                ("closing", replace(row.closing, terms=replace(terms, name="Other"))),
                ("closing", replace(row.closing, terms=replace(terms, rates=Rates(Decimal(0))))),
                ("closing", replace(row.closing, terms=replace(terms, pool_rate_per_session_hour=Decimal(1)))),
                ("closing", replace(row.closing, key_id="k0")),
            ]
        )
    )

    changed: dict[str, Any] = dict([edit])
    assert is_sealed(replace(row, **changed), tenant_id="acme", keys=KEYS.keys) is False


async def test_a_seal_is_one_tenants_and_needs_its_key() -> None:
    row = await sealed_row()

    assert is_sealed(row, tenant_id="other", keys=KEYS.keys) is False
    assert is_sealed(row, tenant_id="acme", keys={"k0": b"0" * 32}) is None
    rotated = LedgerKeys("k2", {"k2": b"2" * 32, **KEYS.keys})
    assert is_sealed(row, tenant_id="acme", keys=rotated.keys)
