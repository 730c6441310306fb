"""The pieces of a description: schemas, headers, parameters and contents as OpenAPI 3.1 writes them.

Rules of this file: pure; every function returns a new value of JSON.
"""

from collections.abc import Iterable, Mapping
from typing import Any

type Json = dict[str, Any]

JSON = "application/json"
REQUEST_ID = "Tollgate-Request-Id"

TEXT: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 0}
NUMBER: Json = {"type": "number"}
FLAG: Json = {"type": "boolean"}
INSTANT: Json = {"type": "string", "format": "date-time", "description": "RFC 3339, in UTC."}

_RATE_LIMITS = "draft-ietf-httpapi-ratelimit-headers-10"

# Headers of answers: what they hold, and what they say.
HEADERS: Mapping[str, tuple[Json, str]] = {
    REQUEST_ID: (TEXT, "Names the call in the operator's log, and in the ledger if it was charged."),
    "Tollgate-Charged-Minutes": (NUMBER, "What this call cost, in session minutes."),
    "Tollgate-Session-Paid-Until": (INSTANT, "Until when the call's session is paid."),
    "Tollgate-Session": (
        {"type": "string", "enum": ["new", "existing"]},
        "Whether the call met a fresh session: files and variables of an earlier one of its name are gone.",
    ),
    "Tollgate-Reversed-Minutes": (NUMBER, "The session minutes given back, since they had not begun."),
    "RateLimit-Policy": (TEXT, f"The tenant's quotas, if it has any ({_RATE_LIMITS}); `qu` is their unit."),
    "RateLimit": (TEXT, f"What was left of them at this instance's last look at the ledger ({_RATE_LIMITS})."),
    "Retry-After": (COUNT, "Seconds after which the same call may succeed."),
    "Allow": (TEXT, "The methods that the path takes."),
    "WWW-Authenticate": ({"type": "string", "const": "Bearer"}, "How to prove oneself."),
    "x-ms-error-code": (TEXT, "The code of the error, as in the body."),
    "Operation-Id": (TEXT, "The id of the execution."),
    "Operation-Location": (
        {"type": "string", "format": "uri-reference"},
        "Where to ask for the execution.",
    ),
    "X-Ms-New-Allocation": ({"type": "string", "enum": ["true", "false"]}, "The pool's word for `Tollgate-Session`."),
    "ETag": (TEXT, "Of this document; with it in `If-None-Match` the answer is 304 if nothing has changed."),
    "Cache-Control": (TEXT, "How long the answer may be kept."),
    "Link": (TEXT, 'Leads to the next page of a table, as `rel="next"`.'),
    "Content-Disposition": (TEXT, "A name for the file."),
    "Vary": (TEXT, "What the choice of the format depends on."),
    "Mcp-Session-Id": (TEXT, "The id that the client is to send from now on."),
}


def ref(kind: str, name: str) -> Json:
    """Refer to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def schema(name: str) -> Json:
    """Refer to a schema among the components."""
    return ref("schemas", name)


def record(properties: Mapping[str, Json], *, description: str = "", optional: Iterable[str] = ()) -> Json:
    """Describe an object that has all these members, or may lack the optional ones; there may be more."""
    left_out = set(optional)
    assert left_out <= set(properties), "only what is there can be optional"
    told = {"description": description} if description else {}
    required = [name for name in properties if name not in left_out]
    return {"type": "object", **told, "properties": dict(properties), **({"required": required} if required else {})}


def listing(items: Json) -> Json:
    """Describe an array."""
    return {"type": "array", "items": items}


def one_of(values: Iterable[str], description: str = "") -> Json:
    """Describe a text that is one of some."""
    return {"type": "string", "enum": list(values), **({"description": description} if description else {})}


def nullable(value: Json) -> Json:
    """Describe a value that may be null."""
    return {"anyOf": [value, {"type": "null"}]}


def said(value: Json, description: str, **more: Any) -> Json:
    """Add what is to be said of a value, such as `examples`."""
    return {**value, "description": description, **more}


def parameter(place: str, name: str, value: Json, description: str, **more: Any) -> Json:
    """Describe a parameter; `place` is `query`, `path` or `header`."""
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, **required, "description": description, "schema": value, **more}


def header(name: str, *, required: bool) -> Json:
    """Describe a header of answers."""
    value, description = HEADERS[name]
    return {"description": description, "schema": value, **({"required": True} if required else {})}


def headers(required: Iterable[str] = (), optional: Iterable[str] = ()) -> Json:
    """Refer to the headers that an answer has, and to those that it may have; each has its request id."""
    named = {name: ref("headers", name) for name in (REQUEST_ID, *required)}
    return named | {name: ref("headers", f"{name}.optional") for name in optional}


def answer(description: str, content: Mapping[str, Json] | None = None, *, answer_headers: Json | None = None) -> Json:
    """Describe an answer by its contents, by media type."""
    told = headers() if answer_headers is None else answer_headers
    return {"description": description, "headers": told, **({"content": dict(content)} if content else {})}


def content(value: Json, media_type: str = JSON, **more: Any) -> Json:
    """Describe a content of one media type; `more` may be `examples` or `example`."""
    return {media_type: {"schema": value, **more}}


def examples(**values: Any) -> Json:
    """Name examples of a content."""
    return {name: {"value": value} for name, value in values.items()}
