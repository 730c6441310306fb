"""The operations of the operator API and of the tenants' usage.

They stand in code as patterns, so they are named once more here; a test compares the two.

Rules of this file: pure data.
"""

from collections.abc import Iterable, Iterator

from console.bodies import SEQUENCE_MAX
from console.openapi.console_names import KEY, PERIOD, POOL_NAMED, TENANT
from console.openapi.parts import TEXT, Json, answer, content, headers, one_of, parameter, schema
from console.openapi.pool_parameters import SESSION_NAME
from console.openapi.refusals import Refusals
from console.openapi.routes import Route
from console.queries import PAGE_DEFAULT, PAGE_MAX, REPORT_PAGE_DEFAULT, REPORT_PAGE_MAX
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
_LATEST = parameter(
    "query",
    "latest",
    {"type": "integer", "minimum": 1, "maximum": PAGE_MAX},
    "So many of the newest entries, and no others.",
)
_FORMAT = parameter(
    "query",
    "format",
    {"type": "string", "enum": ["json", "csv", "focus"], "default": "json"},
    "The format: JSON, CSV, or CSV with the columns of FOCUS 1.2; left out, `Accept` decides.",
)
_TABLE_FORMAT = parameter(
    "query",
    "format",
    {"type": "string", "enum": ["json", "csv"], "default": "json"},
    "The format; left out, `Accept` decides.",
)
_MONTH = parameter("path", "period", PERIOD, "A UTC month that has begun.")
_MONTH_OVER = parameter("path", "period", {**PERIOD, "examples": ["2026-10"]}, "A UTC month that is over.")
_AFTER_TENANT = parameter("query", "after", TENANT, "The tenant's id after which the page begins.")
_TENANTS_LIMIT = parameter(
    "query",
    "limit",
    {"type": "integer", "minimum": 1, "maximum": REPORT_PAGE_MAX, "default": REPORT_PAGE_DEFAULT},
    "How many tenants a page has.",
)
_LIMIT = parameter(
    "query",
    "limit",
    {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_DEFAULT},
    "How many entries a page has.",
)


def _body(name: str) -> Json:
    return {"required": True, "content": content(schema(name))}


def _shown(name: str, *, as_table: bool) -> Json:
    """Describe an answer that went well; one that is a table comes as CSV as well."""
    shown = content(schema(name))
    if not as_table:
        return answer("It went well.", shown)
    shown |= content(TEXT, "text/csv")
    return answer("It went well.", shown, answer_headers=headers(optional=("Link", "Content-Disposition", "Vary")))


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
    as_table: bool = False,
) -> Route:
    method, path = route.split(" ")
    every = (("{tenant}", _TENANT), ("{key}", _KEY), ("{period}/close", _MONTH_OVER), ("{period}", _MONTH))
    placed = list({known["name"]: known for name, known in reversed(every) if name in path}.values())
    named = any(known in placed for known in (_TENANT, _KEY))
    return Route(
        method=method,
        path=f"/operator{path}",
        id=operation_id,
        tag="operator",
        summary=summary,
        description=description,
        scope=Scope.OPERATOR,
        parameters=(*placed, *query),
        body=_body(body) if body else None,
        answers={status: _shown(shown, as_table=as_table) for status in statuses},
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
        "Entry",
        _BODY,
        {ErrorCode.ADJUSTMENT_EXCEEDS_QUOTA, ErrorCode.PERIOD_CLOSED},
        body="AdjustmentBody",
        statuses=("201",),
        description="By whole increments, signed; negative minutes are in the tenant's favour.",
    )
    yield _operator(
        f"GET {tenant}/usage",
        "getTenantStatement",
        "Read a tenant's statement",
        "Statement",
        _READ,
        query=(_PERIOD, _FORMAT),
        as_table=True,
    )
    yield _operator(
        f"GET {tenant}/usage/entries",
        "listTenantEntries",
        "List a tenant's entries",
        "Entries",
        _READ,
        query=(_PERIOD, _AFTER, _LIMIT, _LATEST, _TABLE_FORMAT),
        as_table=True,
    )
    yield from _session_routes(tenant)
    yield from _report_routes()
    yield from _alert_routes(tenant)
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
        f"POST {tenant}/verification",
        "verifyHeads",
        "Verify a tenant's ledger, and that these head hashes are still in it",
        "Verification",
        _BODY,
        body="HeadsBody",
        query=(_ANY_PERIOD,),
        description="They went out with the telemetry, so entries that were cut off since are missed. Changes nothing.",
    )
    yield _operator(
        "GET /reconciliation",
        "reconcile",
        "Compare what is paid for with what the pools hold",
        "Reconciliation",
        _READ,
        _POOLS,
    )


