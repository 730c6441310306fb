"""Valid calls on every operation, as clients write them: the ground that attacks start from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote, quote_plus

from tests.isolation.calls import Case
from tests.isolation.forms import Dice, Fields, code_body, code_fields, upload
from tests.isolation.places import ACME, BETA, NAMES, POOLS_OF, identifier, other

ENVELOPE, FLAT = "2024-02-02-preview", "2025-02-02-preview"
_VERSIONS = ("2024-02-02-preview", "2024-08-02-preview", "2024-10-02-preview", FLAT, "2025-10-02-preview")

# Method, path, api-version; `<file>` is a path of a file, `<name>` its name alone, `<id>` an execution's id.
_CALLS = MappingProxyType(
    {
        "code.execute": ("POST", "/code/execute", ENVELOPE),
        "files.upload": ("POST", "/files/upload", ENVELOPE),
        "files.download": ("GET", "/files/content/<file>", ENVELOPE),
        "python.execute": ("POST", "/python/execute", ENVELOPE),
        "python.upload": ("POST", "/python/uploadFile", ENVELOPE),
        "python.list": ("GET", "/python/files", ENVELOPE),
        "python.download": ("GET", "/python/downloadFile", ENVELOPE),
        "executions.create": ("POST", "/executions", FLAT),
        "executions.get": ("GET", "/executions/<id>", FLAT),
        "files.list": ("GET", "/files", FLAT),
        "files.create": ("POST", "/files", FLAT),
        "files.content": ("GET", "/files/<file>/content", FLAT),
        "files.get": ("GET", "/files/<file>", FLAT),
        "files.delete": ("DELETE", "/files/<file>", FLAT),
        "session.get": ("GET", "/session", FLAT),
        "session.delete": ("DELETE", "/session", FLAT),
        "sessions.list": ("GET", "/listSessions", FLAT),
        "pool.metadata": ("GET", "/metadata", FLAT),
        "sessions.view": ("POST", "/.management/getSession", FLAT),
        "sessions.views": ("POST", "/.management/listSessions", FLAT),
        "sessions.stop": ("POST", "/.management/stopSession", FLAT),
        "container.call": ("", "/<any>", ""),
    }
)
_CHOICES = (*_CALLS, *("code.execute", "executions.create", "files.content", "files.get") * 2, *("container.call",) * 6)
_LISTING = frozenset({"sessions.list", "sessions.views"})
_FILES = ("a.csv", "x", "sp ace.txt", "été.md", "a&b=c;d.txt", "100%.txt", "%41.txt", "q?r#s", "x\\y", "a+b", ".dotted")
_FOLDERS = ("", "", "", "sub/", "/mnt/data/", "mnt/data/deep/er/", "a b/")
_METHODS = ("GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_PATHS = ("", "/", "/start", "/poll", "/v1/exec", "//a//b/", "/a%2Fb", "/python/execute", "/listSessions", "/session")


@dataclass(slots=True)
class Draft:
    """A call in the making; path and query parts are percent-encoded."""

    tenant: str
    pool: str
    operation: str
    name: str
    method: str
    prefix: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    fields: Fields | None = None
    filename: str | None = None

    def finish(self, reply: int) -> Case:
        """Write the call down."""
        query = "&".join(f"{name}={value}" for name, value in self.query)
        # In a URL, these two would end the path and the query.
        path = f"{self.prefix}{self.path}".replace("?", "%3F").replace("#", "%23")
        headers = tuple(self.headers.items())
        return Case(self.tenant, self.method, path, query.replace("#", "%23"), headers, self.body, reply)


def draw_valid(dice: Dice) -> Draft:
    """Draw a call that, but for what the pieces of text bring in, there is nothing wrong with."""
    operation = dice.of(_CHOICES)
    if operation in _LISTING and dice.chance(0.5):
        operation = "files.list"  # listing reads the whole ledger each time
    tenant = ACME if dice.chance(0.6) else BETA
    pool = _pool(dice, operation)
    at_root = pool == POOLS_OF[tenant][0] and dice.chance(0.7)
    method, path, version = _CALLS[operation]
    name = draw_name(dice, tenant, pool)
    draft = Draft(
        tenant=tenant,
        pool=pool,
        operation=operation,
        name=name,
        method=method or dice.of(_METHODS),
        prefix="" if at_root else f"/pools/{pool}",
        path=_path(dice, path),
        query=[],
    )
    if operation not in _LISTING and operation != "pool.metadata":
        draft.query.append(("identifier", encode(dice, name)))
    if version:
        draft.query.insert(dice.chance(0.5), ("api-version", dice.of(_VERSIONS) if dice.chance(0.2) else version))
    _fill(dice, draft)
    return draft


def draw_name(dice: Dice, tenant: str, pool: str) -> str:
    """Draw a session name: one that both tenants use, anything, or what the pool calls a session."""
    chance = dice.random.random()
    if chance < 0.6:
        return dice.of(NAMES)
    if chance < 0.85:
        return dice.piece() or "x"
    return identifier(other(tenant) if chance < 0.95 else tenant, pool, dice.of(NAMES))


def draw_file(dice: Dice) -> str:
    """Draw the path of a file, encoded."""
    name = dice.of(_FILES) if dice.chance(0.7) else dice.piece()
    return encode(dice, dice.of(_FOLDERS)) + encode(dice, name)


def encode(dice: Dice, text: str) -> str:
    """Percent-encode as clients do: everything, nearly nothing, with `+`, in small letters, each byte."""
    return dice.of(_ENCODERS)(text)


_ENCODERS: tuple[Callable[[str], str], ...] = (
    lambda text: quote(text, safe=""),
    lambda text: quote(text, safe=""),
    lambda text: quote(text, safe="/:@!$'()*,;|{}[]\"<>^`"),
    quote_plus,
    lambda text: quote(text, safe="").lower(),
    lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    lambda text: text.replace("%", "%25").replace("&", "%26").replace("+", "%2B"),
)


def _pool(dice: Dice, operation: str) -> str:
    if operation == "container.call":
        return "agents"
    if operation.startswith("sessions.") and operation != "sessions.list":
        return dice.of(("default", "shell", "agents"))
    return "shell" if dice.chance(0.2) and not operation.startswith("python.") else "default"


def _path(dice: Dice, path: str) -> str:
    if path == "/<any>":
        return dice.of(_PATHS) if dice.chance(0.7) else "/" + encode(dice, dice.piece())
    if "<" not in path:
        return path if dice.chance(0.9) else path.replace("/", "//") + "/"
    execution = "op-1" if dice.chance(0.7) else encode(dice, dice.piece())
    return path.replace("<file>", draw_file(dice)).replace("<id>", execution)


def _fill(dice: Dice, draft: Draft) -> None:
    """Add what the operation carries besides."""
    operation = draft.operation
    if operation in {"code.execute", "python.execute", "executions.create"}:
        draft.fields = code_fields(dice, operation, draft.pool == "shell", draft.name)
        draft.body = code_body(operation, draft.fields)
        draft.headers["content-type"] = dice.of(("application/json", "application/json; charset=utf-8"))
    elif operation in {"files.upload", "files.create", "python.upload"}:
        draft.filename = dice.of(_FILES[:4]) if dice.chance(0.8) else dice.piece().replace('"', "")
        draft.body = upload("b1", draft.filename, dice.piece().encode())
        draft.headers["content-type"] = dice.of(
            ('multipart/form-data; boundary="b1"', "multipart/form-data; boundary=b1")
        )
    elif operation == "container.call":
        draft.body = dice.of((b"", b"", b'{"command": "ls"}', dice.piece().encode()))
    if operation in {"files.list", "files.create", "files.get"} and dice.chance(0.3):
        draft.query.append(
            ("path", dice.of(("", "/", "/mnt/data", "sub", "%2Fmnt%2Fdata", encode(dice, dice.piece()))))
        )
    if operation == "files.list" and dice.chance(0.2):
        draft.query.append(("recursive", "true"))
    if operation in _LISTING and dice.chance(0.3):
        draft.query.append(("skip", dice.of(("0", "1", "x", "-1"))))
    if operation == "python.download":
        draft.query.append(("filename", draw_file(dice)))
    if operation == "container.call" and dice.chance(0.5):
        draft.query.append((dice.of(("x", "offset", "path", "filter")), encode(dice, dice.piece())))
