"""The session name is the tenant boundary: where it is read, and what the pool sees of it."""

import json
import re
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import ErrorCode, GatewayError
from proxy.identifiers import pool_identifier, read_query, rewrite_body
from proxy.operations import CONTAINER, Dialect, match
from proxy.pools import PoolKind

SECRET = b"s" * 32
LISTING = match("GET", "/files", PoolKind.PYTHON).operation
RUNNING = match("POST", "/code/execute", PoolKind.PYTHON).operation
VERSION = "api-version=2025-02-02-preview"
names = st.text(min_size=1, max_size=40).filter(str.isprintable)
pools = st.sampled_from(["default", "shell", "agents"])
tenants = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)


def refused(code: ErrorCode = ErrorCode.VALIDATION_FAILED) -> Any:
    return pytest.raises(GatewayError, match=f"^{code.value}$")


@given(first=st.tuples(tenants, pools, names), second=st.tuples(tenants, pools, names))
def test_two_tenants_pools_or_names_never_meet(first: tuple[str, str, str], second: tuple[str, str, str]) -> None:
    assert (pool_identifier(SECRET, *first) == pool_identifier(SECRET, *second)) == (first == second)


@given(tenant=tenants, name=names)
def test_what_the_pool_sees_fits_every_version_and_shows_nothing_of_the_name(tenant: str, name: str) -> None:
    identifier = pool_identifier(SECRET, tenant, "default", name)

    assert re.fullmatch(r"[A-Za-z0-9-]{4,128}", identifier)
    assert identifier == f"{tenant}-{identifier[-64:]}"
    assert identifier[-64:] != pool_identifier(b"t" * 32, tenant, "default", name)[-64:]


@given(name=names, encode=st.sampled_from([quote, quote_plus, lambda n: quote(n, safe="")]))
def test_a_name_is_the_same_in_every_encoding(name: str, encode: Any) -> None:
    query = read_query(f"{VERSION}&identifier={encode(name)}", RUNNING)

    assert query.session_name == name
    assert query.for_pool("x-1") == f"identifier=x-1&{VERSION}"


def test_other_parameters_go_on_as_they_were_encoded() -> None:
    query = read_query(f"path=%2Fmnt%2Fdata&identifier=abcd&{VERSION}", LISTING)

    assert query.for_pool("x-1") == f"identifier=x-1&path=%2Fmnt%2Fdata&{VERSION}"


@pytest.mark.parametrize(
    "query",
    [
        VERSION,
        f"{VERSION}&identifier=",
        f"{VERSION}&identifier=abcd&identifier=efgh",
        f"{VERSION}&identifier=abcd&identifier=abcd",
        f"{VERSION}&identifier=abcd&Identifier=efgh",
        f"{VERSION}&IDENTIFIER=abcd",
        f"{VERSION}&identifier=abcd&%69dentifier=efgh",
        f"{VERSION}&identifier=a&x=2",
        f"{VERSION}&identifier=abcd&{VERSION}",
        f"{VERSION}&identifier=abcd&path=x",
        f"{VERSION}&identifier={'a' * 129}",
        f"{VERSION}&identifier=a%00b",
        f"{VERSION}&identifier=a%0d%0ab",
        f"{VERSION}&identifier=%ff",
        f"{VERSION}&identifier=a%E2%80%AEb",
        "identifier=abcd",
        "identifier=abcd&api-version=2019-01-01",
        "identifier=abcd&api-version=",
        "",
    ],
)
def test_a_query_that_could_be_read_in_two_ways_is_refused(query: str) -> None:
    with refused():
        read_query(query, RUNNING)


def test_a_smuggled_parameter_stays_part_of_the_name() -> None:
    query = read_query(f"{VERSION}&identifier=abcd%26identifier%3Dvictim", RUNNING)

    assert query.session_name == "abcd&identifier=victim"
    assert query.for_pool("x-1").count("identifier=") == 1


ENVELOPE = {"properties": {"codeInputType": "inline", "executionType": "synchronous", "code": "1+1"}}
FLAT = {"codeInputType": "Inline", "executionType": "Synchronous", "code": "1+1"}


@pytest.mark.parametrize(("dialect", "document"), [(Dialect.ENVELOPE, ENVELOPE), (Dialect.FLAT, FLAT)])
def test_a_body_without_an_identifier_passes_byte_for_byte(dialect: Dialect, document: dict[str, Any]) -> None:
    body = json.dumps(document, indent=3).encode()

    assert rewrite_body(body, dialect, "abcd", "x-1") is body


@pytest.mark.parametrize("field", ["identifier", "sessionId", "Identifier"])
def test_a_name_in_the_body_is_replaced_wherever_it_stands(field: str) -> None:
    envelope = {field: "abcd", "properties": {**ENVELOPE["properties"], field: "abcd", "number": 1.0}}

    rewritten = json.loads(rewrite_body(json.dumps(envelope).encode(), Dialect.ENVELOPE, "abcd", "x-1"))

    assert rewritten[field] == rewritten["properties"][field] == "x-1"
    assert rewritten["properties"]["number"] == 1.0
    flat = json.loads(rewrite_body(json.dumps({**FLAT, field: "abcd"}).encode(), Dialect.FLAT, "abcd", "x-1"))
    assert flat == {**FLAT, field: "x-1"}


