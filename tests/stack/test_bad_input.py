"""What the product says to calls that cannot be served: a clear error, nothing charged, nothing given away."""

import http.client
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.stack.tenants import ENVELOPE_VERSION, Operator, TenantClient, send

pytestmark = pytest.mark.stack

BODY = {"properties": {"code": "1"}}
QUERY = f"api-version={ENVELOPE_VERSION}&identifier=session-1"
REVOKED_SECONDS = 5


def error_of(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["x-ms-error-code"] == code
    error: dict[str, Any] = response.json()["error"]
    assert error["code"] == code
    assert len(error["message"]) > 10
    return error


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", f"/code/run?{QUERY}", 404, "OperationNotFound"),
        ("PUT", f"/code/execute?{QUERY}", 404, "OperationNotFound"),
        ("GET", "/", 404, "OperationNotFound"),
        ("GET", f"/listSessions?{QUERY}", 400, "SessionRequestValidationFailed"),
        ("POST", f"/files/upload?{QUERY}", 400, "SessionRequestValidationFailed"),
        ("POST", f"/pools/nowhere/code/execute?{QUERY}", 404, "PoolNotFound"),
        ("POST", f"/code/execute?api-version={ENVELOPE_VERSION}", 400, "SessionRequestValidationFailed"),
        ("POST", f"/code/execute?{QUERY}&identifier=session-2", 400, "SessionRequestValidationFailed"),
        ("POST", f"/code/execute?{QUERY}&x=2", 400, "SessionRequestValidationFailed"),
        ("POST", f"/code/execute?{QUERY}{'a' * 200}", 400, "SessionRequestValidationFailed"),
        ("POST", "/code/execute?api-version=1999-01-01&identifier=session-1", 400, "SessionRequestValidationFailed"),
        ("POST", "/code/execute?identifier=session-1", 400, "SessionRequestValidationFailed"),
        ("POST", f"/executions?{QUERY}", 400, "SessionPropertiesMissing"),
        ("GET", f"/files/content/a%2f..%2f..%2fb?{QUERY}", 400, "SessionRequestValidationFailed"),
    ],
)
def test_a_call_that_makes_no_sense_is_told_so_and_charged_nothing(
    tenant: TenantClient, stack: dict[str, Any], method: str, path: str, status: int, code: str
) -> None:
    body = {"json": BODY} if method == "POST" else {}
    refused = send(method, stack["url"] + path, headers={"Authorization": f"Bearer {tenant.key}"}, **body)

    error_of(refused, status, code)
    assert stack["pool_url"].rpartition(":")[2] not in refused.text
    assert tenant.entries() == []


@pytest.mark.parametrize("body", [b"print(1)", b"{}", b"[]", b'{"properties": {}}', b'{"properties": {"code": 1}}'])
def test_a_body_without_code_is_told_so_and_charged_nothing(tenant: TenantClient, body: bytes) -> None:
    refused = tenant.envelope("POST", "/code/execute", content=body, headers={"Content-Type": "application/json"})

    error_of(refused, 400, "SessionRequestValidationFailed")
    assert tenant.entries() == []


def test_a_chunked_upload_is_refused_and_nothing_is_lost_silently(tenant: TenantClient) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"--b\r\nContent-Disposition: form-data; name=file; filename=a.txt\r\n\r\n"
        yield b"hello\r\n--b--\r\n"

    refused = tenant.envelope(
        "POST", "/files/upload", content=pieces(), headers={"Content-Type": "multipart/form-data; boundary=b"}
    )

    error_of(refused, 411, "LengthRequired")
    assert tenant.entries() == []


def test_a_body_over_the_limit_is_refused(tenant: TenantClient, stack: dict[str, Any]) -> None:
    size = 104_857_601
    connection = http.client.HTTPConnection(urlsplit(stack["url"]).netloc, timeout=60)
    connection.request(
        "POST", f"/files/upload?{QUERY}", body=b" " * size, headers={"Authorization": f"Bearer {tenant.key}"}
    )
    answer = connection.getresponse()
    assert answer.status == 413
    assert b'"code":"RequestTooLarge"' in answer.read()
    connection.close()
    assert tenant.entries() == []


def test_keys_that_are_not_good_open_nothing(operator: Operator) -> None:
    tenant = operator.tenant("locked-out")
    soon = datetime.now(UTC) + timedelta(seconds=1)  # noqa: TID251 -- real time is the point
    expiring = operator.call("POST", "/tenants/locked-out/keys", json={"expires_at": soon.isoformat()}).json()
    key = TenantClient(tenant.url, expiring["key"])
    assert key.execute("1").status_code == 200

    mistyped = tenant.key[:-1] + ("A" if tenant.key[-1] != "A" else "B")
    for wrong in ("junk", mistyped, tenant.key.replace("tg_", "gt_")):
        refused = TenantClient(tenant.url, wrong).execute("1")
        error_of(refused, 401, "InvalidApiKey")
        assert refused.headers["WWW-Authenticate"] == "Bearer"
    time.sleep(1.1)
    error_of(key.execute("1"), 401, "InvalidApiKey")


def test_a_revoked_key_is_refused_within_seconds(operator: Operator) -> None:
    tenant = operator.tenant("revoked")
    key_id = tenant.key.split("_")[1]
    assert tenant.execute("1").status_code == 200

    assert operator.call("DELETE", f"/tenants/revoked/keys/{key_id}").status_code == 200

    deadline = time.monotonic() + REVOKED_SECONDS
    while tenant.execute("1").status_code != 401:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_tenants_key_does_not_open_the_operator_api(tenant: TenantClient) -> None:
    error_of(tenant.call("GET", "/operator/tenants"), 403, "ScopeNotAllowed")


def test_an_operators_key_runs_no_code(operator: Operator) -> None:
    error_of(TenantClient(operator.stack["url"], operator.stack["operator_key"]).execute("1"), 403, "ScopeNotAllowed")