def _session_routes(tenant: str) -> Iterator[Route]:
    """Describe the operator's hand on open sessions."""
    yield _operator(
        f"GET {tenant}/sessions",
        "listTenantSessions",
        "List a tenant's open sessions",
        "OpenSessions",
        _READ,
        query=(_TABLE_FORMAT,),
        as_table=True,
    )
    yield _operator(
        f"DELETE {tenant}/sessions",
        "endTenantSession",
        "End one of a tenant's sessions",
        "EndedSession",
        _READ,
        _POOLS,
        {ErrorCode.POOL_NOT_FOUND, ErrorCode.POOL_BUSY},
        query=(
            parameter("query", "session", SESSION_NAME, "The tenant's name for the session.", required=True),
            parameter("query", "pool", POOL_NAMED, "The pool's name; left out: the tenant's first."),
        ),
        description="As the tenant's own call would; a suspended tenant's sessions, too.",
    )


def _report_routes() -> Iterator[Route]:
    """Describe reports of months, and their closing."""
    pages = (_AFTER_TENANT, _TENANTS_LIMIT)
    yield _operator(
        "GET /reports/{period}",
        "getReport",
        "Read the report of a month",
        "Report",
        _READ,
        query=(*pages, _FORMAT),
        as_table=True,
        description="A line for each tenant; totals are those of the page. As CSV, `Link` leads to the next page.",
    )
    yield _operator(
        "POST /reports/{period}/close",
        "closeReport",
        "Close the statements of a month for good",
        "Closed",
        _READ,
        {ErrorCode.PERIOD_NOT_OVER},
        query=pages,
        description="From ten minutes after the month's end on. A repeat changes nothing.",
    )


def _alert_routes(tenant: str) -> Iterator[Route]:
    """Describe alerts, and where they go."""
    which = (
        parameter("query", "tenant", TENANT, "One tenant's alone; left out: all of them, and those about pools."),
        parameter("query", "state", one_of(["pending", "done"]), "Only those; left out: all."),
    )
    yield _operator("GET /alerts", "listAlerts", "List alerts", "Alerts", _READ, _NAMED, query=which)
    yield _operator(
        "POST /alerts/deliver",
        "deliverAlerts",
        "Deliver what is due now",
        "Deliveries",
        description="A timer does the same every minute.",
    )
    yield _operator("GET /webhook", "getOperatorWebhook", "Look at the operator's webhook", "Webhook")
    yield _operator(f"GET {tenant}/webhook", "getTenantWebhook", "Look at a tenant's webhook", "Webhook")


def usage_routes() -> Iterator[Route]:
    """Describe what a tenant can read about its own use."""
    named = parameter("query", "identifier", SESSION_NAME, "Your name for the session.", required=True)
    pool = parameter("query", "pool", POOL_NAMED, "The pool's name; left out: your first.")
    pages = (_PERIOD, _AFTER, _LIMIT, _LATEST, _TABLE_FORMAT)
    for path, operation_id, summary, shown, query, refused in (
        ("/usage", "getStatement", "Read your statement", "Statement", (_PERIOD, _FORMAT), ()),
        ("/usage/entries", "listEntries", "List your entries", "Entries", pages, ()),
        ("/usage/sessions", "listOpenSessions", "List your open sessions", "OpenSessions", (_TABLE_FORMAT,), ()),
        (
            "/usage/quote",
            "getQuote",
            "Ask what a call would be charged now",
            "Quote",
            (named, pool),
            (ErrorCode.POOL_NOT_FOUND,),
        ),
        ("/usage/alerts", "listOwnAlerts", "List your alerts", "Alerts", (), ()),
        ("/usage/webhook", "getWebhook", "Look at your webhook", "Webhook", (), ()),
    ):
        yield Route(
            method="GET",
            path=path,
            id=operation_id,
            tag="usage",
            summary=summary,
            scope=Scope.USAGE,
            parameters=query,
            answers={"200": _shown(shown, as_table=shown in {"Statement", "Entries", "OpenSessions"})},
            refusals=Refusals.of(_EVERY_CALL, _READ if query else (), refused),
        )
