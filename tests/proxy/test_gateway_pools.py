"""Pools of other kinds, custom containers, fresh sessions, files in folders: through the whole gateway."""

import json
from typing import Any

import pytest

from proxy.pool import Answered, NoAnswer, PoolOutcome, Refused
from tests.support.gates import CONTAINER_ENDPOINT, ENDPOINT, SHELL_ENDPOINT, Gate, answered, error_of
from tests.support.memory_store import Fault

FLAT = "api-version=2025-02-02-preview&identifier=session-1"
JSON = ("Content-Type", "application/json")
LOOK = "/.management/getSession"


# ---- choosing a pool -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/pools/shell/executions", "//pools//shell//executions/"])
async def test_a_pool_is_chosen_by_its_name_in_the_path(path: str) -> None:
    gate = Gate(minutes=60)
    resource = {"id": "1", "identifier": gate.identifier(pool="shell"), "status": "0"}
    location = f"/executions/1?api-version=v&identifier={gate.identifier(pool='shell')}"
    gate.pool.outcome = Answered(answered(200, resource, headers=(JSON, ("Operation-Location", location))))

    response = await gate.call(path=path, query=FLAT, body=b'{"shellCommand": "ls"}')

    [call] = gate.pool.calls
    assert (call.endpoint, call.path) == (SHELL_ENDPOINT, "/executions")
    assert call.query.startswith(f"identifier={gate.identifier(pool='shell')}&")
    assert json.loads(response.body)["identifier"] == "session-1"
    expected = "https://gate.example/pools/shell/executions/1?api-version=v&identifier=session-1"
    assert response.headers["Operation-Location"] == expected
    [entry] = await gate.store.entries("acme", gate.period(), after=0, limit=10)
    assert entry.operation == "shell/executions.create"


async def test_sessions_of_one_name_in_two_pools_are_two_sessions() -> None:
    gate = Gate(minutes=60)

    await gate.call(path="/pools/default/executions", query=FLAT, body=b'{"code": "1"}')
    await gate.call(path="/executions", query=FLAT, body=b'{"code": "1"}')
    await gate.call(path="/pools/shell/executions", query=FLAT, body=b'{"shellCommand": "1"}')

    first, second, third = (call.query for call in gate.pool.calls)
    assert first == second != third
    assert await gate.balance() == 2


async def test_the_tenants_first_pool_is_at_the_root() -> None:
    gate = Gate(pools=("shell", "default"))

    await gate.call(path="/executions", query=FLAT, body=b'{"shellCommand": "ls"}')

    assert gate.pool.calls[0].endpoint == SHELL_ENDPOINT


@pytest.mark.parametrize("path", ["/pools/others/executions", "/pools/nowhere/executions", "/pools/Shell/executions"])
async def test_a_pool_that_was_not_given_is_as_one_that_is_not_there(path: str) -> None:
    gate = Gate()

    refused = await gate.call(path=path, query=FLAT)

    assert (refused.status, error_of(refused)["code"]) == (404, "PoolNotFound")
    assert (gate.pool.calls, gate.store.operations) == ([], [])


async def test_a_tenant_whose_pool_is_not_configured_is_told_so() -> None:
    assert error_of(await Gate(pools=("gone",)).call())["code"] == "PoolNotFound"


@pytest.mark.parametrize("path", ["/pools", "/pools/", "/pools//"])
async def test_a_pool_without_a_name_is_no_operation(path: str) -> None:
    assert (await Gate().call(path=path, query=FLAT)).status == 404


async def test_what_the_pool_says_of_itself_names_no_session_and_costs_nothing() -> None:
    gate = Gate(minutes=0)
    gate.pool.outcome = Answered(answered(200, {"runtimes": []}))

    response = await gate.call("GET", "/metadata", query="api-version=2025-02-02-preview")

    assert json.loads(response.body) == {"runtimes": []}
    assert (gate.pool.calls[0].endpoint, gate.pool.calls[0].query) == (ENDPOINT, "api-version=2025-02-02-preview")


# ---- custom containers ---------------------------------------------------------------------------------------------


