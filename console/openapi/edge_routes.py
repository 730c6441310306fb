"""What else answers: health, the identity endpoint, the MCP server, and the description of all of it.

Rules of this file: pure data.
"""

from collections.abc import Iterator

from console.openapi.parts import (
    TEXT,
    Json,
    answer,
    content,
    headers,
    listing,
    nullable,
    one_of,
    parameter,
    record,
    schema,
)
from console.openapi.pool_routes import AUTHENTICATION, POOL, TENANTS
from console.openapi.refusals import Refusals
from console.openapi.routes import Route
from proxy.errors import ErrorCode
from proxy.identity_endpoint import RESOURCES

_ID: Json = {"type": ["string", "integer"]}
_MESSAGE: Json = {"jsonrpc": {"type": "string", "const": "2.0"}}

SCHEMAS: Json = {
    "Health": record(
        {
            "status": one_of(["ok", "unavailable"]),
            "storage": one_of(["ok", "unreachable"]),
            "pool": one_of(["ok", "unreachable"]),
        },
        optional=["storage", "pool"],
    ),
    "Token": record(
        {
            "access_token": TEXT,
            "expires_on": {"type": "string", "pattern": r"^\d+$", "description": "Seconds since 1970, as text."},
            "resource": one_of(sorted(RESOURCES)),
            "token_type": {"type": "string", "const": "Bearer"},
        }
    ),
    "McpMessage": record(
        {**_MESSAGE, "id": _ID, "method": TEXT, "params": {"type": "object"}},
        optional=["id", "params"],
        description="A request of JSON-RPC 2.0; without `id`, a notification.",
    ),
    "McpReply": record(
        {**_MESSAGE, "id": nullable(_ID), "result": {"type": "object"}, "error": schema("McpError")},
        optional=["result", "error"],
    ),
    "McpError": record({"code": {"type": "integer"}, "message": TEXT, "data": {}}, optional=["data"]),
}

_MCP = (
    "Serves agents by the Model Context Protocol, in all its revisions: tools that run code, and that read and write "
    "files, in sessions of the tenant's. Each answer is one JSON document. A tool costs what the call costs that it "
    "makes. A refusal has the form of JSON-RPC, with Tollgate's code in `data`. A `GET`, which would ask for a stream "
    "of messages, is answered 405. In a pool of custom containers the path is the container's, as all others are."
)
_MCP_SCHEMES = ("bearerAuth", "mcpKey")
_MCP_SESSION = parameter("header", "Mcp-Session-Id", TEXT, "The id that `initialize` was answered with.")
_MCP_HEADERS = (
    parameter("header", "MCP-Protocol-Version", TEXT, "The revision, once it is agreed upon."),
    _MCP_SESSION,
)
_LIST_TOOLS: Json = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
_RUN_CODE: Json = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "tools/call",
    "params": {"name": "run_code", "arguments": {"code": "40 + 2"}},
}
_MCP_CALLS = TENANTS | {ErrorCode.POOL_NOT_FOUND, ErrorCode.LENGTH_REQUIRED, ErrorCode.REQUEST_TOO_LARGE}
_LEAVING = frozenset(
    {
        ErrorCode.VALIDATION_FAILED,
        ErrorCode.METHOD_NOT_ALLOWED,
        ErrorCode.TOO_MANY_CALLS,
        ErrorCode.POOL_BUSY,
        ErrorCode.POOL_UNAVAILABLE,
        ErrorCode.POOL_TIMEOUT,
        ErrorCode.ANSWER_TOO_LARGE,
    }
)


