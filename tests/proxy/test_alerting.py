"""Delivery: what was alerted is heard, whatever fails or is killed on the way; no webhook keeps others waiting."""

import asyncio
import logging
import random
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from azure.data.tables.aio import TableServiceClient
from hypothesis import given
from hypothesis import strategies as st

from metering.admissions import Admission
from metering.alert_store import POOLS, PoolState, StoredAlert, StoredPoolState
from metering.alerts import Alert, Subject, Target
from metering.clock import utc_now
from metering.entries import write_instant
from metering.store import LedgerUnavailable
from metering.table_alerts import TableAlertStore
from metering.table_store import TableLedgerStore
from proxy.alerting import (
    AT_ONCE,
    DELAY_MAX,
    GIVEN_UP_AFTER,
    JITTER,
    RUN_SECONDS,
    AlertDelivery,
    DeliveryCount,
    after_attempt,
)
from proxy.capacity import pool_alert_id
from proxy.directory import Directory
from proxy.pool import open_transport
from proxy.storage import open_tables
from proxy.table_tenants import TenantTables
from proxy.tenants import Tenant
from proxy.webhook_sender import WebhookSender
from proxy.webhooks import webhook_secret
from tests.running import ROOT
from tests.support.building import KEYS, MORNING, FakeClock, admit, granularity, meter, telemetry
from tests.support.delivering import Tenants, tenant
from tests.support.own_table import OwnTables
from tests.support.telemetry import Heard
from tests.support.webhook_receiver import WebhookReceiver, receiving

NOWHERE = (
    "DefaultEndpointsProtocol=http;AccountName=nobody;AccountKey=bm9ib2R5;"
    "TableEndpoint=http://127.0.0.1:9/nobody;"  # the discard port: nothing listens there
)
ALERT = Alert(
    id="a", subject=Subject.QUOTA, tenant_id="t", percent=50, limit=2, used=1, at=MORNING, next_attempt_at=MORNING
)
BOTH = frozenset(Target)
TENANT, OPERATOR = frozenset({Target.TENANT}), frozenset({Target.OPERATOR})


def after(
    alert: Alert = ALERT,
    *,
    heard: frozenset[Target] = frozenset(),
    failed: frozenset[Target] = frozenset(),
    seconds: float = 0,
    chance: float = 0,
) -> Alert:
    failures = dict.fromkeys(failed, "HTTP 500")
    return after_attempt(alert, heard=heard, failed=failures, now=MORNING + timedelta(seconds=seconds), chance=chance)


def test_what_all_have_heard_is_done() -> None:
    done = after(replace(ALERT, attempts=2, problem="tenant: HTTP 500"), heard=BOTH, seconds=5)

    assert (done.is_pending, done.problem, done.attempts) == (False, None, 2)
    assert done.delivered_at == MORNING + timedelta(seconds=5)


def test_what_nobody_is_to_hear_is_done_without_having_been_delivered() -> None:
    done = after()

    assert (done.is_pending, done.delivered_at, done.problem) == (False, None, None)


def test_whoever_has_no_url_is_not_waited_for() -> None:
    assert after(heard=TENANT).delivered_at == MORNING


def test_only_those_who_did_not_hear_are_asked_again() -> None:
    later = after(heard=TENANT, failed=OPERATOR)

    assert (later.waiting_for, later.attempts, later.delivered_at) == (OPERATOR, 1, None)
    assert later.problem == "operator: HTTP 500"
    assert after(failed=BOTH).problem == "operator: HTTP 500; tenant: HTTP 500"


def test_attempts_are_twice_as_far_apart_each_time_up_to_an_hour() -> None:
    alert, waited, at = ALERT, list[float](), 0.0
    for _ in range(9):
        alert = after(alert, failed=BOTH, seconds=at)
        next_at = (alert.next_attempt_at - MORNING).total_seconds()
        waited.append((next_at - at) / 60)
        at = next_at

    assert waited == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@given(attempts=st.integers(0, 10_000), chance=st.floats(0, 1))