async def container(gate: Gate, method: str = "POST", path: str = "/start", **more: Any) -> Any:
    query = more.pop("query", "identifier=session-1&x=%2F")
    return await gate.call(method, f"/pools/agents{path}", query=query, body=more.pop("body", b"\x00raw"), **more)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_any_call_reaches_the_container_as_it_came(method: str) -> None:
    gate = Gate(minutes=60)
    gate.pool.outcome = Answered(answered(201, b"<x/>", headers=(("Content-Type", "application/own"), ("X-Own", "1"))))

    response = await container(gate, method, "//a%20b/c/", x_custom="kept", x_api_key="acme", cookie="c=1")

    [call] = gate.pool.calls
    assert (call.endpoint, call.method, call.path) == (CONTAINER_ENDPOINT, method, "//a%20b/c/")
    assert call.query == f"identifier={gate.identifier(pool='agents')}&x=%2F"
    assert call.body == b"\x00raw"
    assert call.headers["x-custom"] == "kept"
    assert not {"authorization", "x-api-key", "cookie", "content-length"} & set(call.headers)
    assert (response.status, response.body, response.headers["X-Own"]) == (201, b"<x/>", "1")
    assert await gate.balance() == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
async def test_a_containers_own_error_is_told_as_it_is_and_stays_charged(status: int) -> None:
    gate = Gate(minutes=60)
    gate.pool.outcome = Answered(answered(status, {"error": "of my own"}))
    gate.pool.by_path[LOOK] = Answered(answered(200, {"identifier": "x"}))

    response = await container(gate)

    assert (response.status, json.loads(response.body)) == (status, {"error": "of my own"})
    assert response.headers["Tollgate-Charged-Minutes"] == "5"
    assert await gate.balance() == 1


@pytest.mark.parametrize(
    ("status", "told"), [(429, (503, "PoolBusy")), (403, (502, "PoolUnavailable")), (404, (404, "Odd"))]
)
async def test_a_refusal_that_left_no_session_behind_is_taken_back(status: int, told: tuple[int, str]) -> None:
    gate = Gate(minutes=60)
    error = {"code": "Odd", "message": "m", "traceId": "t"}
    gate.pool.outcome = Answered(answered(status, {"error": error}))
    gate.pool.by_path[LOOK] = Answered(answered(400, {"error": {"code": "SessionWithIdentifierNotFound"}}))

    refused = await container(gate)

    assert (refused.status, error_of(refused)["code"]) == told
    assert refused.headers["Tollgate-Charged-Minutes"] == "0"
    assert await gate.balance() == 0
    assert gate.pool.calls[1].query.startswith(f"identifier={gate.identifier(pool='agents')}&")


@pytest.mark.parametrize(
    "look",
    [
        Answered(answered(400, {"error": {"code": "SessionRequestNotSupported"}})),
        Answered(answered(404, {"error": {"code": "EndpointNotFound"}})),
        Refused(answered(403)),
        Refused(answered(429), busy=True),
    ],
)
async def test_a_pool_that_does_not_say_whether_it_holds_the_session_gives_nothing_back(look: PoolOutcome) -> None:
    gate = Gate(minutes=60)
    gate.pool.outcome = Answered(answered(404, {"error": "mine"}))
    gate.pool.by_path[LOOK] = look

    assert (await container(gate)).headers["Tollgate-Charged-Minutes"] == "5"
    assert await gate.balance() == 1


async def test_no_answer_of_a_container_takes_back_what_an_earlier_call_paid() -> None:
    gate = Gate(minutes=60)
    await container(gate)
    gate.clock.set(1)
    await container(gate)
    before = len(gate.pool.calls)
    gate.pool.outcome = Answered(answered(429, {"error": "mine"}))

    response = await container(gate)

    assert response.status == 429
    assert len(gate.pool.calls) == before + 1  # nothing to take back, so nobody is asked
    assert await gate.balance() == 2


async def test_a_container_is_called_without_a_body_too() -> None:
    gate = Gate()

    assert (await container(gate, "GET", "/poll", body=b"", content_length="")).status == 200
    assert (await container(gate, body=b"", transfer_encoding="chunked")).status == 411


async def test_stopping_a_session_gives_back_what_had_not_begun() -> None:
    gate = Gate()
    await container(gate)
    gate.clock.set(-1)
    gate.pool.outcome = Answered(
        answered(200, b"Session x in session pool y stopped.", (("Content-Type", "text/plain"),))
    )

    response = await gate.call("POST", "/pools/agents/.management/stopSession", query=FLAT, body=b"")

    assert response.body == b"Session session-1 in session pool agents stopped."
    assert "Tollgate-Reversed-Minutes" in response.headers


