"""How a request looks to a function."""

import hashlib
from typing import Any

import pytest

from tests.infra.host.support import BODY_LIMIT_BYTES, Host

pytestmark = pytest.mark.stack


def echo(host: Host, target: str, **request: Any) -> Any:
    answer = host.call(request.pop("method", "GET"), f"/echo/{target}", **request)
    assert answer.status == 200
    return answer.json()


@pytest.mark.parametrize(
    ("target", "value", "path"),
    [
        ("a%20b%2Fc", "a b%2Fc", "a%20b%2Fc"),
        ("%2520", "%20", "%20"),
        ("%7E%40", "~@", "~@"),
        ("%C3%A9%E2%82%AC", "é€", "%C3%A9%E2%82%AC"),
        ("%ff%zz", "%ff%zz", "%ff%25zz"),
        ("a/b/%2e%2E/c", "a/c", "a/c"),
    ],
)
def test_paths_are_decoded_for_routes_and_encoded_again_in_the_url(
    host: Host, target: str, value: str, path: str
) -> None:
    seen = echo(host, target)

    assert seen["rest"] == value
    assert seen["url"] == f"{host.url}/echo/{path}"


def test_the_query_is_joined_in_the_parameters_and_untouched_in_the_url(host: Host) -> None:
    seen = echo(host, "?a=1&A=2&b=&c=x%20y+z&%64=%2F")

    assert seen["query"] == {"a": "1,2", "c": "x y z", "d": "/"}
    assert seen["url"] == f"{host.url}/echo/?a=1&A=2&b=&c=x%20y+z&%64=%2F"


def test_repeated_request_headers_are_joined(host: Host) -> None:
    answer = host.raw(
        b"GET /echo/ HTTP/1.1\r\nHost: h\r\nX-Tag: one\r\nx-tag: two\r\nX-Empty:\r\nConnection: close\r\n\r\n"
    )

    assert b'"x-tag": "one,two"' in answer
    assert b'"x-empty": ""' in answer


def test_a_header_that_is_not_utf8_is_refused(host: Host) -> None:
    answer = host.raw(b"GET /echo/ HTTP/1.1\r\nHost: h\r\nX-Name: \xff\xfe\r\nConnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("length", [0, 1, 10 * 1024 * 1024])
def test_a_body_with_a_length_arrives_intact(host: Host, length: int) -> None:
    body = bytes(index % 251 for index in range(1000)) * (length // 1000) + b"x" * (length % 1000)

    seen = echo(host, "", method="POST", body=body)

    assert (seen["length"], seen["sha256"]) == (length, hashlib.sha256(body).hexdigest())


def test_a_chunked_body_arrives_empty_and_the_connection_goes_on(host: Host) -> None:
    chunked = b"POST /echo/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    answers = host.raw(chunked + b"GET /echo/after HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")

    first, second = answers.split(b"HTTP/1.1 200 OK")[1:]
    assert b'"length": 0' in first
    assert b'"rest": "after"' in second


def test_a_body_over_the_limit_is_refused_unread(host: Host) -> None:
    answer = host.raw(
        b"POST /echo/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (BODY_LIMIT_BYTES + 1)
    )

    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/echo/" + "x" * 8200, {}, 414),
        ("/echo/?" + "x" * 4100, {}, 414),
        ("/echo/", {f"X-{n}": "" for n in range(99)}, 431),
    ],
)
def test_what_exceeds_the_platforms_limits_is_refused(
    host: Host, target: str, headers: dict[str, str], status: int
) -> None:
    assert host.call("GET", target, headers=headers).status == status


def test_an_async_function_finds_its_invocation_and_the_callers_trace(host: Host) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    seen = echo(host, "", headers={"traceparent": parent})

    assert seen["trace_parent"] == parent
    assert seen["same_id"]
