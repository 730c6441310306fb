"""The operations of the operator API and of the tenants' usage.

They stand in code as patterns, so they are named once more here; a test compares the two.

Rules of this file: pure data.
"""

from collections.abc import Iterable, Iterator

from console.bodies import PAGE_DEFAULT, PAGE_MAX, SEQUENCE_MAX
from console.openapi.console_schemas import KEY, PERIOD, TENANT
from console.openapi.parts import Json, answer, content, parameter, schema
from console.openapi.refusals import Refusals
from console.openapi.routes import Route
from proxy.errors import ErrorCode
from proxy.tenants import Scope

_EVERY_CALL = frozenset(
    {
        ErrorCode.INVALID_API_KEY,
        ErrorCode.SCOPE_NOT_ALLOWED,
        ErrorCode.METERING_UNAVAILABLE,
        ErrorCode.INTERNAL_ERROR,
    }
)
_READ = frozenset({ErrorCode.VALIDATION_FAILED})
_BODY = _READ | {ErrorCode.REQUEST_TOO_LARGE}
_NAMED = frozenset({ErrorCode.RESOURCE_NOT_FOUND})
_POOLS = frozenset({ErrorCode.POOL_UNAVAILABLE, ErrorCode.POOL_TIMEOUT})

_TENANT = parameter("path", "tenant", TENANT, "The tenant's id.")
_KEY = parameter("path", "key", KEY, "The key's id: the part between its two underscores.")
_PERIOD = parameter("query", "period", PERIOD, "A UTC month; left out: the current one.")
_ANY_PERIOD = parameter("query", "period", PERIOD, "A UTC month; left out: all.")
_AFTER = parameter(
    "query",
    "after",
    {"type": "integer", "minimum": 0, "maximum": SEQUENCE_MAX - PAGE_MAX, "default": 0},
    "The sequence number after which the page begins.",
)
_LIMIT = parameter(
    "query",
    "limit",
    {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_DEFAULT},
    "How many entries a page has.",
)
_STATEMENT, _ENTRIES = "The statement of a month: what was charged, what it costs, what is left.", "A page of entries."


def _body(name: str) -> Json:
    return {"required": True, "content": content(schema(name))}


def _operator(
    route: str,
    operation_id: str,
    summary: str,
    shown: str,
    *refused: Iterable[ErrorCode],
    body: str = "",
    query: tuple[Json, ...] = (),
    statuses: tuple[str, ...] = ("200",),
    description: str = "",
) -> Route:
    method, path = route.split(" ")
    named = [known for name, known in (("{tenant}", _TENANT), ("{key}", _KEY)) if name in path]
    return Route(
        method=method,
        path=f"/operator{path}",
        id=operation_id,
        tag="operator",
        summary=summary,
        description=description,
        scope=Scope.OPERATOR,
        parameters=(*named, *query),
        body=_body(body) if body else None,
        answers={status: answer("It went well.", content(schema(shown))) for status in statuses},
        refusals=Refusals.of(_EVERY_CALL, _NAMED if named else (), *refused),
    )


def _key_routes(prefix: str, whose: str, suffix: str, body: str) -> Iterator[Route]:
    shown_once = "The answer holds the key itself, for the only time."
    revoked = "For good, on every instance within five seconds; a repeat changes nothing."
    yield _operator(f"GET {prefix}/keys", f"list{suffix}Keys", f"List {whose} keys", "Keys")
    yield _operator(
        f"POST {prefix}/keys",
        f"create{suffix}Key",
        f"Make one of {whose} keys",
        "NewKey",
        _BODY,
        body=body,
        statuses=("201",),
        description=shown_once,
    )
    yield _operator(f"GET {prefix}/keys/{{key}}", f"get{suffix}Key", f"Look at one of {whose} keys", "Key")
    yield _operator(
        f"PATCH {prefix}/keys/{{key}}",
        f"expire{suffix}Key",
        f"Set when one of {whose} keys ends",
        "Key",
        _BODY,
        body="ExpiryBody",
    )
    yield _operator(
        f"DELETE {prefix}/keys/{{key}}",
        f"revoke{suffix}Key",
        f"Revoke one of {whose} keys",
        "Key",
        description=revoked,
    )


def operator_routes() -> Iterator[Route]:
    """Describe the operator API."""
    tenant = "/tenants/{tenant}"
    yield _operator("GET /tenants", "listTenants", "List all tenants", "Tenants")
    yield _operator(f"GET {tenant}", "getTenant", "Look at a tenant", "Tenant")
    yield _operator(
        f"PUT {tenant}",
        "setTenant",
        "Create a tenant, or replace all that is said of it",
        "Tenant",
        _BODY,
        body="TenantBody",
        statuses=("200", "201"),
        description="A change holds on every instance within five seconds.",
    )
    yield from _key_routes(tenant, "a tenant's", "Tenant", "TenantKeyBody")
    yield from _key_routes("", "the operators'", "Operator", "OperatorKeyBody")
    yield _operator(
        f"POST {tenant}/adjustments",
        "adjust",
        "Correct a tenant's balance in the current month",
        "Adjustment",
        _BODY,
        {ErrorCode.ADJUSTMENT_EXCEEDS_QUOTA},
        body="AdjustmentBody",
        statuses=("201",),
        description="By whole increments, signed; negative minutes are in the tenant's favour.",
    )
    yield _operator(
        f"GET {tenant}/usage", "getTenantStatement", "Read a tenant's statement", "Statement", _READ, query=(_PERIOD,)
    )
    yield _operator(
        f"GET {tenant}/usage/entries",
        "listTenantEntries",
        "List a tenant's entries",
        "Entries",
        _READ,
        query=(_PERIOD, _AFTER, _LIMIT),
    )
    yield _operator(
        f"GET {tenant}/verification",
        "verify",
        "Verify a tenant's ledger",
        "Verification",
        _READ,
        query=(_ANY_PERIOD,),
        description="Recomputes the hash chain, the sums and the windows from the entries.",
    )
    yield _operator(
        "GET /reconciliation",
        "reconcile",
        "Compare what is paid for with what the pools hold",
        "Reconciliation",
        _READ,
        _POOLS,
    )


def usage_routes() -> Iterator[Route]:
    """Describe what a tenant can read about its own use."""
    for path, operation_id, summary, shown, query in (
        ("/usage", "getStatement", "Read your statement", "Statement", (_PERIOD,)),
        ("/usage/entries", "listEntries", "List your entries", "Entries", (_PERIOD, _AFTER, _LIMIT)),
    ):
        yield Route(
            method="GET",
            path=path,
            id=operation_id,
            tag="usage",
            summary=summary,
            scope=Scope.USAGE,
            parameters=query,
            answers={"200": answer(_STATEMENT if shown == "Statement" else _ENTRIES, content(schema(shown)))},
            refusals=Refusals.of(_EVERY_CALL, _READ),
        )
