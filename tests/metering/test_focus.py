"""Rows of FOCUS 1.2 keep the convention's rules, for any ledger, and add up to the statement to the last digit."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.focus import (
    COLUMNS,
    OPERATOR_COLUMNS,
    POOL_COLUMNS,
    Row,
    report_rows,
    statement_rows,
    unit_of,
)
from metering.periods import Period
from metering.rates import Rates
from metering.reports import ReportLine, report_line
from metering.rows import Closing, DayNumbers, PeriodRow
from metering.statements import Statement, make_statement
from tests.support.building import statement_terms
from tests.support.ledgers import TENANT, make_ledger

OCTOBER, NOVEMBER = Period(2026, 10), Period(2026, 11)
LATER = datetime(2026, 12, 24, tzinfo=UTC)
LIST_RATE = Decimal("0.03")

MANDATORY = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart",
    "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit",
    "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
}  # fmt: skip
NULLABLE = {"ChargeClass", "ConsumedQuantity", "ConsumedUnit", "InvoiceId", "x_CorrectedPeriod", *POOL_COLUMNS}
ALLOWED: dict[str, set[str | None]] = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {None, "Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"Standard", "Dynamic", "Committed", "Other"},
    "ServiceCategory": {"Compute"},
    "ServiceSubcategory": {
        "Containers", "End User Computing", "Quantum", "Serverless Compute", "Virtual Machines", "Other (Compute)",
    },
}  # fmt: skip

prices = st.decimals(0, 1000, places=6)
november = st.dates(NOVEMBER.first_day, NOVEMBER.last_day)
statements = st.builds(
    lambda used, adjusted, base, changes, seconds, closed: _statement(
        used, adjusted, rates=Rates(base, tuple(sorted(changes.items()))), increment_seconds=seconds, closed=closed
    ),
    used=st.dictionaries(november, st.tuples(st.integers(-500, 10**6), st.integers(-3, 9))),
    adjusted=st.dictionaries(
        st.tuples(november, st.sampled_from([None, OCTOBER, Period(2025, 12)])), st.integers(-(10**6), 10**6)
    ),
    base=prices,
    changes=st.dictionaries(st.dates(date(2025, 12, 1), date(2026, 12, 31)), prices, max_size=4),
    seconds=st.sampled_from([1, 2, 7, 60, 90, 300, 3600, 5400]),
    closed=st.booleans(),
)


def _statement(
    used: dict[date, tuple[int, int]],
    adjusted: dict[tuple[date, Period | None], int],
    *,
    rates: Rates,
    increment_seconds: int = 300,
    closed: bool = False,
) -> Statement:
    """Draw up what a tenant used on each day (increments, sessions), and its adjustments."""
    days = {day: DayNumbers(*numbers) for day, numbers in used.items()}
    for (day, _), increments in adjusted.items():
        before = days.get(day, DayNumbers())
        days[day] = before._replace(increments=before.increments + increments)
    terms = statement_terms(
        name="Acme",
        rates=rates,
        increment_seconds=increment_seconds,
        list_rate_per_session_hour=LIST_RATE,
        issuer="Acme Cloud",
    )
    row = replace(
        PeriodRow.empty(TENANT, NOVEMBER),
        charged=sum(increments for increments, _ in used.values()),
        adjusted=sum(adjusted.values()),
        sessions_opened=sum(sessions for _, sessions in used.values()),
        days=days,
        adjustments=adjusted,
        closing=Closing(at=LATER, terms=terms, hash="", key_id="k1") if closed else None,
    )
    return make_statement(row, tenant_id=TENANT, terms=terms, now=LATER)


def rows_of(statement: Statement) -> list[Row]:
    return list(statement_rows(statement))


def exactly(value: object) -> Fraction:
    assert isinstance(value, Decimal)
    return Fraction(value)


def check_rules(rows: Sequence[Row]) -> None:
    """Hold rows to the rules that the convention has for each."""
    for row in rows:
        assert {column for column, value in row.items() if value is None} <= NULLABLE
        for column, allowed in ALLOWED.items():
            assert row[column] in allowed
        assert exactly(row["ContractedUnitPrice"]) * exactly(row["PricingQuantity"]) == exactly(row["ContractedCost"])
        assert exactly(row["ListUnitPrice"]) * exactly(row["PricingQuantity"]) == exactly(row["ListCost"])
        assert exactly(row["ContractedUnitPrice"]) >= 0
        assert row["EffectiveCost"] == row["BilledCost"]
        is_used = row["ChargeCategory"] == "Usage"
        assert (row["ConsumedQuantity"] is not None) == (row["ConsumedUnit"] is not None) == is_used
        assert (row["ChargeFrequency"] == "Usage-Based") == is_used
        assert (row["ChargeClass"] == "Correction") == (row["x_CorrectedPeriod"] is not None)
        start_at, until = row["ChargePeriodStart"], row["ChargePeriodEnd"]
        billed_from, billed_until = row["BillingPeriodStart"], row["BillingPeriodEnd"]
        assert isinstance(start_at, datetime)
        assert isinstance(until, datetime)
        assert isinstance(billed_from, datetime)
        assert isinstance(billed_until, datetime)
        assert until - start_at == timedelta(days=1)
        assert billed_from <= start_at < until <= billed_until
        assert {at.utcoffset() for at in (start_at, until, billed_from, billed_until)} == {timedelta(0)}


def test_the_columns_stand_in_the_order_of_the_convention_and_none_that_is_mandatory_is_missing() -> None:
    for columns in (COLUMNS, OPERATOR_COLUMNS):
        own = [column for column in columns if column.startswith("x_")]
        assert list(columns) == sorted(columns)
        assert columns[-len(own) :] == tuple(own)
        assert set(columns) >= MANDATORY
    assert set(OPERATOR_COLUMNS) - set(COLUMNS) == set(POOL_COLUMNS)


@given(statements)
def test_rows_keep_the_rules_of_the_convention(statement: Statement) -> None:
    rows = rows_of(statement)

    check_rules(rows)
    assert all(set(row) == set(COLUMNS) for row in rows)


@given(statements)
def test_billed_costs_add_up_to_the_statement_to_the_last_digit(statement: Statement) -> None:
    rows = rows_of(statement)

    assert sum(exactly(row["BilledCost"]) for row in rows) == Fraction(statement.cost)
    assert sum(exactly(row["PricingQuantity"]) for row in rows) == statement.billed
    assert len(rows) == len(statement.lines)


@given(statements)
def test_contracted_costs_are_off_the_exact_price_by_no_more_than_the_last_of_18_places(statement: Statement) -> None:
    for row, line in zip(rows_of(statement), statement.lines, strict=True):
        hours = Fraction(line.increments * statement.terms.increment_seconds, 3600)
        off = abs(exactly(row["ContractedCost"]) - hours * Fraction(line.rate_per_session_hour))
        assert off <= Fraction(abs(line.increments), 2 * 10**18)


@given(statements)
def test_consumed_quantities_are_the_time_of_usage_exactly(statement: Statement) -> None:
    lengths = {"Minutes": 60, "Seconds": 1}
    consumed = sum(
        exactly(row["ConsumedQuantity"]) * lengths[str(row["ConsumedUnit"])]
        for row in rows_of(statement)
        if row["ConsumedQuantity"] is not None
    )

    assert consumed == (statement.charged - statement.reversed) * statement.terms.increment_seconds


@given(seed=st.integers(0, 10_000), apart=st.sampled_from([0, 400]))
def test_ledgers_of_real_decisions_keep_the_rules_too(seed: int, apart: int) -> None:
    for row in make_ledger(seed, apart_seconds=apart).periods.values():
        statement = make_statement(row, tenant_id=TENANT, terms=statement_terms(), now=LATER)
        rows = rows_of(statement)
        check_rules(rows)
        assert sum(exactly(row["BilledCost"]) for row in rows) == Fraction(statement.cost)
        assert sum(row["x_Sessions"] for row in rows if isinstance(row["x_Sessions"], int)) == statement.sessions_opened


DAY = date(2026, 11, 10)
CORRECTED = _statement(
    {DAY: (12, 2), date(2026, 11, 11): (1, 1)},
    {(DAY, None): -2, (DAY, OCTOBER): -3},
    rates=Rates(Decimal("0.03"), ((NOVEMBER.first_day, Decimal("0.025")),)),
)


def test_a_correction_is_a_row_of_its_own_at_the_rate_of_the_period_that_it_corrects() -> None:
    used, adjusted, correction, _ = rows_of(CORRECTED)

    assert [used["ChargeCategory"], used["ChargeClass"], used["BilledCost"]] == ["Usage", None, Decimal("0.0250")]
    assert [adjusted["ChargeCategory"], adjusted["ChargeClass"]] == ["Adjustment", None]
    assert correction["ChargeClass"] == "Correction"
    assert correction["x_CorrectedPeriod"] == "2026-10"
    assert correction["BilledCost"] == Decimal("-0.0075")
    assert correction["ContractedUnitPrice"] == Decimal("0.0025")
    assert correction["BillingPeriodStart"] == NOVEMBER.start_at
    assert correction["ChargePeriodStart"] == datetime(2026, 11, 10, tzinfo=UTC)
    assert correction["ConsumedQuantity"] is None


def test_a_row_says_what_for_and_at_which_price() -> None:
    used, adjusted, correction, _ = rows_of(CORRECTED)

    assert used["ChargeDescription"] == "Session time on 2026-11-10, at 0.025 USD per session hour"
    assert adjusted["ChargeDescription"] == "Adjustment of session time on 2026-11-10, at 0.025 USD per session hour"
    assert correction["ChargeDescription"] == (
        "Adjustment of session time on 2026-11-10 for 2026-10, at 0.03 USD per session hour"
    )


def test_a_row_names_the_tenant_the_issuer_and_the_price() -> None:
    used = rows_of(CORRECTED)[0]

    assert (used["SubAccountId"], used["SubAccountName"]) == (TENANT, "Acme")
    assert (used["BillingAccountId"], used["BillingAccountName"]) == ("tollgate", "Acme Cloud")
    assert used["ProviderName"] == used["PublisherName"] == used["InvoiceIssuerName"] == "Acme Cloud"
    assert (used["SkuPriceId"], used["PricingUnit"], used["ListUnitPrice"]) == (
        "dynamic-session-300s", "5 Minutes", Decimal("0.0025"),
    )  # fmt: skip
    assert json.loads(str(used["SkuPriceDetails"])) == {"x_IncrementSeconds": 300}
    assert used["x_LedgerHash"] == CORRECTED.head_hash


def test_only_what_is_closed_is_on_an_invoice() -> None:
    closed = _statement({DAY: (1, 1)}, {}, rates=Rates(LIST_RATE), closed=True)

    assert {row["InvoiceId"] for row in rows_of(closed)} == {"acme-2026-11"}
    assert {row["InvoiceId"] for row in rows_of(CORRECTED)} == {None}


@pytest.mark.parametrize(
    ("seconds", "unit"),
    [(300, "5 Minutes"), (60, "Minutes"), (3600, "Hours"), (7200, "2 Hours"), (90, "90 Seconds"), (1, "Seconds")],
)
def test_a_unit_is_named_as_the_convention_names_units(seconds: int, unit: str) -> None:
    assert unit_of(seconds) == unit


def test_a_price_that_is_not_finite_is_written_to_18_places_and_its_product_exactly() -> None:
    statement = _statement({DAY: (7, 1)}, {}, rates=Rates(Decimal("0.0257")))
    [row] = rows_of(statement)

    assert str(row["ContractedUnitPrice"]) == "0.002141666666666667"
    assert str(row["ContractedCost"]) == "0.014991666666666669"
    assert str(row["PricingQuantity"]) == "7.0"


def test_prices_of_any_size_keep_all_their_digits() -> None:
    statement = _statement({DAY: (10**9, 1)}, {}, rates=Rates(Decimal("999999.999999")), increment_seconds=7)
    [row] = rows_of(statement)

    check_rules([row])


def pool_line(statement: Statement, *, pool_increment_seconds: int = 3600, next_sequence: int = 5) -> ReportLine:
    row = replace(
        PeriodRow.empty(TENANT, NOVEMBER),
        pool_increment_seconds=pool_increment_seconds,
        pool_increments=3,
        next_sequence=next_sequence,
    )
    return report_line(row, statement)


def operator_rows(line: ReportLine) -> list[Row]:
    return list(report_rows(line))


def test_what_the_pool_costs_stands_on_the_last_row_of_a_tenant_only() -> None:
    line = pool_line(CORRECTED)
    *others, last = operator_rows(line)

    assert {row[column] for row in others for column in POOL_COLUMNS} == {None}
    assert last["x_PoolCost"] == Decimal("0.0900")
    assert last["x_Margin"] == CORRECTED.cost - Decimal("0.0900") == line.margin
    assert last["x_PoolMinutes"] == 180
    assert last["x_StrandedMinutes"] == 180 - 13 * 5
    assert all(set(row) == set(OPERATOR_COLUMNS) for row in [*others, last])


def test_what_was_not_counted_is_on_no_row() -> None:
    rows = operator_rows(pool_line(CORRECTED, pool_increment_seconds=0))

    assert {row[column] for row in rows for column in POOL_COLUMNS} == {None}


def test_a_tenant_without_entries_has_no_rows() -> None:
    assert operator_rows(pool_line(_statement({}, {}, rates=Rates(LIST_RATE)), next_sequence=1)) == []


@given(statements)
def test_pool_columns_can_be_summed(statement: Statement) -> None:
    line = pool_line(statement)
    rows = operator_rows(line)

    check_rules(rows)
    if rows:
        assert line.pool is not None
        assert line.margin is not None
        costs = [exactly(row["x_PoolCost"]) for row in rows if row["x_PoolCost"] is not None]
        margins = [exactly(row["x_Margin"]) for row in rows if row["x_Margin"] is not None]
        assert sum(costs) == Fraction(line.pool.cost)
        assert sum(margins) == Fraction(line.margin)
