"""The document as a whole, and how it is served: to anybody, made once in a process, known again by its ETag."""

import asyncio
import hashlib
import json
from functools import cache
from itertools import chain

from console.openapi.body_schemas import body_schemas
from console.openapi.console_routes import operator_routes, usage_routes
from console.openapi.console_schemas import ANSWER_SCHEMAS
from console.openapi.edge_routes import SCHEMAS as EDGE_SCHEMAS
from console.openapi.edge_routes import edge_routes
from console.openapi.parts import HEADERS, JSON, Json, header
from console.openapi.pool_parameters import PARAMETERS
from console.openapi.pool_routes import pool_routes
from console.openapi.pool_schemas import SCHEMAS as POOL_SCHEMAS
from console.openapi.refusals import ERROR, OF_THE_PLATFORM
from console.openapi.routes import paths_of
from proxy.messages import GatewayRequest, GatewayResponse

VERSION = "0.1.0"
FRESH_SECONDS = 300

_DESCRIPTION = """\
Tollgate lets many tenants share pools of Azure Container Apps dynamic sessions.

**Pools.** The session API stands twice: at the root, for the tenant's first pool, and below `/pools/{pool}`. In a pool
of custom containers only `/.management/…` is the pool's own; any other method and path, with `identifier` in the query,
goes through to the session's container, needs the scope `execute` and costs session minutes as running code does.

**Slashes.** A doubled slash and one at the end of a path do not matter. The path of a file may have folders:
`/files/reports/june.csv/content`, with the slashes percent-encoded or not.

**Errors.** Each has a stable code. Refusals of the session pool that a tenant can act on pass through under the pool's
own codes. A method that a path does not have is answered 404 `OperationNotFound`. What no web server takes (a zero byte
in a path, a header that is not UTF-8, a hundred headers) the platform answers itself, by 400 or 431 and an empty body.
"""

_TAGS = {
    "code": "Run code.",
    "files": "Files of a session, below `/mnt/data`.",
    "sessions": "Sessions, and the pool that they are of.",
    "early": "Paths of the first clients.",
    "mcp": "Sessions for agents.",
    "identity": "Keys for programs that expect a managed identity.",
    "usage": "What you have used, and what it costs.",
    "operator": "Tenants, keys, and the ledger.",
    "operation": "Whether it runs, and what it offers.",
}

_SCHEMES: Json = {
    "bearerAuth": {"type": "http", "scheme": "bearer", "description": "The API key, `tg_…`."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "The API key, `tg_…`."},
    "mcpKey": {"type": "apiKey", "in": "header", "name": "x-ms-apikey", "description": "The API key, `tg_…`."},
    "identityHeader": {
        "type": "apiKey",
        "in": "header",
        "name": "X-IDENTITY-HEADER",
        "description": "The API key, as the value of `IDENTITY_HEADER`.",
    },
}


def make_document() -> Json:
    """Make the description of the whole surface."""
    routes = tuple(chain(pool_routes(), edge_routes(), usage_routes(), operator_routes()))
    schemas = {"Error": ERROR, **POOL_SCHEMAS, **EDGE_SCHEMAS, **body_schemas(), **ANSWER_SCHEMAS}
    paths = paths_of(routes)
    platform = {f"Platform{status}": response for status, response in OF_THE_PLATFORM.items()}
    responses = platform | dict(chain.from_iterable(route.refusals.components().items() for route in routes))
    referred = json.dumps([paths, responses])
    headers = {name: header(name, required=True) for name in HEADERS}
    headers |= {f"{name}.optional": header(name, required=False) for name in HEADERS}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tollgate", "version": VERSION, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.items()],
        "paths": paths,
        "components": {
            "securitySchemes": _SCHEMES,
            "parameters": dict(PARAMETERS),
            "schemas": schemas,
            "headers": {name: value for name, value in headers.items() if f'/headers/{name}"' in referred},
            "responses": dict(sorted(responses.items())),
        },
    }


@cache
def _written() -> tuple[bytes, str]:
    """Return the document as it goes out, and its ETag."""
    body = json.dumps(make_document(), ensure_ascii=False, separators=(",", ":")).encode()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


async def describe(request: GatewayRequest) -> GatewayResponse:
    """Answer `GET /openapi.json`; needs no key."""
    body, etag = await asyncio.to_thread(_written)  # making it would hold up all other calls
    headers = {"ETag": etag, "Cache-Control": f"public, max-age={FRESH_SECONDS}"}
    known = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if known & {etag, "*"}:
        return GatewayResponse(status=304, headers=headers)
    return GatewayResponse(status=200, headers={"Content-Type": JSON, **headers}, body=body)
