"""One call, straight down: what is charged, what the pool hears, what the tenant is told."""

import asyncio
import json
import logging
from typing import Any

import pytest

from proxy.calls import PoolCall
from proxy.errors import ERRORS, ErrorCode, GatewayError
from proxy.messages import GatewayRequest
from proxy.pool import Answered, NoAnswer, NotSent, PoolOutcome, Refused
from proxy.telemetry import CallRecord
from proxy.tenants import Principal, Scope, Tenant
from tests.support.building import granularity
from tests.support.gates import ENDPOINT, EXECUTED, Gate, SilentPool, answered, error_of
from tests.support.memory_store import Fault


async def test_a_call_is_charged_forwarded_and_answered() -> None:
    gate = Gate(minutes=60)

    response = await gate.call(operation_id="op-1")

    assert response.status == 200
    assert json.loads(response.body) == EXECUTED
    assert response.headers["Tollgate-Charged-Minutes"] == "5"
    assert response.headers["Tollgate-Session-Paid-Until"] == "2026-11-23T09:05:00Z"
    assert response.headers["Tollgate-Request-Id"] == "req-1"
    assert '"period";r=55;' in response.headers["RateLimit"]
    assert '"period";q=60;' in response.headers["RateLimit-Policy"]
    [call] = gate.pool.calls
    assert (call.endpoint, call.method, call.path) == (ENDPOINT, "POST", "/code/execute")
    assert call.query == f"identifier={gate.identifier()}&api-version=2024-02-02-preview"
    assert call.body == b'{"properties": {"code": "1 + 1"}}'
    assert call.headers["operation-id"] == "op-1"


async def test_no_key_and_no_session_name_reaches_the_pool() -> None:
    gate = Gate()

    await gate.call(session="my-name", x_api_key="acme", cookie="c", x_forwarded_for="10.0.0.1")

    [call] = gate.pool.calls
    assert not any(word in repr(call) for word in ("my-name", "Bearer", "10.0.0.1", "cookie", "x-api-key"))


async def test_a_covered_call_costs_nothing_and_asks_no_storage() -> None:
    gate = Gate(minutes=60)
    await gate.call()
    gate.clock.set(1)
    await gate.call()
    before = list(gate.store.operations)

    gate.clock.set(200)
    response = await gate.call()

    assert response.headers["Tollgate-Charged-Minutes"] == "0"
    assert response.headers["Tollgate-Session-Paid-Until"] == "2026-11-23T09:10:00Z"
    assert gate.store.operations == before
    assert len(gate.pool.calls) == 3


async def test_the_call_that_the_quota_does_not_cover_never_reaches_the_pool() -> None:
    gate = Gate(minutes=15)
    for session in ("one-1", "two-2", "three-3"):
        assert (await gate.call(session=session)).headers["Tollgate-Charged-Minutes"] == "5"

    refused = await gate.call(session="four-4")

    error = error_of(refused)
    assert (refused.status, error["code"]) == (403, "QuotaExceeded")
    assert (error["neededMinutes"], error["remainingMinutes"]) == (5, 0)
    assert error["quotaEndsAt"] == "2026-12-01T00:00:00Z"
    assert "5 more session minutes; 0 are left of this month's quota" in error["message"]
    assert '"period";r=0;' in refused.headers["RateLimit"]
    assert "Retry-After" not in refused.headers  # clients would repeat a call that cannot succeed
    assert len(gate.pool.calls) == 3
    assert await gate.balance() == 3

    gate.limit(minutes=20)
    assert (await gate.call(session="four-4")).status == 200


async def test_the_days_quota_is_told_as_such() -> None:
    gate = Gate(minutes_per_day=0)

    error = error_of(await gate.call())

    assert "this day's quota, which ends at 2026-11-24T00:00:00Z" in error["message"]


async def test_a_session_too_many_is_told_when_to_come_again() -> None:
    gate = Gate(max_concurrent_sessions=1)
    await gate.call(session="one-1")
    gate.clock.set(100)

    refused = await gate.call(session="two-2")

    assert (refused.status, error_of(refused)["code"]) == (429, "TooManySessions")
    assert refused.headers["Retry-After"] == "200"
    assert '"sessions";r=0' in refused.headers["RateLimit"]
    assert len(gate.pool.calls) == 1


