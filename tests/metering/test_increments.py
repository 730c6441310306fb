"""Time to increments: the worked example of the documentation, and the arithmetic against a walk through time."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.increments import Granularity
from tests.support.building import MORNING, granularity


@pytest.mark.parametrize(("tail", "increment", "expected"), [(300, 300, 1), (301, 300, 2), (0, 300, 1), (900, 300, 3)])
def test_opening_costs_the_tail_rounded_up_and_at_least_one(tail: int, increment: int, expected: int) -> None:
    assert granularity(increment, tail).to_open() == expected


@given(increment=st.integers(1, 30), tail=st.integers(0, 90), paid=st.integers(0, 200), at=st.integers(0, 200))
def test_extending_pays_until_the_tail_is_covered_and_not_one_increment_more(
    increment: int, tail: int, paid: int, at: int
) -> None:
    bought = granularity(increment, tail).to_extend(
        paid_until=MORNING + timedelta(seconds=paid), at=MORNING + timedelta(seconds=at)
    )

    end = paid + bought * increment
    assert end >= at + tail
    assert bought == 0 or end - increment < at + tail


def test_a_fraction_of_a_second_beyond_what_is_paid_needs_a_whole_increment() -> None:
    at = MORNING + timedelta(microseconds=1)

    assert granularity().to_extend(paid_until=MORNING + timedelta(seconds=300), at=at) == 1


def test_a_window_covers_calls_before_its_end_only() -> None:
    active_time_only = granularity(300, 0)
    until = MORNING + timedelta(seconds=300)

    assert active_time_only.covers(paid_until=until, at=until - timedelta(microseconds=1))
    assert not active_time_only.covers(paid_until=until, at=until)
    assert not granularity().covers(paid_until=until, at=MORNING + timedelta(seconds=1))


@pytest.mark.parametrize(("seconds", "expected"), [(0, 0), (1, 1), (300, 1), (300.5, 2), (-5, 0)])
def test_an_increment_has_begun_once_an_instant_of_it_has_passed(seconds: float, expected: int) -> None:
    assert granularity().begun(opened_at=MORNING, at=MORNING + timedelta(seconds=seconds)) == expected


def test_a_quota_in_minutes_never_grants_an_increment_that_it_does_not_fill() -> None:
    assert granularity().within(Decimal("14.99")) == 2
    assert granularity().within(Decimal(15)) == 3


def test_minutes_that_are_not_whole_increments_are_refused_with_the_step() -> None:
    assert granularity().exactly(Decimal(-10)) == -2
    with pytest.raises(ValueError, match="a multiple of 5$"):
        granularity().exactly(Decimal(7))


def test_increments_convert_to_minutes_and_hours_exactly() -> None:
    assert granularity().minutes(3) == 15
    assert granularity(2, 2).minutes(15) == Decimal("0.5")
    assert granularity().hours(6) == Decimal("0.5")


@pytest.mark.parametrize(("increment", "tail"), [(0, 0), (300, -1)])
def test_lengths_that_no_bill_could_be_made_of_are_refused(increment: int, tail: int) -> None:
    with pytest.raises(ValueError, match="an increment is at least one second long"):
        Granularity(increment_seconds=increment, tail_seconds=tail)
