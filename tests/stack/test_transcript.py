"""What a tenant sees when it runs code: the session API's two dialects, answer by answer."""

import base64
import struct
import uuid
import zlib
from typing import Any

import pytest

from tests.stack.tenants import Operator, TenantClient, send

pytestmark = pytest.mark.stack

PNG = b"\x89PNG\r\n\x1a\n"


def test_hello_from_a_session(tenant: TenantClient) -> None:
    response = tenant.execute('import socket\nprint(f"Hello from {socket.gethostname()}!")', "mysession1234")

    answer = response.json()
    properties = answer["properties"]
    assert response.status_code == 200
    assert set(answer) == {"$id", "properties"}
    assert set(properties) == {"$id", "status", "stdout", "stderr", "result", "executionTimeInMilliseconds"}
    assert (properties["status"], properties["stderr"], properties["result"]) == ("Success", "", "")
    assert properties["stdout"].startswith("Hello from ")
    assert properties["stdout"].endswith("!\n")
    assert isinstance(properties["executionTimeInMilliseconds"], int)


def test_a_file_that_code_wrote_is_listed_and_read(tenant: TenantClient) -> None:
    tenant.run("with open('/mnt/data/hello.txt', 'w') as f: f.write('Hello, world!')")

    listed = tenant.envelope("GET", "/files").json()["value"]
    content = tenant.envelope("GET", "/files/content/hello.txt")

    assert [set(entry["properties"]) - {"$id"} for entry in listed] == [{"filename", "size", "lastModifiedTime"}]
    assert (listed[0]["properties"]["filename"], listed[0]["properties"]["size"]) == ("hello.txt", 13)
    assert content.content == b"Hello, world!"


def test_an_uploaded_file_is_there_for_code_and_for_download(tenant: TenantClient) -> None:
    data = bytes(range(256)) * 5_000

    uploaded = tenant.envelope("POST", "/files/upload", files={"file": ("sp ace \u00e9.bin", data)})

    assert uploaded.json()["value"][0]["properties"]["filename"] == "sp ace \u00e9.bin"
    assert uploaded.json()["value"][0]["properties"]["size"] == len(data)
    assert tenant.run("len(open('/mnt/data/sp ace \u00e9.bin', 'rb').read())")["result"] == len(data)
    assert tenant.envelope("GET", "/files/content/sp%20ace%20%C3%A9.bin").content == data


def test_state_lives_on_within_a_session_and_nowhere_else(tenant: TenantClient) -> None:
    tenant.run("x = 40\nopen('/mnt/data/mine.txt', 'w').write('mine')", "first")

    assert tenant.run("x", "first")["result"] == 40
    other = tenant.run("x", "second")
    assert other["status"] == "Failure"
    assert "NameError" in other["stderr"]
    assert tenant.envelope("GET", "/files", "second").json()["value"] == []


def test_two_tenants_with_one_session_name_never_meet(tenant: TenantClient, operator: Operator) -> None:
    other = operator.tenant("stranger")
    tenant.run("secret = 'mine'\nopen('/mnt/data/secret.txt', 'w').write(secret)", "shared-name")

    assert "NameError" in other.run("secret", "shared-name")["stderr"]
    assert other.envelope("GET", "/files", "shared-name").json()["value"] == []
    assert other.envelope("GET", "/files/content/secret.txt", "shared-name").status_code == 404
    assert {entry["session"] for entry in other.entries()} == {"shared-name"}


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("x = 40\nx", 40),
        (
            "sum([36.5, 35.2, 37.1, 36.9, 35.0, 36.4, 35.0171428571428]) / 7 * 0 + 36.017857142857146",
            36.017857142857146,
        ),
        ("'text'", "text"),
        ("[1, {'a': None}]", [1, {"a": None}]),
        ("print('only this')", ""),
    ],
)
def test_the_last_expression_comes_back_as_the_result(tenant: TenantClient, code: str, result: object) -> None:
    assert tenant.run(code)["result"] == result


