"""The closed table of operations, and how calls find their rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import ErrorCode, GatewayError
from proxy.operations import OPERATIONS, Answer, Body, Dialect, Effect, match
from proxy.pools import PoolKind


@pytest.mark.parametrize(
    ("method", "path", "name", "pool_path"),
    [
        ("POST", "/code/execute", "code.execute", "/code/execute"),
        ("POST", "/code/execute/", "code.execute", "/code/execute"),
        ("POST", "//code//execute", "code.execute", "/code/execute"),
        ("POST", "/executions", "executions.create", "/executions"),
        ("GET", "/executions/abc-1", "executions.get", "/executions/abc-1"),
        ("GET", "//files", "files.list", "/files"),
        ("POST", "/files", "files.create", "/files"),
        ("POST", "/files/upload", "files.upload", "/files/upload"),
        ("GET", "/files/upload", "files.get", "/files/upload"),
        ("GET", "/files/a%20b.csv", "files.get", "/files/a%20b.csv"),
        ("DELETE", "/files/a.csv", "files.delete", "/files/a.csv"),
        ("GET", "/files/a.csv/content", "files.content", "/files/a.csv/content"),
        ("GET", "/files/content/a.csv", "files.download", "/files/content/a.csv"),
        ("GET", "/files/content/sub/a%2Fb.csv", "files.download", "/files/content/sub/a%2Fb.csv"),
        ("GET", "/files/content//mnt/data/abs.csv", "files.download", "/files/content//mnt/data/abs.csv"),
        ("GET", "//files//content//mnt/data/abs.csv", "files.download", "/files/content//mnt/data/abs.csv"),
        ("GET", "/files/sub/a.csv/content", "files.content", "/files/a.csv/content"),
        ("GET", "/files//mnt/data/sub/a.csv/content", "files.content", "/files/a.csv/content"),
        ("GET", "/files/sub%2Fa%20b.csv/content", "files.content", "/files/a%20b.csv/content"),
        ("GET", "/files/sub/deep/a.csv", "files.get", "/files/a.csv"),
        ("DELETE", "/files/mnt/data/sub/a.csv", "files.delete", "/files/a.csv"),
        ("GET", "/files/content", "files.get", "/files/content"),
        ("GET", "/files/caf%C3%A9.csv", "files.get", "/files/caf%C3%A9.csv"),
        ("POST", "/python/execute/", "python.execute", "/python/execute"),
        ("POST", "/python/uploadFile", "python.upload", "/python/uploadFile"),
        ("GET", "/python/files", "python.list", "/python/files"),
        ("GET", "/python/downloadFile", "python.download", "/python/downloadFile"),
        ("GET", "/listSessions", "sessions.list", "/listSessions"),
        ("GET", "/metadata", "pool.metadata", "/metadata"),
        ("POST", "/.management/getSession", "sessions.view", "/.management/getSession"),
        ("POST", "/.management/listSessions", "sessions.views", "/.management/listSessions"),
        ("POST", "/.management/stopSession", "sessions.stop", "/.management/stopSession"),
        ("GET", "/session", "session.get", "/session"),
        ("DELETE", "/session", "session.delete", "/session"),
    ],
)
def test_a_call_finds_its_row_and_keeps_its_own_encoding(method: str, path: str, name: str, pool_path: str) -> None:
    found = match(method, path, PoolKind.PYTHON)

    assert (found.operation.name, found.pool_path) == (name, pool_path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", ""),
        ("GET", "/code/execute"),
        ("PUT", "/files/a.csv"),
        ("POST", "/code"),
        ("POST", "/code/execute/more"),
        ("GET", "/listSessions/x"),
        ("GET", "/.management/stopSession"),
        ("GET", "/executions"),
        ("get", "/files"),
        ("GET", "/Files"),
    ],
)
def test_anything_without_a_row_is_refused(method: str, path: str) -> None:
    with pytest.raises(GatewayError) as refusal:
        match(method, path, PoolKind.PYTHON)

    assert refusal.value.code is ErrorCode.OPERATION_NOT_FOUND


@pytest.mark.parametrize(
    "path",
    [
        "/files/content/../../executions",
        "/files/content/%2e%2e/%2E%2E/x",
        "/files/..",
        "/files/content/a/./b",
        "/files/..%2f..%2fx/content",
        "/files/..%5cx",
    ],
)
def test_a_path_that_climbs_is_refused_however_it_is_encoded(path: str) -> None:
    with pytest.raises(GatewayError) as refusal:
        match("GET", path, PoolKind.PYTHON)

    assert refusal.value.code is ErrorCode.VALIDATION_FAILED


@given(path=st.text(alphabet="/.%2e5cfFabcontesilx", max_size=40))
def test_no_path_that_is_forwarded_leaves_the_operation_it_matched(path: str) -> None:
    try:
        found = match("GET", path, PoolKind.PYTHON)
    except GatewayError:
        return
    literal = [segment for segment in found.operation.path if not segment.startswith("{")]
    segments = [segment for segment in found.pool_path.split("/") if segment]
    assert segments[0] == literal[0]
    assert not {".", ".."} & set(segments)


def test_every_row_says_something_that_fits_together() -> None:
    for row in OPERATIONS:
        assert (row.body is Body.CODE) == (row.effect is Effect.EXECUTES)
        assert (row.body is Body.NONE) or row.method == "POST"
        assert row.dialect is not Dialect.ENVELOPE or not row.query
        assert (row.answer is Answer.BYTES) == (row.name.split(".")[1] in {"download", "content"})
        assert row.names_session == (row.effect not in {Effect.LISTS, Effect.DESCRIBES})
    assert len({row.name for row in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/start", "//a//b/", "/session", "/listSessions", "/metadata", "/code/execute"])
def test_a_custom_container_takes_any_method_and_path_as_it_came(method: str, path: str) -> None:
    found = match(method, path, PoolKind.CUSTOM)

    assert (found.operation.name, found.pool_path) == ("container.call", path)


def test_of_the_management_calls_a_custom_pool_has_three_and_no_more() -> None:
    for name in ("getSession", "listSessions", "stopSession"):
        assert match("POST", f"/.management/{name}", PoolKind.CUSTOM).operation.dialect is Dialect.FLAT
    for path in ("/.management/other", "/.management", "//.management/getSession/x"):
        with pytest.raises(GatewayError, match="^OperationNotFound$"):
            match("POST", path, PoolKind.CUSTOM)


@pytest.mark.parametrize("path", ["/../x", "/%2e%2e/x", "/a/%252e%252e/b", "/a%00b", "/a\x7f"])
def test_no_path_of_a_container_climbs_or_hides(path: str) -> None:
    with pytest.raises(GatewayError, match="^SessionRequestValidationFailed$"):
        match("GET", path, PoolKind.CUSTOM)
