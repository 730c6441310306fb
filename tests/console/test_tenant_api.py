"""The tenants' usage API on a real table storage."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from console.tenant_api import TenantApi
from console.wiring import build_apis
from metering.admissions import Admission, Outcome
from metering.periods import Period
from metering.rates import RateChange
from metering.requests import Quota
from proxy.answering import answer
from proxy.messages import GatewayRequest
from proxy.tenants import OPERATOR_SCOPES, Scope, Tenant
from tests.console.serving import Parts, fresh_id, open_parts
from tests.support.building import FakeClock, admit

pytestmark = pytest.mark.azurite


@dataclass
class Caller:
    """A tenant with a key, calling the API."""

    api: TenantApi
    parts: Parts
    clock: FakeClock
    tenant: Tenant
    key: str = ""

    async def call(self, path: str, method: str = "GET") -> tuple[int, Any]:
        path, _, query = path.partition("?")
        request = GatewayRequest(id="r", method=method, path=path, query=query, headers={"x-api-key": self.key})
        response = await answer(self.api.handle, request)
        return response.status, json.loads(response.body)

    async def become(self, **fields: Any) -> None:
        self.tenant = replace(self.tenant, **fields)
        await self.parts.directory.put_tenant(self.tenant)

    async def charge(self, session: str, outcome: Outcome = Outcome.RAN) -> None:
        request = replace(admit(session), pool_identifier=f"{self.tenant.id}-{session}")
        admission = await self.parts.meter.admit(self.tenant.id, request)
        assert isinstance(admission, Admission)
        await self.parts.meter.settle(admission, outcome)


@pytest.fixture
async def caller(azurite: str) -> AsyncIterator[Caller]:
    clock = FakeClock()
    async with open_parts(azurite, clock) as parts:
        made = Caller(build_apis(parts)[1], parts, clock, Tenant(id=fresh_id(), name="Acme"))
        await made.become(minutes_per_month=Decimal(60))
        _, minted = await parts.directory.create_key(made.tenant.id, label="", scopes=frozenset({Scope.USAGE}))
        made.key = minted.text
        yield made


async def test_a_statement_says_what_was_used_what_is_left_and_what_it_costs(caller: Caller) -> None:
    await caller.charge("s1")
    caller.clock.set(1)
    await caller.charge("s1")
    await caller.charge("s2", Outcome.DID_NOT_RUN)

    status, statement = await caller.call("/usage")

    assert status == 200
    assert statement == {
        "tenant": caller.tenant.id,
        "name": "Acme",
        "period": "2026-11",
        "increment_seconds": 300,
        "minutes": {"charged": 15, "reversed": 5, "adjusted": 0, "billed": 10, "quota": 60, "remaining": 50},
        "sessions_opened": 1,
        "days": [{"date": "2026-11-23", "minutes": 10, "sessions": 1}],
        "lines": [
            {
                "date": "2026-11-23",
                "kind": "usage",
                "corrects": None,
                "minutes": 10,
                "sessions": 1,
                "rate_per_session_hour": "0.03",
                "cost": "0.0050",
            }
        ],
        "cost": {
            "amount": "0.0050",
            "currency": "USD",
            "rate_per_session_hour": "0.03",
            "rates": [{"from": "2026-11-01", "rate_per_session_hour": "0.03"}],
        },
        "closed": False,
        "closed_at": None,
        "complete_until": "2026-11-23T09:00:01Z",
    }


async def test_a_tenant_without_limit_has_no_quota_and_its_own_rate_wins(caller: Caller) -> None:
    await caller.become(minutes_per_month=None, rate_per_session_hour=Decimal("1.20"))
    await caller.charge("s1")

    _, statement = await caller.call("/usage?period=2026-11")

    assert (statement["minutes"]["quota"], statement["minutes"]["remaining"]) == (None, None)
    assert statement["cost"]["amount"] == "0.1000"
    assert statement["cost"]["rate_per_session_hour"] == "1.20"


async def test_a_price_that_changes_in_mid_month_holds_from_its_day_on(caller: Caller) -> None:
    changes = (RateChange(date(2026, 11, 24), Decimal("0.12")), RateChange(date(2026, 11, 25), None))
    await caller.become(rate_per_session_hour=Decimal("0.06"), rate_changes=changes)
    for day in range(3):
        caller.clock.set(day * 86_400)
        await caller.charge(f"s{day}")

    _, statement = await caller.call("/usage")

    assert [(line["date"][-2:], line["cost"]) for line in statement["lines"]] == [
        ("23", "0.0050"),
        ("24", "0.0100"),
        ("25", "0.0025"),
    ]
    assert statement["cost"]["amount"] == "0.0175"
    assert [(rate["from"][-2:], rate["rate_per_session_hour"]) for rate in statement["cost"]["rates"]] == [
        ("01", "0.06"),
        ("24", "0.12"),
        ("25", "0.03"),
    ]


async def test_a_rate_of_nothing_is_a_rate(caller: Caller) -> None:
    await caller.become(rate_per_session_hour=Decimal(0))

    assert (await caller.call("/usage"))[1]["cost"]["rate_per_session_hour"] == "0"


async def test_a_daily_quota_is_stated_for_the_current_day_only(caller: Caller) -> None:
    await caller.become(minutes_per_day=Decimal(20))
    await caller.charge("s1")

    _, now = await caller.call("/usage")
    _, before = await caller.call("/usage?period=2026-10")

    assert now["minutes_today"] == {"used": 5, "quota": 20, "remaining": 15}
    assert "minutes_today" not in before


async def test_entries_say_what_was_charged_and_reversed(caller: Caller) -> None:
    caller.clock.set(0.25)
    await caller.charge("my session", Outcome.DID_NOT_RUN)

    status, page = await caller.call("/usage/entries?period=2026-11")

    common = {
        "at": "2026-11-23T09:00:00.250000Z",
        "session": "my session",
        "from": "2026-11-23T09:00:00.250000Z",
        "until": "2026-11-23T09:05:00.250000Z",
        "increments": 1,
        "minutes": 5,
        "operation": "code.execute",
        "request_id": "r",
        "reason": None,
        "corrects": None,
    }
    assert status == 200
    assert page == {
        "entries": [
            {"sequence": 1, "kind": "charge", "why": "opened", **common},
            {"sequence": 2, "kind": "reversal", "why": "did_not_run", **common},
        ],
        "next": None,
    }


async def test_entries_say_why_each_was_made(caller: Caller) -> None:
    await caller.charge("s1")
    caller.clock.set(1)
    await caller.charge("s1")
    ending = caller.parts.meter.ending(f"{caller.tenant.id}-s1")
    await caller.parts.meter.end(caller.tenant.id, ending, operation="shell/sessions.stop", request_id="r")
    await caller.parts.meter.adjust(
        caller.tenant.id,
        quota=Quota(),
        increments=-1,
        reason="outage",
        request_id="r",
        corrects=Period(2026, 10),
    )

    _, page = await caller.call("/usage/entries")

    assert [entry["why"] for entry in page["entries"]] == ["opened", "extended", "ended_early", "adjusted"]
    assert (page["entries"][-1]["reason"], page["entries"][-1]["corrects"]) == ("outage", "2026-10")


async def test_the_newest_entries_can_be_asked_for(caller: Caller) -> None:
    for session in ("a", "b", "c"):
        await caller.charge(session)

    _, newest = await caller.call("/usage/entries?latest=2")
    _, every = await caller.call("/usage/entries?latest=9")

    assert [entry["sequence"] for entry in newest["entries"]] == [2, 3]
    assert [entry["sequence"] for entry in every["entries"]] == [1, 2, 3]
    assert newest["next"] is None


async def test_entries_come_in_pages(caller: Caller) -> None:
    for session in ("a", "b", "c"):
        await caller.charge(session)

    _, first = await caller.call("/usage/entries?limit=2")
    _, second = await caller.call(first["next"])

    assert first["next"] == "/usage/entries?period=2026-11&after=2&limit=2"
    assert [entry["sequence"] for entry in second["entries"]] == [3]
    assert second["next"] is None


async def test_a_tenant_sees_nothing_of_another(caller: Caller) -> None:
    await caller.parts.meter.admit(fresh_id(), admit(fresh_id()))

    assert (await caller.call("/usage/entries"))[1]["entries"] == []
    assert (await caller.call("/usage?tenant=other"))[1]["tenant"] == caller.tenant.id


async def test_a_suspended_tenant_still_reads_its_usage(caller: Caller) -> None:
    await caller.become(suspended=True)

    assert (await caller.call("/usage"))[0] == 200


@pytest.mark.parametrize("scopes", [frozenset({Scope.EXECUTE, Scope.FILES}), OPERATOR_SCOPES])
async def test_only_keys_with_the_scope_usage_are_let_in(caller: Caller, scopes: frozenset[Scope]) -> None:
    owner = None if scopes == OPERATOR_SCOPES else caller.tenant.id
    _, minted = await caller.parts.directory.create_key(owner, label="", scopes=scopes)

    status, refused = await replace(caller, key=minted.text).call("/usage")

    assert (status, refused["error"]["code"]) == (403, "ScopeNotAllowed")


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/usage?period=2026-1", "GET", 400, "SessionRequestValidationFailed"),
        ("/usage?period=2026-12", "GET", 400, "SessionRequestValidationFailed"),
        ("/usage/entries?limit=1001", "GET", 400, "SessionRequestValidationFailed"),
        ("/usage/entries?latest=0", "GET", 400, "SessionRequestValidationFailed"),
        ("/usage/entries?period=2026-12", "GET", 400, "SessionRequestValidationFailed"),
        ("/usage", "POST", 404, "OperationNotFound"),
        ("/usage/else", "GET", 404, "OperationNotFound"),
    ],
)
async def test_what_cannot_be_is_refused(caller: Caller, path: str, method: str, status: int, code: str) -> None:
    answered, refused = await caller.call(path, method)

    assert (answered, refused["error"]["code"]) == (status, code)
