"""Alerts as operators and tenants see them, over the APIs on a real table storage; delivered to a real receiver."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from console.alerts import for_tenant
from console.tenant_api import TenantApi
from console.wiring import build_apis
from metering.alerts import Alert, Subject, Target
from proxy.answering import answer
from proxy.messages import GatewayRequest
from proxy.tenants import OPERATOR_SCOPES, Scope
from tests.console.serving import fresh_id, open_parts
from tests.console.test_operator_api import Operator, code
from tests.support.building import MORNING, FakeClock, admit
from tests.support.webhook_receiver import WebhookReceiver, receiving

pytestmark = pytest.mark.azurite


@dataclass
class Watched:
    """An operator, a tenant that hears of its alerts, and who hears."""

    operator: Operator
    tenants: TenantApi
    tenant_id: str
    key: str
    receiver: WebhookReceiver

    async def charge(self, session: str, *, month: int) -> None:
        request = replace(admit(session, month=month), pool_identifier=f"{self.tenant_id}-{session}")
        await self.operator.parts.meter.admit(self.tenant_id, request)

    async def as_tenant(self, path: str) -> dict[str, Any]:
        request = GatewayRequest(id="r", method="GET", path=path, headers={"x-api-key": self.key})
        found: dict[str, Any] = json.loads((await answer(self.tenants.handle, request)).body)
        return found

    async def listed(self, query: str = "") -> list[dict[str, Any]]:
        status, found = await self.operator.call("GET", f"/alerts?tenant={self.tenant_id}{query}")
        assert status == 200
        alerts: list[dict[str, Any]] = found["alerts"]
        return alerts


@pytest.fixture
async def watched(azurite: str) -> AsyncIterator[Watched]:
    clock = FakeClock()
    async with receiving() as receiver, open_parts(azurite, clock) as parts:
        operator_api, tenant_api = build_apis(parts)
        _, minted = await parts.directory.create_key(None, label="test", scopes=OPERATOR_SCOPES)
        operator = Operator(operator_api, parts, clock, minted.text)
        tenant = await operator.tenant(minutes_per_month=20, webhook_url=receiver.url("/tenant"))
        _, key = await parts.directory.create_key(tenant, label="", scopes=frozenset({Scope.USAGE}))
        yield Watched(operator, tenant_api, tenant, key.text, receiver)


async def test_an_alert_is_listed_delivered_and_then_done(watched: Watched) -> None:
    await watched.charge("s1", month=2)

    [before] = await watched.listed("&state=pending")
    _, counted = await watched.operator.call("POST", "/alerts/deliver")
    [after] = await watched.listed("&state=done")

    told = {
        "id": f"{watched.tenant_id}:2026-11:quota:2:050",
        "subject": "quota",
        "tenant": watched.tenant_id,
        "pool": None,
        "percent": 50,
        "limit_minutes": 10,
        "used_minutes": 5,
        "at": "2026-11-23T09:00:00Z",
        "period": "2026-11",
        "entry": "2026-11/1",
        "attempts": 0,
        "problem": None,
    }
    pending = {"state": "pending", "waiting_for": ["operator", "tenant"], "next_attempt_at": "2026-11-23T09:00:00Z"}
    assert before == {**told, **pending, "delivered_at": None}
    done: dict[str, Any] = {"state": "done", "waiting_for": [], "next_attempt_at": None}
    assert after == {**told, **done, "delivered_at": "2026-11-23T09:00:00Z"}
    assert counted["delivered"] >= 1
    assert await watched.listed("&state=pending") == []
    assert watched.receiver.ids("/tenant") == [told["id"]]


async def test_a_tenant_sees_its_own_alerts_and_verifies_them_with_its_own_secret(watched: Watched) -> None:
    await watched.charge("s1", month=1)
    await watched.operator.call("POST", "/alerts/deliver")

    alerts = (await watched.as_tenant("/usage/alerts"))["alerts"]
    webhook = await watched.as_tenant("/usage/webhook")

    assert {alert["percent"] for alert in alerts} == {50, 75, 90, 100}
    assert webhook["url"] == watched.receiver.url("/tenant")
    _, same = await watched.operator.call("GET", f"/tenants/{watched.tenant_id}/webhook")
    _, operators = await watched.operator.call("GET", "/webhook")
    assert same == webhook
    assert operators["url"] is None
    assert operators["secret"] != webhook["secret"]
    assert {message.id for message in watched.receiver.heard} == {alert["id"] for alert in alerts}


async def test_all_alerts_are_listed_in_the_order_of_time(watched: Watched) -> None:
    await watched.charge("s1", month=2)

    _, found = await watched.operator.call("GET", "/alerts")

    instants = [alert["at"] for alert in found["alerts"]]
    assert instants == sorted(instants)
    assert watched.tenant_id in {alert["tenant"] for alert in found["alerts"]}


async def test_what_there_is_not_is_refused(watched: Watched) -> None:
    assert code((await watched.operator.call("GET", "/alerts?state=lost"))[1]) == "SessionRequestValidationFailed"
    assert code((await watched.operator.call("GET", f"/alerts?tenant={fresh_id()}"))[1]) == "ResourceNotFound"


def test_a_tenant_is_not_told_what_the_operator_has_heard() -> None:
    alert = Alert(
        id="a", subject=Subject.QUOTA, percent=50, limit=2, used=1, at=MORNING, next_attempt_at=MORNING, attempts=1
    )
    both = replace(alert, problem="operator: HTTP 500; tenant: cannot be reached")

    assert for_tenant(both).problem == "cannot be reached"
    assert for_tenant(both).waiting_for == {Target.TENANT}
    assert for_tenant(replace(alert, problem="operator: HTTP 500")).problem is None
    assert not for_tenant(replace(alert, waiting_for=frozenset({Target.OPERATOR}))).is_pending
