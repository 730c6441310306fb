"""A call of a tenant, understood: checked before anything is charged, and written as the pool is to see it.

Rules of this file: pure. Everything that depends on what the caller wrote is decided here, so that whatever is
malformed is refused before the ledger or the pool hear of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from proxy import early_routes, headers, identifiers, operations
from proxy.answers import Names
from proxy.errors import ErrorCode, GatewayError
from proxy.messages import GatewayRequest
from proxy.operations import Body, Dialect, Effect, Operation
from proxy.pools import Pool
from proxy.tenants import Tenant
from proxy.uploads import check_upload

CODE_BYTES_MAX = 8 * 1024 * 1024  # reading a longer body, which must be JSON, would hold up all other calls
_PREFIX = re.compile(r"/*pools/+([^/]+)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCall:
    """One call to the pool.

    Attributes:
        endpoint: the pool management endpoint, without a trailing slash.
        path: percent-encoded, with a leading slash.
        query: encoded, without the `?`.
        pool: the pool's name, for telemetry; empty if it is not known.
        operation: the operation's name, for telemetry.
    """

    endpoint: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    effect: Effect
    pool: str = ""
    operation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a tenant on one of its pools.

    Attributes:
        values: what its query says besides api-version and identifier, decoded.
        ledger_name: the operation as it stands in the ledger: with the pool's name, unless that is the default one.
    """

    id: str
    tenant: Tenant
    pool: Pool
    operation: Operation
    values: Mapping[str, str]
    names: Names
    forward: PoolCall

    @property
    def ledger_name(self) -> str:
        """See the class."""
        return identifiers.qualified(self.pool.name, self.operation.name)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a call leads.

    Attributes:
        path: what stands behind the pool's prefix, percent-encoded, with a leading slash.
        prefix: `/pools/<name>`, or nothing for the tenant's first pool.
    """

    pool: Pool
    path: str
    prefix: str


def choose_pool(tenant: Tenant, pools: Mapping[str, Pool], path: str) -> Route:
    """Find the pool of a call.

    Raises:
        GatewayError: `PoolNotFound` if the tenant was not given the pool, or it is not there.
    """
    found = _PREFIX.fullmatch(path)
    name, rest = (found[1], found[2] or "/") if found is not None else (tenant.pools[0], path)
    pool = pools.get(name) if name in tenant.pools else None
    if pool is None:
        raise GatewayError(ErrorCode.POOL_NOT_FOUND)
    return Route(pool, rest, "" if found is None else f"/pools/{name}")


def check_length(request: GatewayRequest, operation: Operation, body_bytes_max: int) -> None:
    """Refuse a body that the host has not handed over (chunked ones arrive empty), and one that is too large.

    Raises:
        GatewayError: `LengthRequired`, `RequestTooLarge`.
    """
    length = request.headers.get("content-length", "")
    expected = operation.body in (Body.CODE, Body.FILE)
    if "transfer-encoding" in request.headers or (expected and not length.isdecimal()):
        raise GatewayError(ErrorCode.LENGTH_REQUIRED)
    bytes_max = min(body_bytes_max, CODE_BYTES_MAX) if operation.body is Body.CODE else body_bytes_max
    announced = int(length) if length.isascii() and length.isdecimal() and len(length) < 20 else 0
    if max(len(request.body), announced) > bytes_max:
        raise GatewayError(ErrorCode.REQUEST_TOO_LARGE, f"The request body is larger than {bytes_max} bytes.")


def understand(request: GatewayRequest, tenant: Tenant, route: Route, found: operations.Match, secret: bytes) -> Call:
    """Check what a call says, and turn the session's name into what the pool calls it.

    Raises:
        GatewayError: `SessionRequestValidationFailed`, `SessionPropertiesMissing`.
    """
    operation, pool = found.operation, route.pool
    query = identifiers.read_query(request.query, operation)
    choose = headers.to_container if operation.effect is Effect.PASSES else headers.to_pool
    sent = choose(request.headers)
    body = request.body if operation.body is not Body.NONE else b""
    session_name = query.session_name or ""
    if operation.dialect is Dialect.EARLY and operation.body is Body.CODE:
        body = early_routes.envelope_body(body)
        session_name = session_name or identifiers.name_in_body(body)
    identifier = identifiers.pool_identifier(secret, tenant.id, pool.name, session_name)
    if operation.body is Body.CODE:
        body = identifiers.rewrite_body(body, operation.dialect, session_name, identifier)
        sent["content-type"] = "application/json"  # and no other charset or form than the one that was checked
    elif operation.body is Body.FILE:
        sent["content-type"] = check_upload(request.headers.get("content-type", ""), body)
    path = found.pool_path
    pool_query = query.for_pool(identifier if operation.names_session else None, found.file)
    if operation.dialect is Dialect.EARLY:
        path = early_routes.envelope_path(operation.name, query.values.get("filename"))
        pool_query = early_routes.envelope_query(identifier)
    identifiers.refuse_second_identifier(f"{path}?{pool_query}", operation.names_session)
    endpoint = pool.endpoint_of(identifier)
    return Call(
        id=request.id,
        tenant=tenant,
        pool=pool,
        operation=operation,
        values=query.values,
        names=Names(
            session_name=session_name,
            pool_identifier=identifier,
            origin=request.origin + route.prefix,
            endpoint=endpoint,
            pool_name=pool.name,
        ),
        forward=PoolCall(
            endpoint=endpoint,
            method=request.method,
            path=path,
            query=pool_query,
            headers=sent,
            body=body,
            effect=operation.effect,
            pool=pool.name,
            operation=operation.name,
        ),
    )


def look_at_session(call: Call) -> PoolCall:
    """Write the call that asks whether the pool holds the session of another call."""
    return PoolCall(
        endpoint=call.forward.endpoint,
        method="POST",
        path="/.management/getSession",
        query=f"identifier={quote(call.names.pool_identifier)}&api-version={operations.MANAGEMENT_VERSION}",
        headers={},
        body=b"",
        effect=Effect.OBSERVES,
        pool=call.pool.name,
        operation="getSession",
    )
