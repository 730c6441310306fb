"""The `python/` paths: what the pool hears, and what their clients get back."""

import json
from typing import Any

import pytest

from proxy.pool import Answered
from tests.support.gates import Gate, answered, error_of

VERSION = "api-version=2024-02-02-preview"
CODE = {"identifier": "session-1", "codeInputType": "inline", "executionType": "synchronous", "pythonCode": "6 * 7"}


def body_of(**changes: Any) -> bytes:
    return json.dumps({"properties": {**CODE, **changes}}).encode()


@pytest.mark.parametrize("query", [None, VERSION])
@pytest.mark.parametrize("path", ["/python/execute", "/python/execute/", "/pools/default/python/execute"])
async def test_code_goes_to_the_envelopes_path_whether_the_session_is_in_the_query_or_not(
    path: str, query: str | None
) -> None:
    gate = Gate(minutes=60)
    properties = {"$id": "2", "status": "Success", "stdout": "", "stderr": "", "result": 42}
    gate.pool.outcome = Answered(answered(200, {"$id": "1", "properties": properties}))

    response = await gate.call(path=path, query=query, body=body_of())

    [call] = gate.pool.calls
    assert (call.method, call.path) == ("POST", "/code/execute")
    assert call.query == f"identifier={gate.identifier()}&{VERSION}"
    assert json.loads(call.body)["properties"] == {
        "identifier": gate.identifier(),
        "codeInputType": "inline",
        "executionType": "synchronous",
        "code": "6 * 7",
    }
    assert json.loads(response.body) == {"$id": "1", "status": "Success", "stdout": "", "stderr": "", "result": 42}
    assert await gate.balance() == 1


async def test_a_null_becomes_an_empty_text() -> None:
    gate = Gate()
    gate.pool.outcome = Answered(answered(200, {"properties": {"status": "Failure", "stdout": None, "result": None}}))

    told = json.loads((await gate.call(path="/python/execute", body=body_of())).body)

    assert (told["stdout"], told["stderr"], told["result"]) == ("", "", "")


async def test_a_refusal_stands_where_a_result_would_be() -> None:
    gate = Gate(minutes=0)

    for key in ("acme", "wrong"):
        refused = await gate.call(path="/python/execute", body=body_of(), key=key)
        message = error_of(refused)["message"]
        told = json.loads(refused.body)
        assert (told["result"], told["stderr"], told["stdout"]) == (message, message, "")
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("SessionRequestValidationFailed", body_of(identifier="")),
        ("SessionRequestValidationFailed", body_of(identifier=5)),
        ("SessionRequestValidationFailed", body_of(pythonCode=5)),
        ("SessionRequestValidationFailed", b'{"properties": []}'),
        ("SessionRequestValidationFailed", b"[]"),
        ("SessionRequestValidationFailed", b"not json"),
    ],
)
async def test_bad_code_is_refused_before_anybody_pays(code: str, body: bytes) -> None:
    gate = Gate()

    refused = await gate.call(path="/python/execute", query=VERSION, body=body)

    assert error_of(refused)["code"] == code
    assert (gate.pool.calls, gate.store.operations) == ([], [])


async def test_a_body_that_names_another_session_than_the_query_is_refused() -> None:
    gate = Gate()

    refused = await gate.call(path="/python/execute", body=body_of(identifier="victim"))

    assert error_of(refused)["target"] == "identifier"
    assert gate.pool.calls == []


FILE = {"$id": "3", "filename": "a.csv", "size": 3, "lastModifiedTime": "2026-11-23T09:00:00Z"}
LISTED = {"$id": "2", "filename": "a.csv", "size": 3, "last_modified_time": "2026-11-23T09:00:00Z"}
FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nabc\r\n--b--\r\n'


async def test_files_come_in_the_early_shape() -> None:
    gate = Gate()
    gate.pool.outcome = Answered(answered(200, {"$id": "1", "value": [{"$id": "2", "properties": FILE}]}))

    listed = await gate.call("GET", "/python/files")
    uploaded = await gate.call(path="/python/uploadFile", body=FORM, content_type="multipart/form-data; boundary=b")

    assert json.loads(listed.body) == json.loads(uploaded.body) == {"$id": "1", "$values": [LISTED]}
    assert [(call.method, call.path) for call in gate.pool.calls] == [("GET", "/files"), ("POST", "/files/upload")]
    assert gate.pool.calls[1].body == FORM


@pytest.mark.parametrize(
    ("filename", "path"),
    [("a%20b.csv", "/files/content/a%20b.csv"), ("%2Fmnt%2Fdata%2Fsub%2Fa.csv", "/files/content/sub/a.csv")],
)
async def test_a_download_names_its_file_in_the_path(filename: str, path: str) -> None:
    gate = Gate()
    gate.pool.outcome = Answered(answered(200, b"\x00raw"))

    response = await gate.call(
        "GET", "/python/downloadFile", query=f"{VERSION}&identifier=session-1&filename={filename}"
    )

    assert response.body == b"\x00raw"
    assert gate.pool.calls[0].path == path


@pytest.mark.parametrize("filename", ["", "filename=", "filename=..%2Fx", "filename=a%00"])
async def test_a_download_of_no_file_is_refused(filename: str) -> None:
    gate = Gate()

    refused = await gate.call("GET", "/python/downloadFile", query=f"{VERSION}&identifier=session-1&{filename}")

    assert error_of(refused)["target"] == "filename"
    assert gate.store.operations == []


async def test_an_answer_without_an_envelope_is_told_apart() -> None:
    bodies: list[Any] = [{"value": 1}, {"properties": 5}, []]
    for body in bodies:
        gate = Gate()
        gate.pool.outcome = Answered(answered(200, body))
        assert error_of(await gate.call(path="/python/execute", body=body_of()))["code"] == "PoolAnswerInvalid"