# ---- fresh sessions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("told", "expected"), [("true", "new"), ("True", "new"), ("false", "existing")])
async def test_the_pools_word_on_a_fresh_session_counts(told: str, expected: str) -> None:
    gate = Gate()
    gate.pool.outcome = Answered(answered(headers=(JSON, ("X-Ms-New-Allocation", told))))

    for _ in range(2):
        assert (await gate.call()).headers["Tollgate-Session"] == expected


async def test_without_its_word_a_session_is_fresh_when_nothing_was_paid_before() -> None:
    gate = Gate()
    said = []
    for at in (0, 1, 200, 10_000):
        gate.clock.set(at)
        said.append((await gate.call()).headers["Tollgate-Session"])

    assert said == ["new", "existing", "existing", "new"]


@pytest.mark.parametrize("outcome", [Refused(answered(429), busy=True), Refused(answered(400))])
async def test_a_call_that_took_no_session_says_nothing_of_one(outcome: PoolOutcome) -> None:
    gate = Gate()
    gate.pool.outcome = outcome

    assert "Tollgate-Session" not in (await gate.call()).headers


# ---- answers that cannot be passed on ------------------------------------------------------------------------------


async def test_an_answer_that_is_not_json_is_told_apart_and_stays_charged() -> None:
    gate = Gate()
    gate.pool.outcome = Answered(answered(200, b"<html>10.0.0.1</html>", headers=(("Content-Type", "text/html"),)))

    refused = await gate.call()

    assert (refused.status, error_of(refused)["code"]) == (502, "PoolAnswerInvalid")
    assert b"10.0.0.1" not in refused.body
    assert refused.headers["Tollgate-Charged-Minutes"] == "5"
    assert await gate.balance() == 1


async def test_an_answer_that_is_too_large_is_told_apart_and_stays_charged() -> None:
    gate = Gate()
    gate.pool.outcome = NoAnswer("the answer is too large", too_large=True)

    refused = await gate.call()

    assert (refused.status, error_of(refused)["code"]) == (422, "AnswerTooLarge")
    assert refused.headers["Tollgate-Charged-Minutes"] == "5"
    assert "Retry-After" not in refused.headers  # it would be as large again
    assert await gate.balance() == 1


# ---- files and forms -----------------------------------------------------------------------------------------------


async def test_a_file_in_a_folder_is_found_by_its_whole_path() -> None:
    gate = Gate()
    gate.pool.outcome = Answered(answered(200, b"\x00"))

    await gate.call("GET", "/files//mnt/data/sub/a%20b.csv/content", query=FLAT)

    [call] = gate.pool.calls
    assert call.path == "/files/a%20b.csv/content"
    assert call.query == f"identifier={gate.identifier()}&api-version=2025-02-02-preview&path=sub"


FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\nabc\r\n--b--\r\n'


async def test_a_form_under_a_wrong_content_type_arrives_whole_and_rightly_named() -> None:
    gate = Gate()

    await gate.call(path="/files/upload", body=FORM % b"a.csv", content_type="application/json")

    [call] = gate.pool.calls
    assert (call.body, call.headers["content-type"]) == (FORM % b"a.csv", 'multipart/form-data; boundary="b"')


@pytest.mark.parametrize("body", [b"", FORM[:-8] % b"a", FORM % b"../a", b"{}"])
@pytest.mark.parametrize("path", ["/files/upload", "/files", "/python/uploadFile"])
async def test_a_broken_upload_costs_nothing(path: str, body: bytes) -> None:
    gate = Gate()

    refused = await gate.call(path=path, body=body, content_type="multipart/form-data; boundary=b")

    assert (refused.status, error_of(refused)["code"]) == (400, "SessionRequestValidationFailed")
    assert (gate.pool.calls, gate.store.operations) == ([], [])


async def test_a_get_with_a_body_goes_on_without_it() -> None:
    gate = Gate()

    await gate.call("GET", "/files", body=b"{}")

    assert gate.pool.calls[0].body == b""


async def test_a_ledger_out_of_reach_keeps_custom_containers_from_starting() -> None:
    gate = Gate()
    gate.store.fault = lambda _: Fault.UNAVAILABLE

    assert error_of(await container(gate))["code"] == "MeteringUnavailable"
    assert gate.pool.calls == []
