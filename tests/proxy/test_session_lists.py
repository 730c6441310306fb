"""A tenant's own sessions, and nobody else's."""

import json
from typing import Any

import pytest

from proxy.pool import Answered
from tests.support.gates import Gate, answered, error_of
from tests.support.memory_store import Fault

VERSION = "api-version=2025-02-02-preview"
MANAGED = "/.management/listSessions"


def held(identifier: str, minute: int = 0) -> dict[str, Any]:
    return {
        "identifier": identifier,
        "etag": f"e{minute}",
        "createdAt": f"2026-11-23T{9 + minute // 60:02}:{minute % 60:02}:00Z",
        "lastAccessedAt": "2026-11-23T09:30:00Z",
        "expiresAt": "2026-11-23T09:35:00Z",
    }


async def gate_with(*sessions: tuple[str, str, str], more: int = 0) -> Gate:
    """Open sessions, each as (tenant, pool, name); the pool holds them, the newest first, and some of strangers."""
    gate = Gate()
    for tenant, pool, name in sessions:
        body = b'{"shellCommand": "ls"}' if pool == "shell" else b'{"code": "1"}'
        answer = await gate.call(
            path=f"/pools/{pool}/executions", query=f"{VERSION}&identifier={name}", key=tenant, body=body
        )
        assert answer.status == 200
    known = [held(gate.identifier(name, tenant, pool), minute) for minute, (tenant, pool, name) in enumerate(sessions)]
    listed = [*reversed(known), held("acme-" + "0" * 64), *(held(f"stranger-{n}") for n in range(more))]
    gate.pool.by_path[MANAGED] = Answered(answered(200, {"value": listed, "count": len(listed), "nextLink": None}))
    return gate


async def names(gate: Gate, method: str, path: str, *, key: str = "acme", more: str = "") -> list[str]:
    response = await gate.call(method, path, query=VERSION + more, key=key, body=b"")
    assert response.status == 200, response.body
    told = json.loads(response.body)
    return [session["identifier"] for session in told.get("sessions", told.get("value"))]


async def test_each_tenant_sees_its_own_sessions_of_the_pool_it_asks() -> None:
    gate = await gate_with(
        ("acme", "default", "one/ä"), ("beta", "default", "one/ä"), ("acme", "default", "two"), ("acme", "shell", "sh")
    )

    for method, path in (("GET", "/listSessions"), ("POST", MANAGED)):
        assert await names(gate, method, path) == ["one/ä", "two"]
        assert await names(gate, method, path, key="beta") == ["one/ä"]
        assert await names(gate, method, f"/pools/shell{path}") == ["sh"]
    assert b"stranger" not in (await gate.call("GET", "/listSessions", query=VERSION)).body


async def test_a_session_is_told_in_the_shape_of_each_list() -> None:
    gate = await gate_with(("acme", "default", "one"))

    plain = json.loads((await gate.call("GET", "/listSessions", query=VERSION)).body)
    managed = json.loads((await gate.call("POST", MANAGED, query=VERSION, body=b"")).body)

    expected = {"identifier": "one", "etag": "e0", "createdAt": "2026-11-23T09:00:00Z"}
    expected["lastAccessedAt"] = "2026-11-23T09:30:00Z"
    assert plain == {"sessions": [{**expected, "expireAt": "2026-11-23T09:35:00Z"}]}
    assert managed == {"value": [{**expected, "expiresAt": "2026-11-23T09:35:00Z"}], "count": 1, "nextLink": None}


async def test_listing_costs_nothing_and_takes_no_session() -> None:
    gate = await gate_with(("acme", "default", "one"))
    balance = await gate.balance()

    await names(gate, "GET", "/listSessions")

    assert await gate.balance() == balance
    assert [call.path for call in gate.pool.calls[1:]] == [MANAGED]


async def test_a_page_leads_to_the_next_by_tollgates_own_link() -> None:
    sessions = [("acme", "default", f"s{n:03}") for n in range(302)]
    gate = await gate_with(*sessions[:302])

    first = json.loads((await gate.call("GET", "/listSessions", query=VERSION)).body)

    assert len(first["sessions"]) == 200
    assert first["nextLink"] == f"https://gate.example/listSessions?{VERSION}&skip=200"
    assert len(await names(gate, "GET", "/listSessions", more="&skip=200")) == 102


@pytest.mark.parametrize("skip", ["-1", "x", "", "1.5", "9999999999"])
async def test_a_skip_that_is_no_number_is_refused(skip: str) -> None:
    gate = await gate_with()

    assert error_of(await gate.call("GET", "/listSessions", query=f"{VERSION}&skip={skip}"))["target"] == "skip"


async def test_without_the_ledger_no_session_is_named() -> None:
    gate = await gate_with(("acme", "default", "one"))
    gate.store.fault = lambda _: Fault.UNAVAILABLE

    assert error_of(await gate.call("GET", "/listSessions", query=VERSION))["code"] == "MeteringUnavailable"
