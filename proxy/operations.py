"""The closed table of forwarded operations, and how a call finds its row.

Rules of this file: pure; the dialect follows the path, never the api-version (Azure-Samples, "api-samples.md": the
contract changed with 2024-10-02-preview, and clients mix paths and versions); anything that has no row is refused.

A path is matched on its segments, empty ones left out: clients join endpoints with a trailing slash, with two, or
without, and a redirect would turn their POST into a GET.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from proxy.errors import ErrorCode, GatewayError
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


class Dialect(Enum):
    """The two shapes of the session API."""

    ENVELOPE = "envelope"  # wraps in `properties`, says Success and Failure
    FLAT = "flat"  # says Succeeded and Failed


class Effect(Enum):
    """What an operation does to the pool's sessions, and so to the meter."""

    EXECUTES = "executes"  # uses a session, or takes a new one; a 4xx shows that none was taken
    ALLOCATES = "allocates"  # uses a session, or takes a new one, even if the answer is a 404
    OBSERVES = "observes"  # looks at a session; never takes one (400 SessionWithIdentifierNotFound instead)
    ENDS = "ends"  # ends a session; never takes one


class Body(Enum):
    """What a call carries."""

    NONE = "none"
    CODE = "code"  # JSON with the code to run
    FILE = "file"  # multipart, passed on as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of the table.

    Attributes:
        name: stands in the ledger.
        path: segments; `{name}` takes one, `{path}` in last place takes the rest.
        query: parameters allowed besides `api-version` and `identifier`.
    """

    name: str
    method: str
    path: tuple[str, ...]
    dialect: Dialect
    scope: Scope
    effect: Effect
    body: Body = Body.NONE
    query: frozenset[str] = frozenset()


_FLAT_FILE = frozenset({"path"})
_LISTING = frozenset({"path", "recursive"})


def _row(
    route: str,
    name: str,
    dialect: Dialect,
    scope: Scope,
    effect: Effect,
    *,
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
        body=body,
        query=query,
    )


_E, _F = Dialect.ENVELOPE, Dialect.FLAT

# In order: a literal segment stands before a parameter in the same place.
OPERATIONS: tuple[Operation, ...] = (
    _row("POST /code/execute", "code.execute", _E, Scope.EXECUTE, Effect.EXECUTES, body=Body.CODE),
    _row("POST /files/upload", "files.upload", _E, Scope.FILES, Effect.ALLOCATES, body=Body.FILE),
    _row("GET /files/content/{path}", "files.download", _E, Scope.FILES, Effect.ALLOCATES),
    _row("POST /executions", "executions.create", _F, Scope.EXECUTE, Effect.EXECUTES, body=Body.CODE),
    _row("GET /executions/{name}", "executions.get", _F, Scope.EXECUTE, Effect.ALLOCATES),
    _row("GET /files", "files.list", _F, Scope.FILES, Effect.ALLOCATES, query=_LISTING),
    _row("POST /files", "files.create", _F, Scope.FILES, Effect.ALLOCATES, body=Body.FILE, query=_FLAT_FILE),
    _row("GET /files/{name}/content", "files.content", _F, Scope.FILES, Effect.ALLOCATES, query=_FLAT_FILE),
    _row("GET /files/{name}", "files.get", _F, Scope.FILES, Effect.ALLOCATES, query=_FLAT_FILE),
    _row("DELETE /files/{name}", "files.delete", _F, Scope.FILES, Effect.ALLOCATES, query=_FLAT_FILE),
    _row("GET /session", "session.get", _F, Scope.EXECUTE, Effect.OBSERVES),
    _row("DELETE /session", "session.delete", _F, Scope.EXECUTE, Effect.ENDS),
)

_BY_METHOD: Mapping[str, tuple[Operation, ...]] = {
    method: tuple(row for row in OPERATIONS if row.method == method) for method in ("GET", "POST", "DELETE")
}


@dataclass(frozen=True, slots=True)
class Match:
    """A call's row, and its path as the pool is to see it: canonical, the caller's own encoding kept in parameters."""

    operation: Operation
    pool_path: str


def match(method: str, path: str) -> Match:
    """Find the row of a call by method and percent-encoded path.

    Raises:
        GatewayError: `OperationNotFound`; `SessionRequestValidationFailed` for a path that tries to climb.
    """
    segments = tuple(part for part in path.split("/") if part)
    for operation in _BY_METHOD.get(method, ()):
        if _fits(operation.path, segments):
            _refuse_unsafe(segments)
            return Match(operation, _pool_path(operation, path, segments))
    raise GatewayError(ErrorCode.OPERATION_NOT_FOUND, "There is no such operation; check method and path.")


def _fits(pattern: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    if pattern[-1] == "{path}":
        literal = pattern[:-1]
        return len(segments) > len(literal) and segments[: len(literal)] == literal
    return len(pattern) == len(segments) and all(
        expected in ("{name}", actual) for expected, actual in zip(pattern, segments, strict=True)
    )


def _refuse_unsafe(segments: tuple[str, ...]) -> None:
    """Refuse `.` and `..`, encoded or not: on the pool's host, other pools and operations stand beside this one."""
    for segment in segments:
        decoded = unquote(segment).replace("\\", "/").split("/")
        if "." in decoded or ".." in decoded:
            raise GatewayError(ErrorCode.VALIDATION_FAILED, "A path must not hold '.' or '..' segments.", target="path")
        if not segment.isprintable():
            raise GatewayError(ErrorCode.VALIDATION_FAILED, "A path holds only printable characters.", target="path")


def _pool_path(operation: Operation, path: str, segments: tuple[str, ...]) -> str:
    if operation.path[-1] != "{path}":
        return "/" + "/".join(segments)
    # What stands behind the literal part goes on as it came: `files/content//mnt/data/x` names an absolute path.
    literal = operation.path[:-1]
    before = re.match("/*" + "/+".join(map(re.escape, literal)), path)
    assert before is not None, "the path was matched on its segments"
    return f"/{'/'.join(literal)}{path[before.end() :]}"
