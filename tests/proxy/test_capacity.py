"""The watch over the pools: a threshold is alerted once each time that use rises to it, and to the operator alone."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.alert_store import POOLS, PoolState
from metering.alerts import PERCENTS_DEFAULT, Alert, Subject, Target
from metering.table_alerts import TableAlertStore
from proxy.answers import PoolAnswer
from proxy.calls import PoolCall
from proxy.capacity import APART, CapacityWatch, after_look
from proxy.pool import Answered, NotSent, PoolOutcome
from proxy.pool_sessions import PoolSessions
from proxy.pools import Pool, PoolKind
from proxy.storage import open_tables
from tests.support.building import MORNING, FakeClock, telemetry
from tests.support.own_table import OwnTables
from tests.support.telemetry import Heard

NOWHERE = (
    "DefaultEndpointsProtocol=http;AccountName=nobody;AccountKey=bm9ib2R5;"
    "TableEndpoint=http://127.0.0.1:9/nobody;"  # the discard port: nothing listens there
)
HOUR = APART.total_seconds()


def look(state: PoolState, used: int, *, at: float = 0, limit: int = 10) -> tuple[PoolState, list[int]]:
    now = MORNING + timedelta(seconds=at)
    after, alerts = after_look(state, pool="p", used=used, limit=limit, percents=PERCENTS_DEFAULT, now=now)
    return after, [alert.percent for alert in alerts]


def test_each_threshold_that_is_reached_is_alerted() -> None:
    state, told = look(PoolState(), 8)

    assert told == [50, 75]
    assert look(state, 10, at=60)[1] == [90, 100]


def test_a_threshold_that_stays_reached_is_alerted_once() -> None:
    state, _ = look(PoolState(), 5)

    assert look(state, 6, at=60) == (state, [])
    assert look(state, 5, at=2 * HOUR) == (state, [])


def test_a_threshold_is_alerted_again_after_use_has_fallen_below_it() -> None:
    state, _ = look(PoolState(), 5)
    state, told = look(state, 4, at=60)
    assert told == []

    assert look(state, 5, at=2 * HOUR)[1] == [50]


def test_a_threshold_that_is_reached_again_within_the_hour_is_alerted_when_the_hour_is_over() -> None:
    state, _ = look(PoolState(), 5)
    state, _ = look(state, 4, at=60)
    again, told = look(state, 5, at=120)
    assert (again, told) == (state, [])

    assert look(again, 5, at=HOUR)[1] == [50]
    assert look(again, 4, at=HOUR)[1] == []


def test_a_pool_that_was_enlarged_has_not_reached_what_it_had() -> None:
    state, _ = look(PoolState(), 10)
    state, _ = look(state, 10, at=60, limit=100)

    assert state.reached == frozenset()


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 4_000)), max_size=60))
def test_no_threshold_is_alerted_twice_in_an_hour_and_none_that_stays_reached_is_forgotten(
    looks: list[tuple[int, int]],
) -> None:
    state, at = PoolState(), 0
    last: dict[int, int] = {}
    for used, later in looks:
        at += later
        state, told = look(state, used, at=at)
        for percent in told:
            assert at - last.get(percent, -10_000) >= HOUR
            last[percent] = at
        for percent in PERCENTS_DEFAULT:
            is_above = used * 100 >= percent * 10
            assert (percent in state.reached) <= is_above
            if is_above and percent not in state.reached:
                assert at - last[percent] < HOUR


@dataclass
class ScriptedPools:
    """A `SessionPool` whose endpoints hold so many sessions; one that is not named cannot be reached."""

    held: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def send(self, call: PoolCall) -> PoolOutcome:
        self.asked.append(call.endpoint)
        if call.endpoint not in self.held:
            return NotSent("down")
        sessions = [{"identifier": f"s{number}"} for number in range(self.held[call.endpoint])]
        return Answered(PoolAnswer(status=200, headers=(), body=json.dumps({"value": sessions}).encode()))


@pytest.fixture
async def store(request: pytest.FixtureRequest) -> AsyncIterator[TableAlertStore]:
    async with open_tables(request.getfixturevalue("azurite")) as service:
        yield TableAlertStore(OwnTables(service).as_service())


@pytest.fixture
def name() -> str:
    return "shell"


def watch(
    store: TableAlertStore,
    pools: ScriptedPools,
    *watched: Pool,
    clock: FakeClock | None = None,
    heard: Heard | None = None,
) -> CapacityWatch:
    return CapacityWatch(
        alerts=store,
        pool_sessions=PoolSessions(pool=pools, endpoints=[]),
        pools=watched,
        clock=clock or FakeClock(),
        telemetry=telemetry() if heard is None else heard.telemetry,
    )


def pool(name: str, *endpoints: str, max_sessions: int | None = 10) -> Pool:
    return Pool(name, PoolKind.PYTHON, endpoints or ("a",), max_sessions)


async def told(store: TableAlertStore, name: str) -> list[Alert]:
    return [alert for alert in await store.alerts(POOLS) if alert.pool == name]


@pytest.mark.azurite
async def test_the_sessions_of_all_of_a_pools_endpoints_count(store: TableAlertStore, name: str) -> None:
    made = await watch(store, ScriptedPools({"a": 3, "b": 2}), pool(name, "a", "b")).run()

    [alert] = await told(store, name)
    assert made == 1
    assert (alert.subject, alert.percent, alert.used, alert.limit) == (Subject.POOL, 50, 5, 10)
    assert alert.waiting_for == {Target.OPERATOR}
    assert (alert.tenant_id, alert.period, alert.at) == (None, None, MORNING)


@pytest.mark.azurite
async def test_what_was_alerted_is_known_to_other_instances_and_after_a_restart(
    store: TableAlertStore, name: str
) -> None:
    pools = ScriptedPools({"a": 5})
    clock = FakeClock()
    assert await watch(store, pools, pool(name), clock=clock).run() == 1

    clock.set(2 * HOUR)
    assert await watch(store, pools, pool(name), clock=clock).run() == 0
    assert len(await told(store, name)) == 1


@pytest.mark.azurite
async def test_a_look_that_finds_nothing_new_writes_nothing(store: TableAlertStore, name: str) -> None:
    pools, clock = ScriptedPools({"a": 5}), FakeClock()
    await watch(store, pools, pool(name), clock=clock).run()
    before = await store.pool_state(name)

    clock.set(60)
    pools.held["a"] = 6
    await watch(store, pools, pool(name), clock=clock).run()

    assert await store.pool_state(name) == before


@pytest.mark.azurite
async def test_instances_that_look_at_the_same_time_make_one_alert(store: TableAlertStore, name: str) -> None:
    made = await asyncio.gather(*(watch(store, ScriptedPools({"a": 5}), pool(name)).run() for _ in range(4)))

    assert sorted(made) == [0, 0, 0, 1]
    assert len(await told(store, name)) == 1


@pytest.mark.azurite
async def test_a_pool_that_falls_and_rises_again_is_alerted_again_under_another_id(
    store: TableAlertStore, name: str
) -> None:
    pools, clock = ScriptedPools({"a": 5}), FakeClock()
    watching = watch(store, pools, pool(name), clock=clock)
    for seconds, held in ((0, 5), (60, 0), (2 * HOUR, 5)):
        clock.set(seconds)
        pools.held["a"] = held
        await watching.run()

    first, second = await told(store, name)
    assert first.id != second.id


@pytest.mark.azurite
async def test_a_pool_of_which_nobody_has_said_what_it_can_hold_is_not_asked(store: TableAlertStore, name: str) -> None:
    pools = ScriptedPools({"a": 5})

    assert await watch(store, pools, pool(name, max_sessions=None)).run() == 0
    assert pools.asked == []


@pytest.mark.azurite
async def test_a_pool_that_cannot_be_asked_is_logged_and_keeps_no_other_from_being_watched(
    store: TableAlertStore, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    pools = ScriptedPools({"a": 5})

    assert await watch(store, pools, pool("down", "nowhere"), pool(name)).run() == 1

    assert "The pool 'down' was not watched" in caplog.text
    assert "nowhere" not in caplog.text


async def test_storage_that_cannot_be_reached_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with open_tables(NOWHERE) as service:
        with caplog.at_level(logging.WARNING):
            assert await watch(TableAlertStore(service), ScriptedPools({"a": 5}), pool("p")).run() == 0

    assert "The pool 'p' was not watched: storage" in caplog.text


@pytest.mark.azurite
async def test_what_a_pool_holds_is_told_beside_what_it_can_hold(store: TableAlertStore, name: str) -> None:
    heard = Heard()

    await watch(store, ScriptedPools({"a": 3}), pool(name, "a", max_sessions=600), heard=heard).run()

    assert heard.values("tollgate.pool.sessions") == [({"tollgate.pool": name}, 3)]
    assert heard.values("tollgate.pool.sessions.limit") == [({"tollgate.pool": name}, 600)]
    assert not heard.export(), "an instance that looks no more repeats nothing"
