"""What is no proper request is refused, with the service's codes, and takes no session."""

from typing import Any

import pytest

from tests.infra.pool.support import ENVELOPE, FLAT, Pool, code_of, running_pool

pytestmark = pytest.mark.stack

VALIDATION = (400, "SessionRequestValidationFailed")
NOT_SUPPORTED = (400, "SessionRequestNotSupported")
MISSING = (400, "SessionPropertiesMissing")


@pytest.mark.parametrize("version", [None, "", "2099-01-01", "2024-02-02"])
def test_an_unknown_api_version_is_refused(pool: Pool, session: str, version: str | None) -> None:
    answer = pool.call("GET", "/files", session, version=version)
    assert code_of(answer) == VALIDATION
    assert answer.json()["error"]["target"] == "api-version"


@pytest.mark.parametrize(
    ("method", "path", "version"),
    [
        ("POST", "/executions", ENVELOPE),
        ("POST", "/files", ENVELOPE),
        ("GET", "/session", "2024-10-02-preview"),
        ("GET", "/listSessions", "2024-10-02-preview"),
        ("PUT", "/files", FLAT),
        ("GET", "/code/execute", ENVELOPE),
        ("HEAD", "/files", FLAT),
    ],
)
def test_what_a_version_does_not_have_is_not_supported(
    pool: Pool, session: str, method: str, path: str, version: str
) -> None:
    answer = pool.call(method, path, session, version=version)
    assert answer.headers["x-ms-error-code"] == NOT_SUPPORTED[1]
    assert answer.status_code == NOT_SUPPORTED[0]


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/nothing", "//files", "/.management/stopSession", "/executionss"),
        *("/python/execute", "/python/uploadFile", "/python/files", "/python/downloadFile"),
    ],
)
def test_an_unknown_path_is_not_found(pool: Pool, session: str, path: str) -> None:
    assert pool.http.post(f"{pool.url}{path}?api-version={FLAT}&identifier={session}").status_code == 404


@pytest.mark.parametrize(
    ("identifier", "version"),
    [
        ("a" * 128, ENVELOPE),
        ("a|b-c&d^e%f$g#h(i){j}[k];<l>", ENVELOPE),
        ("a", "2025-02-02-preview"),
        ("with_underscore", "2025-02-02-preview"),
        ("a" * 256, "2024-10-02-preview"),
        ("user@example.com/1", FLAT),
    ],
)
def test_each_version_takes_the_identifiers_of_its_rule(pool: Pool, identifier: str, version: str) -> None:
    assert pool.call("GET", "/files", identifier, version=version).status_code == 200


@pytest.mark.parametrize(
    ("identifier", "version"),
    [
        ("abc", ENVELOPE),
        ("a" * 129, ENVELOPE),
        ("with_underscore", ENVELOPE),
        ("a" * 257, "2025-02-02-preview"),
        ("dot.ted", "2025-02-02-preview"),
        ("abc", FLAT),
        ("with space", FLAT),
        ("naïve", FLAT),
        ("", FLAT),
        (None, FLAT),
    ],
)
def test_each_version_refuses_other_identifiers(pool: Pool, identifier: str | None, version: str) -> None:
    answer = pool.call("GET", "/files", identifier, version=version)
    assert code_of(answer) == VALIDATION
    assert answer.json()["error"]["target"] == "identifier"


@pytest.mark.parametrize("query", ["identifier=abcd&identifier=abcd", "identifier=abcd&Identifier=efgh", "x=%FF"])
def test_an_identifier_stands_in_the_query_exactly_once(pool: Pool, query: str) -> None:
    assert code_of(pool.http.get(f"{pool.url}/files?api-version={FLAT}&{query}")) == VALIDATION


def test_an_identifier_in_the_body_alone_does_not_count(pool: Pool, session: str) -> None:
    body = {"properties": {"identifier": session, "code": "1"}}
    assert code_of(pool.call("POST", "/code/execute", version=ENVELOPE, json=body)) == VALIDATION


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/executions", {"properties": {"code": "1"}}, MISSING),
        ("/executions", {"shellCommand": "ls"}, MISSING),
        ("/executions", ["code"], MISSING),
        ("/executions", {"code": 1}, MISSING),
        ("/code/execute", {"code": "1"}, MISSING),
        ("/code/execute", {"properties": {"pythonCode": "1"}}, MISSING),
        ("/executions", {"code": "1", "codeInputType": "file"}, VALIDATION),
        ("/executions", {"code": "1", "executionType": "later"}, VALIDATION),
        ("/executions", {"code": "1", "timeoutInSeconds": 0}, VALIDATION),
        ("/executions", {"code": "1", "timeoutInSeconds": "60"}, VALIDATION),
        ("/executions", {"code": "1", "timeoutInSeconds": True}, VALIDATION),
        ("/executions", {"code": "1", "outputStreamsMaxLength": -1}, VALIDATION),
        ("/executions", {"code": "%", "codeInputType": "InlineBase64"}, VALIDATION),
        ("/code/execute", {"properties": {"code": "1", "executionType": "asynchronous"}}, NOT_SUPPORTED),
    ],
)
def test_a_body_of_the_wrong_shape_is_refused(
    pool: Pool, session: str, path: str, body: Any, code: tuple[int, str]
) -> None:
    assert code_of(pool.call("POST", path, session, json=body)) == code


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_is_refused(pool: Pool, session: str, content: bytes) -> None:
    assert code_of(pool.call("POST", "/executions", session, content=content)) == VALIDATION


def test_a_refused_request_takes_no_session(pool: Pool, session: str) -> None:
    pool.call("POST", "/executions", session, json={})
    pool.call("POST", "/executions", session, json={"code": "1"}, headers={"operation-id": "not allowed!"})
    pool.call("PUT", "/files", session)
    pool.call("GET", "/files", session, params={"path": ".."})
    assert code_of(pool.call("GET", "/session", session)) == (400, "SessionWithIdentifierNotFound")


def test_without_the_token_nothing_is_answered(tmp_path: Any, session: str) -> None:
    with running_pool(tmp_path, token="secret-of-the-test") as pool:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic secret-of-the-test"}):
            for path in ("/files", "/nothing", "/listSessions"):
                answer = pool.call("GET", path, session, headers=headers)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
        assert pool.call("GET", "/files", session, headers={"authorization": "Bearer secret-of-the-test"}).json() == {
            "value": []
        }
