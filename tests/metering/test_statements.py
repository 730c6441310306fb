"""A statement says what the period row says, in the tenant's terms."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.periods import Period
from metering.requests import Quota
from metering.rows import DayNumbers, PeriodRow
from metering.statements import DayQuota, Statement, cost_of, make_statement
from tests.support.building import granularity

NOVEMBER = Period(2026, 11)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROW = replace(
    PeriodRow.empty("acme", NOVEMBER),
    charged=12,
    reversed=2,
    adjusted=-3,
    sessions_opened=4,
    days={date(2026, 11, 23): DayNumbers(4, 1), date(2026, 11, 2): DayNumbers(3, 3)},
)


def statement(row: PeriodRow = ROW, *, now: datetime = NOON, month: int | None = 10, day: int | None = 5) -> Statement:
    return make_statement(
        row,
        tenant_id="acme",
        quota=Quota(increments_per_period=month, increments_per_day=day),
        granularity=granularity(),
        rate_per_session_hour=Decimal("0.03"),
        currency="USD",
        now=now,
    )


def test_billed_is_charges_less_reversals_plus_adjustments() -> None:
    assert statement().billed == 12 - 2 - 3 == ROW.balance


@pytest.mark.parametrize(("month", "remaining"), [(10, 3), (7, 0), (5, 0), (None, None)])
def test_what_remains_is_the_quota_less_what_is_billed_and_never_below_zero(
    month: int | None, remaining: int | None
) -> None:
    assert statement(month=month).remaining == remaining


def test_days_stand_in_order_and_sum_up_to_what_is_billed() -> None:
    days = statement().days

    assert [day for day, _ in days] == [date(2026, 11, 2), date(2026, 11, 23)]
    assert sum(numbers.increments for _, numbers in days) == statement().billed


@pytest.mark.parametrize(("day", "today", "left"), [(5, DayQuota(4, 5), 1), (3, DayQuota(4, 3), 0)])
def test_a_daily_quota_is_stated_for_today(day: int, today: DayQuota, left: int) -> None:
    assert statement(day=day).today == today
    assert today.remaining == left


def test_a_day_without_entries_has_used_nothing_of_its_quota() -> None:
    assert statement(now=NOON + timedelta(days=1)).today == DayQuota(0, 5)


@pytest.mark.parametrize(("now", "day"), [(NOON, None), (NOON + timedelta(days=30), 5)])
def test_today_is_left_out_without_a_daily_quota_and_in_other_periods(now: datetime, day: int | None) -> None:
    assert statement(now=now, day=day).today is None


@pytest.mark.parametrize(
    ("now", "complete_until"),
    [
        (NOON, NOON),
        (datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        (datetime(2027, 5, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        (datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
    ],
)
def test_a_statement_is_complete_until_now_but_within_its_period(now: datetime, complete_until: datetime) -> None:
    assert statement(now=now).complete_until == complete_until


def test_a_closed_period_makes_a_closed_statement() -> None:
    assert statement(replace(ROW, closed=True)).closed
    assert not statement().closed


@pytest.mark.parametrize(
    ("increments", "increment_seconds", "rate", "cost"),
    [
        (12, 300, "0.03", "0.0300"),  # one hour
        (7, 300, "0.03", "0.0175"),
        (1, 300, "0.0006", "0.0000"),  # 0.00005 is a tie: to the even 0
        (1, 300, "0.0018", "0.0002"),  # 0.00015 is a tie: to the even 2
        (-12, 300, "0.03", "-0.0300"),
        (1, 7, "1", "0.0019"),  # 0.00194444…
        (0, 300, "0.03", "0.0000"),
    ],
)
def test_cost_is_rounded_once_half_to_even_to_four_places(
    increments: int, increment_seconds: int, rate: str, cost: str
) -> None:
    priced = cost_of(increments, granularity=granularity(increment_seconds), rate_per_session_hour=Decimal(rate))

    assert str(priced) == cost


@given(
    increments=st.integers(-(10**6), 10**6),
    increment_seconds=st.integers(1, 3600),
    rate=st.decimals(0, 1000, places=6),
)
def test_cost_is_within_half_a_unit_of_the_exact_product(
    increments: int, increment_seconds: int, rate: Decimal
) -> None:
    priced = cost_of(increments, granularity=granularity(increment_seconds), rate_per_session_hour=rate)

    exact = Fraction(increments * increment_seconds, 3600) * Fraction(rate)
    assert abs(Fraction(priced) - exact) <= Fraction(1, 20_000)