async def test_two_tenants_with_one_name_never_meet() -> None:
    gate = Gate(minutes=60)

    await gate.call(key="acme")
    await gate.call(key="beta")

    first, second = (call.query for call in gate.pool.calls)
    assert first != second
    assert (await gate.balance("acme"), await gate.balance("beta")) == (1, 1)


# ---- calls for who is proven already -------------------------------------------------------------------------------


def _deletion() -> GatewayRequest:
    return GatewayRequest(id="r-9", method="DELETE", path="/session", query=f"{VERSION}&identifier=session-1")


def _principal(gate: Gate, *scopes: Scope) -> Principal:
    return Principal(key_id="k", tenant=gate.keys.tenants["acme"], scopes=frozenset(scopes))


async def test_a_call_for_a_principal_needs_no_key_and_is_no_call_of_the_tenants_minute() -> None:
    gate = Gate(of=granularity(60, 300), calls_per_minute=1)
    await gate.call()
    gate.pool.outcome = Answered(answered(204, b"", headers=()))

    response = await gate.gateway.carry(_principal(gate, Scope.EXECUTE), _deletion(), CallRecord())

    assert (response.status, response.headers["Tollgate-Reversed-Minutes"]) == (204, "5")
    assert (await gate.call()).status == 429
    assert gate.pool.calls[-1].query.startswith(f"identifier={gate.identifier()}&")


@pytest.mark.parametrize(
    ("suspended", "scope", "code"),
    [(False, Scope.USAGE, ErrorCode.SCOPE_NOT_ALLOWED), (True, Scope.EXECUTE, ErrorCode.TENANT_SUSPENDED)],
)
async def test_a_principal_is_held_to_its_scopes(suspended: bool, scope: Scope, code: ErrorCode) -> None:  # noqa: FBT001
    gate = Gate(suspended=suspended)

    with pytest.raises(GatewayError) as refusal:
        await gate.gateway.carry(_principal(gate, scope), _deletion(), CallRecord())

    assert refusal.value.code is code
    assert gate.pool.calls == []


# ---- outcomes ------------------------------------------------------------------------------------------------------

NOTHING_RAN: list[tuple[PoolOutcome, int, str]] = [
    (NotSent("ClientConnectorError"), 502, "PoolUnavailable"),
    (Refused(answered(401, {"error": {"code": "X", "message": "wrong audience"}})), 502, "PoolUnavailable"),
    (Refused(answered(403)), 502, "PoolUnavailable"),
    (Refused(answered(429), busy=True), 503, "PoolBusy"),
    (Refused(answered(404), busy=True), 503, "PoolBusy"),
    (Refused(answered(400, {"error": {"code": "Odd", "message": "m"}})), 400, "Odd"),
]


@pytest.mark.parametrize(("outcome", "status", "code"), NOTHING_RAN)
async def test_a_call_that_did_not_run_costs_nothing(outcome: PoolOutcome, status: int, code: str) -> None:
    gate = Gate(minutes=5)
    gate.pool.outcome = outcome

    refused = await gate.call()

    assert (refused.status, error_of(refused)["code"]) == (status, code)
    assert refused.headers["Tollgate-Charged-Minutes"] == "0"
    assert "Tollgate-Session-Paid-Until" not in refused.headers
    assert await gate.balance() == 0
    gate.pool.outcome = Answered(answered())
    assert (await gate.call(session="other-1")).status == 200  # the quota of one increment is whole again


@pytest.mark.parametrize("outcome", [NotSent("x"), Refused(answered(429), busy=True)])
async def test_trouble_that_passes_says_when_to_come_again(outcome: PoolOutcome) -> None:
    gate = Gate()
    gate.pool.outcome = outcome

    refused = await gate.call()

    assert int(refused.headers["Retry-After"]) >= 1
    assert "Nothing was charged." in error_of(refused)["message"]


async def test_a_call_whose_answer_was_lost_stays_charged_and_is_sent_once() -> None:
    gate = Gate()
    gate.pool.outcome = NoAnswer("SocketTimeoutError")

    refused = await gate.call()

    assert (refused.status, error_of(refused)["code"]) == (504, "PoolTimeout")
    assert refused.headers["Tollgate-Charged-Minutes"] == "5"
    assert await gate.balance() == 1
    assert len(gate.pool.calls) == 1


