"""The billing period is a UTC calendar month, half-open."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.clock import utc_now
from metering.periods import Period, day_of, day_start, day_until

instants = st.datetimes(
    min_value=datetime(1000, 1, 1),
    max_value=datetime(9000, 1, 1),
    timezones=st.just(UTC),
)


@given(at=instants)
def test_every_instant_is_in_exactly_one_period_and_day(at: datetime) -> None:
    period = Period.of(at)

    assert period.start_at <= at < period.until
    assert Period.of(period.until) != period
    assert day_start(at) <= at < day_until(at)
    assert day_until(at) - day_start(at) == timedelta(days=1)


@given(at=instants)
def test_a_period_is_parsed_as_it_is_written(at: datetime) -> None:
    assert Period.parse(str(Period.of(at))) == Period.of(at)


def test_periods_and_days_follow_utc_whatever_the_offset() -> None:
    at = datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))

    assert str(Period.of(at)) == "2026-11"
    assert day_of(at) == date(2026, 11, 30)


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "202611", "2026-11-01", "", "0000-01", "٢٠٢٦-11"])
def test_anything_else_is_no_period(text: str) -> None:
    with pytest.raises(ValueError, match="YYYY-MM"):
        Period.parse(text)


def test_the_clock_is_aware() -> None:
    assert utc_now().tzinfo is UTC
