"""Group commit: batching, lost answers, contention and trouble, over a store in memory."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from metering import commits
from metering.admissions import Admission, Outcome
from metering.closer import close_period
from metering.closing import closable_at
from metering.ledger import Decision
from metering.meter import Meter
from metering.periods import Period
from metering.requests import Admitted, Quota, QuotaExceeded
from metering.store import LedgerUnavailable, Snapshot
from metering.watch import Unwatched
from tests.support.building import KEYS, FakeClock, admit, granularity, meter, statement_terms
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
    assert answer.increments == 1
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
    assert answer.increments == 0
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
        clock.set(clock.now.timestamp() + 3, after=clock.now.fromtimestamp(0, clock.now.tzinfo))
        return Fault.UNAVAILABLE

    store = MemoryLedgerStore(fault=slow)

    with pytest.raises(LedgerUnavailable):
        await meter(store, clock).admit("t", admit())

    assert store.operations.count("read") == 2


async def test_when_storage_is_out_of_reach_nobody_waits_for_the_turn_to_hear_of_it() -> None:
    clock = FakeClock()
    store = MemoryLedgerStore(fault=lambda _: Fault.UNAVAILABLE)
    instance = meter(store, clock)
    started_at = clock.now

    answers = await asyncio.gather(*(instance.admit("t", admit(f"s{n}")) for n in range(200)), return_exceptions=True)

    assert {type(answer) for answer in answers} == {LedgerUnavailable}
    assert (clock.now - started_at).total_seconds() < 10


async def test_a_conflict_met_in_a_duplicate_of_itself_is_recognised() -> None:
    store = once("commit", Fault.DUPLICATE)

    answer = await meter(store, FakeClock()).admit("t", admit())

    assert isinstance(answer, Admission)
    assert answer.increments == 1
    assert await balance(store) == 1


class TornStore(MemoryLedgerStore):
    """Reads, once, a window as it was before another instance opened it, beside a period row from after."""

    torn = False

    async def read(
        self, tenant_id: str, period: Period, pool_identifiers: Collection[str], *, open_at: datetime | None
    ) -> Snapshot:
        snapshot = await super().read(tenant_id, period, pool_identifiers, open_at=open_at)
        if not self.torn:
            return snapshot
        self.torn = False
        return replace(snapshot, rows=replace(snapshot.rows, windows={}))


async def test_nobody_is_refused_on_rows_that_never_stood_beside_each_other() -> None:
    store, clock, active_time_only = TornStore(), FakeClock(), granularity(300, 0)
    await meter(store, clock, "i1", of=active_time_only).admit("t", admit(month=1))
    store.torn = True

    answer = await meter(store, clock, "i2", of=active_time_only).admit("t", admit(month=1))

    assert isinstance(answer, Admission)
    assert answer.increments == 0


# ---- doubts that outlive their requests ----------------------------------------------------------------------------


async def refused_in_doubt(store: MemoryLedgerStore, instance: Meter, session: str = "s1") -> None:
    """Have a call refused whose commit is on its way, with everything else out of reach."""
    faults = iter([Fault.LATE])
    store.fault = lambda operation: next(faults, Fault.UNAVAILABLE) if operation == "commit" else _outage(store)
    with pytest.raises(LedgerUnavailable):
        await instance.admit("t", admit(session))


def _outage(store: MemoryLedgerStore) -> Fault | None:
    return Fault.UNAVAILABLE if store.late else None


async def at_rest(instance: Meter, clock: FakeClock) -> None:
    """Let everything in the background come to its end."""
    for _ in range(2_000):
        await asyncio.sleep(0)
        if not (instance._reversals.waiting or instance._asking or instance._commits._tasks):
            return
    raise AssertionError("it does not come to rest")


async def test_a_charge_made_after_its_call_was_refused_is_taken_back() -> None:
    store, clock = MemoryLedgerStore(), FakeClock()
    instance = meter(store, clock)
    await refused_in_doubt(store, instance)

    assert store.land() == 1
    store.fault = lambda _: None
    await at_rest(instance, clock)

    assert [entry.kind for entry in await store.entries("t", NOVEMBER, after=0, limit=9)] == ["charge", "reversal"]
    assert await balance(store) == 0


async def test_a_commit_in_doubt_cannot_be_made_any_more_once_the_doubt_is_settled() -> None:
    store, clock = MemoryLedgerStore(), FakeClock()
    instance = meter(store, clock)
    await refused_in_doubt(store, instance)
    late, store.late = store.late, []
    store.fault = lambda _: None
    await at_rest(instance, clock)

    store.late = late
    assert store.land() == 0
    assert await balance(store) == 0


async def test_a_charge_made_in_doubt_stands_if_its_time_is_used_and_is_not_made_twice() -> None:
    store, clock = MemoryLedgerStore(), FakeClock()
    instance = meter(store, clock, of=granularity(300, 0), sleeps_move_clock=False)
    await refused_in_doubt(store, instance)
    store.land()
    store.fault = lambda _: None

    answer = await instance.admit("t", admit())

    assert isinstance(answer, Admission)
    assert answer.increments == 0
    await instance.settle(answer, Outcome.RAN)
    await at_rest(instance, clock)
    assert await balance(store) == 1


async def test_a_reversal_in_doubt_is_settled_before_anything_relies_on_its_window() -> None:
    store, clock = MemoryLedgerStore(), FakeClock()
    instance = meter(store, clock, of=granularity(300, 0), sleeps_move_clock=False)
    admission = await instance.admit("t", admit())
    assert isinstance(admission, Admission)
    faults = iter([Fault.LATE])
    store.fault = lambda operation: next(faults, Fault.UNAVAILABLE) if operation == "commit" else _outage(store)
    with pytest.raises(LedgerUnavailable):
        await instance.settle(admission, Outcome.DID_NOT_RUN)

    late, store.late = store.late, []
    store.fault = lambda _: None
    again = await instance.admit("t", admit())  # relies on the window, or opens one of its own
    store.late = late

    assert isinstance(again, Admission)
    assert store.land() == 0  # the window that it relies on can no longer be taken away
    await instance.settle(again, Outcome.RAN)
    await at_rest(instance, clock)
    assert await balance(store) == 1


async def test_an_end_without_reversal_in_doubt_is_made_at_most_once() -> None:
    store, clock = MemoryLedgerStore(), FakeClock()
    instance = meter(store, clock)
    admission = await instance.admit("t", admit())
    assert isinstance(admission, Admission)
    await instance.settle(admission, Outcome.RAN)
    clock.set(10)
    faults = iter([Fault.LATE])
    store.fault = lambda operation: next(faults, None) if operation == "commit" else None

    assert await instance.end("t", instance.ending("pool-s1"), operation="session.delete", request_id="r") == 0

    assert store.land() == 0
    assert await balance(store) == 1


async def test_closing_leaves_doubts_that_cannot_be_settled() -> None:
    store, clock = MemoryLedgerStore(), FakeClock()
    instance = meter(store, clock)
    await refused_in_doubt(store, instance)

    await asyncio.wait_for(instance.aclose(), 10)


async def test_a_tenant_cannot_queue_without_bound() -> None:
    instance = meter(MemoryLedgerStore(), FakeClock())

    answers = await asyncio.gather(
        *(instance.admit("t", admit(f"s{n}")) for n in range(commits.QUEUE_MAX + 200)), return_exceptions=True
    )

    kinds = Counter(type(answer) for answer in answers)
    assert kinds[LedgerUnavailable] == 200
    assert kinds[Admission] == commits.QUEUE_MAX


def adjust(instance: Meter) -> asyncio.Future[object]:
    """Start an adjustment, which stops waiting when it is cancelled."""
    quota = Quota()
    return asyncio.ensure_future(instance.adjust("t", quota=quota, increments=1, reason="x", request_id="r"))


async def test_a_cancelled_caller_does_not_disturb_the_others() -> None:
    store = MemoryLedgerStore()
    instance = meter(store, FakeClock())
    cancelled, other = adjust(instance), asyncio.ensure_future(instance.admit("t", admit("s2")))
    await asyncio.sleep(0)

    cancelled.cancel()

    assert isinstance(await other, Admission)
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_a_caller_that_hangs_up_before_it_is_admitted_is_charged_nothing() -> None:
    store, clock = MemoryLedgerStore(), FakeClock()
    instance = meter(store, clock)
    for session in ("s1", "s2"):
        leaving = asyncio.ensure_future(instance.admit("t", admit(session)))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    await at_rest(instance, clock)

    assert await balance(store) == 0
    staying = await instance.admit("t", admit("s2", month=1))
    assert isinstance(staying, Admission)


async def test_a_caller_that_hangs_up_while_the_ledger_is_out_of_reach_disturbs_nothing() -> None:
    store, clock = MemoryLedgerStore(fault=lambda _: Fault.UNAVAILABLE), FakeClock()
    instance = meter(store, clock)
    leaving = asyncio.ensure_future(instance.admit("t", admit()))
    await asyncio.sleep(0)
    leaving.cancel()
    await at_rest(instance, clock)

    assert await balance(store) == 0


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
    cancelled, other = adjust(instance), asyncio.ensure_future(instance.admit("t", admit("s2")))
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


# ---- previews ------------------------------------------------------------------------------------------------------


async def test_a_previewed_refusal_is_looked_at_twice_and_an_admission_once() -> None:
    store = MemoryLedgerStore()
    instance = meter(store, FakeClock())

    assert isinstance(await instance.quote("t", admit(month=0)), QuotaExceeded)
    assert store.operations == ["read", "read"]
    assert isinstance(await instance.quote("t", admit(month=1)), Admitted)
    assert store.operations == ["read"] * 3


async def test_a_previewed_refusal_that_rests_on_rows_of_two_instants_is_not_told() -> None:
    store, clock = MemoryLedgerStore(), FakeClock()
    other = meter(store, clock, "i2")
    held = await other.admit("t", admit("s2", month=1))
    assert isinstance(held, Admission)
    admission, look = held, store.read

    class Between(MemoryLedgerStore):
        """Lets the other instance's charge be taken back between the first look and the second."""

        async def read(
            self, tenant_id: str, period: Period, pool_identifiers: Collection[str], *, open_at: datetime | None
        ) -> Snapshot:
            if self.operations.count("read") == 1:
                await other.settle(admission, Outcome.DID_NOT_RUN)
            self.operations.append("read")
            return await look(tenant_id, period, pool_identifiers, open_at=open_at)

    assert isinstance(await meter(Between(), clock).quote("t", admit(month=1)), Admitted)


