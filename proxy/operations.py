"""The closed table of forwarded operations, and how a call finds its row.

Rules of this file: pure; the dialect follows the path, never the api-version (Azure-Samples, "api-samples.md": the
contract changed with 2024-10-02-preview, and clients mix paths and versions); anything that has no row is refused. Only
a pool of custom containers takes any path, since its containers decide what they serve.

A path is matched on its segments, empty ones left out: clients join endpoints with a trailing slash, with two, or
without, and a redirect would turn their POST into a GET.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from proxy.errors import ErrorCode, GatewayError
from proxy.file_paths import FilePath, forms, read_file_path, refuse_climbing, segments
from proxy.pools import PoolKind
from proxy.tenants import Scope

API_VERSIONS = frozenset(
    {
        "2024-02-02-preview",
        "2024-08-02-preview",
        "2024-10-02-preview",
        "2025-02-02-preview",
        "2025-10-02-preview",
    }
)


MANAGEMENT_VERSION = "2025-02-02-preview"  # the one with which the management calls are documented


class Dialect(Enum):
    """The shapes of the session API."""

    EARLY = "early"  # the `python/` paths of 2024, which the pool need not know: `early_routes` translates them
    ENVELOPE = "envelope"  # wraps in `properties`, says Success and Failure
    FLAT = "flat"  # says Succeeded and Failed
    CONTAINER = "container"  # whatever the container speaks


class Effect(Enum):
    """What an operation does to the pool's sessions, and so to the meter."""

    EXECUTES = "executes"  # uses a session, or takes a new one; a 4xx shows that none was taken
    ALLOCATES = "allocates"  # uses a session, or takes a new one, even if the answer is a 404
    PASSES = "passes"  # uses a container's session, or takes a new one; any answer may be the container's own
    OBSERVES = "observes"  # looks at a session; never takes one (400 SessionWithIdentifierNotFound instead)
    ENDS = "ends"  # ends a session; never takes one
    LISTS = "lists"  # names the tenant's sessions: Tollgate's own answer
    DESCRIBES = "describes"  # is about the pool as a whole, and no session


class Body(Enum):
    """What a call carries."""

    NONE = "none"
    CODE = "code"  # JSON with the code to run
    FILE = "file"  # multipart, passed on as it is
    ANY = "any"  # what the container takes, perhaps nothing


class Answer(Enum):
    """What a call that went well is answered with."""

    JSON = "json"
    BYTES = "bytes"  # a file's content, never touched
    ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of the table.

    Attributes:
        name: stands in the ledger.
        method: `*` takes any.
        path: segments; `{id}` takes one; `{path}` takes one or more, of which the pool's route, unless it is the last
            segment of the envelope dialect's, knows only the last: the others go into the query.
        query: parameters allowed besides `api-version` and, where the operation is about a session, `identifier`.
    """

    name: str
    method: str
    path: tuple[str, ...]
    dialect: Dialect
    scope: Scope
    effect: Effect
    answer: Answer = Answer.JSON
    body: Body = Body.NONE
    query: frozenset[str] = frozenset()

    @property
    def names_session(self) -> bool:
        """Whether the call is about one session, which it has to name."""
        return self.effect not in (Effect.LISTS, Effect.DESCRIBES)


_FLAT_FILE = frozenset({"path"})
_LISTING = frozenset({"path", "recursive"})
_PAGED = frozenset({"skip"})


def _row(
    route: str,
    name: str,
    dialect: Dialect,
    scope: Scope,
    effect: Effect,
    *,
    answer: Answer = Answer.JSON,
    body: Body = Body.NONE,
    query: frozenset[str] = frozenset(),
) -> Operation:
    method, path = route.split(" ")
    return Operation(
        name=name,
        method=method,
        path=tuple(path[1:].split("/")),
        dialect=dialect,
        scope=scope,
        effect=effect,
        answer=answer,
        body=body,
        query=query,
    )


_P, _E, _F, _C = Dialect.EARLY, Dialect.ENVELOPE, Dialect.FLAT, Dialect.CONTAINER
_EXEC, _FILES = Scope.EXECUTE, Scope.FILES

_MANAGEMENT: tuple[Operation, ...] = (
    _row("POST /.management/getSession", "sessions.view", _F, _EXEC, Effect.OBSERVES),
    _row("POST /.management/listSessions", "sessions.views", _F, _EXEC, Effect.LISTS, query=_PAGED),
    _row("POST /.management/stopSession", "sessions.stop", _F, _EXEC, Effect.ENDS, answer=Answer.ANY),
)

# In order: a literal segment stands before a parameter in the same place.
OPERATIONS: tuple[Operation, ...] = (
    _row("POST /code/execute", "code.execute", _E, _EXEC, Effect.EXECUTES, body=Body.CODE),
    _row("POST /files/upload", "files.upload", _E, _FILES, Effect.ALLOCATES, body=Body.FILE),
    _row("GET /files/content/{path}", "files.download", _E, _FILES, Effect.ALLOCATES, answer=Answer.BYTES),
    _row("POST /python/execute", "python.execute", _P, _EXEC, Effect.EXECUTES, body=Body.CODE),
    _row("POST /python/uploadFile", "python.upload", _P, _FILES, Effect.ALLOCATES, body=Body.FILE),
    _row("GET /python/files", "python.list", _P, _FILES, Effect.ALLOCATES),
    _row(
        "GET /python/downloadFile",
        "python.download",
        _P,
        _FILES,
        Effect.ALLOCATES,
        answer=Answer.BYTES,
        query=frozenset({"filename"}),
    ),
    _row("POST /executions", "executions.create", _F, _EXEC, Effect.EXECUTES, body=Body.CODE),
    _row("GET /executions/{id}", "executions.get", _F, _EXEC, Effect.ALLOCATES),
    _row("GET /files", "files.list", _F, _FILES, Effect.ALLOCATES, query=_LISTING),
    _row("POST /files", "files.create", _F, _FILES, Effect.ALLOCATES, body=Body.FILE, query=_FLAT_FILE),
    _row(
        "GET /files/{path}/content",
        "files.content",
        _F,
        _FILES,
        Effect.ALLOCATES,
        answer=Answer.BYTES,
        query=_FLAT_FILE,
    ),
    _row("GET /files/{path}", "files.get", _F, _FILES, Effect.ALLOCATES, query=_FLAT_FILE),
    _row("DELETE /files/{path}", "files.delete", _F, _FILES, Effect.ALLOCATES, answer=Answer.ANY, query=_FLAT_FILE),
    _row("GET /session", "session.get", _F, _EXEC, Effect.OBSERVES),
    _row("DELETE /session", "session.delete", _F, _EXEC, Effect.ENDS, answer=Answer.ANY),
    _row("GET /listSessions", "sessions.list", _F, _EXEC, Effect.LISTS, query=_PAGED),
    _row("GET /metadata", "pool.metadata", _F, _EXEC, Effect.DESCRIBES),
    *_MANAGEMENT,
)

CONTAINER = _row(
    "* /{path}", "container.call", _C, _EXEC, Effect.PASSES, answer=Answer.ANY, body=Body.ANY
)  # every method and path that is not the pool's own


# They are for proxies, and a server that answers TRACE tells what it was sent: Tollgate's token, for one.
_NEVER_FORWARDED = frozenset({"CONNECT", "TRACE"})


@dataclass(frozen=True, slots=True)
class Match:
    """A call's row, its path as the pool is to see it, and the file that the path names where it names one."""

    operation: Operation
    pool_path: str
    file: FilePath | None = None


