"""One generated call, and what it says when it is read strictly: the tests' own reading, apart from the product's.

Rules of this file: pure. A call that says nothing definite means nothing, and must then not reach the pool.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from tests.isolation.places import CUSTOM, KINDS, POOLS_OF, identifier

_ROUTES = (
    ("POST", r"code/execute", "code.execute"),
    ("POST", r"files/upload", "files.upload"),
    ("GET", r"files/content/.*", "files.download"),
    ("POST", r"python/execute", "python.execute"),
    ("POST", r"python/uploadFile", "python.upload"),
    ("GET", r"python/files", "python.list"),
    ("GET", r"python/downloadFile", "python.download"),
    ("POST", r"executions", "executions.create"),
    ("GET", r"executions/[^/]+", "executions.get"),
    ("GET", r"files", "files.list"),
    ("POST", r"files", "files.create"),
    ("GET", r"files/.+/content", "files.content"),
    ("GET", r"files/.+", "files.get"),
    ("DELETE", r"files/.+", "files.delete"),
    ("GET", r"session", "session.get"),
    ("DELETE", r"session", "session.delete"),
    ("GET", r"listSessions", "sessions.list"),
    ("GET", r"metadata", "pool.metadata"),
    ("POST", r"\.management/getSession", "sessions.view"),
    ("POST", r"\.management/listSessions", "sessions.views"),
    ("POST", r"\.management/stopSession", "sessions.stop"),
)
_STRICT, _LENIENT = (
    tuple((method, re.compile(pattern, re.DOTALL | flags), name) for method, pattern, name in _ROUTES)
    for flags in (0, re.IGNORECASE)
)
OPERATIONS = frozenset(name for _, _, name in _ROUTES) | {"container.call"}
POOL_WIDE = frozenset({"sessions.list", "sessions.views", "pool.metadata"})
LISTS = frozenset({"sessions.list", "sessions.views"})
ENDINGS = frozenset({"session.delete", "sessions.stop"})
FILE_BYTES = frozenset({"files.download", "python.download", "files.content"})
# The paths of the oldest clients are told to the pool in the envelope dialect.
TOLD_AS = {
    "python.execute": "code.execute",
    "python.upload": "files.upload",
    "python.list": "files.list",
    "python.download": "files.download",
}


@dataclass(frozen=True, slots=True)
class Case:
    """A call as the gateway gets it, but for its key; `reply` decides how the pool answers."""

    tenant: str
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    reply: int


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a call says: on which of the tenant's pools, which operation, on which session (None: on none)."""

    tenant: str
    pool: str
    operation: str
    name: str | None

    @property
    def identifier(self) -> str | None:
        """What the pool calls the session."""
        return None if self.name is None else identifier(self.tenant, self.pool, self.name)


def meaning_of(case: Case) -> Meaning | None:
    """Read a call; None if it does not say one definite thing."""
    pool, rest = pool_and_rest(case)
    if pool not in POOLS_OF[case.tenant]:
        return None
    operation = operation_of(case.method, "/".join(filter(None, rest.split("/"))), KINDS[pool])
    if operation is None:
        return None
    if operation in POOL_WIDE:
        return Meaning(case.tenant, pool, operation, None)
    names = list(_values(case.query, "identifier"))
    if not names and operation == "python.execute":
        names = [_name_in(case.body)]
    if len(names) != 1 or not names[0]:
        return None
    return Meaning(case.tenant, pool, operation, names[0])


def pool_and_rest(case: Case) -> tuple[str, str]:
    """Split a call's path into the pool's name and what stands behind it."""
    found = re.fullmatch(r"/*pools/+([^/]+)(.*)", case.path, re.DOTALL)
    return (POOLS_OF[case.tenant][0], case.path) if found is None else (found[1], found[2])


def operation_of(method: str, path: str, kind: str, *, lenient: bool = False) -> str | None:
    """Find an operation by method and path without its first slash: as a tenant means it, or as a pool may take it."""
    if kind == CUSTOM and not (path.lower() if lenient else path).startswith(".management/"):
        return "container.call"
    for expected, pattern, name in _LENIENT if lenient else _STRICT:
        if method == expected and pattern.fullmatch(path):
            return name if kind != CUSTOM or name.startswith("sessions.") else None
    return None


def _values(query: str, name: str) -> Iterator[str | None]:
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if _decoded(key) == name:
            yield _decoded(value)


def _decoded(text: str) -> str | None:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError:
        return None


def _name_in(body: bytes) -> str | None:
    try:
        name = json.loads(body)["properties"]["identifier"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return name if isinstance(name, str) else None
