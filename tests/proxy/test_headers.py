"""Which headers cross, and what Tollgate says of cost and limits."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.admissions import Standing
from metering.periods import Period
from metering.requests import Quota
from proxy import headers
from tests.support.building import MORNING, granularity

NOVEMBER = Period(2026, 11)
TO_MIDNIGHT = 15 * 3600
TO_DECEMBER = TO_MIDNIGHT + 7 * 86_400


def standing(balance: int = 2, today: int = 1, *open_for_seconds: int) -> Standing:
    return Standing(
        period=NOVEMBER,
        balance=balance,
        day=MORNING.date(),
        day_increments=today,
        open_until=tuple(MORNING + timedelta(seconds=seconds) for seconds in open_for_seconds),
    )


@given(name=st.text(min_size=1, max_size=30), value=st.text(max_size=30))
def test_no_header_of_the_caller_reaches_the_pool_unless_it_is_on_the_list(name: str, value: str) -> None:
    crossed = headers.to_pool({name.lower(): value, "authorization": "Bearer tg_key", "x-api-key": "tg_key"})

    assert set(crossed) <= {*headers._TO_POOL, "accept-encoding", "user-agent"}
    assert "tg_key" not in crossed.values()


@pytest.mark.parametrize("value", ["é", "a\x00", "a\r\nb: c", "\x7f"])
def test_a_value_that_cannot_be_sent_is_left_behind(value: str) -> None:
    for choose in (headers.to_pool, headers.to_container):
        assert value not in choose({"operation-id": value, "x-own": value, "accept": value}).values()


def test_what_an_execution_needs_reaches_the_pool() -> None:
    given_headers = {"content-type": "application/json", "operation-id": "op", "cookie": "c", "host": "h"}

    assert headers.to_pool(given_headers) == {
        "content-type": "application/json",
        "operation-id": "op",
        "accept-encoding": "identity",
        "user-agent": "Tollgate",
    }


@pytest.mark.parametrize(
    "name",
    [
        "Set-Cookie",
        "Transfer-Encoding",
        "Content-Length",
        "Content-Encoding",
        "Connection",
        "Server",
        "Location",
        "X-Ms-Session-Guid",
    ],
)
def test_nothing_of_the_pools_own_reaches_a_tenant(name: str) -> None:
    assert headers.to_tenant([(name, "x"), (name.lower(), "x")]) == {}


def test_a_header_goes_back_once_in_printable_ascii() -> None:
    answered = headers.to_tenant([("content-type", "text/plain"), ("CONTENT-TYPE", "a\r\nb\N{SNOWMAN}")])

    assert answered == {"Content-Type": "a??b?"}


def test_cost_is_stated_in_minutes_and_with_the_end_of_what_is_paid() -> None:
    assert headers.of_charge(granularity(), 2, MORNING) == {
        "Tollgate-Charged-Minutes": "10",
        "Tollgate-Session-Paid-Until": "2026-11-23T09:00:00Z",
    }
    assert headers.of_charge(granularity(2, 2), 1, None) == {
        "Tollgate-Charged-Minutes": headers.number(Decimal(2) / 60)
    }


def test_limits_state_quota_window_rest_and_when_it_returns() -> None:
    quota = Quota(increments_per_period=12, increments_per_day=3, sessions=4)

    stated = headers.of_limits(granularity(), quota, standing(2, 1, 60, -1), MORNING)

    assert stated == {
        "RateLimit-Policy": '"period";q=60;qu="session-minutes";w=2592000, "day";q=15;qu="session-minutes";w=86400, '
        '"sessions";q=4;qu="concurrent-sessions"',
        "RateLimit": f'"period";r=50;t={TO_DECEMBER}, "day";r=10;t={TO_MIDNIGHT}, "sessions";r=3',
    }


def test_an_old_standing_says_nothing_of_a_new_period_or_day() -> None:
    december = NOVEMBER.until + timedelta(seconds=1)
    quota = Quota(increments_per_period=12, increments_per_day=3)

    stated = headers.of_limits(granularity(), quota, standing(12, 3), december)["RateLimit"]

    assert '"period";r=60;' in stated
    assert '"day";r=15;' in stated


def test_an_unmet_tenant_has_all_left_and_one_above_its_quota_nothing() -> None:
    quota = Quota(increments_per_period=1, sessions=1)

    assert '"period";r=5;' in headers.of_limits(granularity(), quota, None, MORNING)["RateLimit"]
    assert '"period";r=0;' in headers.of_limits(granularity(), quota, standing(3), MORNING)["RateLimit"]


def test_a_tenant_without_limits_is_told_none() -> None:
    assert headers.of_limits(granularity(), Quota(), standing(), MORNING) == {}
