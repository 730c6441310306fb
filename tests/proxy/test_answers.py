"""The pool's answers in the tenant's own words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.answers import Names, PoolAnswer, translate

NAMES = Names(
    session_name='a/b "c" é',
    pool_identifier="acme-" + "0f" * 32,
    origin="https://gate.example",
    endpoint="https://westus2.dynamicsessions.io/subscriptions/S/resourceGroups/G/sessionPools/POOL",
)
JSON = ("Content-Type", "application/json; charset=utf-8")


def answer(body: Any, *, status: int = 200, headers: tuple[tuple[str, str], ...] = (JSON,)) -> PoolAnswer:
    return PoolAnswer(
        status=status, headers=headers, body=body if isinstance(body, bytes) else json.dumps(body).encode()
    )


@given(body=st.binary(max_size=200))
def test_a_body_that_names_nothing_passes_byte_for_byte(body: bytes) -> None:
    for kind in ("application/json", "application/octet-stream"):
        assert translate(answer(body, headers=(("Content-Type", kind),)), NAMES).body == body


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


def test_the_bytes_of_a_file_are_the_tenants_own_whatever_they_hold() -> None:
    body = NAMES.pool_identifier.encode()

    assert translate(answer(body, headers=(("Content-Type", "application/octet-stream"),)), NAMES).body == body


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
