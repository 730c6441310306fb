"""Group commit: batching, lost answers, contention and trouble, over a store in memory."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from metering import commits
from metering.meter import Admission, Outcome
from metering.periods import Period
from metering.requests import QuotaExceeded
from metering.store import LedgerUnavailable
from tests.support.building import FakeClock, admit, granularity, meter
from tests.support.memory_store import Fault, MemoryLedgerStore

NOVEMBER = Period(2026, 11)


def once(name: str, fault: Fault) -> MemoryLedgerStore:
    """Make a store in which the first operation of this name fails."""
    faults: Iterator[Fault] = iter([fault])
    return MemoryLedgerStore(fault=lambda operation: next(faults, None) if operation == name else None)


async def balance(store: MemoryLedgerStore) -> int:
    store.fault = lambda _: None
    return (await store.period_row("t", NOVEMBER)).balance


async def test_calls_that_arrive_together_share_transactions() -> None:
    store = MemoryLedgerStore()
    instance = meter(store, FakeClock())

    await asyncio.gather(*(instance.admit("t", admit(f"s{n}")) for n in range(100)))

    assert store.operations.count("commit") == 3  # 1 for the first of all, 49, 49, 1 at most
    assert await balance(store) == 100


@pytest.mark.parametrize("instances", [1, 5])
async def test_exactly_the_quota_is_admitted_under_any_concurrency(instances: int) -> None:
    store, clock = MemoryLedgerStore(), FakeClock()
    meters = [meter(store, clock, f"i{n}") for n in range(instances)]

    answers = await asyncio.gather(*(meters[n % instances].admit("t", admit(f"s{n}", month=10)) for n in range(256)))

    assert Counter(type(answer) for answer in answers) == {Admission: 10, QuotaExceeded: 246}
    assert await balance(store) == 10


async def test_a_commit_whose_answer_was_lost_is_recognised_and_not_repeated() -> None:
    store = once("commit", Fault.LOST_ANSWER)

    answer = await meter(store, FakeClock()).admit("t", admit())

    assert isinstance(answer, Admission)
    assert answer.charge is not None
    assert await balance(store) == 1


async def test_a_commit_that_never_arrived_is_made_again() -> None:
    store = once("commit", Fault.LOST_REQUEST)

    answer = await meter(store, FakeClock()).admit("t", admit())

    assert isinstance(answer, Admission)
    assert await balance(store) == 1


async def test_a_touch_whose_answer_was_lost_is_made_again() -> None:
    store, clock, active_time_only = MemoryLedgerStore(), FakeClock(), granularity(300, 0)
    await meter(store, clock, "i1", of=active_time_only).admit("t", admit())
    faults = iter([Fault.LOST_ANSWER])
    store.fault = lambda operation: next(faults, None) if operation == "commit" else None

    answer = await meter(store, clock, "i2", of=active_time_only).admit("t", admit())

    assert isinstance(answer, Admission)
    assert answer.charge is None
    assert await balance(store) == 1


async def test_a_read_that_fails_is_tried_again() -> None:
    assert isinstance(await meter(once("read", Fault.UNAVAILABLE), FakeClock()).admit("t", admit()), Admission)


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.LOST_REQUEST])
async def test_trouble_that_lasts_ends_in_a_refusal_within_seconds(fault: Fault) -> None:
    clock = FakeClock()
    store = MemoryLedgerStore(fault=lambda operation: fault if operation in {"read", "commit"} else None)
    if fault is Fault.LOST_REQUEST:
        store.fault = lambda operation: fault if operation == "commit" else None
    started_at = clock.now

    with pytest.raises(LedgerUnavailable):
        await meter(store, clock).admit("t", admit())

    assert (clock.now - started_at).total_seconds() < 10
    assert await balance(store) == 0


async def test_slow_trouble_ends_before_all_attempts_are_used() -> None:
    clock = FakeClock()

    def slow(_: str) -> Fault:
        clock.set(clock.now.timestamp() + 5, after=clock.now.fromtimestamp(0, clock.now.tzinfo))
        return Fault.UNAVAILABLE

    store = MemoryLedgerStore(fault=slow)

    with pytest.raises(LedgerUnavailable):
        await meter(store, clock).admit("t", admit())

    assert store.operations.count("read") == 2


async def test_a_tenant_cannot_queue_without_bound() -> None:
    instance = meter(MemoryLedgerStore(), FakeClock())

    answers = await asyncio.gather(
        *(instance.admit("t", admit(f"s{n}")) for n in range(commits.QUEUE_MAX + 200)), return_exceptions=True
    )

    kinds = Counter(type(answer) for answer in answers)
    assert kinds[LedgerUnavailable] == 200
    assert kinds[Admission] == commits.QUEUE_MAX


async def test_a_cancelled_caller_does_not_disturb_the_others() -> None:
    store = MemoryLedgerStore()
    instance = meter(store, FakeClock())
    cancelled = asyncio.ensure_future(instance.admit("t", admit("s1")))
    other = asyncio.ensure_future(instance.admit("t", admit("s2")))
    await asyncio.sleep(0)

    cancelled.cancel()

    assert isinstance(await other, Admission)
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_a_failure_of_our_own_reaches_everyone_who_waits_and_no_one_else() -> None:
    store = MemoryLedgerStore()
    instance = meter(store, FakeClock())

    def broken(_: str) -> Fault:
        raise ZeroDivisionError

    store.fault = broken
    answers = await asyncio.gather(*(instance.admit("t", admit(f"s{n}")) for n in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ZeroDivisionError] * 3

    store.fault = lambda _: None
    assert isinstance(await instance.admit("t", admit()), Admission)


async def test_a_failure_passes_over_a_caller_that_was_cancelled() -> None:
    instance = meter(MemoryLedgerStore(fault=lambda _: Fault.UNAVAILABLE), FakeClock())
    cancelled = asyncio.ensure_future(instance.admit("t", admit("s1")))
    other = asyncio.ensure_future(instance.admit("t", admit("s2")))
    await asyncio.sleep(0)

    cancelled.cancel()

    with pytest.raises(LedgerUnavailable):
        await other


async def test_closing_waits_for_what_is_under_way() -> None:
    store = MemoryLedgerStore()
    instance = meter(store, FakeClock())
    under_way = asyncio.ensure_future(instance.admit("t", admit()))
    await asyncio.sleep(0)

    await instance.aclose()

    admission = await under_way
    assert isinstance(admission, Admission)
    assert await instance.settle(admission, Outcome.RAN) == 0
