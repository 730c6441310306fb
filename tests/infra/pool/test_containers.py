"""A pool of custom containers: what goes through to them, what does not, and how long they live."""

import base64
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.infra.pool.support import Pool, code_of, descendants, new_name, running_pool, wait_until_gone

pytestmark = pytest.mark.stack

PROGRAM = Path(__file__).with_name("container_program.py")
CONTAINER = shlex.join([sys.executable, str(PROGRAM), "an argument"])
MANAGEMENT = "2025-02-02-preview"
UNKNOWN = (400, "SessionWithIdentifierNotFound")
VALIDATION = (400, "SessionRequestValidationFailed")


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A pool of custom containers."""
    with running_pool(tmp_path_factory.mktemp("custom"), kind="custom", container=CONTAINER, name="my-pool") as running:
        yield running


@pytest.fixture(scope="module")
def shared() -> str:
    """A session for tests that leave nothing behind."""
    return new_name()


def seen(pool: Pool, method: str, path: str, session: str, **options: Any) -> dict[str, Any]:
    answer = pool.call(method, path, session, version=None, **options)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def manage(pool: Pool, name: str, session: str | None = None) -> httpx.Response:
    return pool.call("POST", f"/.management/{name}", session, version=MANAGEMENT)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_every_method_goes_through(pool: Pool, shared: str, method: str) -> None:
    assert seen(pool, method, "/anything", shared)["method"] == method


def test_an_answer_to_head_has_no_body(pool: Pool, shared: str) -> None:
    answer = pool.call("HEAD", "/anything", shared, version=None)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/files", "/session", "/listSessions", "/metadata", "/executions", "/code/execute", "/python/execute"),
        *("/.managements", "/.management", "/v1/.management/getSession"),
    ],
)
def test_every_path_goes_through_but_the_managements(pool: Pool, shared: str, path: str) -> None:
    assert seen(pool, "POST", path, shared)["target"] == f"{path}?identifier={shared}"


def test_path_and_query_arrive_as_they_were_written(pool: Pool, shared: str) -> None:
    # Over a plain socket: a client library would tidy the path up.
    target = f"/a//b%2Fc/../%7E/.?z=%20+1&&empty=&identifier={shared}&z"
    with socket.create_connection(("127.0.0.1", int(pool.url.rpartition(":")[2]))) as raw:
        raw.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["target"] == target


def test_headers_arrive_but_for_the_token_and_those_about_the_connection(pool: Pool, shared: str) -> None:
    headers = {"Authorization": "Bearer x", "X-Own": "1", "Cookie": "c=2", "Keep-Alive": "300", "TE": "trailers"}
    arrived = dict(seen(pool, "POST", "/", shared, headers=headers, json={"a": 1})["headers"])
    assert (arrived["x-own"], arrived["cookie"], arrived["content-type"]) == ("1", "c=2", "application/json")
    assert not {"authorization", "keep-alive", "te"} & set(arrived)
    assert "bearer" not in str(arrived).lower()


def test_bodies_arrive_with_and_without_a_length(pool: Pool, shared: str) -> None:
    content = os.urandom(3_000_000)
    assert base64.b64decode(seen(pool, "POST", "/", shared, content=content)["body"]) == content
    pieces = iter([b"one", b"two"])
    assert base64.b64decode(seen(pool, "PUT", "/", shared, content=pieces)["body"]) == b"onetwo"
    assert seen(pool, "POST", "/", shared)["body"] == ""


def test_answers_come_back_as_they_are(pool: Pool, shared: str) -> None:
    content = os.urandom(3_000_000)
    answer = pool.call("POST", "/echo", shared, version=None, content=content)
    assert answer.content == content
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.headers["location"] == "http://elsewhere.test/"
    assert len(answer.headers.get_list("date")) == 1
    with pool.http.stream("GET", "/gzip", params={"identifier": shared}) as packed:
        assert (packed.status_code, packed.headers["content-encoding"]) == (203, "gzip")
        assert b"".join(packed.iter_raw()).startswith(b"\x1f\x8b")


def test_an_answer_arrives_piece_by_piece(pool: Pool, shared: str) -> None:
    with pool.http.stream("GET", "/stream", params={"identifier": shared}) as answer:
        arrived = [(time.monotonic(), piece) for piece in answer.iter_raw()]
    assert [piece for _, piece in arrived] == [b"one\n", b"two\n", b"three\n"]
    assert arrived[1][0] - arrived[0][0] > 0.1


def test_an_answer_that_breaks_off_does_so_for_the_caller(pool: Pool, shared: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        pool.call("GET", "/broken", shared, version=None)
    assert code_of(pool.call("GET", "/hang-up", shared, version=None)) == (502, "SessionContainerFailed")
    assert seen(pool, "GET", "/", shared)["method"] == "GET"


def test_each_session_has_a_container_and_a_folder_of_its_own(pool: Pool, session: str) -> None:
    other = new_name()
    first, again, third = (seen(pool, "GET", "/", name) for name in (session, session, other))
    assert first["pid"] == again["pid"] != third["pid"]
    assert first["folder"] == again["folder"] != third["folder"]
    assert not any(Path(first["folder"]).iterdir())
    assert first["arguments"] == ["an argument"]
    for name in (session, other):
        assert manage(pool, "stopSession", name).status_code == 200
    assert not Path(first["folder"]).exists()


def test_a_container_learns_its_port_and_nothing_of_tollgates(pool: Pool, shared: str) -> None:
    names = seen(pool, "GET", "/", shared)["environment"]
    assert {"PORT", "PATH"} <= set(names)
    assert not [name for name in names if name.startswith("TOLLGATE_")]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "identifier=",
        "identifier=abc",
        "identifier=with_underscore",
        "identifier=%FF%FF%FF%FF",
        "identifier=first-one&identifier=second-one",
        "identifier=first-one&Identifier=first-one",
        "api-version=2025-02-02-preview",
    ],
)
def test_a_call_without_one_proper_identifier_is_refused(pool: Pool, query: str) -> None:
    before = manage(pool, "listSessions").json()["count"]
    assert code_of(pool.http.get(f"{pool.url}/anything?{query}")) == VALIDATION
    assert manage(pool, "listSessions").json()["count"] == before


def test_the_management_looks_at_sessions_and_takes_none(pool: Pool, session: str) -> None:
    for name in ("getSession", "stopSession"):
        assert code_of(manage(pool, name, session)) == UNKNOWN
    seen(pool, "GET", "/", session)
    view = manage(pool, "getSession", session).json()
    assert set(view) == {"identifier", "etag", "createdAt", "lastAccessedAt", "expiresAt"}
    assert view in manage(pool, "listSessions").json()["value"]


def test_stopping_a_session_says_so_in_words_and_the_next_call_finds_a_new_one(pool: Pool, session: str) -> None:
    before = seen(pool, "GET", "/", session)["pid"]
    child = int(pool.call("GET", "/child", session, version=None).text)
    etag = manage(pool, "getSession", session).json()["etag"]
    answer = manage(pool, "stopSession", session)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain")
    assert answer.text == f"Session {session} in session pool my-pool stopped."
    wait_until_gone([before, child])
    assert code_of(manage(pool, "stopSession", session)) == UNKNOWN
    assert seen(pool, "GET", "/", session)["pid"] != before
    assert manage(pool, "getSession", session).json()["etag"] != etag


@pytest.mark.parametrize(
    ("method", "path", "version", "code"),
    [
        ("POST", "/.management/stopSession", None, VALIDATION),
        ("POST", "/.management/stopSession", "2024-10-02-preview", (400, "SessionRequestNotSupported")),
        ("GET", "/.management/stopSession", MANAGEMENT, (400, "SessionRequestNotSupported")),
        ("POST", "/.management/nothing", MANAGEMENT, (404, "EndpointNotFound")),
    ],
)
def test_the_management_is_as_strict_as_ever(
    pool: Pool, session: str, method: str, path: str, version: str | None, code: tuple[int, str]
) -> None:
    assert code_of(pool.call(method, path, session, version=version)) == code


def test_a_container_that_ends_takes_its_session_with_it(pool: Pool, session: str) -> None:
    first = seen(pool, "GET", "/", session)["pid"]
    child = int(pool.call("GET", "/child", session, version=None).text)
    assert code_of(pool.call("POST", "/exit", session, version=None)) == (502, "SessionContainerFailed")
    assert code_of(manage(pool, "getSession", session)) == UNKNOWN
    wait_until_gone([child])
    assert seen(pool, "GET", "/", session)["pid"] != first


def test_a_container_that_does_not_start_costs_its_caller_the_session(tmp_path: Path) -> None:
    with running_pool(
        tmp_path, kind="custom", container=f"{shlex.join([sys.executable, str(PROGRAM)])} broken"
    ) as pool:
        for _ in range(2):
            answer = pool.call("GET", "/", "some-session", version=None)
            assert code_of(answer) == (503, "SessionAllocationFailed")
            assert "this container is broken" in answer.json()["error"]["message"]
            assert manage(pool, "listSessions").json() == {"value": [], "count": 0, "nextLink": None}


def test_the_cooldown_and_the_number_of_sessions_hold_for_containers_too(tmp_path: Path) -> None:
    with running_pool(
        tmp_path, kind="custom", container=CONTAINER, token="of-the-test", pool_cooldown_seconds=1, max_sessions=1
    ) as pool:
        assert code_of(pool.call("GET", "/", "some-session", version=None)) == (401, "Unauthorized")
        pool.http.headers["authorization"] = "Bearer of-the-test"
        begun = time.monotonic()
        process = seen(pool, "GET", "/", "some-session")["pid"]
        assert code_of(pool.call("GET", "/", "another", version=None)) == (429, "MaxConcurrentSessionsReached")
        while time.monotonic() < begun + 2:
            assert seen(pool, "GET", "/", "some-session")["pid"] == process
            time.sleep(0.3)
        with pool.http.stream("GET", "/endless", params={"identifier": "some-session"}) as endless:
            pieces = endless.iter_raw()  # its end would be the answer's
            assert next(pieces) == b"more"
            time.sleep(1.2)
            assert manage(pool, "getSession", "some-session").status_code == 200
        wait_until_gone([process])  # the caller has left, and with it what kept the session
        assert code_of(manage(pool, "getSession", "some-session")) == UNKNOWN


def test_nothing_is_left_of_containers_when_the_pool_ends(tmp_path: Path) -> None:
    with running_pool(tmp_path, "--data-dir", str(tmp_path / "data"), kind="custom", container=CONTAINER) as pool:
        seen(pool, "GET", "/", "some-session")
        pool.call("GET", "/child", "some-session", version=None)
        family = descendants(pool.process.pid)
        assert len(family) == 2
    assert pool.process.returncode == 0
    wait_until_gone(family)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["lock"]
