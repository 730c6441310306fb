"""What is done to valid calls: everything that could make somebody read them in another way than somebody else."""

from collections.abc import Callable
from urllib.parse import quote

from tests.isolation.drawing import Draft, encode
from tests.isolation.forms import Dice, twisted_code, twisted_upload
from tests.isolation.places import KEYS, NAMES, TENANTS, identifier, other

type Attack = Callable[[Dice, Draft], None]

_CLIMBS = (
    "..", ".", "%2e%2e", "%2E.", "..;", "..;x=1", "..%20", ".. ", "..%00", "%252e%252e", "%25252e%25252e",
    "..%2f..", "..%5c..", "..\\..", "%c0%ae%c0%ae", "...", "..%09", "%2e%2e%2f%2e%2e%2f", ".%00.", "%u002e%u002e",
    "..%3Bx", "..%3F",
)  # fmt: skip
_SPELLINGS = (
    "identifier", "Identifier", "IDENTIFIER", "iDentifier", "identif%69er", "%49dentifier", "identifier%20",
    "+identifier", "identifier[]", "identifier%5B0%5D", "identifier%00", "i%64entifier%00x", "%69%64entifier",
    "_identifier", "identi-fier", "id%2565ntifier", "identifier%C2%A0", "%EF%BB%BFidentifier", "identifier.",
    "ident\u0131fier", "sessionId",
)  # fmt: skip
_JOINTS = (";", "%26", "%3B", "%253B", "%2526", "?", "%3F", "%23", "/", "%0d%0a", "\\", ",", "\n")
_ELSEWHERE = (
    "/.management/listSessions", "/.Management/listSessions", "/.MANAGEMENT/getSession",
    "/%2emanagement/listSessions", "/.%6Danagement/listSessions", "//.management//listSessions",
    "/.management%2FlistSessions", "/.management;x/listSessions", "/.management%20/listSessions",
    "/%2e%6danagement/stopSession", "/%252emanagement/listSessions", "/listSessions", "/.management\\listSessions",
    "/x/..;/.management/listSessions", "/.management%5ClistSessions", "/.management./listSessions", "/metadata",
    "/../../otherpool/listSessions", "//evil.example/x", "/@evil.example/", "/\\evil.example/",
    "http://evil.example/", "/%2F%2Fevil.example", "/;identifier=1/x",
    "/subscriptions/5/resourceGroups/r/sessionPools/p/listSessions", "/files", "/session",
)  # fmt: skip
_HEADERS = (
    "cookie", "x-forwarded-host", "x-forwarded-for", "forwarded", "x-original-url", "x-rewrite-url",
    "x-http-method-override", "host", "x-ms-apikey", "x-ms-identifier", "identifier", "authorization-x",
    "proxy-authorization", "x-functions-key", "x-identity-header", "accept", "accept-encoding", "operation-id",
    "traceparent", "tracestate", "x-ms-client-request-id", "content-encoding", "content-type", "transfer-encoding",
    "expect", "te", "connection", "range", "x-custom", "user-agent", "x-envoy-original-path", "x-k8se-app-name",
    "upgrade",
)  # fmt: skip
_PREFIXES = (
    "/pools/others", "/pools/Default", "/pools/shell", "/pools/agents", "/pools/default", "/pools//default/", "/pools",
    "", "/p%6fols/shell", "/pools/default%2F..%2Fshell", "/pools/..",
)  # fmt: skip
_TYPES = (
    "application/x-www-form-urlencoded", "application/json; charset=utf-16", "text/plain",
    "multipart/form-data; boundary=x",
)  # fmt: skip
_LONG = (300, 2_000, 9_000, 70_000)


def _climb(dice: Dice, draft: Draft) -> None:
    parts = draft.path.split("/")
    parts.insert(dice.random.randrange(1, len(parts) + 1), dice.of(_CLIMBS))
    draft.path = "/".join(parts)


def _go_elsewhere(dice: Dice, draft: Draft) -> None:
    draft.path = dice.of(_ELSEWHERE)
    if dice.chance(0.5):
        draft.method = dice.of(("GET", "POST"))


def _rewrite_path(dice: Dice, draft: Draft) -> None:
    at = dice.random.randrange(len(draft.path) + 1)
    path = draft.path
    if dice.chance(0.4):
        draft.path = dice.of((path.upper(), path.title(), path.swapcase(), "/" + path, path + "/"))
    else:
        odd = dice.of(("%00", "%", "%2", "%zz", "\t", "%0a", "é", ";"))
        draft.path = path[:at] + (encode(dice, dice.piece()) if dice.chance(0.7) else odd) + path[at:]


def _smuggle_in_path(dice: Dice, draft: Draft) -> None:
    draft.path += f"{dice.of(_JOINTS)}{dice.of(_SPELLINGS[:6])}{dice.of(('=', '%3D'))}{_victim(dice, draft)}"
    if dice.chance(0.3):
        draft.path += dice.of(("/content", "%26", "&x="))


def _change_pool(dice: Dice, draft: Draft) -> None:
    draft.prefix = dice.of((*_PREFIXES, "/pools/" + quote(dice.piece(), safe="")))


