"""What a call would cost: what the next call is then charged, to the increment and to the word, and nothing changes."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.increments import Granularity
from metering.meter import Meter
from proxy.errors import ErrorCode, GatewayError
from proxy.headers import instant, number
from proxy.pool import Answered, NotSent
from proxy.quotes import Quote, Quotes
from tests.support.building import MORNING, granularity, meter
from tests.support.gates import POOLS, SECRET, Gate, answered, error_of
from tests.support.memory_store import Fault

FLAT = "api-version=2025-02-02-preview"


def quotes_of(gate: Gate, *, of: Granularity | None = None, on: Meter | None = None) -> Quotes:
    return Quotes(
        meter=on or gate.meter,
        pools=POOLS,
        namespace_secret=SECRET,
        granularity=of or granularity(),
        clock=gate.clock,
    )


async def quote(gate: Gate, session: str = "session-1", pool: str | None = None) -> Quote:
    return await quotes_of(gate).quote(gate.keys.tenants["acme"], session_name=session, pool_name=pool)


async def refused(gate: Gate, session: str | None = "session-1", pool: str | None = None) -> ErrorCode:
    with pytest.raises(GatewayError) as refusal:
        await quotes_of(gate).quote(gate.keys.tenants["acme"], session_name=session, pool_name=pool)
    return refusal.value.code


# ---- as the call itself --------------------------------------------------------------------------------------------

sessions = st.sampled_from(["one-1", "two-2", "three-3"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("call"), sessions),
        st.tuples(st.just("wait"), st.sampled_from([0, 1, 59, 60, 150, 299, 300, 301, 1_000, 86_400, 8 * 86_400])),
        st.tuples(st.just("fail"), sessions),
        st.tuples(st.just("end"), sessions),
        st.tuples(st.just("month"), st.sampled_from([None, 0, 5, 10, 17.5, 60])),
        st.tuples(st.just("day"), st.sampled_from([None, 0, 5, 10, 60])),
        st.tuples(st.just("sessions"), st.sampled_from([None, 1, 2])),
        st.tuples(st.just("suspend"), st.booleans()),
    ),
    max_size=25,
)


async def step(gate: Gate, kind: str, value: Any) -> None:
    """Let anything happen that is no call to be compared."""
    tenant = gate.keys.tenants["acme"]
    match kind:
        case "wait":
            gate.clock.now += timedelta(seconds=value)
        case "fail":
            gate.pool.outcome = NotSent("x")
            await gate.call(session=value)
        case "end":
            gate.pool.outcome = Answered(answered(204, b"", headers=()))
            await gate.call("DELETE", "/session", session=value)
        case "sessions":
            gate.keys.tenants["acme"] = replace(tenant, max_concurrent_sessions=value)
        case "suspend":
            gate.keys.tenants["acme"] = replace(tenant, suspended=value)
        case limit:
            changed: dict[str, Any] = {f"minutes_per_{limit}": None if value is None else Decimal(str(value))}
            gate.keys.tenants["acme"] = replace(tenant, **changed)


async def compare(gate: Gate, of: Granularity, session: str) -> None:
    """Quote a call, make it, and compare."""
    gate.pool.outcome = Answered(answered())
    told = await quotes_of(gate, of=of).quote(gate.keys.tenants["acme"], session_name=session)
    response = await gate.call(session=session)
    assert told.admitted == (response.status == 200)
    if told.refusal is not None:
        error = error_of(response)
        assert (told.refusal.code, told.refusal.message) == (error["code"], error["message"])
        assert (told.increments, told.opens_session, told.paid_until) == (0, False, None)
        return
    assert told.paid_until is not None
    assert response.headers["Tollgate-Charged-Minutes"] == number(of.minutes(told.increments))
    assert response.headers["Tollgate-Session-Paid-Until"] == instant(told.paid_until)
    assert response.headers["Tollgate-Session"] == ("new" if told.opens_session else "existing")


@settings(max_examples=300, deadline=None)
@given(steps=steps, lengths=st.sampled_from([(300, 300), (60, 300), (300, 0), (100, 250)]))
def test_a_quote_is_what_the_next_call_is_charged(steps: list[tuple[str, Any]], lengths: tuple[int, int]) -> None:
    async def live() -> None:
        of = granularity(*lengths)
        gate = Gate(of=of)
        for kind, value in steps:
            await (compare(gate, of, value) if kind == "call" else step(gate, kind, value))
        await compare(gate, of, "one-1")

    asyncio.run(live())


async def test_a_session_of_another_pool_is_another_session() -> None:
    gate = Gate()
    await gate.call(path="/pools/shell/executions", query=f"{FLAT}&identifier=session-1", body=b'{"shellCommand": ""}')
    gate.clock.set(100)

    first, named, shell = await quote(gate), await quote(gate, pool="default"), await quote(gate, pool="shell")

    assert first == named
    assert (first.pool_name, first.opens_session, first.increments) == ("default", True, 1)
    assert (shell.pool_name, shell.opens_session, shell.increments) == ("shell", False, 1)
    assert (shell.at, shell.paid_until) == (MORNING + timedelta(seconds=100), MORNING + timedelta(seconds=600))


# ---- nothing changes -----------------------------------------------------------------------------------------------


async def test_a_quote_writes_nothing_and_asks_no_pool() -> None:
    gate = Gate(minutes=10, max_concurrent_sessions=2)
    await gate.call()
    gate.clock.set(1)
    rows, standing, calls = dict(gate.store.rows), gate.meter.standing("acme"), len(gate.pool.calls)

    for session in ("session-1", "other-1"):
        assert (await quote(gate, session)).increments == 1

    assert gate.store.rows == rows
    assert set(gate.store.operations[2:]) == {"read"}
    assert gate.meter.standing("acme") == standing
    assert len(gate.pool.calls) == calls


async def test_a_quote_of_a_covered_call_asks_no_storage() -> None:
    gate = Gate()
    await gate.call()
    operations = list(gate.store.operations)

    assert (await quote(gate)).increments == 0
    assert gate.store.operations == operations


async def test_a_quote_from_another_instance_leaves_the_window_to_its_owner() -> None:
    of = granularity(60, 0)
    gate = Gate(of=of)
    await gate.call()
    other = meter(gate.store, gate.clock, "i2", of=of)

    told = await quotes_of(gate, of=of, on=other).quote(gate.keys.tenants["acme"], session_name="session-1")

    assert (told.increments, told.opens_session, told.paid_until) == (0, False, MORNING + timedelta(seconds=60))
    row, _ = gate.store.rows["acme", f"window:{gate.identifier()}"]
    assert not row.shared
    assert other.standing("acme") is None


# ---- refusals ------------------------------------------------------------------------------------------------------


async def test_a_suspended_tenant_is_told_so() -> None:
    gate = Gate(suspended=True)

    told = await quote(gate)

    assert told.refusal is not None
    assert (told.admitted, told.refusal.code, told.increments) == (False, ErrorCode.TENANT_SUSPENDED, 0)


@pytest.mark.parametrize("name", [None, "", "a" * 129, "a\nb", "\ud800"])
async def test_a_name_that_no_call_could_bear_is_refused(name: str | None) -> None:
    assert await refused(Gate(), name) is ErrorCode.VALIDATION_FAILED


@pytest.mark.parametrize("pool", ["others", "nowhere", "", "shell/"])
async def test_a_pool_that_was_not_given_is_as_one_that_is_not_there(pool: str) -> None:
    assert await refused(Gate(), pool=pool) is ErrorCode.POOL_NOT_FOUND


async def test_without_the_ledger_only_what_is_covered_is_quoted() -> None:
    gate = Gate()
    await gate.call()
    gate.store.fault = lambda _: Fault.UNAVAILABLE

    assert (await quote(gate)).admitted
    assert await refused(gate, "other-1") is ErrorCode.METERING_UNAVAILABLE
