"""The operator API on a real table storage."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from console.operator_api import OperatorApi
from console.wiring import build_apis
from metering.periods import Period
from proxy.answering import answer
from proxy.messages import GatewayRequest
from proxy.tenants import OPERATOR_SCOPES
from tests.console.serving import Parts, fresh_id, open_parts
from tests.support.building import FakeClock, admit, meter
from tests.support.memory_store import Fault, MemoryLedgerStore

pytestmark = pytest.mark.azurite

TENANT_FIELDS = {
    "minutes_per_day": None,
    "max_concurrent_sessions": None,
    "calls_per_minute": None,
    "rate_per_session_hour": None,
    "rates": [],
    "pools": ["default"],
    "suspended": False,
    "webhook_url": None,
    "alert_percents": None,
    "created_at": "2026-11-23T09:00:00Z",
}


@dataclass
class Operator:
    """Calls the API with a key."""

    api: OperatorApi
    parts: Parts
    clock: FakeClock
    key: str

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        content = b"" if body is None else json.dumps(body).encode()
        request = GatewayRequest(
            id="r1",
            method=method,
            path="/operator" + path,
            query=query,
            headers={"authorization": f"Bearer {self.key}"},
            body=content,
        )
        response = await answer(self.api.handle, request)
        return response.status, json.loads(response.body)

    async def tenant(self, **fields: Any) -> str:
        tenant_id = fresh_id()
        status, _ = await self.call("PUT", f"/tenants/{tenant_id}", {"minutes_per_month": None, **fields})
        assert status == 201
        return tenant_id


@pytest.fixture
async def operator(azurite: str) -> AsyncIterator[Operator]:
    clock = FakeClock()
    async with open_parts(azurite, clock) as parts:
        _, minted = await parts.directory.create_key(None, label="test", scopes=OPERATOR_SCOPES)
        yield Operator(build_apis(parts)[0], parts, clock, minted.text)


def code(value: Any) -> str:
    error: str = value["error"]["code"]
    return error


async def test_a_tenant_is_created_then_replaced_as_a_whole(operator: Operator) -> None:
    path = f"/tenants/{fresh_id()}"
    body = {
        "name": "Acme",
        "minutes_per_month": 600,
        "minutes_per_day": 30.5,
        "max_concurrent_sessions": 3,
        "calls_per_minute": 60,
        "rate_per_session_hour": "0.05",
        "rates": [
            {"from": "2026-12-01", "rate_per_session_hour": "0.026"},
            {"from": "2027-01-01", "rate_per_session_hour": None},
        ],
        "pools": ["shell", "default"],
        "suspended": True,
        "webhook_url": "https://acme.example/hook?tenant=1",
        "alert_percents": [80, 100],
    }

    created = await operator.call("PUT", path, body)
    operator.clock.set(60)
    replaced = await operator.call("PUT", path, {"minutes_per_month": None})

    tenant_id = path.removeprefix("/tenants/")
    assert created == (201, {"id": tenant_id, **body, "created_at": "2026-11-23T09:00:00Z"})
    bare = {"id": tenant_id, "name": tenant_id, "minutes_per_month": None, **TENANT_FIELDS}
    assert replaced == await operator.call("GET", path) == (200, bare)


async def test_what_is_shown_of_a_tenant_can_be_put_back(operator: Operator) -> None:
    tenant_id = await operator.tenant(rates=[{"from": "2026-12-01", "rate_per_session_hour": "0.026"}])
    _, shown = await operator.call("GET", f"/tenants/{tenant_id}")
    operator.clock.set(60)

    status, again = await operator.call(
        "PUT", f"/tenants/{tenant_id}", {name: value for name, value in shown.items() if name != "id"}
    )

    assert (status, again) == (200, shown)


async def test_no_pools_means_the_default_one(operator: Operator) -> None:
    status, tenant = await operator.call(
        "PUT", f"/tenants/{fresh_id()}", {"minutes_per_month": None, "calls_per_minute": None, "pools": None}
    )

    assert (status, tenant["pools"], tenant["calls_per_minute"]) == (201, ["default"], None)


async def test_a_pools_name_that_cannot_be_is_refused_with_its_place_and_changes_nothing(operator: Operator) -> None:
    tenant_id = await operator.tenant(pools=["shell"])

    status, refused = await operator.call(
        "PUT", f"/tenants/{tenant_id}", {"minutes_per_month": 1, "pools": ["default", "No_Pool"]}
    )

    assert (status, code(refused), refused["error"]["target"]) == (400, "SessionRequestValidationFailed", "pools.1")
    assert (await operator.call("GET", f"/tenants/{tenant_id}"))[1]["pools"] == ["shell"]


async def test_all_tenants_are_listed(operator: Operator) -> None:
    tenant_id = await operator.tenant(name="Listed")

    _, listed = await operator.call("GET", "/tenants")

    assert [tenant["name"] for tenant in listed["tenants"] if tenant["id"] == tenant_id] == ["Listed"]


async def test_a_key_is_shown_with_its_text_once(operator: Operator) -> None:
    tenant_id = await operator.tenant()
    ends = "2026-11-24T09:00:00.5Z"

    status, key = await operator.call(
        "POST", f"/tenants/{tenant_id}/keys", {"label": "ci", "scopes": ["files"], "expires_at": ends}
    )

    text = key.pop("key")
    assert text.startswith(f"tg_{key['id']}_")
    kept = {
        "id": key["id"],
        "tenant": tenant_id,
        "label": "ci",
        "scopes": ["files"],
        "created_at": "2026-11-23T09:00:00Z",
        "expires_at": "2026-11-24T09:00:00.500000Z",
    }
    assert (status, key) == (201, kept)
    kept["revoked_at"] = None
    assert await operator.call("GET", f"/tenants/{tenant_id}/keys/{key['id']}") == (200, kept)
    assert await operator.call("GET", f"/tenants/{tenant_id}/keys") == (200, {"keys": [kept]})


async def test_a_revoked_key_stays_visible_and_revoked(operator: Operator) -> None:
    tenant_id = await operator.tenant()
    _, key = await operator.call("POST", f"/tenants/{tenant_id}/keys", {})
    path = f"/tenants/{tenant_id}/keys/{key['id']}"

    revoked = await operator.call("DELETE", path)

    assert revoked[1]["revoked_at"] == "2026-11-23T09:00:00Z"
    operator.clock.set(60)
    assert revoked == await operator.call("DELETE", path) == await operator.call("GET", path)


async def test_a_keys_end_can_be_moved_but_not_into_the_past(operator: Operator) -> None:
    tenant_id = await operator.tenant()
    _, key = await operator.call("POST", f"/tenants/{tenant_id}/keys", {})
    path = f"/tenants/{tenant_id}/keys/{key['id']}"

    moved = await operator.call("PATCH", path, {"expires_at": "2026-11-23T10:00:00Z"})
    refused = await operator.call("PATCH", path, {"expires_at": "2026-11-23T09:00:00Z"})

    assert moved[1]["expires_at"] == "2026-11-23T10:00:00Z"
    assert (refused[0], code(refused[1])) == (400, "SessionRequestValidationFailed")
    assert (await operator.call("GET", path)) == moved


async def test_operators_keys_are_made_listed_and_revoked_apart_from_tenants(operator: Operator) -> None:
    status, key = await operator.call("POST", "/keys", {"label": "second"})

    assert (status, key["tenant"], key["scopes"]) == (201, None, ["operator"])
    second = replace(operator, key=key["key"])
    assert (await second.call("GET", f"/keys/{key['id']}"))[0] == 200
    assert key["id"] in {listed["id"] for listed in (await operator.call("GET", "/keys"))[1]["keys"]}
    await operator.call("DELETE", f"/keys/{key['id']}")
    assert (await second.call("GET", "/keys"))[0] == 401


async def test_a_key_is_found_under_its_own_owner_only(operator: Operator) -> None:
    one, other = await operator.tenant(), await operator.tenant()
    _, key = await operator.call("POST", f"/tenants/{one}/keys", {})

    for path in (f"/tenants/{other}/keys/{key['id']}", f"/keys/{key['id']}"):
        for method in ("GET", "DELETE"):
            status, refused = await operator.call(method, path)
            assert (status, code(refused)) == (404, "ResourceNotFound")
    assert (await operator.call("GET", f"/tenants/{one}/keys/{key['id']}"))[1]["revoked_at"] is None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/tenants/{}", None),
        ("GET", "/tenants/{}/keys", None),
        ("POST", "/tenants/{}/keys", {}),
        ("GET", "/tenants/{}/usage", None),
        ("GET", "/tenants/{}/usage/entries", None),
        ("POST", "/tenants/{}/adjustments", {"minutes": 5, "reason": "r"}),
    ],
)
@pytest.mark.parametrize("tenant_id", ["nobody", "No%20Body", "a%2Fb", "%00"])
async def test_what_does_not_exist_is_not_found(
    operator: Operator, method: str, path: str, body: Any, tenant_id: str
) -> None:
    status, refused = await operator.call(method, path.format(tenant_id), body)

    assert (status, code(refused)) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/tenants/acme"),
        ("POST", "/tenants"),
        ("PUT", "/tenants"),
        ("GET", "/tenants/acme/adjustments"),
        ("PUT", "/keys"),
        ("DELETE", "/keys"),
        ("PUT", "/keys/000000000000"),
        ("GET", "/keys/000000000000/more"),
        ("GET", "/tenants/acme/usage/more"),
        ("GET", ""),
        ("GET", "/elsewhere"),
    ],
)
async def test_what_has_no_route_is_no_operation(operator: Operator, method: str, path: str) -> None:
    status, refused = await operator.call(method, path)

    assert (status, code(refused)) == (404, "OperationNotFound")


async def test_paths_are_matched_on_their_segments(operator: Operator) -> None:
    tenant_id = await operator.tenant()

    assert (await operator.call("GET", f"//tenants/{tenant_id}/"))[0] == 200


@pytest.mark.parametrize("tenant_id", ["Acme", "-a", "a_b", "a" * 41, "%C3%A9"])
async def test_a_tenant_id_that_cannot_be_is_refused(operator: Operator, tenant_id: str) -> None:
    status, refused = await operator.call("PUT", f"/tenants/{tenant_id}", {"minutes_per_month": 1})

    assert (status, code(refused), refused["error"]["target"]) == (400, "SessionRequestValidationFailed", "id")


async def test_a_tenant_gets_no_operators_key(operator: Operator) -> None:
    tenant_id = await operator.tenant()

    status, refused = await operator.call("POST", f"/tenants/{tenant_id}/keys", {"scopes": ["operator"]})

    assert (status, refused["error"]["target"]) == (400, "scopes")
    assert (await operator.call("GET", f"/tenants/{tenant_id}/keys"))[1]["keys"] == []


async def test_a_tenants_key_is_not_let_in(operator: Operator) -> None:
    tenant_id = await operator.tenant()
    _, key = await operator.call("POST", f"/tenants/{tenant_id}/keys", {})

    status, refused = await replace(operator, key=key["key"]).call("GET", "/tenants")

    assert (status, code(refused)) == (403, "ScopeNotAllowed")


async def test_without_a_valid_key_nothing_is_told(operator: Operator) -> None:
    for key in ("", "tg_junk", operator.key[:-1] + ("0" if operator.key[-1] != "0" else "1")):
        status, refused = await replace(operator, key=key).call("GET", "/nowhere")
        assert (status, code(refused)) == (401, "InvalidApiKey")


async def test_an_adjustment_is_booked_and_stands_in_the_statement_and_entries(operator: Operator) -> None:
    tenant_id = await operator.tenant(minutes_per_month=60)

    status, entry = await operator.call(
        "POST", f"/tenants/{tenant_id}/adjustments", {"minutes": -10, "reason": "outage"}
    )

    booked = {
        "sequence": 1,
        "kind": "adjustment",
        "why": "adjusted",
        "at": "2026-11-23T09:00:00Z",
        "session": None,
        "from": None,
        "until": None,
        "increments": -2,
        "minutes": -10,
        "operation": None,
        "request_id": "r1",
        "reason": "outage",
        "corrects": None,
    }
    assert (status, entry) == (201, booked)
    _, usage = await operator.call("GET", f"/tenants/{tenant_id}/usage?period=2026-11")
    assert usage["minutes"] == {
        "charged": 0,
        "reversed": 0,
        "adjusted": -10,
        "billed": -10,
        "quota": 60,
        "remaining": 70,
    }
    _, page = await operator.call("GET", f"/tenants/{tenant_id}/usage/entries")
    assert page == {"entries": [booked], "next": None}


@pytest.mark.parametrize("minutes", [0, 3, 2.5])
async def test_an_adjustment_is_whole_increments_and_not_none(operator: Operator, minutes: float) -> None:
    tenant_id = await operator.tenant()

    status, refused = await operator.call(
        "POST", f"/tenants/{tenant_id}/adjustments", {"minutes": minutes, "reason": "r"}
    )

    assert (status, refused["error"]["target"]) == (400, "minutes")


async def test_an_adjustment_beyond_the_quota_is_refused_and_leaves_nothing(operator: Operator) -> None:
    tenant_id = await operator.tenant(minutes_per_month=10)

    status, refused = await operator.call("POST", f"/tenants/{tenant_id}/adjustments", {"minutes": 15, "reason": "r"})

    assert (status, code(refused)) == (409, "AdjustmentExceedsQuota")
    assert "10 minutes are left" in refused["error"]["message"]
    assert (await operator.call("GET", f"/tenants/{tenant_id}/usage/entries"))[1]["entries"] == []


async def test_entries_come_in_pages_that_lead_to_each_other(operator: Operator) -> None:
    tenant_id = await operator.tenant()
    for session in range(5):
        await operator.parts.meter.admit(tenant_id, admit(f"{tenant_id}-{session}"))

    seen, path = [], f"/tenants/{tenant_id}/usage/entries?limit=2"
    while path:
        _, page = await operator.call("GET", path)
        seen.append([entry["sequence"] for entry in page["entries"]])
        path = (page["next"] or "").removeprefix("/operator")

    assert seen == [[1, 2], [3, 4], [5]]


async def test_without_the_ledger_the_caller_is_told_to_come_back(operator: Operator) -> None:
    tenant_id = await operator.tenant()
    store = MemoryLedgerStore(fault=lambda _: Fault.UNAVAILABLE)
    parts = replace(operator.parts, store=store, meter=meter(store, operator.clock))
    cut_off = replace(operator, api=build_apis(parts)[0])

    for method, path, body in (
        ("GET", "usage", None),
        ("GET", "usage/entries", None),
        ("POST", "adjustments", {"minutes": 5, "reason": "r"}),
    ):
        status, refused = await cut_off.call(method, f"/tenants/{tenant_id}/{path}", body)
        assert (status, code(refused)) == (503, "MeteringUnavailable")


async def test_the_period_is_the_current_one_unless_told_otherwise(operator: Operator) -> None:
    tenant_id = await operator.tenant()
    operator.clock.now += timedelta(days=30)

    _, usage = await operator.call("GET", f"/tenants/{tenant_id}/usage")

    assert usage["period"] == str(Period(2026, 12))
