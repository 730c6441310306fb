"""The conversions by themselves, which `test_requests` and `test_answers` have at work."""

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.host.convert import Refused, decode_path, encode_path, query_values

SEGMENTS = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text not in (".", "..") and "%" not in text
)


@given(SEGMENTS)
def test_any_escaped_text_reaches_the_function_and_its_url_means_the_same(text: str) -> None:
    path = decode_path(b"/" + quote(text, safe="").encode())

    assert path == f"/{text}"
    assert unquote(encode_path(path)) == path
    assert encode_path(path).isascii()


@given(st.binary().map(lambda octets: "".join(f"%{octet:02x}" for octet in octets if octet)))
def test_escapes_that_are_not_utf8_stay_and_no_path_is_an_error(escapes: str) -> None:
    assert decode_path(b"/" + escapes.encode()).startswith("/")


def test_an_escaped_slash_stays_escaped_in_either_case() -> None:
    assert decode_path(b"/a%2fb%2F") == "/a%2fb%2F"


@pytest.mark.parametrize("raw_path", [b"http://host/x", b"*", b"/\xff", b"/%00"])
def test_a_path_that_the_web_server_does_not_take_is_refused(raw_path: bytes) -> None:
    with pytest.raises(Refused) as refused:
        decode_path(raw_path)

    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("raw_path", "path"),
    [
        (b"/.", "/"),
        (b"/..", "/"),
        (b"/a/./b", "/a/b"),
        (b"/a/../../b", "/b"),
        (b"/a/b/..", "/a/"),
        (b"/a/.b/..c", "/a/.b/..c"),
        (b"/a/..%2Fb", "/a/..%2Fb"),
    ],
)
def test_dot_segments_are_removed(raw_path: bytes, path: str) -> None:
    assert decode_path(raw_path) == path


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("a=1&&b", {"a": "1"}),
        ("a=&a=2", {"a": ",2"}),
        ("a=b=c", {"a": "b=c"}),
        ("na%2Bme=%ff", {"na+me": "%ff"}),
    ],
)
def test_queries_are_read_as_the_host_reads_them(query: str, values: dict[str, str]) -> None:
    assert query_values(query) == values
