"""How a function's answer looks to the client."""

import pytest

from tests.infra.host.support import Host

pytestmark = pytest.mark.stack


def test_each_cookie_has_its_own_header_with_its_attributes(host: Host) -> None:
    answer = host.call("GET", "/answers/cookies")

    assert answer.all("set-cookie") == [
        "a=1; path=/x; secure; samesite=strict; httponly",
        "b=2%25203; max-age=60; domain=example.org",
    ]


def test_the_expiry_of_a_cookie_is_kept(host: Host) -> None:
    assert host.call("GET", "/answers/expires").header("set-cookie") == "a=1; expires=Sun, 22 Nov 2026 10:00:00 GMT"


def test_a_partitioned_cookie_vanishes(host: Host) -> None:
    answer = host.call("GET", "/answers/partitioned")

    assert answer.status == 200
    assert not any("partitioned" in value.lower() for value in answer.all("set-cookie"))


def test_repeated_headers_collapse_to_one(host: Host) -> None:
    assert host.call("GET", "/answers/repeated").header("via") == "second"
    assert host.call("GET", "/answers/mixed-case").header("via") == "first"


def test_there_is_one_date_even_if_the_function_sets_its_own(host: Host) -> None:
    assert len(host.call("GET", "/answers/date").all("date")) == 1


@pytest.mark.parametrize(
    "kind",
    [
        "raises",
        "none",
        "dictionary",
        "dashed-expires",
        "non-ascii",
        "control",
        "chunked",
        "wrong-length",
    ],
)
def test_what_the_host_cannot_send_is_an_empty_500(host: Host, kind: str) -> None:
    answer = host.call("GET", f"/answers/{kind}")

    assert (answer.status, answer.body) == (500, b"")
    assert answer.header("content-type") is None


def test_text_becomes_plain_text(host: Host) -> None:
    answer = host.call("GET", "/answers/text")

    assert (answer.status, answer.body) == (200, b"plain text")
    assert answer.header("content-type") == "text/plain; charset=utf-8"


@pytest.mark.parametrize(("kind", "status"), [("no-content", 204), ("not-modified", 304)])
def test_answers_without_content_have_no_body(host: Host, kind: str, status: int) -> None:
    answer = host.call("GET", f"/answers/{kind}")

    assert (answer.status, answer.body) == (status, b"")
    assert answer.header("content-type") == "text/plain; charset=utf-8"


def test_a_head_request_gets_the_headers_without_the_body(host: Host) -> None:
    answer = host.call("HEAD", "/answers/teapot")

    assert (answer.status, answer.body) == (418, b"")
    assert answer.header("x-answer") == "yes"


def test_a_body_is_chunked_unless_the_function_gives_its_length(host: Host) -> None:
    assert host.call("GET", "/answers/teapot").header("transfer-encoding") == "chunked"
    assert host.call("GET", "/answers/right-length").header("content-length") == "4"


def test_an_empty_body_has_the_length_zero(host: Host) -> None:
    assert host.call("GET", "/answers/empty").header("content-length") == "0"