def test_chance_shortens_a_delay_by_a_fifth_at_most(attempts: int, chance: float) -> None:
    def delay(chance: float) -> timedelta:
        return after(replace(ALERT, attempts=attempts), failed=BOTH, chance=chance).next_attempt_at - MORNING

    assert delay(0) * (1 - JITTER) <= delay(chance) <= delay(0) <= DELAY_MAX


def test_after_a_week_a_failure_is_the_last() -> None:
    week = GIVEN_UP_AFTER.total_seconds()
    almost = after(failed=BOTH, seconds=week - 1)
    last = after(almost, failed=BOTH, seconds=week)

    assert almost.is_pending
    assert (last.is_pending, last.delivered_at, last.attempts) == (False, None, 2)
    assert last.problem == "operator: HTTP 500; tenant: HTTP 500"
    assert after(heard=TENANT, failed=OPERATOR, seconds=week).delivered_at is None


def test_an_alert_that_comes_to_be_sent_after_a_week_is_still_sent() -> None:
    assert after(heard=BOTH, seconds=2 * GIVEN_UP_AFTER.total_seconds()).delivered_at is not None


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with receiving() as receiver:
        yield receiver


@dataclass
class World:
    """A storage of its own, a receiver, and instances that deliver from the one to the other."""

    storage: str
    tables: OwnTables
    receiver: WebhookReceiver
    clock: FakeClock
    heard: Heard = field(default_factory=Heard)

    @property
    def service(self) -> TableServiceClient:
        return self.tables.as_service()

    @property
    def store(self) -> TableAlertStore:
        return TableAlertStore(self.service)

    async def cross(self, *tenant_ids: str, sessions: int = 1, month: int = 2) -> None:
        """Charge tenants one increment of their quota for each session; that instance is gone afterwards."""
        made = meter(TableLedgerStore(self.service), self.clock)
        for tenant_id in tenant_ids:
            for number in range(sessions):
                assert isinstance(await made.admit(tenant_id, admit(f"{tenant_id}-{number}", month=month)), Admission)
        await made.aclose()

    async def deliver(self, *tenants: Tenant, operator_url: str | None = None, **parts: Any) -> DeliveryCount:
        """Deliver as an instance does that has just started."""
        transport = open_transport()
        timeout_seconds = parts.pop("timeout_seconds", 5)
        sender = WebhookSender(transport=transport, keys=KEYS, clock=self.clock, timeout_seconds=timeout_seconds)
        usual = {"alerts": self.store, "directory": Tenants(tenants).as_directory(), "chance": random.Random(1)}
        delivery = AlertDelivery(
            sender=sender,
            operator_url=operator_url,
            granularity=granularity(),
            clock=self.clock,
            telemetry=self.heard.telemetry,
            **{**usual, **parts},
        )
        try:
            return await delivery.run()
        finally:
            await transport.aclose()

    async def alerts(self, partition: str) -> list[Alert]:
        return list(await self.store.alerts(partition))


@pytest.fixture
async def world(azurite: str, receiver: WebhookReceiver) -> AsyncIterator[World]:
    async with open_tables(azurite) as service:
        yield World(azurite, OwnTables(service), receiver, FakeClock(utc_now()))


ALL_FOUR = [50, 75, 90, 100]


@pytest.mark.azurite
async def test_every_crossing_is_heard_and_proven_by_its_receivers_own_secret(world: World) -> None:
    await world.cross("acme", sessions=2)

    count = await world.deliver(
        tenant("acme", world.receiver.url("/acme")), operator_url=world.receiver.url("/operator")
    )

    assert count == DeliveryCount(delivered=4, failed=0, waiting=0)
    assert world.heard.values("tollgate.alerts.deliveries") == [({"tollgate.outcome": "delivered"}, 4)]
    for path, owner in (("/acme", "acme"), ("/operator", None)):
        secret = webhook_secret(KEYS, owner)
        events = [message.proven_by(secret) for message in world.receiver.heard if message.path == path]
        assert [event["data"]["percent"] for event in events] == ALL_FOUR
        assert [event["id"] for event in events] == world.receiver.ids(path)
        assert {event["data"]["tenant"] for event in events} == {"acme"}
    assert all(alert.delivered_at == world.clock.now for alert in await world.alerts("acme"))


