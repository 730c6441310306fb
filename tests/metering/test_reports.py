"""A report says what its statements say, and what the pool is estimated to bill for the same windows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from metering.entries import Entry, Kind
from metering.ledger import decide
from metering.periods import Period, day_of
from metering.rates import Rates
from metering.reports import PoolEstimate, ReportLine, report_line, total
from metering.requests import Adjust, Quota
from metering.rows import PeriodRow, Rows
from metering.statements import Statement, make_statement
from tests.support.building import MORNING, admit, statement_terms, terms
from tests.support.ledgers import TENANT, make_ledger

NOVEMBER, DECEMBER = Period(2026, 11), Period(2026, 12)
TERMS = statement_terms(quota=500, rates=Rates(Decimal("0.026")))


def statement(row: PeriodRow) -> Statement:
    return make_statement(row, tenant_id=TENANT, terms=TERMS, now=MORNING)


def line(row: PeriodRow) -> ReportLine:
    return report_line(row, statement(row))


def pool_hours(entries: Sequence[Entry]) -> int:
    """Count the hours of all windows, as they turned out: the oracle that knows no sums."""
    ends: dict[tuple[str | None, object], timedelta] = {}
    for entry in entries:
        if entry.opened_at is None or entry.from_at is None or entry.until is None:
            continue
        end = entry.from_at if entry.kind is Kind.REVERSAL else entry.until
        ends[entry.pool_identifier, entry.opened_at] = end - entry.opened_at
    return sum(-(-length // timedelta(hours=1)) for length in ends.values())


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_the_totals_of_a_report_are_the_sums_of_the_entries(seed: int) -> None:
    ledger = make_ledger(seed)
    lines = [line(row) for row in ledger.periods.values()]
    entries = ledger.entries()

    totals = total(lines)

    def summed(kind: Kind) -> int:
        return sum(entry.increments for entry in entries if entry.kind is kind)

    assert (totals.charged, totals.reversed, totals.adjusted) == tuple(map(summed, Kind))
    assert totals.billed == sum(entry.effect for entry in entries)
    assert (
        totals.cost == sum(one.statement.cost for one in lines) == sum(r.cost for o in lines for r in o.statement.lines)
    )
    assert totals.margin == totals.cost - totals.pool_cost
    assert totals.stranded_seconds == totals.pool_seconds - (totals.charged - totals.reversed) * 300
    for day, numbers in totals.days:
        assert numbers.increments == sum(entry.effect for entry in entries if day_of(entry.at) == day)
    assert totals.pool_seconds == pool_hours(entries) * 3600


@given(seed=st.integers(0, 2**32), minutes=st.integers(-9, 9).filter(bool))
@settings(max_examples=60, deadline=None)
def test_what_comes_after_a_close_leaves_the_closed_statement_as_it_was(seed: int, minutes: int) -> None:
    ledger = make_ledger(seed)
    closed = ledger.close(NOVEMBER, TERMS)
    before = statement(closed)
    ledger.now = max(ledger.now, closed.period.until + timedelta(hours=1))

    ledger.decide(Adjust(increments=minutes, reason="r", request_id="r", quota=Quota(), corrects=NOVEMBER))
    ledger.decide(admit("s9"))

    again = make_statement(
        ledger.periods[NOVEMBER], tenant_id=TENANT, terms=statement_terms(name="other"), now=ledger.now
    )
    assert again == before
    corrections = {corrects for (_, corrects) in ledger.periods[DECEMBER].adjustments}
    assert NOVEMBER in corrections


def test_an_hour_of_the_pool_that_is_begun_costs_a_whole_one_and_the_rest_is_stranded() -> None:
    rows = Rows(tenant_id="t", period_row=PeriodRow.empty("t", NOVEMBER), windows={})
    row = decide(rows, [admit("s1"), admit("s2")], terms=terms(), now=MORNING, commit_id="c").period_row

    shown = line(row)

    assert shown.pool is not None
    assert (shown.pool.seconds, shown.pool.cost) == (7_200, Decimal("0.0600"))
    assert shown.stranded_seconds == 7_200 - 2 * 300
    assert shown.margin == shown.statement.cost - Decimal("0.0600") < 0


def test_a_tenant_that_did_nothing_costs_nothing() -> None:
    shown = line(PeriodRow.empty("t", NOVEMBER))

    assert shown.pool is not None
    assert shown.pool == PoolEstimate(0, Decimal(0))
    assert shown.stranded_seconds == 0
    assert shown.margin == Decimal(0)


def test_what_was_not_counted_is_not_made_up() -> None:
    shown = line(replace(PeriodRow.empty("t", NOVEMBER), next_sequence=2, charged=1))

    assert (shown.pool, shown.stranded_seconds, shown.margin) == (None, None, None)
    assert total([shown]).margin == 0


def test_the_total_of_no_lines_is_nothing() -> None:
    totals = total([])

    assert (totals.tenants, str(totals.cost), totals.days) == (0, "0.0000", ())