def edge_routes() -> Iterator[Route]:
    """Describe them."""
    yield Route(
        method="GET",
        path="/healthz",
        id="health",
        tag="operation",
        summary="Say whether Tollgate lives and, asked for, whether it can work",
        schemes=(),
        parameters=(
            parameter("query", "ready", {"type": "string", "examples": ["1"]}, "`1`: look at storage and pool, too."),
        ),
        answers={
            "200": answer("It does.", content(schema("Health"))),
            "503": answer("Storage or pool cannot be reached.", content(schema("Health"))),
        },
        refusals=Refusals.of({ErrorCode.INTERNAL_ERROR}),
    )
    yield Route(
        method="GET",
        path="/openapi.json",
        id="describe",
        tag="operation",
        summary="Read this document",
        schemes=(),
        parameters=(parameter("header", "If-None-Match", TEXT, "The `ETag` of the document that is known already."),),
        answers={
            "200": answer(
                "The document.",
                content({"type": "object", "required": ["openapi", "info", "paths"]}),
                answer_headers=headers(["ETag", "Cache-Control"]),
            ),
            "304": answer("It has not changed.", answer_headers=headers(["ETag", "Cache-Control"])),
        },
        refusals=Refusals.of({ErrorCode.INTERNAL_ERROR}),
    )
    yield Route(
        method="GET",
        path="/dashboard",
        id="dashboard",
        tag="operation",
        summary="Open the dashboard in a browser",
        description="A page for tenants and operators. It needs no key to load, and asks for one then; its parts lie "
        "below the same path.",
        schemes=(),
        parameters=(parameter("header", "If-None-Match", TEXT, "The `ETag` of the page that is known already."),),
        answers={
            "200": answer("The page.", content(TEXT, "text/html"), answer_headers=headers(["ETag", "Cache-Control"])),
            "304": answer("It has not changed.", answer_headers=headers(["ETag", "Cache-Control"])),
        },
        refusals=Refusals.of({ErrorCode.INTERNAL_ERROR}),
    )
    yield Route(
        method="GET",
        path="/msi/token",
        id="getToken",
        tag="identity",
        summary="Get the key as a token, as from a managed identity",
        description="For programs with `DefaultAzureCredential`: `IDENTITY_ENDPOINT` is this address, "
        "`IDENTITY_HEADER` the key.",
        schemes=("identityHeader",),
        parameters=(
            parameter("query", "resource", one_of(sorted(RESOURCES)), "What the token is for.", required=True),
        ),
        answers={"200": answer("The token.", content(schema("Token")), answer_headers=headers(["Cache-Control"]))},
        refusals=Refusals.of(AUTHENTICATION, {ErrorCode.SCOPE_NOT_ALLOWED, ErrorCode.VALIDATION_FAILED}),
    )
    for route in (_post(), _leave()):
        yield route
        yield route.below("/pools/{pool}", POOL, "pool", "InPool")


def _post() -> Route:
    reply = {"anyOf": [schema("McpReply"), listing(schema("McpReply"))]}
    return Route(
        method="POST",
        path="/mcp",
        id="mcp",
        tag="mcp",
        summary="Speak the Model Context Protocol",
        description=_MCP,
        schemes=_MCP_SCHEMES,
        parameters=_MCP_HEADERS,
        body={
            "required": True,
            "content": content(
                {"anyOf": [schema("McpMessage"), listing(schema("McpMessage"))]},
                examples={"tools": {"value": _LIST_TOOLS}, "run": {"value": _RUN_CODE}},
            ),
        },
        answers={
            "200": answer("The answer.", content(reply), answer_headers=headers(optional=["Mcp-Session-Id"])),
            "202": answer("There was nothing to answer."),
            "400": answer("What was posted is no message of the protocol.", content(schema("McpReply"))),
            "406": answer("The client takes no JSON.", content(schema("McpReply"))),
            "415": answer("What was posted says that it is no JSON.", content(schema("McpReply"))),
        },
        refusals=Refusals.of(_MCP_CALLS, in_mcp=True),
    )


def _leave() -> Route:
    return Route(
        method="DELETE",
        path="/mcp",
        id="mcpLeave",
        tag="mcp",
        summary="End the session of a client that leaves",
        description="Gives back the session minutes that have not begun. Needs a key with the scope `execute`.",
        schemes=_MCP_SCHEMES,
        parameters=(_MCP_SESSION,),
        answers={"204": answer("It has ended, or there was none.")},
        refusals=Refusals.of(_MCP_CALLS, _LEAVING, passes_on=True, in_mcp=True),
    )