@pytest.mark.azurite
async def test_what_was_heard_is_not_sent_again(world: World) -> None:
    await world.cross("acme")
    acme = tenant("acme", world.receiver.url())
    await world.deliver(acme)

    assert await world.deliver(acme) == DeliveryCount()
    assert len(world.receiver.heard) == 1


@pytest.mark.azurite
async def test_an_alert_that_nobody_is_to_hear_is_done(world: World) -> None:
    await world.cross("acme")

    assert await world.deliver(tenant("acme", None)) == DeliveryCount()
    [alert] = await world.alerts("acme")
    assert (alert.is_pending, alert.delivered_at) == (False, None)


@pytest.mark.azurite
async def test_an_alert_about_a_pool_goes_to_the_operator_alone(world: World) -> None:
    now = world.clock.now
    alert = Alert(
        id=pool_alert_id("shell", 90, now),
        subject=Subject.POOL,
        pool="shell",
        percent=90,
        limit=10,
        used=9,
        at=now,
        waiting_for=OPERATOR,
        next_attempt_at=now,
    )
    await world.store.put_pool_state("shell", StoredPoolState(PoolState(), None), PoolState(), [alert])

    count = await world.deliver(tenant("acme", world.receiver.url("/acme")), operator_url=world.receiver.url("/op"))

    [message] = world.receiver.heard
    event = message.proven_by(webhook_secret(KEYS, None))
    assert (message.path, event["type"], event["data"]["sessions"]) == ("/op", "tollgate.pool.capacity.v1", 9)
    assert count.delivered == 1
    assert [alert.is_pending for alert in await world.alerts(POOLS)] == [False]


@pytest.mark.azurite
async def test_a_receiver_that_fails_hears_later_and_under_the_same_id(world: World) -> None:
    await world.cross("acme")
    acme, start = tenant("acme", world.receiver.url()), world.clock.now
    world.receiver.script.extend([500, 503, 302])
    heard_at: list[int] = []
    for minute in range(12):
        world.clock.set(60 * minute, after=start)
        before = len(world.receiver.heard)
        await world.deliver(acme)
        heard_at += [minute] * (len(world.receiver.heard) - before)

    # After 1, 2 and 4 minutes, each less up to a fifth; the timer runs every minute.
    assert heard_at == [0, 1, 3, 7]
    assert len(set(world.receiver.ids())) == 1
    [alert] = await world.alerts("acme")
    assert (alert.is_pending, alert.attempts, alert.problem) == (False, 3, None)
    assert alert.delivered_at == start + timedelta(minutes=7)


@pytest.mark.azurite
async def test_a_redirect_is_not_followed(world: World) -> None:
    await world.cross("acme")
    world.receiver.script.append(307)

    assert await world.deliver(tenant("acme", world.receiver.url())) == DeliveryCount(failed=1, waiting=1)
    assert [message.path for message in world.receiver.heard] == ["/hook"]
    [alert] = await world.alerts("acme")
    assert alert.problem == "tenant: HTTP 307"


@pytest.mark.azurite
async def test_of_two_receivers_only_the_one_that_failed_is_asked_again(world: World) -> None:
    await world.cross("acme")
    acme = tenant("acme", world.receiver.url("/acme"))
    await world.deliver(acme, operator_url="http://127.0.0.1:9/")
    [alert] = await world.alerts("acme")
    assert (alert.waiting_for, alert.problem) == (OPERATOR, "operator: cannot be reached")

    world.clock.now += timedelta(minutes=1)
    await world.deliver(acme, operator_url=world.receiver.url("/operator"))

    assert [message.path for message in world.receiver.heard] == ["/acme", "/operator"]