def _name_twice(dice: Dice, draft: Draft) -> None:
    added = (dice.of(_SPELLINGS), dice.of((_victim(dice, draft), quote(draft.name, safe=""))))
    draft.query.insert(dice.random.randrange(len(draft.query) + 1), added)


def _misspell(dice: Dice, draft: Draft) -> None:
    draft.query = [(dice.of(_SPELLINGS) if name == "identifier" else name, value) for name, value in draft.query]


def _smuggle_in_query(dice: Dice, draft: Draft) -> None:
    hidden = f"{dice.of(_JOINTS)}{dice.of(_SPELLINGS)}{dice.of(('=', '%3D', '%253D'))}{_victim(dice, draft)}"
    if not draft.query or dice.chance(0.3):
        draft.query.append(("x", "1"))
    at = dice.random.randrange(len(draft.query))
    name, value = draft.query[at]
    draft.query[at] = (name, value + hidden)


def _add_parameter(dice: Dice, draft: Draft) -> None:
    name = dice.of(("x", "path", "skip", "api-version", "filename", "recursive", encode(dice, dice.piece()), ""))
    value = dice.of((encode(dice, dice.piece()), "", "%ff", "\x01", "%00", "+", dice.of(_CLIMBS) + "/x", "\x7f", '"'))
    draft.query.insert(dice.random.randrange(len(draft.query) + 1), (name, value))


def _drop_parameter(dice: Dice, draft: Draft) -> None:
    if draft.query:
        del draft.query[dice.random.randrange(len(draft.query))]


def _spoil_name(dice: Dice, draft: Draft) -> None:
    spoilt = dice.of(("%00", "%ff", "%C3", "\u202e", "%0d%0a", "", "%2500", "%ED%A0%80", "x" * 130))
    draft.query = [(name, value + spoilt if name == "identifier" else value) for name, value in draft.query]


def _add_header(dice: Dice, draft: Draft) -> None:
    elsewhere = f"/.management/listSessions?identifier={_victim(dice, draft)}"
    values = (dice.piece(), dice.piece(), elsewhere, *_TYPES, "gzip", "chunked", "op-7", "é", "\t", "x" * 9_000)
    draft.headers[dice.of(_HEADERS)] = dice.of(values)


def _show_key(dice: Dice, draft: Draft) -> None:
    draft.headers[dice.of(("x-api-key", "cookie", "x-identity-header", "proxy-authorization", "x-ms-apikey"))] = KEYS[
        draft.tenant if dice.chance(0.8) else other(draft.tenant)
    ]


def _twist_body(dice: Dice, draft: Draft) -> None:
    victim = _victim(dice, draft)
    if draft.fields is not None:
        draft.body = twisted_code(dice, draft.operation, draft.fields, draft.name, victim)
        if dice.chance(0.2):
            draft.headers["content-type"] = dice.of(_TYPES)
    elif draft.filename is not None:
        draft.headers["content-type"], draft.body = twisted_upload(dice, draft.filename, victim)
    else:
        draft.body = dice.of((b"{}", b"identifier=" + victim.encode(), dice.piece().encode()))


def _code_that_reads_as_a_form(dice: Dice, draft: Draft) -> None:
    if draft.fields is not None:
        draft.fields.append(("comment", f'"&identifier={_victim(dice, draft)}&"'))
        draft.body = twisted_code(dice, draft.operation, draft.fields, draft.name, draft.name)
        draft.headers["content-type"] = "application/x-www-form-urlencoded"


def _lengthen(dice: Dice, draft: Draft) -> None:
    long = dice.of(("x", "/x", "%41", "a/../")) * dice.of(_LONG)
    if dice.chance(0.4):
        draft.path += "/" + long
    else:
        draft.query.append((dice.of(("x", "path", "filename", "identifier")), long))


def _change_method(dice: Dice, draft: Draft) -> None:
    draft.method = dice.of(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "X"))


_ATTACKS: tuple[Attack, ...] = (
    _climb, _go_elsewhere, _rewrite_path, _smuggle_in_path, _change_pool, _name_twice, _misspell, _smuggle_in_query,
    _smuggle_in_query, _add_parameter, _drop_parameter, _spoil_name, _add_header, _add_header, _add_header,
    _show_key, _show_key, _twist_body, _twist_body, _twist_body, _code_that_reads_as_a_form, _change_method,
)  # fmt: skip


def attack(dice: Dice, draft: Draft) -> None:
    """Do something to a call, or several things, or now and then nothing."""
    for _ in range(dice.of((0, 0, 1, 1, 1, 1, 2, 3))):
        dice.of(_ATTACKS)(dice, draft)
    if dice.chance(0.002):
        _lengthen(dice, draft)


def _victim(dice: Dice, draft: Draft) -> str:
    """Take what the pool calls a session of another, or another session of the tenant's own."""
    tenant = other(draft.tenant) if dice.chance(0.8) else dice.of(TENANTS)
    return identifier(tenant, draft.pool, dice.of(NAMES))