async def test_a_pool_that_failed_may_have_run_the_call() -> None:
    gate = Gate()
    gate.pool.outcome = Answered(answered(500, b"<html>stack trace at 10.0.0.1</html>"))

    refused = await gate.call()

    assert (refused.status, error_of(refused)["code"]) == (502, "PoolUnavailable")
    assert b"10.0.0.1" not in refused.body
    assert await gate.balance() == 1


async def test_a_file_that_is_not_there_has_still_taken_a_session() -> None:
    gate = Gate()
    gate.pool.outcome = Answered(answered(404, {"error": {"code": "FileNotFound", "message": "m"}}))

    response = await gate.call("GET", "/files/content/x.csv")

    assert (response.status, error_of(response)["code"]) == (404, "FileNotFound")
    assert await gate.balance() == 1


async def test_a_reversal_that_fails_does_not_cost_the_caller_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    gate.pool.outcome = Refused(answered(429), busy=True)
    reads = iter([None])
    gate.store.fault = lambda name: (next(reads, Fault.UNAVAILABLE)) if name == "read" else None

    refused = await gate.call()

    assert refused.status == 503
    assert "Its charge stands for now." in error_of(refused)["message"]
    assert "charge_not_reversed tenant=acme request=req-1" in caplog.text
    gate.store.fault = lambda _: None
    assert await gate.balance() == 1


async def test_a_ledger_out_of_reach_stops_new_charges_before_the_pool() -> None:
    gate = Gate(minutes=60)
    gate.store.fault = lambda _: Fault.UNAVAILABLE

    refused = await gate.call()

    assert (refused.status, error_of(refused)["code"]) == (503, "MeteringUnavailable")
    assert int(refused.headers["Retry-After"]) >= 1
    assert gate.pool.calls == []


async def test_a_cancelled_call_stays_charged_and_leaves_the_session_usable() -> None:
    gate = Gate()
    gate.gateway._pool = silent = SilentPool()
    call = asyncio.ensure_future(gate.call())
    await silent.reached.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    gate.gateway._pool = gate.pool
    gate.clock.set(0)
    assert (await gate.call()).headers["Tollgate-Charged-Minutes"] == "0"
    assert await gate.balance() == 1


# ---- looking at sessions, ending them ------------------------------------------------------------------------------


async def test_looking_at_a_session_costs_nothing() -> None:
    gate = Gate(minutes=0)
    gate.pool.outcome = Answered(answered(200, {"identifier": gate.identifier(), "etag": "e"}))

    response = await gate.call("GET", "/session")

    assert json.loads(response.body) == {"identifier": "session-1", "etag": "e"}
    assert await gate.balance() == 0


async def test_ending_a_session_gives_back_what_had_not_begun() -> None:
    gate = Gate(of=granularity(60, 300))
    await gate.call()
    gate.clock.set(30)
    gate.pool.outcome = Answered(answered(204, b"", headers=()))

    response = await gate.call("DELETE", "/session")

    assert (response.status, response.body) == (204, b"")
    assert response.headers["Tollgate-Reversed-Minutes"] == "4"
    assert await gate.balance() == 1


async def test_a_session_that_the_pool_did_not_end_stays_paid() -> None:
    gate = Gate(of=granularity(60, 300))
    await gate.call()
    gate.pool.outcome = Refused(answered(400, {"error": {"code": "SessionWithIdentifierNotFound", "message": "m"}}))

    response = await gate.call("DELETE", "/session")

    assert (response.status, error_of(response)["code"]) == (400, "SessionWithIdentifierNotFound")
    assert "Tollgate-Reversed-Minutes" not in response.headers
    assert await gate.balance() == 5


async def test_a_window_that_cannot_be_ended_does_not_cost_the_caller_the_answer() -> None:
    gate = Gate(of=granularity(60, 300))
    await gate.call()
    gate.pool.outcome = Answered(answered(204, b"", headers=()))
    gate.store.fault = lambda _: Fault.UNAVAILABLE

    response = await gate.call("DELETE", "/session")

    assert (response.status, response.headers["Tollgate-Reversed-Minutes"]) == (204, "0")