@pytest.mark.azurite
async def test_a_receiver_that_stays_away_for_a_week_is_given_up_and_the_reason_is_kept(world: World) -> None:
    await world.cross("acme")
    gone, start = tenant("acme", "http://127.0.0.1:9/"), world.clock.now
    for hour in range(7 * 24 + 1):
        if hour in {0, 100, 7 * 24}:
            world.clock.set(3600 * hour, after=start)
            await world.deliver(gone)

    [alert] = await world.alerts("acme")
    assert (alert.is_pending, alert.delivered_at, alert.attempts) == (False, None, 3)
    told = world.heard.values("tollgate.alerts.deliveries")
    assert told == [({"tollgate.outcome": "failed"}, 2), ({"tollgate.outcome": "given_up"}, 1)]
    assert alert.problem == "tenant: cannot be reached"


@pytest.mark.azurite
async def test_a_receiver_that_hangs_is_asked_once_a_run_and_keeps_nobody_waiting(world: World) -> None:
    stuck = [f"stuck{number}" for number in range(20)]  # more than there are places
    world.receiver.hanging = len(stuck)
    async with receiving() as healthy:
        await world.cross(*stuck, "fine", sessions=2)
        tenants = [tenant(name, world.receiver.url(f"/{name}")) for name in stuck]

        count = await world.deliver(*tenants, tenant("fine", healthy.url()), timeout_seconds=2)

        assert count == DeliveryCount(delivered=4, failed=80, waiting=80)
        assert len(healthy.heard) == 4
    assert sorted(message.path for message in world.receiver.heard) == sorted(f"/{name}" for name in stuck)
    assert {alert.problem for alert in await world.alerts("stuck0")} == {"tenant: no answer in 2 s"}


@pytest.mark.azurite
async def test_a_run_ends_in_time_and_leaves_the_rest_to_the_next(world: World) -> None:
    names = [f"t{number}" for number in range(AT_ONCE + 4)]
    await world.cross(*names, sessions=2)
    tenants = [tenant(name, world.receiver.url()) for name in names]

    def elapsed() -> float:
        return RUN_SECONDS if world.receiver.heard else 0

    first = await world.deliver(*tenants, elapsed=elapsed)
    heard = set(world.receiver.ids())
    rest = await world.deliver(*tenants)

    assert 1 <= first.delivered == len(heard) <= AT_ONCE
    assert (first.failed, rest) == (0, DeliveryCount(delivered=4 * len(names) - first.delivered))
    assert len(world.receiver.heard) == 4 * len(names)


@pytest.mark.azurite
async def test_a_process_killed_before_it_could_say_that_an_alert_was_heard_makes_it_heard_twice(world: World) -> None:
    await world.cross("acme")
    world.receiver.hanging = 1
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.delivering"),
        *(world.storage, world.tables.suffix, "acme", world.receiver.url(), write_instant(world.clock.now)),
        cwd=ROOT,
    )
    await world.receiver.wait_for(1)
    process.kill()
    await process.wait()
    [alert] = await world.alerts("acme")
    assert (alert.is_pending, alert.attempts) == (True, 0)

    await world.deliver(tenant("acme", world.receiver.url()))

    assert world.receiver.ids() == [alert.id, alert.id]
    assert [message.proven_by(webhook_secret(KEYS, "acme"))["id"] for message in world.receiver.heard] == [alert.id] * 2
    assert not (await world.alerts("acme"))[0].is_pending


class LosesUpdates(TableAlertStore):
    """A store that cannot be reached any more once an alert was sent."""

    async def update(self, partition: str, stored: StoredAlert, alert: Alert) -> bool:
        raise LedgerUnavailable