def test_a_body_that_names_another_session_is_refused() -> None:
    for other in ("victim", None, 5, ["abcd"]):
        with refused():
            rewrite_body(json.dumps({**FLAT, "identifier": other}).encode(), Dialect.FLAT, "abcd", "x-1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"print(1)",
        b"[1]",
        b'"code"',
        b"{}",
        b'{"code": 5}',
        b'{"code": null}',
        b'{"code": "1", "code": "2"}',
        b'{"code": "1", "identifier": "abcd", "identifier": "victim"}',
        b"\xff\xfe{",
        '{"code": "1"}'.encode("utf-16"),
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_not_json_with_code_is_refused(body: bytes) -> None:
    for dialect in (Dialect.ENVELOPE, Dialect.FLAT):
        with pytest.raises(GatewayError) as refusal:
            rewrite_body(body, dialect, "abcd", "x-1")
        assert refusal.value.response().status == 400


@pytest.mark.parametrize("body", [b'{"properties": 5}', b'{"properties": {}}', b'{"properties": {"code": 1}}'])
def test_an_envelope_without_code_is_refused(body: bytes) -> None:
    with refused():
        rewrite_body(body, Dialect.ENVELOPE, "abcd", "x-1")


def test_the_other_dialects_shape_is_told_so_that_clients_try_that_one() -> None:
    with refused(ErrorCode.PROPERTIES_MISSING):
        rewrite_body(json.dumps(FLAT).encode(), Dialect.ENVELOPE, "abcd", "x-1")
    with refused(ErrorCode.PROPERTIES_MISSING):
        rewrite_body(json.dumps(ENVELOPE).encode(), Dialect.FLAT, "abcd", "x-1")


def of_container(query: str) -> str:
    return read_query(query, CONTAINER).for_pool("x-1")


def test_a_containers_query_goes_on_as_it_came_but_for_the_identifier() -> None:
    assert of_container("b=%2F&identifier=abcd&a=1&a=2&c") == "identifier=x-1&b=%2F&a=1&a=2&c"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "a=1",
        "identifier=abcd&identifier=abcd",
        "identifier=abcd&Identifier=efgh",
        "IDENTIFIER=abcd",
        "identifier=abcd&%49dentifier=efgh",
        "identifier=abcd&identifier%5B%5D=efgh",
        "identifier=abcd&+identifier=efgh",
        "identifier=abcd&identifier%00=efgh",
    ],
)
def test_a_containers_query_names_one_session_however_it_is_read(query: str) -> None:
    with refused():
        of_container(query)


def test_the_folder_of_a_file_moves_from_the_path_into_the_query() -> None:
    found = match("GET", "/files/sub%20x/a.csv/content", PoolKind.PYTHON)
    query = read_query(f"{VERSION}&identifier=abcd", found.operation)
    mounted = read_query(f"path=%2Fmnt%2Fdata&{VERSION}&identifier=abcd", found.operation)
    other = read_query(f"path=elsewhere&{VERSION}&identifier=abcd", found.operation)

    assert query.for_pool("x-1", found.file) == f"identifier=x-1&{VERSION}&path=sub%20x"
    assert mounted.for_pool("x-1", found.file) == f"identifier=x-1&{VERSION}&path=sub%20x"
    with refused():
        other.for_pool("x-1", found.file)


@pytest.mark.parametrize("path", ["../x", "a/../b", "..", "%252e%252e", "a%00", "..%5cx"])
def test_no_folder_in_the_query_climbs(path: str) -> None:
    with refused():
        read_query(f"{VERSION}&identifier=abcd&path={path}", LISTING)


@given(spaces=st.text(alphabet=" \n\t", max_size=5), name=names)
def test_replacing_a_name_changes_no_other_byte_of_a_body(spaces: str, name: str) -> None:
    body = f'{{{spaces}"code":{spaces}"a = \\"identifier\\""{spaces},"number": 1.50, "identifier":{spaces}%s}}'
    told = body % json.dumps(name)

    rewritten = rewrite_body(told.encode(), Dialect.FLAT, name, "x-1").decode()

    assert rewritten == body % '"x-1"'


def test_a_name_that_is_written_in_an_unusual_way_is_replaced_all_the_same() -> None:
    for text in (
        rb'{"code": "1", "\u0069dentifier": "abcd"}',
        rb'{"code": "1", "identifier": "\u0061bcd"}',
        b'{"code": "1", "identifier": "abcd", "more": {"identifier": "abcd"}}',
    ):
        rewritten = json.loads(rewrite_body(text, Dialect.FLAT, "abcd", "x-1"))
        assert rewritten["identifier"] == "x-1"
        assert rewritten.get("more") in (None, {"identifier": "x-1"})