# ---- bad input -----------------------------------------------------------------------------------------------------

VERSION = "api-version=2024-02-02-preview"
BAD: list[tuple[int, str, dict[str, Any]]] = [
    (401, "InvalidApiKey", {"key": None}),
    (401, "InvalidApiKey", {"key": "wrong"}),
    (401, "InvalidApiKey", {"key": None, "path": "/nowhere"}),
    (403, "ScopeNotAllowed", {"key": "operator"}),
    (404, "OperationNotFound", {"path": "/code/run"}),
    (404, "OperationNotFound", {"method": "PUT"}),
    (400, "SessionRequestValidationFailed", {"query": VERSION}),
    (400, "SessionRequestValidationFailed", {"query": f"{VERSION}&identifier=a&identifier=b"}),
    (400, "SessionRequestValidationFailed", {"query": f"{VERSION}&identifier={'a' * 200}"}),
    (400, "SessionRequestValidationFailed", {"query": f"{VERSION}&identifier=abcd&x=1"}),
    (400, "SessionRequestValidationFailed", {"query": "api-version=1999-01-01&identifier=abcd"}),
    (400, "SessionRequestValidationFailed", {"body": b"not json"}),
    (400, "SessionRequestValidationFailed", {"body": b"{}"}),
    (400, "SessionPropertiesMissing", {"body": b'{"code": "1"}'}),
    (400, "SessionRequestValidationFailed", {"method": "GET", "path": "/files/%2e%2e"}),
    (411, "LengthRequired", {"body": b"", "content_length": "", "transfer_encoding": "chunked"}),
    (411, "LengthRequired", {"body": b"", "content_length": ""}),
    (413, "RequestTooLarge", {"body": b" " * 1_001}),
]


@pytest.mark.parametrize(("status", "code", "call"), BAD)
async def test_bad_input_is_told_charged_nothing_and_sent_nowhere(status: int, code: str, call: dict[str, Any]) -> None:
    gate = Gate(minutes=60)

    refused = await gate.call(**call)

    assert (refused.status, error_of(refused)["code"]) == (status, code)
    assert refused.headers["Tollgate-Request-Id"] == "req-1"
    assert gate.pool.calls == []
    assert gate.store.operations == []


async def test_a_401_says_how_to_prove_oneself() -> None:
    assert (await Gate().call(key=None)).headers["WWW-Authenticate"] == "Bearer"


async def test_a_key_without_the_scope_of_files_reaches_no_file() -> None:
    gate = Gate()
    gate.keys.scopes = frozenset({Scope.EXECUTE})

    assert error_of(await gate.call("GET", "/files"))["code"] == "ScopeNotAllowed"
    assert (await gate.call()).status == 200


async def test_a_suspended_tenant_runs_nothing() -> None:
    gate = Gate()
    gate.keys.tenants["acme"] = Tenant(id="acme", name="", suspended=True)

    assert error_of(await gate.call())["code"] == "TenantSuspended"
    assert gate.pool.calls == []


async def test_a_surprise_is_a_500_that_tells_nothing_and_a_log_that_tells_all(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = Gate()

    class Broken:
        async def send(self, _: PoolCall) -> PoolOutcome:
            raise ZeroDivisionError("inner secret")

    gate.gateway._pool = Broken()
    refused = await gate.call()

    assert (refused.status, error_of(refused)["code"]) == (500, "InternalError")
    assert b"secret" not in refused.body
    assert "ZeroDivisionError" in caplog.text


async def test_no_log_line_holds_a_key_code_or_a_session_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for outcome, _, _ in NOTHING_RAN:
        gate = Gate()
        gate.pool.outcome = outcome
        await gate.call(session="my-secret-name", body=b'{"properties": {"code": "my_secret_code"}}', x_api_key="acme")

    assert caplog.text
    assert not any(word in caplog.text for word in ("my-secret-name", "my_secret_code", "Bearer", gate.identifier()))


def test_every_code_has_its_row() -> None:
    assert set(ERRORS) == set(ErrorCode)
    assert all(row.text.endswith(".") and 400 <= row.status < 600 for row in ERRORS.values())
