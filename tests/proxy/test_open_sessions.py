"""The sessions that a tenant pays for now: told to it and nobody else, and ended as it would end them itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.increments import Granularity
from proxy.errors import ErrorCode, GatewayError
from proxy.gateway import Gateway
from proxy.open_sessions import OpenSessions, ending_request
from proxy.operations import MANAGEMENT_VERSION
from proxy.pool import Answered, NoAnswer, NotSent, PoolOutcome, Refused
from proxy.pool_sessions import PoolSessions
from proxy.pools import Pool, PoolKind
from proxy.session_lists import SessionLists
from proxy.tenants import Tenant
from tests.support.building import MORNING, granularity, meter, telemetry
from tests.support.gates import CONTAINER_ENDPOINT, ENDPOINT, POOLS, SECRET, SHELL_ENDPOINT, Gate, answered, error_of
from tests.support.memory_store import Fault

FLAT = "api-version=2025-02-02-preview"
BODIES = {"default": b'{"code": "1"}', "shell": b'{"shellCommand": "ls"}', "agents": b"x"}
ENDED = Answered(answered(204, b"", headers=()))


def sessions_of(gate: Gate, *, of: Granularity | None = None, pools: Sequence[Pool] = POOLS) -> OpenSessions:
    return OpenSessions(
        ledger=gate.store,
        pools=pools,
        namespace_secret=SECRET,
        granularity=of or granularity(),
        clock=gate.clock,
        gateway=gate.gateway,
    )


def second_instance(gate: Gate, of: Granularity) -> Gateway:
    """Start another instance of the gateway on the same ledger and pools."""
    pool_sessions = PoolSessions(pool=gate.pool, endpoints=(ENDPOINT,))
    return Gateway(
        authenticator=gate.keys,
        meter=meter(gate.store, gate.clock, "i2", of=of),
        pool=gate.pool,
        pools=POOLS,
        sessions=SessionLists(ledger=gate.store, pool_sessions=pool_sessions, namespace_secret=SECRET),
        namespace_secret=SECRET,
        granularity=of,
        clock=gate.clock,
        body_bytes_max=1_000,
        telemetry=telemetry(),
    )


async def run(gate: Gate, session: str = "session-1", *, pool: str = "default", key: str = "acme") -> None:
    path = f"/pools/{pool}/{'start' if pool == 'agents' else 'executions'}"
    query = f"identifier={session}" if pool == "agents" else f"{FLAT}&identifier={session}"
    assert (await gate.call(path=path, query=query, key=key, body=BODIES[pool])).status == 200


async def end(
    sessions: OpenSessions, tenant: Tenant, session: str = "session-1", *, pool: str | None = None
) -> int | ErrorCode:
    """End a session; return what came back, or the code of the refusal."""
    try:
        return await sessions.end(tenant, pool_name=pool, session_name=session, request_id="op-1")
    except GatewayError as refusal:
        return refusal.code


# ---- the list ------------------------------------------------------------------------------------------------------


async def test_a_tenant_is_told_its_own_open_sessions_in_all_pools_the_oldest_first() -> None:
    gate = Gate()
    await run(gate, "over")
    gate.clock.set(200)
    await run(gate, "first")
    await run(gate, "first", key="beta")
    gate.clock.set(250)
    await run(gate, "ended")
    await run(gate, "in-shell", pool="shell")
    await run(gate, "in-container", pool="agents")
    gate.pool.outcome = ENDED
    assert (await gate.call("DELETE", "/session", session="ended")).status == 204
    gate.clock.set(350)

    told = await sessions_of(gate).list(gate.keys.tenants["acme"])

    assert [(one.session_name, one.pool_name) for one in told] == [
        ("first", "default"),
        ("in-container", "agents"),
        ("in-shell", "shell"),
    ]
    first = told[0]
    assert (first.opened_at, first.paid_until) == (
        MORNING + timedelta(seconds=200),
        MORNING + timedelta(seconds=500),
    )
    assert (first.increments, first.would_return) == (1, 0)
    [other] = await sessions_of(gate).list(gate.keys.tenants["beta"])
    assert (other.session_name, other.opened_at) == ("first", first.opened_at)


async def test_listing_is_one_look_at_the_ledger_and_none_at_the_pool() -> None:
    gate = Gate()
    for n in range(30):
        await run(gate, f"s{n}")
    operations, calls = len(gate.store.operations), len(gate.pool.calls)

    assert len(await sessions_of(gate).list(gate.keys.tenants["acme"])) == 30
    assert gate.store.operations[operations:] == ["scan"]
    assert len(gate.pool.calls) == calls


async def test_a_session_of_a_pool_that_is_gone_is_told_without_it() -> None:
    gate = Gate()
    await run(gate, pool="shell")

    [told] = await sessions_of(gate, pools=POOLS[:1]).list(gate.keys.tenants["acme"])

    assert (told.session_name, told.pool_name, told.ending) == ("session-1", None, None)


async def test_a_session_of_a_pool_that_was_taken_from_the_tenant_can_be_ended_by_the_operator_alone() -> None:
    gate = Gate()
    await run(gate, pool="shell")
    gate.limit(pools=("default",))
    tenant, sessions = gate.keys.tenants["acme"], sessions_of(gate)

    [told] = await sessions.list(tenant)
    gate.pool.outcome = ENDED

    assert (told.pool_name, told.ending) == ("shell", None)
    assert await end(sessions, tenant, pool="shell") == 1
    assert gate.pool.calls[-1].endpoint == SHELL_ENDPOINT
    assert await sessions.list(tenant) == ()


async def test_a_session_that_an_instance_with_a_faster_clock_has_ended_is_not_open() -> None:
    gate = Gate()
    await run(gate)
    gate.clock.set(2)
    gate.pool.outcome = ENDED
    await gate.call("DELETE", "/session")
    gate.clock.set(1)

    assert await sessions_of(gate).list(gate.keys.tenants["acme"]) == ()


async def test_without_the_ledger_no_session_is_told_or_ended() -> None:
    gate = Gate()
    await run(gate)
    gate.store.fault = lambda _: Fault.UNAVAILABLE
    calls = len(gate.pool.calls)

    with pytest.raises(GatewayError) as refusal:
        await sessions_of(gate).list(gate.keys.tenants["acme"])

    assert refusal.value.code is ErrorCode.METERING_UNAVAILABLE
    assert await end(sessions_of(gate), gate.keys.tenants["acme"]) is ErrorCode.METERING_UNAVAILABLE
    assert len(gate.pool.calls) == calls


# ---- how a tenant ends them ----------------------------------------------------------------------------------------

PYTHON, SHELL, CUSTOM = POOLS[:3]
NODE = Pool("node", PoolKind.NODE, ("https://pool.example/node",))
printable = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=128)
awkward = st.sampled_from(["a&identifier=b", "%2F", "../x", "+", "a b", "#?;=", "%25", "ä/€", "identifier", "\u0130"])


def test_each_kind_of_pool_has_its_own_way_to_end_a_session() -> None:
    tenant = Tenant(id="acme", name="", pools=("default", "shell", "agents", "node"))

    requests = [ending_request(tenant, pool, "my session/1") for pool in (PYTHON, SHELL, CUSTOM, NODE)]

    told = [(request.method, request.target) for request in requests if request is not None]
    name = "identifier=my%20session%2F1"
    assert told == [
        ("DELETE", f"/session?api-version=2025-10-02-preview&{name}"),
        ("DELETE", f"/pools/shell/session?api-version=2025-10-02-preview&{name}"),
        ("POST", f"/pools/agents/.management/stopSession?api-version={MANAGEMENT_VERSION}&{name}"),
        ("DELETE", f"/pools/node/session?api-version=2025-10-02-preview&{name}"),
    ]


def test_the_tenants_first_pool_is_ended_in_at_the_root() -> None:
    request = ending_request(Tenant(id="acme", name="", pools=("agents", "default")), CUSTOM, "s")

    assert request is not None
    assert request.path == "/.management/stopSession"


@settings(max_examples=150, deadline=None)
@given(name=(printable | awkward).filter(str.isprintable), pools=st.permutations(["default", "shell", "agents"]))
def test_what_the_tenant_is_told_to_call_ends_that_very_session_whatever_its_name(name: str, pools: list[str]) -> None:
    async def call() -> None:
        gate = Gate(pools=tuple(pools))
        gate.pool.outcome = ENDED
        for pool in (PYTHON, SHELL, CUSTOM):
            request = ending_request(gate.keys.tenants["acme"], pool, name)
            assert request is not None
            response = await gate.call(request.method, request.path, query=request.query, body=b"")
            assert response.status == 204
            heard = gate.pool.calls[-1]
            assert heard.endpoint == pool.endpoints[0]
            assert f"identifier={gate.identifier(name, pool=pool.name)}" in heard.query.split("&")

    asyncio.run(call())


# ---- ending by the operator ----------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    pauses=st.lists(st.integers(0, 400), min_size=1, max_size=5),
    increment=st.sampled_from([7, 60, 100, 300]),
    tail=st.sampled_from([0, 60, 300]),
)
def test_ending_gives_back_what_the_list_said_that_it_would(pauses: list[int], increment: int, tail: int) -> None:
    async def live() -> None:
        of = granularity(increment, tail)
        gate = Gate(of=of)
        tenant, sessions = gate.keys.tenants["acme"], sessions_of(gate, of=of)
        for pause in pauses:
            await gate.call()
            gate.clock.now += timedelta(seconds=pause)
        gate.pool.outcome = ENDED
        before = await gate.balance()
        told = await sessions.list(tenant)
        if not told:
            assert await end(sessions, tenant) is ErrorCode.RESOURCE_NOT_FOUND
            return
        assert await end(sessions, tenant) == told[0].would_return
        assert await gate.balance() == before - told[0].would_return
        assert await sessions.list(tenant) == ()

    asyncio.run(live())


async def test_increments_that_are_no_whole_minutes_come_back_to_the_last_one() -> None:
    of = granularity(7, 700)
    gate = Gate(of=of)
    await run(gate)
    gate.clock.set(14 * 7)

    assert await end(sessions_of(gate, of=of), gate.keys.tenants["acme"]) == 86  # 10.0333… minutes


async def test_the_entry_of_an_ending_names_the_operators_request() -> None:
    of = granularity(60, 300)
    gate = Gate(of=of)
    await run(gate, pool="agents")
    gate.clock.set(61)

    assert await end(sessions_of(gate, of=of), gate.keys.tenants["acme"], pool="agents") == 3

    [_, entry] = await gate.store.entries("acme", gate.period(), after=0, limit=9)
    assert (entry.kind, entry.operation, entry.request_id) == ("reversal", "agents/sessions.stop", "op-1")
    heard = gate.pool.calls[-1]
    assert (heard.endpoint, heard.method, heard.path) == (CONTAINER_ENDPOINT, "POST", "/.management/stopSession")


async def test_the_sessions_of_a_suspended_tenant_can_be_ended() -> None:
    gate = Gate(of=granularity(60, 300), calls_per_minute=1)
    await run(gate)
    suspended = replace(gate.keys.tenants["acme"], suspended=True)
    gate.keys.tenants["acme"] = suspended
    gate.pool.outcome = ENDED

    assert error_of(await gate.call("DELETE", "/session"))["code"] in {"TenantSuspended", "TooManyCalls"}
    assert await end(sessions_of(gate, of=granularity(60, 300)), suspended) == 5


async def test_another_tenants_session_is_out_of_reach() -> None:
    gate = Gate()
    await run(gate, key="beta")
    calls = len(gate.pool.calls)

    assert await end(sessions_of(gate), gate.keys.tenants["acme"]) is ErrorCode.RESOURCE_NOT_FOUND
    assert len(gate.pool.calls) == calls
    assert len(await sessions_of(gate).list(gate.keys.tenants["beta"])) == 1


async def test_an_instance_that_does_not_own_the_window_ends_the_session_and_gives_nothing_back() -> None:
    of = granularity(60, 300)
    gate = Gate(of=of)
    await run(gate)
    tenant = gate.keys.tenants["acme"]
    gate.gateway = second_instance(gate, of)
    gate.pool.outcome = ENDED

    assert await end(sessions_of(gate, of=of), tenant) == 0

    assert gate.pool.calls[-1].path == "/session"
    assert await gate.balance() == 5
    assert len(await sessions_of(gate, of=of).list(tenant)) == 1


async def test_a_session_that_two_instances_rely_on_returns_nothing() -> None:
    of = granularity(60, 0)
    gate = Gate(of=of)
    await run(gate)
    first, gate.gateway = gate.gateway, second_instance(gate, of)
    await run(gate)
    gate.gateway = first
    sessions, tenant = sessions_of(gate, of=of), gate.keys.tenants["acme"]
    gate.pool.outcome = ENDED

    [told] = await sessions.list(tenant)

    assert told.would_return == 0
    assert await end(sessions, tenant) == 0


NOT_ENDED: list[tuple[PoolOutcome, ErrorCode]] = [
    (Answered(answered(400, {"error": {"code": "SessionWithIdentifierNotFound"}})), ErrorCode.RESOURCE_NOT_FOUND),
    (Answered(answered(404, {"error": {"code": "SessionNotFound"}})), ErrorCode.RESOURCE_NOT_FOUND),
    (Answered(answered(409, {"error": {"code": "Odd", "message": "10.0.0.1"}})), ErrorCode.POOL_UNAVAILABLE),
    (Answered(answered(500)), ErrorCode.POOL_UNAVAILABLE),
    (Answered(answered(302)), ErrorCode.POOL_ANSWER_INVALID),
    (Refused(answered(403)), ErrorCode.POOL_UNAVAILABLE),
    (Refused(answered(429), busy=True), ErrorCode.POOL_BUSY),
    (NotSent("x"), ErrorCode.POOL_UNAVAILABLE),
    (NoAnswer("x"), ErrorCode.POOL_TIMEOUT),
]


@pytest.mark.parametrize(("outcome", "code"), NOT_ENDED)
async def test_a_session_that_the_pool_did_not_end_stays_paid(outcome: PoolOutcome, code: ErrorCode) -> None:
    gate = Gate(of=granularity(60, 300))
    await run(gate)
    gate.pool.outcome = outcome

    assert await end(sessions_of(gate, of=granularity(60, 300)), gate.keys.tenants["acme"]) is code
    assert await gate.balance() == 5


async def test_a_pools_refusal_is_told_by_its_code_alone() -> None:
    gate = Gate()
    await run(gate)
    gate.pool.outcome = Answered(answered(409, {"error": {"code": "Odd", "message": "at 10.0.0.1"}}))

    with pytest.raises(GatewayError) as refusal:
        await sessions_of(gate).end(
            gate.keys.tenants["acme"], pool_name=None, session_name="session-1", request_id="op-1"
        )

    assert refusal.value.message == "The session pool did not end the session: Odd."


@pytest.mark.parametrize(
    ("session", "pool", "code"),
    [
        ("", None, ErrorCode.VALIDATION_FAILED),
        ("a" * 129, None, ErrorCode.VALIDATION_FAILED),
        ("line\n", None, ErrorCode.VALIDATION_FAILED),
        ("session-1", "nowhere", ErrorCode.POOL_NOT_FOUND),
        ("session-1", "shell", ErrorCode.RESOURCE_NOT_FOUND),
        ("session-2", None, ErrorCode.RESOURCE_NOT_FOUND),
    ],
)
async def test_what_is_no_open_session_is_not_sent_to_the_pool(session: str, pool: str | None, code: ErrorCode) -> None:
    gate = Gate()
    await run(gate)
    calls = len(gate.pool.calls)

    assert await end(sessions_of(gate), gate.keys.tenants["acme"], session, pool=pool) is code
    assert len(gate.pool.calls) == calls


async def test_a_session_that_is_over_needs_no_end() -> None:
    gate = Gate()
    await run(gate)
    gate.clock.set(300)

    assert await end(sessions_of(gate), gate.keys.tenants["acme"]) is ErrorCode.RESOURCE_NOT_FOUND