async def test_a_preview_of_rows_that_never_stand_still_gives_up() -> None:
    store, clock = MemoryLedgerStore(), FakeClock()
    other = meter(store, clock, "i2")
    assert isinstance(await other.admit("t", admit("s2")), Admission)
    store.fault = lambda _: _rewrite_all(store)

    with pytest.raises(LedgerUnavailable, match="change with every look"):
        await meter(store, clock).quote("t", admit(month=1))

    assert store.operations.count("read") == 1 + 2 * commits.LOOKS_MAX


def _rewrite_all(store: MemoryLedgerStore) -> None:
    for key, (row, _) in store.rows.items():
        store.version += 1
        store.rows[key] = (row, store.version)


async def test_a_closed_period_is_no_ground_for_a_preview() -> None:
    store = MemoryLedgerStore()
    await close_period(store, "t", NOVEMBER, terms=statement_terms(), clock=lambda: closable_at(NOVEMBER), keys=KEYS)

    with pytest.raises(LedgerUnavailable, match="closed"):
        await meter(store, FakeClock()).quote("t", admit())


@dataclass
class Watch(Unwatched):
    """Notes what it is told."""

    entries: list[tuple[str, int]] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)

    def committed(self, tenant_id: str, decision: Decision) -> None:
        self.entries += [(tenant_id, entry.sequence) for entry in decision.entries]

    def conflicted(self) -> None:
        self.told["conflicted"] += 1

    def retried(self) -> None:
        self.told["retried"] += 1

    def gave_up(self) -> None:
        self.told["gave up"] += 1


