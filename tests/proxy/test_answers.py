"""The pool's answers in the tenant's own words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import answers
from proxy.answers import Names, PoolAnswer, UnusableAnswer
from proxy.messages import GatewayResponse
from proxy.operations import CONTAINER, OPERATIONS, Operation

NAMES = Names(
    session_name='a/b "c" é',
    pool_identifier="acme-" + "0f" * 32,
    origin="https://gate.example",
    endpoint="https://westus2.dynamicsessions.io/subscriptions/S/resourceGroups/G/sessionPools/POOL",
    pool_name="default",
)
BY_NAME: dict[str, Operation] = {operation.name: operation for operation in OPERATIONS}
JSON = ("Content-Type", "application/json; charset=utf-8")


def answer(body: Any, *, status: int = 200, headers: tuple[tuple[str, str], ...] = (JSON,)) -> PoolAnswer:
    return PoolAnswer(
        status=status, headers=headers, body=body if isinstance(body, bytes) else json.dumps(body).encode()
    )


def translate(given: PoolAnswer, names: Names, operation: str = "executions.create") -> GatewayResponse:
    return answers.translate(given, names, BY_NAME[operation])


@given(body=st.binary(max_size=200))
def test_the_bytes_of_a_file_pass_whatever_they_are_said_to_be(body: bytes) -> None:
    for kind in ("application/json", "text/html", "application/octet-stream"):
        given = answer(body + NAMES.pool_identifier.encode(), headers=(("Content-Type", kind),))
        assert translate(given, NAMES, "files.content").body == given.body


@given(body=st.dictionaries(st.text(max_size=20), st.text(max_size=20)), indent=st.sampled_from([None, 1, 4]))
def test_an_answer_that_names_nothing_passes_byte_for_byte(body: dict[str, str], indent: int | None) -> None:
    given = answer(json.dumps(body, indent=indent).encode())

    assert translate(given, NAMES).body is given.body


def test_the_identifier_comes_back_as_the_session_name() -> None:
    body = {"identifier": NAMES.pool_identifier, "sessionId": NAMES.pool_identifier, "result": {"stdout": "x\n"}}

    told = json.loads(translate(answer(body), NAMES).body)

    assert told == {"identifier": NAMES.session_name, "sessionId": NAMES.session_name, "result": {"stdout": "x\n"}}


def test_links_lead_to_tollgate_with_the_name_encoded() -> None:
    link = f"{NAMES.endpoint}/files?skip=5&identifier={NAMES.pool_identifier}&api-version=v"

    told = translate(answer({"nextLink": link}, headers=(JSON, ("Operation-Location", link))), NAMES)

    expected = "https://gate.example/files?skip=5&identifier=a%2Fb%20%22c%22%20%C3%A9&api-version=v"
    assert json.loads(told.body) == {"nextLink": expected}
    assert told.headers["Operation-Location"] == expected


def test_a_relative_link_becomes_absolute() -> None:
    link = f"/executions/1?identifier={NAMES.pool_identifier}"

    told = translate(answer({}, headers=(JSON, ("operation-location", link))), NAMES)

    assert told.headers["Operation-Location"].startswith("https://gate.example/executions/1?identifier=a%2Fb")
    bare = translate(answer({}, headers=(JSON, ("operation-location", "/executions/1"))), NAMES)
    assert bare.headers["Operation-Location"] == "https://gate.example/executions/1"


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"<html>busy</html>", "text/html"), (b"", "application/json"), (b'{"a"', "application/json"), (b"{}", "")],
)
def test_an_answer_that_is_not_json_where_json_is_due_is_told_apart(body: bytes, kind: str) -> None:
    with pytest.raises(UnusableAnswer):
        translate(answer(body, headers=(("Content-Type", kind),)), NAMES)


def test_a_session_that_was_stopped_is_told_by_the_tenants_names() -> None:
    inner = f"Session {NAMES.pool_identifier} in session pool POOL stopped.".encode()

    told = translate(answer(inner, headers=(("Content-Type", "text/plain"),)), NAMES, "sessions.stop")

    assert told.body.decode() == f"Session {NAMES.session_name} in session pool default stopped."


def test_a_container_speaks_for_itself_but_for_the_pools_names() -> None:
    body = {"session": NAMES.pool_identifier, "me": NAMES.endpoint, "host": "westus2.dynamicsessions.io", "other": 1.0}
    given = (JSON, ("X-Own", "kept"), ("Set-Cookie", "a=b"), ("Location", f"/next?identifier={NAMES.pool_identifier}"))

    told = answers.translate(answer(body, status=418, headers=given), NAMES, CONTAINER)

    assert told.status == 418
    assert json.loads(told.body) == {
        "session": NAMES.session_name,
        "me": "https://gate.example",
        "host": "gate.example",
        "other": 1.0,
    }
    assert told.headers["X-Own"] == "kept"
    assert told.headers["Location"] == "/next?identifier=a%2Fb%20%22c%22%20%C3%A9"
    assert "Set-Cookie" not in told.headers


def test_a_refusal_by_the_front_end_of_a_container_gives_nothing_away() -> None:
    error = {"code": "X", "message": "at /subscriptions/S", "traceId": "inner"}

    told = answers.translate(answer({"error": error}, status=429), NAMES, CONTAINER)

    assert json.loads(told.body) == {"error": {"code": "X", "message": "The session pool refused the call."}}


def test_a_refusal_keeps_code_message_and_target_and_drops_the_rest() -> None:
    error = {
        "code": "SessionWithIdentifierNotFound",
        "message": f"No session {NAMES.pool_identifier}.",
        "target": "identifier",
        "traceId": "t",
    }

    told = translate(answer({"error": error}, status=400), NAMES)

    assert told.status == 400
    assert told.headers["x-ms-error-code"] == "SessionWithIdentifierNotFound"
    assert json.loads(told.body) == {
        "error": {
            "code": "SessionWithIdentifierNotFound",
            "message": f"No session {NAMES.session_name}.",
            "target": "identifier",
        }
    }


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "X", "message": "see https://westus2.dynamicsessions.io/x"}},
        {"error": {"code": "X", "message": "Dynamic API calls are not allowed for session pool 'POOL'"}},
        {"error": {"code": "X", "message": "/subscriptions/S is gone", "target": "/subscriptions/S"}},
        {"error": {"code": "https://inner", "message": "x at http://10.0.0.1"}},
        {"error": None},
        {"error": "text"},
        [],
        b"<html>upstream at 10.0.0.1</html>",
        b"",
    ],
)
def test_a_refusal_gives_nothing_of_the_pool_away(body: Any) -> None:
    told = translate(answer(body, status=404), NAMES)

    text = told.body.decode()
    assert json.loads(text)["error"]["message"] == "The session pool refused the call."
    assert not any(word in text for word in ("POOL'", "/subscriptions", "dynamicsessions", "10.0.0.1", "inner", "html"))
