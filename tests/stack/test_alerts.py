"""Alerts on the whole stack: whoever is killed, and whenever, every threshold that was reached is heard of."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.running import running_storage
from tests.stack.aside import running_aside
from tests.stack.crowd import NotingPool, noting_pool
from tests.stack.hosts import Hosts, running_hosts
from tests.support.webhook_receiver import WebhookReceiver, receiving

pytestmark = [pytest.mark.stack, pytest.mark.azurite, pytest.mark.slow]

TIMER_SECONDS = 90  # it runs once a minute
PERCENTS = (50, 75, 90, 100)


@dataclass
class Deployment:
    """One host at a time, and who hears of its alerts."""

    hosts: Hosts
    receiver: WebhookReceiver


@pytest.fixture
def pool() -> Iterator[NotingPool]:
    """Run a pool that notes its calls."""
    with running_aside(noting_pool()) as pool:
        yield pool


@pytest.fixture
async def deployment(tmp_path: Path, pool: NotingPool) -> AsyncIterator[Deployment]:
    """Run a host whose operator hears of alerts."""
    async with receiving() as receiver:
        with contextlib.ExitStack() as running:
            storage = await asyncio.to_thread(running.enter_context, running_storage(tmp_path / "storage"))
            starting = running_hosts(
                tmp_path,
                storage=storage,
                pool=pool.url,
                count=1,
                settings={"ALERT_WEBHOOK": receiver.url("/operator")},
            )
            yield Deployment(await asyncio.to_thread(running.enter_context, starting), receiver)


async def test_every_crossing_is_heard_of_though_hosts_are_killed_right_after_the_charges(
    deployment: Deployment,
) -> None:
    hosts, receiver = deployment.hosts, deployment.receiver
    url = receiver.url("/tenant")
    tenant_id, tenant = await asyncio.to_thread(hosts.tenant, minutes_per_month=20, webhook_url=url)
    secrets = {
        "/tenant": (await asyncio.to_thread(tenant.call, "GET", "/usage/webhook")).json()["secret"],
        "/operator": (await asyncio.to_thread(hosts.operator.call, "GET", "/webhook")).json()["secret"],
    }

    for number in range(2):
        here = replace(tenant, url=hosts.urls[0])
        for session in ("a", "b"):
            answer = await asyncio.to_thread(here.execute, "1", f"{session}-{number}")
            assert answer.status_code == 200, answer.text
        hosts.kill(number)
        await asyncio.to_thread(hosts.start, number + 1)

    told = {alert["id"] for alert in await alerts(hosts, tenant_id)}
    assert len(told) == len(PERCENTS)
    async with asyncio.timeout(TIMER_SECONDS), receiver.came:
        await receiver.came.wait_for(lambda: all(set(receiver.ids(path)) == told for path in secrets))
    for message in receiver.heard:
        event = message.proven_by(secrets[message.path])
        assert (event["id"], event["data"]["tenant"]) == (message.id, tenant_id)
    async with asyncio.timeout(TIMER_SECONDS):
        while {alert["state"] for alert in await alerts(hosts, tenant_id)} != {"done"}:
            await asyncio.to_thread(hosts.operator.call, "POST", "/alerts/deliver")
    assert {alert["percent"] for alert in await alerts(hosts, tenant_id)} == set(PERCENTS)


async def alerts(hosts: Hosts, tenant_id: str) -> list[dict[str, Any]]:
    response = await asyncio.to_thread(hosts.operator.call, "GET", f"/alerts?tenant={tenant_id}")
    found: list[dict[str, Any]] = response.json()["alerts"]
    return found