@pytest.mark.parametrize(
    ("fault", "conflicts"),
    [(None, 0), (Fault.LOST_REQUEST, 0), (Fault.LOST_ANSWER, 0), (Fault.LATE, 0), (Fault.DUPLICATE, 1)],
)
async def test_each_transaction_that_holds_is_told_once_whatever_became_of_its_answer(
    fault: Fault | None, conflicts: int
) -> None:
    store, watch = MemoryLedgerStore() if fault is None else once("commit", fault), Watch()
    instance = meter(store, FakeClock(), watch=watch)

    await asyncio.gather(*(instance.admit("t", admit(f"s{n}")) for n in range(3)))
    store.land()

    assert watch.entries == [("t", 1), ("t", 2), ("t", 3)]
    assert await balance(store) == 3
    assert (watch.told["conflicted"], watch.told["gave up"]) == (conflicts, 0)
    assert watch.told["retried"] == (0 if fault is None else 1)


async def test_a_commit_that_was_made_after_its_caller_was_refused_is_told_too() -> None:
    store, clock, watch = MemoryLedgerStore(), FakeClock(), Watch()
    instance = meter(store, clock, watch=watch)
    gone = {"commit": Fault.LOST_ANSWER}  # the answer is lost, and then the storage
    store.fault = lambda operation: gone.get(operation, Fault.UNAVAILABLE if store.version else None)
    with pytest.raises(LedgerUnavailable):
        await instance.admit("t", admit())
    assert (watch.entries, watch.told["gave up"]) == ([], 1)

    store.fault = lambda _: None
    await instance.admit("t", admit("s2"))

    assert watch.entries[:2] == [("t", 1), ("t", 2)]
    await instance.aclose()
    rows = sorted(key for tenant, key in store.rows if key.startswith("entry:"))
    assert len(watch.entries) == len(rows)


async def test_refusals_and_covered_calls_tell_no_transaction() -> None:
    store, watch = MemoryLedgerStore(), Watch()
    instance = meter(store, FakeClock(), watch=watch)

    await instance.admit("t", admit(month=1))
    await instance.admit("t", admit(month=1))
    await instance.admit("t", admit("s2", month=1))

    assert watch.entries == [("t", 1)]
    assert not watch.told
