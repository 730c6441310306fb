"""When a timer is due."""

from datetime import UTC, datetime

import pytest

from infra.local.host.schedule import parse

AT = datetime(2026, 11, 23, 10, 20, 30, 500_000, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("* * * * * *", "2026-11-23 10:20:31"),
        ("*/20 * * * * *", "2026-11-23 10:20:40"),
        ("30 20 10 * * *", "2026-11-24 10:20:30"),
        ("0 */5 * * * *", "2026-11-23 10:25:00"),
        ("0 0 * * * *", "2026-11-23 11:00:00"),
        ("0 5/15 * * * *", "2026-11-23 10:35:00"),
        ("0 0 9-17/4 * * *", "2026-11-23 13:00:00"),
        ("0 0,30 3 1 * *", "2026-12-01 03:00:00"),
        ("0 0 0 1 1 *", "2027-01-01 00:00:00"),
        ("0 0 0 * * 0", "2026-11-29 00:00:00"),
        ("0 0 0 13 * 5", "2027-08-13 00:00:00"),
        ("0 0 0 29 2 *", "2028-02-29 00:00:00"),
    ],
)
def test_the_next_due_instant_is_the_first_that_every_field_admits(expression: str, due: str) -> None:
    assert parse(expression).next_after(AT) == datetime.fromisoformat(f"{due}+00:00")


def test_a_due_instant_is_always_later_than_the_given_one() -> None:
    due = AT.replace(microsecond=0)

    assert parse("30 20 10 * * *").next_after(due) == datetime(2026, 11, 24, 10, 20, 30, tzinfo=UTC)


def test_a_day_that_never_comes_is_never_due() -> None:
    assert parse("0 0 0 30 2 *").next_after(AT) is None


@pytest.mark.parametrize(
    "expression",
    ["", "* * * * *", "60 * * * * *", "* * * 0 * *", "* * * * 13 *", "* * * * * 7", "*/0 * * * * *", "5-1 * * * * *",
     "a * * * * *", "1, * * * * *", "* * * * mon *"],
)  # fmt: skip
def test_what_is_not_a_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"six fields|is not a"):
        parse(expression)
