"""The meter: what an instance remembers, takes back and ends, over a store in memory."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.admissions import Admission, Outcome
from metering.coverage import SESSIONS_MAX, Coverage
from metering.meter import Meter
from metering.periods import Period
from metering.requests import Adjusted, Admitted, Quota, QuotaExceeded, TooManySessions
from metering.store import LedgerUnavailable
from tests.support.building import MORNING, FakeClock, admit, granularity, meter, terms
from tests.support.memory_store import Fault, MemoryLedgerStore

NOVEMBER = Period(2026, 11)


class World:
    """One tenant, a store, a clock, and meters on them."""

    def __init__(
        self, increment_seconds: int = 300, tail_seconds: int = 300, *, sleeps_move_clock: bool = True
    ) -> None:
        self.sleeps_move_clock = sleeps_move_clock
        self.of = granularity(increment_seconds, tail_seconds)
        self.clock = FakeClock()
        self.store = MemoryLedgerStore()
        self.meter = self.instance("i1")

    def instance(self, name: str) -> Meter:
        return meter(self.store, self.clock, name, of=self.of, sleeps_move_clock=self.sleeps_move_clock)

    async def admit(self, at: float, session: str = "s1", *, on: Meter | None = None) -> Admission:
        self.clock.set(at)
        answer = await (on or self.meter).admit("t", admit(session))
        assert isinstance(answer, Admission)
        return answer

    async def ran(self, at: float, session: str = "s1", *, on: Meter | None = None) -> Admission:
        admission = await self.admit(at, session, on=on)
        await (on or self.meter).settle(admission, Outcome.RAN)
        return admission

    async def end(self, at: float, session: str = "s1", *, on: Meter | None = None) -> int:
        self.clock.set(at)
        instance = on or self.meter
        return await instance.end("t", instance.ending(f"pool-{session}"), operation="session.delete", request_id="r")

    async def balance(self) -> int:
        return (await self.store.period_row("t", NOVEMBER)).balance

    async def rest(self) -> None:
        for _ in range(2_000):
            await asyncio.sleep(0)
            if not (self.meter._reversals.waiting or self.meter._asking or self.meter._commits._tasks):
                return
        raise AssertionError("it does not come to rest")

    def fail(self, *names: str) -> None:
        self.store.fault = lambda name: Fault.UNAVAILABLE if name in names else None


async def test_a_covered_call_needs_no_storage_operation() -> None:
    world = World()
    await world.ran(0)
    await world.ran(1)
    before = list(world.store.operations)

    covered = await world.ran(250)

    assert covered.charges == ()
    assert covered.paid_until == MORNING + timedelta(seconds=600)
    assert world.store.operations == before


async def test_a_charge_takes_one_read_and_one_commit() -> None:
    world = World()

    await world.ran(0)

    assert world.store.operations == ["read", "commit"]


async def test_paid_sessions_go_on_without_storage_and_new_charges_are_refused() -> None:
    world = World()
    await world.ran(0)
    await world.ran(1)
    world.fail("read", "commit")

    assert (await world.ran(200)).charges == ()
    with pytest.raises(LedgerUnavailable):
        await world.admit(301)

    world.fail()
    assert await world.balance() == 2


async def test_a_call_that_did_not_run_costs_nothing() -> None:
    world = World()
    admission = await world.admit(0)

    assert await world.meter.settle(admission, Outcome.DID_NOT_RUN) == 1
    assert await world.balance() == 0
    assert (await world.ran(1)).charges != ()  # the window is closed again


async def test_a_covered_call_that_did_not_run_takes_nothing_back() -> None:
    world = World()
    await world.ran(0)
    covered = await world.admit(0)

    assert await world.meter.settle(covered, Outcome.DID_NOT_RUN) == 0
    assert await world.balance() == 1


async def test_a_charge_that_a_running_call_relies_on_stands() -> None:
    world = World()
    refused = await world.admit(0)
    relying = await world.admit(0)

    assert await world.meter.settle(refused, Outcome.DID_NOT_RUN) == 0
    assert await world.meter.settle(relying, Outcome.RAN) == 0
    assert await world.balance() == 1


async def test_a_charge_is_taken_back_once_the_last_call_relying_on_it_did_not_run_either() -> None:
    world = World()
    refused = await world.admit(0)
    relying = await world.admit(0)

    await world.meter.settle(refused, Outcome.DID_NOT_RUN)
    assert await world.meter.settle(relying, Outcome.DID_NOT_RUN) == 0  # it had no charge of its own
    assert await world.balance() == 0


async def test_a_charge_that_a_finished_call_has_used_stands() -> None:
    world = World()
    await world.ran(0)
    extending = await world.admit(100)
    await world.ran(150)  # covered by the extension, until 450

    assert await world.meter.settle(extending, Outcome.DID_NOT_RUN) == 0
    assert await world.balance() == 2


async def test_an_extension_that_nothing_used_is_taken_back_though_an_earlier_call_still_runs() -> None:
    world = World()
    running = await world.admit(0)
    extending = await world.admit(100)

    await world.meter.settle(extending, Outcome.DID_NOT_RUN)
    assert await world.meter.settle(running, Outcome.RAN) == 0
    assert await world.balance() == 1


async def test_several_charges_are_taken_back_newest_first() -> None:
    world = World()
    first, second = await world.admit(0), await world.admit(100)

    await world.meter.settle(first, Outcome.DID_NOT_RUN)
    assert await world.meter.settle(second, Outcome.DID_NOT_RUN) == 1  # its own; the other's goes as well
    assert await world.balance() == 0


async def test_a_refused_admission_still_lets_charges_be_taken_back() -> None:
    world = World()
    held = await world.admit(0)
    world.clock.set(200)
    waiting = asyncio.ensure_future(world.meter.admit("t", admit(month=1)))
    await asyncio.sleep(0)
    await world.meter.settle(held, Outcome.DID_NOT_RUN)

    assert isinstance(await waiting, QuotaExceeded)
    assert await world.balance() == 0


async def test_a_charge_that_cannot_be_taken_back_now_is_taken_back_once_storage_is_back() -> None:
    world = World()
    admission = await world.admit(0)
    world.fail("read")

    with pytest.raises(LedgerUnavailable):
        await world.meter.settle(admission, Outcome.DID_NOT_RUN)
    failed = world.store.operations.count("read")
    while world.store.operations.count("read") < failed + 60:
        await asyncio.sleep(0)  # it is tried again, and again in vain
    world.fail()
    await world.rest()

    assert await world.balance() == 0


async def test_a_charge_left_to_the_last_call_is_taken_back_though_that_one_was_refused() -> None:
    world = World()
    held = await world.admit(0)
    world.clock.set(200)
    world.fail("read")
    waiting = asyncio.ensure_future(world.meter.admit("t", admit()))
    await asyncio.sleep(0)
    assert await world.meter.settle(held, Outcome.DID_NOT_RUN) == 0
    with pytest.raises(LedgerUnavailable):
        await waiting

    world.fail()
    await world.rest()

    assert await world.balance() == 0


async def test_a_charge_that_waits_to_be_taken_back_stands_if_its_time_is_used_meanwhile() -> None:
    world = World(300, 0, sleeps_move_clock=False)
    admission = await world.admit(0)
    world.fail("read")
    with pytest.raises(LedgerUnavailable):
        await world.meter.settle(admission, Outcome.DID_NOT_RUN)
    world.fail()

    assert (await world.ran(1)).charges == ()
    await world.rest()

    assert await world.balance() == 1


async def test_a_charge_that_another_instance_relies_on_by_then_stands_and_is_not_tried_for_ever() -> None:
    world = World(300, 0)
    admission = await world.admit(0)
    world.fail("read")
    with pytest.raises(LedgerUnavailable):
        await world.meter.settle(admission, Outcome.DID_NOT_RUN)
    world.fail()
    await world.ran(0, on=world.instance("i2"))

    await world.rest()

    assert await world.balance() == 1


async def test_a_refusal_is_told_even_if_another_calls_charge_cannot_be_taken_back_then() -> None:
    world = World()
    held = await world.admit(0)
    world.clock.set(200)
    waiting = asyncio.ensure_future(world.meter.admit("t", admit(month=1)))
    await asyncio.sleep(0)
    await world.meter.settle(held, Outcome.DID_NOT_RUN)
    reads = iter([None, None])
    world.store.fault = lambda name: next(reads, Fault.UNAVAILABLE) if name == "read" else None

    assert isinstance(await waiting, QuotaExceeded)


async def test_closing_gives_up_charges_that_cannot_be_taken_back() -> None:
    world = World()
    admission = await world.admit(0)
    world.fail("read")
    with pytest.raises(LedgerUnavailable):
        await world.meter.settle(admission, Outcome.DID_NOT_RUN)

    await asyncio.wait_for(world.meter.aclose(), 10)


async def test_a_charge_is_not_given_up_because_another_that_is_to_go_stands_on_top_of_it() -> None:
    world = World()
    lower, upper = await world.admit(0), await world.admit(100)
    session = world.meter._coverage.known("pool-s1")
    assert session is not None
    session.calls -= 1  # the upper one's caller was told that it was not made; it turns up behind the reversal
    world.store.fault = lambda name: _turn_up(world, upper) if name == "read" else None

    assert await world.meter.settle(lower, Outcome.DID_NOT_RUN) == 0
    await world.rest()

    assert await world.balance() == 0


def _turn_up(world: World, upper: Admission) -> None:
    world.store.fault = lambda _: None
    world.meter.orphaned("t", upper.charges)


async def test_a_caller_that_hangs_up_while_its_charge_is_taken_back_is_charged_nothing() -> None:
    world = World()
    admission = await world.admit(0)
    faults = iter([None, Fault.UNAVAILABLE])
    world.store.fault = lambda name: next(faults, None) if name == "read" else None
    leaving = asyncio.ensure_future(world.meter.settle(admission, Outcome.DID_NOT_RUN))
    await asyncio.sleep(0)
    leaving.cancel()
    await world.rest()

    assert await world.balance() == 0


def test_a_window_shortened_of_a_session_that_is_forgotten_needs_no_memory() -> None:
    Coverage().forget("unknown")


# ---- answers that come late ----------------------------------------------------------------------------------------


class Late:
    """Lets every n-th commit take so many seconds."""

    def __init__(self, world: World, seconds: float, *late: int) -> None:
        self.world, self.seconds, self.late, self.commits = world, seconds, late, 0
        world.store.fault = self

    def __call__(self, operation: str) -> None:
        if operation == "commit":
            self.commits += 1
            if self.commits in self.late:
                self.world.clock.now += timedelta(seconds=self.seconds)


async def test_an_admission_that_comes_too_late_is_made_anew_and_charged_once() -> None:
    world = World()
    Late(world, 10, 1)

    admission = await world.admit(0)

    assert admission.opened_at == MORNING + timedelta(seconds=10)
    assert admission.increments == 1
    kinds = [entry.kind for entry in await world.store.entries("t", NOVEMBER, after=0, limit=9)]
    assert kinds == ["charge", "reversal", "charge"]
    assert await world.meter.settle(admission, Outcome.DID_NOT_RUN) == 1
    assert await world.balance() == 0


async def test_a_call_never_goes_to_the_pool_on_a_window_that_is_over() -> None:
    world = World(2, 2)
    Late(world, 2, 1)

    admission = await world.admit(0)

    assert admission.paid_until > world.clock.now


async def test_a_late_charge_that_another_call_relies_on_is_built_upon() -> None:
    world = World()
    Late(world, 10, 1)
    world.clock.set(0)
    answers = await asyncio.gather(world.meter.admit("t", admit()), world.meter.admit("t", admit()))

    kinds = [entry.kind for entry in await world.store.entries("t", NOVEMBER, after=0, limit=9)]
    assert kinds == ["charge", "charge"]
    for answer in answers:
        assert isinstance(answer, Admission)
        assert answer.needs_until <= answer.paid_until
        await world.meter.settle(answer, Outcome.DID_NOT_RUN)
    assert await world.balance() == 0


async def test_a_ledger_that_is_always_late_refuses_and_keeps_nothing() -> None:
    world = World()
    Late(world, 10, *range(1, 6))

    with pytest.raises(LedgerUnavailable):
        await world.admit(0)
    await world.rest()

    assert await world.balance() == 0


async def test_a_quota_used_up_between_a_late_answer_and_the_next_leaves_nothing_charged() -> None:
    world = World()
    other = await world.ran(0, "other")
    assert other.increments == 1
    Late(world, 200, 1)
    world.clock.set(200)
    relying = asyncio.ensure_future(world.meter.admit("t", admit(month=2)))
    answer = await world.meter.admit("t", admit(month=2))

    refused = [isinstance(a, QuotaExceeded) for a in (answer, await relying)]
    assert refused == [True, True]
    await world.rest()
    assert await world.balance() == 1


async def test_a_window_used_by_two_instances_is_never_shortened() -> None:
    world = World()
    other = world.instance("i2")
    opening = await world.admit(0)
    await world.ran(0, on=other)

    assert await world.meter.settle(opening, Outcome.DID_NOT_RUN) == 0
    assert await world.end(1) == 0
    assert await world.end(1, on=other) == 0
    assert (await world.ran(0, on=other)).charges == ()


async def test_ending_gives_back_the_increments_not_begun_and_the_next_call_opens_anew() -> None:
    world = World(60, 300)
    await world.ran(0)

    assert await world.end(61) == 3
    assert await world.balance() == 2
    assert (await world.ran(62)).opened_at == MORNING + timedelta(seconds=62)


async def test_ending_while_a_call_is_in_flight_gives_nothing_back_and_keeps_the_window() -> None:
    world = World()
    running = await world.admit(0)

    assert await world.end(1) == 0
    await world.meter.settle(running, Outcome.RAN)
    assert (await world.ran(0)).charges == ()


async def test_a_session_that_a_call_opened_anew_while_it_was_ended_stays_paid() -> None:
    world = World()
    await world.ran(0)
    ending = world.meter.ending("pool-s1")  # the pool ends it, and its answer is long in coming
    await world.ran(1)

    world.clock.set(60)
    assert await world.meter.end("t", ending, operation="session.delete", request_id="r") == 0
    assert (await world.ran(2)).charges == ()


async def test_a_session_is_ended_once() -> None:
    world = World(60, 300)
    await world.ran(0)
    endings = [world.meter.ending("pool-s1") for _ in range(2)]
    world.clock.set(1)

    given_back = [await world.meter.end("t", e, operation="session.delete", request_id="r") for e in endings]

    assert given_back == [4, 0]


async def test_ending_a_session_that_this_instance_does_not_know_asks_no_storage() -> None:
    world = World()
    await world.ran(0)
    restarted = world.instance("i2")
    before = list(world.store.operations)

    assert await world.end(1, on=restarted) == 0
    assert world.store.operations == before


async def test_refusals_are_told_as_they_were_decided() -> None:
    world = World()

    assert isinstance(await world.meter.admit("t", admit(month=0)), QuotaExceeded)
    await world.ran(0, "s1")
    assert isinstance(await world.meter.admit("t", admit("s2", sessions=1)), TooManySessions)
    assert await world.balance() == 1


async def test_adjustments_are_booked_up_to_the_quota() -> None:
    world = World()

    def adjust(increments: int) -> object:
        return world.meter.adjust(
            "t", quota=Quota(increments_per_period=2), increments=increments, reason="x", request_id="r"
        )

    first, second = await asyncio.gather(adjust(2), adjust(1))  # type: ignore[call-overload]  # both are coroutines
    assert isinstance(first, Adjusted)
    assert isinstance(second, QuotaExceeded)
    assert await world.balance() == 2


async def test_the_standing_is_that_of_the_last_look_at_the_ledger() -> None:
    world = World()
    assert world.meter.standing("t") is None
    await world.meter.admit("t", admit("s1", sessions=3))

    standing = world.meter.standing("t")

    assert standing is not None
    assert (standing.balance, standing.day_increments, standing.period) == (1, 1, NOVEMBER)
    assert standing.open_until == (MORNING + timedelta(seconds=300),)


async def test_the_memory_of_standings_is_bounded() -> None:
    bounded = Meter(store=MemoryLedgerStore(), terms=terms(), clock=FakeClock(), standings_max=2)

    for n in range(5):
        await bounded.admit(f"t{n}", admit(f"s{n}"))

    known = [n for n in range(5) if bounded.standing(f"t{n}") is not None]
    assert 4 in known
    assert len(known) <= 2


# ---- quotes --------------------------------------------------------------------------------------------------------

type Step = tuple[str, str, int | None]

quoted_steps = st.lists(
    st.one_of(
        st.tuples(st.just("i1") | st.just("i2"), st.sampled_from(["s1", "s2", "s3"]), st.sampled_from([None, 1, 3])),
        st.tuples(st.just("end"), st.sampled_from(["s1", "s2", "s3"]), st.none()),
        st.tuples(st.just("wait"), st.just(""), st.sampled_from([0, 1, 100, 299, 300, 700])),
    ),
    max_size=20,
)


async def _quote_and_admit(world: World, instance: Meter, session: str, limit: int | None) -> None:
    request = admit(session, month=None if limit is None else 2 * limit, day=limit and 5, sessions=limit)
    rows, standing = dict(world.store.rows), instance.standing("t")

    quoted = await instance.quote("t", request)

    assert (world.store.rows, instance.standing("t")) == (rows, standing)
    admitted = await instance.admit("t", request)
    if not isinstance(admitted, Admission):
        assert quoted == admitted
        return
    assert isinstance(quoted, Admitted)
    assert (quoted.opened_at, quoted.paid_until) == (admitted.opened_at, admitted.paid_until)
    assert admitted.charges == (() if quoted.charge is None else (quoted.charge,))
    await instance.settle(admitted, Outcome.RAN)


@settings(max_examples=200, deadline=None)
@given(steps=quoted_steps, tail=st.sampled_from([0, 60, 300]))
def test_a_quote_changes_nothing_and_is_what_is_then_charged_on_any_instance(steps: list[Step], tail: int) -> None:
    async def live() -> None:
        world = World(60, tail)
        instances = {"i1": world.meter, "i2": world.instance("i2")}
        for kind, session, number in steps:
            if kind == "wait":
                world.clock.now += timedelta(seconds=number or 0)
            elif kind == "end":
                await world.end((world.clock.now - MORNING).total_seconds(), session)
            else:
                await _quote_and_admit(world, instances[kind], session, number)

    asyncio.run(live())


async def test_a_quote_of_a_covered_call_needs_no_storage_and_any_other_does() -> None:
    world = World()
    await world.ran(0)
    world.fail("read")

    covered = await world.meter.quote("t", admit())

    assert isinstance(covered, Admitted)
    assert (covered.charge, covered.paid_until) == (None, MORNING + timedelta(seconds=300))
    world.clock.set(1)
    with pytest.raises(LedgerUnavailable):
        await world.meter.quote("t", admit())


async def test_a_quote_is_no_call_of_the_session() -> None:
    world = World(60, 300)
    await world.ran(0)
    ending = world.meter.ending("pool-s1")

    await world.meter.quote("t", admit())
    await world.meter.quote("t", admit("s2"))

    assert world.meter._coverage.known("pool-s2") is None
    assert await world.meter.end("t", ending, operation="session.delete", request_id="r") == 5


async def test_a_quote_does_not_mark_the_window_as_shared() -> None:
    world = World(60, 0)
    await world.ran(0)

    await world.instance("i2").quote("t", admit())

    row, _ = world.store.rows["t", "window:pool-s1"]
    assert not row.shared


@pytest.mark.slow
def test_the_memory_of_a_million_open_sessions_is_bounded_and_keeps_what_is_in_use() -> None:
    coverage = Coverage()
    busy = coverage.enter("busy", MORNING)
    open_until = MORNING + timedelta(hours=1)

    for n in range(1_000_000):
        session = coverage.enter(f"s{n}", MORNING)
        coverage.learn(f"s{n}", MORNING, open_until)
        session.calls -= 1

    assert len(coverage) <= SESSIONS_MAX
    assert coverage.known("busy") is busy
    assert coverage.known("s999999") is not None
    coverage.learn("s0", MORNING, open_until)
    assert coverage.known("s0") is None  # forgotten, and not remembered by an answer that comes late


def test_expired_sessions_are_forgotten_before_open_ones() -> None:
    coverage = Coverage(sessions_max=3_000)
    for n in range(1_000):
        coverage.enter(f"old{n}", MORNING).calls -= 1
        coverage.learn(f"old{n}", MORNING, MORNING)
    for n in range(1_000):
        coverage.enter(f"new{n}", MORNING).calls -= 1
        coverage.learn(f"new{n}", MORNING, MORNING + timedelta(seconds=300))

    assert coverage.known("old5") is None
    assert coverage.known("new5") is not None