def match(method: str, path: str, kind: PoolKind) -> Match:
    """Find the row of a call by method and percent-encoded path.

    Raises:
        GatewayError: `OperationNotFound`; `SessionRequestValidationFailed` for a path that tries to climb.
    """
    parts = tuple(part for part in path.split("/") if part)
    if kind is PoolKind.CUSTOM and parts[:1] != (".management",):
        refuse_climbing(path, "path")
        if method in _NEVER_FORWARDED or path[:1] not in {"", "/"} or _may_manage(path):
            raise GatewayError(ErrorCode.OPERATION_NOT_FOUND, "There is no such operation; check method and path.")
        return Match(CONTAINER, path)
    table = _MANAGEMENT if kind is PoolKind.CUSTOM else _BY_METHOD.get(method, ())
    for operation in table:
        if operation.method == method and _fits(operation.path, parts):
            refuse_climbing(path, "path")
            return _match(operation, path, parts)
    raise GatewayError(ErrorCode.OPERATION_NOT_FOUND, "There is no such operation; check method and path.")


_BY_METHOD: Mapping[str, tuple[Operation, ...]] = {
    method: tuple(row for row in OPERATIONS if row.method == method) for method in ("GET", "POST", "DELETE")
}


def _may_manage(path: str) -> bool:
    """Say whether a lenient front end could take a path for a call on the pool itself, such as the list of sessions."""
    return any(part.rstrip(".").casefold() == ".management" for form in forms(path) for part in segments(form))


def _fits(pattern: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    if "{path}" in pattern:
        before = pattern.index("{path}")
        after = len(pattern) - before - 1
        end = len(segments) - after
        return end > before and segments[:before] == pattern[:before] and segments[end:] == pattern[before + 1 :]
    return len(pattern) == len(segments) and all(
        expected in ("{id}", actual) for expected, actual in zip(pattern, segments, strict=True)
    )


def _match(operation: Operation, path: str, segments: tuple[str, ...]) -> Match:
    if "{path}" not in operation.path:
        return Match(operation, "/" + "/".join(segments))
    before = operation.path.index("{path}")
    if operation.dialect is Dialect.ENVELOPE:
        # What stands behind the literal part goes on as it came: `files/content//mnt/data/x` names an absolute path.
        literal = operation.path[:before]
        found = re.match("/*" + "/+".join(map(re.escape, literal)), path)
        assert found is not None, "the path was matched on its segments"
        return Match(operation, f"/{'/'.join(literal)}{path[found.end() :]}")
    end = len(segments) - (len(operation.path) - before - 1)
    file = read_file_path("/".join(segments[before:end]))
    pool_path = "/".join(("", *operation.path[:before], file.encoded_name, *operation.path[before + 1 :]))
    return Match(operation, pool_path, file)
