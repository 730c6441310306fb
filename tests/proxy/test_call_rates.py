"""Calls per minute."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call_rates import judge
from tests.support.gates import Gate, error_of

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@given(limit=st.integers(1, 50), pauses=st.lists(st.integers(0, 90_000), max_size=120))
def test_calls_that_pass_never_exceed_what_was_saved_up_and_what_came_back(limit: int, pauses: list[int]) -> None:
    now, full_at, passed = NOW, NOW, []
    for pause in pauses:
        now += timedelta(milliseconds=pause)
        verdict = judge(full_at, now, limit)
        full_at = verdict.full_at
        if verdict.wait == timedelta(0):
            passed.append(now)
        else:
            assert judge(full_at, now + verdict.wait, limit).wait == timedelta(0)
    for start, first in enumerate(passed):
        for end, last in enumerate(passed[start:], start):
            assert end - start + 1 <= limit + (last - first) / (timedelta(minutes=1) / limit) + 1e-6


async def test_a_call_too_many_is_refused_with_the_time_to_come_again_and_costs_nothing() -> None:
    gate = Gate(calls_per_minute=2)
    assert [(await gate.call()).status for _ in range(2)] == [200, 200]
    before = list(gate.store.operations)

    refused = await gate.call()

    assert (refused.status, error_of(refused)["code"]) == (429, "TooManyCalls")
    assert refused.headers["Retry-After"] == "30"
    assert gate.store.operations == before
    assert len(gate.pool.calls) == 2
    gate.clock.set(30)
    assert (await gate.call()).status == 200
    assert (await gate.call()).status == 429


async def test_one_tenants_calls_are_none_of_anothers() -> None:
    gate = Gate(calls_per_minute=1)

    assert [(await gate.call(key=key)).status for key in ("acme", "beta", "acme")] == [200, 200, 429]


@pytest.mark.parametrize("key", ["wrong", None])
async def test_who_is_not_known_uses_up_nobodys_calls(key: str | None) -> None:
    gate = Gate(calls_per_minute=1)
    for _ in range(5):
        assert (await gate.call(key=key)).status == 401

    assert (await gate.call()).status == 200
