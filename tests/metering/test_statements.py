"""A statement says what the period row says, in the tenant's terms."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.periods import Period
from metering.rates import Rates
from metering.rows import DayNumbers, PeriodRow
from metering.statements import DayQuota, LineKind, Statement, make_statement, price, round_price
from tests.support.building import statement_terms

NOVEMBER = Period(2026, 11)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROW = replace(
    PeriodRow.empty("acme", NOVEMBER),
    charged=12,
    reversed=2,
    adjusted=-3,
    sessions_opened=4,
    days={date(2026, 11, 23): DayNumbers(4, 1), date(2026, 11, 2): DayNumbers(3, 3)},
    adjustments={(date(2026, 11, 23), None): -3},
)
OCTOBER = Period(2026, 10)


def statement(
    row: PeriodRow = ROW,
    *,
    now: datetime = NOON,
    month: int | None = 10,
    day: int | None = 5,
    rates: Rates | None = None,
    increment_seconds: int = 300,
) -> Statement:
    terms = statement_terms(quota=month, rates=rates or Rates(Decimal("0.03")), increment_seconds=increment_seconds)
    return make_statement(row, tenant_id="acme", terms=terms, increments_per_day=day, now=now)


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
    row = replace(ROW, days={date(2026, 11, 2): DayNumbers(increments, 1)}, adjustments={})

    priced = statement(row, rates=Rates(Decimal(rate)), increment_seconds=increment_seconds).cost

    assert str(priced) == cost


day_numbers = st.dictionaries(
    st.dates(date(2026, 11, 1), date(2026, 11, 30)), st.builds(DayNumbers, st.integers(-500, 10**5), st.integers(0, 9))
)
prices = st.decimals(0, 1000, places=6)
changes = st.dictionaries(st.dates(date(2026, 9, 1), date(2026, 12, 31)), prices, max_size=4)
adjustments = st.dictionaries(
    st.tuples(st.dates(date(2026, 11, 1), date(2026, 11, 30)), st.sampled_from([None, OCTOBER, Period(2026, 9)])),
    st.integers(-1000, 1000),
    max_size=6,
)


@given(days=day_numbers, adjusted=adjustments, base=prices, changed=changes, increment_seconds=st.integers(1, 3600))
def test_lines_sum_up_to_the_exact_price_rounded_once(
    days: dict[date, DayNumbers],
    adjusted: dict[tuple[date, Period | None], int],
    base: Decimal,
    changed: dict[date, Decimal],
    increment_seconds: int,
) -> None:
    every = {day: days.get(day, DayNumbers()) for day in {*days, *(day for day, _ in adjusted)}}
    row = replace(ROW, days=every, adjustments=adjusted)
    rates = Rates(base, tuple(sorted(changed.items())))

    made = statement(row, rates=rates, increment_seconds=increment_seconds)

    def rate_on(day: date) -> Decimal:  # the oracle: the latest change that is not later
        return max(((at, rate) for at, rate in changed.items() if at <= day), default=(day, base))[1]

    exact = Fraction(0)
    for day, numbers in every.items():
        own = {corrects: n for (at, corrects), n in adjusted.items() if at == day}
        exact += (numbers.increments - sum(own.values())) * Fraction(rate_on(day))
        for corrects, n in own.items():
            exact += n * Fraction(rate_on(day if corrects is None else corrects.last_day))
    exact *= Fraction(increment_seconds, 3600)
    assert made.cost == sum((line.cost for line in made.lines), start=Decimal(0)) == round_price(exact)
    assert abs(Fraction(made.cost) - exact) <= Fraction(1, 20_000)
    assert sum(line.increments for line in made.lines) == sum(numbers.increments for numbers in every.values())
    assert sum(line.sessions for line in made.lines) == sum(numbers.sessions for numbers in every.values())


def test_a_price_that_changes_holds_from_its_day_on() -> None:
    rates = Rates(Decimal("0.03"), ((date(2026, 11, 10), Decimal("0.026")), (date(2026, 12, 1), Decimal("0.025"))))
    made = statement(replace(ROW, adjustments={}), rates=rates)

    assert [(line.day.day, str(line.rate_per_session_hour)) for line in made.lines] == [(2, "0.03"), (23, "0.026")]
    assert made.rate_per_session_hour == Decimal("0.026")
    assert list(rates.within(NOVEMBER)) == [
        (date(2026, 11, 1), Decimal("0.03")),
        (date(2026, 11, 10), Decimal("0.026")),
    ]


def test_adjustments_are_lines_of_their_own_and_a_correction_has_the_price_of_what_it_corrects() -> None:
    rates = Rates(Decimal("0.03"), ((date(2026, 11, 1), Decimal("0.06")),))
    row = replace(
        ROW,
        days={date(2026, 11, 23): DayNumbers(12 - 24, 1)},
        adjustments={(date(2026, 11, 23), OCTOBER): -12, (date(2026, 11, 23), None): -12},
    )

    made = statement(row, rates=rates)

    assert [(line.kind, line.corrects, line.increments, str(line.cost)) for line in made.lines] == [
        (LineKind.USAGE, None, 12, "0.0600"),
        (LineKind.ADJUSTMENT, None, -12, "-0.0600"),
        (LineKind.ADJUSTMENT, OCTOBER, -12, "-0.0300"),
    ]


def test_a_day_of_nothing_but_adjustments_has_no_line_of_usage() -> None:
    row = replace(ROW, days={date(2026, 11, 23): DayNumbers(-3, 0)})

    assert [line.kind for line in statement(row).lines] == [LineKind.ADJUSTMENT]


@pytest.mark.parametrize("days", [[10, 9], [9, 9]])
def test_changes_of_a_rate_stand_in_the_order_of_time(days: list[int]) -> None:
    with pytest.raises(ValueError, match="in the order of their days"):
        Rates(Decimal(1), tuple((date(2026, 11, day), Decimal(2)) for day in days))


def test_the_exact_price_is_not_rounded() -> None:
    assert price(1, increment_seconds=7, rate_per_session_hour=Decimal(1)) == Fraction(7, 3600)