def test_a_plot_comes_back_as_a_picture(tenant: TenantClient) -> None:
    result = tenant.run("import matplotlib.pyplot as plt\nplt.plot([1, 4, 9])\nplt.show()")["result"]

    assert (result["type"], result["format"]) == ("image", "png")
    picture = base64.b64decode(result["base64_data"], validate=True)
    assert picture.startswith(PNG)
    width, height = struct.unpack(">II", picture[16:24])
    assert min(width, height) > 100
    assert len(zlib.decompress(_pixels(picture))) > width * height


def _pixels(picture: bytes) -> bytes:
    data, at = b"", len(PNG)
    while at < len(picture):
        length, kind = struct.unpack(">I4s", picture[at : at + 8])
        data += picture[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    return data


def test_an_exception_is_a_normal_answer(tenant: TenantClient) -> None:
    answer = tenant.run("print('before')\n{}['sales_amount']")

    assert (answer["status"], answer["stdout"]) == ("Failure", "before\n")
    assert "Traceback" in answer["stderr"]
    assert answer["stderr"].endswith("KeyError: 'sales_amount'")


def test_the_flat_dialect_runs_code(tenant: TenantClient) -> None:
    body = {
        "codeInputType": "Inline",
        "executionType": "Synchronous",
        "code": "print('hi')\n6 * 7",
        "timeoutInSeconds": 60,
    }

    response = tenant.flat("POST", "/executions", "flat-1", json=body)

    answer = response.json()
    assert response.status_code == 200
    assert (answer["identifier"], answer["status"]) == ("flat-1", "Succeeded")
    assert (answer["result"]["stdout"], answer["result"]["executionResult"]) == ("hi\n", 42)
    failed = tenant.flat("POST", "/executions", "flat-1", json={**body, "code": "1/0"}).json()
    assert failed["status"] == "Failed"
    assert "ZeroDivisionError" in failed["result"]["stderr"]


def test_the_flat_dialect_handles_files(tenant: TenantClient) -> None:
    uploaded = tenant.flat("POST", "/files", files={"file": ("a b.csv", b"x,y\n1,2\n")})
    assert (uploaded.json()["name"], uploaded.json()["sizeInBytes"]) == ("a b.csv", 8)

    assert [file["name"] for file in tenant.flat("GET", "/files").json()["value"]] == ["a b.csv"]
    assert tenant.flat("GET", "/files/a%20b.csv").json()["sizeInBytes"] == 8
    assert tenant.flat("GET", "/files/a%20b.csv/content").content == b"x,y\n1,2\n"
    assert tenant.flat("DELETE", "/files/a%20b.csv").status_code == 204
    assert tenant.flat("GET", "/files").json()["value"] == []
    assert tenant.flat("GET", "/files/a%20b.csv/content").status_code == 404


def test_an_asynchronous_execution_is_polled_where_its_link_leads(tenant: TenantClient) -> None:
    body = {"codeInputType": "Inline", "executionType": "Asynchronous", "code": "6 * 7", "timeoutInSeconds": 60}
    name, operation = "a/b \u03b1", str(uuid.uuid4())

    submitted = tenant.flat("POST", "/executions", name, json=body, headers={"operation-id": operation})
    link = submitted.headers["Operation-Location"]

    assert submitted.status_code == 202
    assert submitted.json()["identifier"] == name
    assert link.startswith(tenant.url)
    while (polled := _poll(link, tenant))["status"] in {"Running", "NotStarted"}:
        pass
    assert (polled["id"], polled["identifier"]) == (operation, name)
    assert polled["result"]["executionResult"] == 42


def _poll(link: str, tenant: TenantClient) -> dict[str, Any]:
    answer: dict[str, Any] = send("GET", link, headers={"Authorization": f"Bearer {tenant.key}"}).json()
    return answer


def test_ending_a_session_loses_its_state_and_gives_unused_minutes_back(tenant: TenantClient) -> None:
    tenant.run("x = 1")
    tenant.run("x")
    assert tenant.usage()["minutes"]["billed"] == 10

    ended = tenant.flat("DELETE", "/session")

    assert ended.status_code == 204
    assert ended.headers["Tollgate-Reversed-Minutes"] == "5"
    assert tenant.usage()["minutes"] == {
        **tenant.usage()["minutes"],
        "charged": 10,
        "reversed": 5,
        "billed": 5,
    }
    assert tenant.run("x")["status"] == "Failure"