@pytest.mark.azurite
async def test_storage_that_goes_away_after_a_message_ends_the_run_and_the_message_is_repeated(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"t{number}" for number in range(AT_ONCE + 4)]
    await world.cross(*names)
    tenants = [tenant(name, world.receiver.url()) for name in names]

    count = await world.deliver(*tenants, alerts=LosesUpdates(world.service))
    heard = world.receiver.ids()
    assert (count.delivered, count.failed) == (0, 0)
    assert 1 <= len(heard) <= AT_ONCE
    assert caplog.text.count("Alerts were not delivered: storage cannot be reached") == 1

    assert (await world.deliver(*tenants)).delivered == len(names)
    assert len(world.receiver.ids()) == len(heard) + len(names)
    assert len(set(world.receiver.ids())) == len(names)


@pytest.mark.azurite
async def test_instances_that_deliver_at_the_same_time_leave_every_alert_done_and_its_id_the_same(world: World) -> None:
    await world.cross("acme", sessions=2)
    acme = tenant("acme", world.receiver.url())

    counts = await asyncio.gather(*(world.deliver(acme) for _ in range(3)))

    assert sum(count.delivered for count in counts) == 4
    assert len(set(world.receiver.ids())) == 4
    assert not any(alert.is_pending for alert in await world.alerts("acme"))


@pytest.mark.azurite
@pytest.mark.parametrize("seed", range(2))
async def test_whatever_receivers_do_every_crossing_is_heard_in_the_end(world: World, seed: int) -> None:
    chance = random.Random(seed)
    tenants = [tenant(f"t{number}", world.receiver.url(f"/t{number}")) for number in range(4)]
    await world.cross(*(t.id for t in tenants), sessions=4, month=4)
    world.receiver.script.extend(chance.choices([204, 200, 301, 404, 410, 429, 500, 503], k=60))
    for _ in range(40):
        counts = await asyncio.gather(
            *(world.deliver(*tenants, operator_url=world.receiver.url("/op")) for _ in range(chance.choice([1, 1, 2])))
        )
        if not any(count.waiting for count in counts) and not world.receiver.script:
            break
        world.clock.now += timedelta(minutes=10)

    ids = {f"{t.id}:{alert.period}:quota:4:{alert.percent:03}" for t in tenants for alert in await world.alerts(t.id)}
    assert len(ids) == 16
    assert set(world.receiver.ids("/op")) == ids
    for t in tenants:
        assert set(world.receiver.ids(f"/{t.id}")) == {name for name in ids if name.startswith(f"{t.id}:")}
        assert all(alert.delivered_at for alert in await world.alerts(t.id))


@pytest.mark.azurite
async def test_logs_hold_no_url_no_secret_and_no_message(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await world.cross("acme", sessions=2)
    world.receiver.script.extend([500, 204])
    with caplog.at_level(logging.DEBUG):
        await world.deliver(tenant("acme", world.receiver.url("/hook?key=hunter2")), operator_url="http://127.0.0.1:9/")

    assert "was not heard (operator: cannot be reached; tenant: HTTP 500); it is tried again." in caplog.text
    signatures = [message.headers["webhook-signature"] for message in world.receiver.heard]
    secrets = [webhook_secret(KEYS, owner).removeprefix("whsec_") for owner in ("acme", None)]
    for text in ("hunter2", "used_minutes", *secrets, *(part for s in signatures for part in s.split())):
        assert text not in caplog.text


@pytest.mark.parametrize("directory_is_there", [False, True])
async def test_storage_that_cannot_be_reached_is_logged_and_left_for_the_next_run(
    caplog: pytest.LogCaptureFixture, *, directory_is_there: bool
) -> None:
    clock, transport = FakeClock(), open_transport()
    async with open_tables(NOWHERE) as service:
        known = Tenants((tenant("acme", None),)).as_directory()
        lost = Directory(TenantTables(service), clock=clock)
        delivery = AlertDelivery(
            alerts=TableAlertStore(service),
            directory=known if directory_is_there else lost,
            sender=WebhookSender(transport=transport, keys=KEYS, clock=clock),
            operator_url=None,
            granularity=granularity(),
            clock=clock,
            telemetry=telemetry(),
        )
        with caplog.at_level(logging.WARNING):
            assert await delivery.run() == DeliveryCount()
        await lost.aclose()

    assert caplog.text.count("Alerts were not delivered") == 1
