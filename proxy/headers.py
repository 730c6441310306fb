"""Which headers cross, in each direction, and the ones that Tollgate adds.

Rules of this file: pure; allow-lists, so that a tenant's key never reaches the pool, and nothing of the pool's own
(its address, cookies, tokens, pods) reaches a tenant; one value per name; printable ASCII, since the Functions host
turns anything else into a 500. A custom container has headers of its own, so for those the lists name what stays
behind: whatever concerns the connection, proves somebody, or was added by a front end.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

from metering.admissions import Standing
from metering.increments import Granularity
from metering.periods import Period, day_of, day_start, day_until
from metering.requests import Quota

REQUEST_ID = "Tollgate-Request-Id"

_TO_POOL = ("accept", "content-type", "operation-id", "traceparent", "tracestate", "x-ms-client-request-id")

_TO_TENANT = {
    name.lower(): name
    for name in (
        "Accept-Ranges",
        "Content-Disposition",
        "Content-Type",
        "Last-Modified",
        "Operation-Id",
        "Operation-Location",  # rewritten in `answers`
        "Retry-After",
        "x-ms-error-code",
        "X-Ms-Allocation-Retries",
        "X-Ms-Allocation-Time",
        "X-Ms-Container-Execution-Duration",
        "X-Ms-Execution-Read-Response-Time",
        "X-Ms-Execution-Request-Time",
        "X-Ms-New-Allocation",
        "X-Ms-Overall-Execution-Time",
        "X-Ms-Preparation-Time",
        "X-Ms-Total-Execution-Service-Time",
    )
}

_CONNECTION = frozenset(
    [
        "connection",
        "content-length",
        "date",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
_NOT_TO_CONTAINER = _CONNECTION | frozenset(
    [
        "accept-encoding",
        "authorization",
        "client-ip",
        "cookie",
        "disguised-host",
        "expect",
        "forwarded",
        "max-forwards",
        "true-client-ip",
        "user-agent",
        "via",
        "was-default-hostname",
        "x-api-key",
        "x-identity-header",
    ]
)
_NOT_FROM_CONTAINER = _CONNECTION | frozenset(
    ["ratelimit", "ratelimit-policy", "set-cookie", "via", "x-ms-session-guid"]
)
_FRONT_END_PREFIXES = (
    "x-appservice-",
    "x-arr-",
    "x-azure-",
    "x-client-",
    "x-envoy-",
    "x-forwarded-",
    "x-functions-",
    "x-http-method",
    "x-k8se-",
    "x-ms-",
    "x-original-",
    "x-rewrite-",
    "x-site-",
    "x-waws-",
)


_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2


def to_pool(headers: Mapping[str, str]) -> dict[str, str]:
    """Choose the request headers (lower-case names) that go on to the pool."""
    chosen = _known(headers)
    # Bodies pass byte for byte, so they must not come compressed; and the pool learns nothing of the tenant's client.
    return {**chosen, "accept-encoding": "identity", "user-agent": "Tollgate"}


def to_tenant(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Choose the pool's response headers that go back, in a spelling of their own."""
    return {_TO_TENANT[name.lower()]: _printable(value) for name, value in headers if name.lower() in _TO_TENANT}


def to_container(headers: Mapping[str, str]) -> dict[str, str]:
    """Choose the request headers (lower-case names) that go on to a custom container."""
    passing = {
        name: value
        for name, value in headers.items()
        if name not in _NOT_TO_CONTAINER and not name.startswith(_FRONT_END_PREFIXES) and _is_sendable(value)
    }
    return {**passing, **_known(headers), "accept-encoding": "identity", "user-agent": "Tollgate"}


def from_container(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Choose a custom container's response headers that go back; the first of a name that is repeated."""
    chosen: dict[str, str] = {}
    for name, value in headers:
        kept = name.lower() not in _NOT_FROM_CONTAINER and not name.lower().startswith("tollgate-")
        if kept and _NAME.fullmatch(name) is not None:
            chosen.setdefault(_TO_TENANT.get(name.lower(), name.title()), _printable(value))
    return chosen


def is_new_session(headers: Iterable[tuple[str, str]]) -> bool | None:
    """Say whether the pool says that it took a new session for a call; None if it says nothing."""
    told = {name.lower(): value.strip().lower() for name, value in headers}.get("x-ms-new-allocation")
    return {"true": True, "false": False}.get(told or "")


def of_charge(granularity: Granularity, increments: int, paid_until: datetime | None) -> dict[str, str]:
    """Say what a call cost, and until when its session is paid (None: it is not, since the charge was taken back)."""
    cost = {"Tollgate-Charged-Minutes": number(granularity.minutes(increments))}
    return cost if paid_until is None else {**cost, "Tollgate-Session-Paid-Until": instant(paid_until)}


def of_session(*, is_new: bool) -> dict[str, str]:
    """Say whether the call met a fresh session: files and variables of an earlier one of its name are gone."""
    return {"Tollgate-Session": "new" if is_new else "existing"}


def of_limits(granularity: Granularity, quota: Quota, standing: Standing | None, now: datetime) -> dict[str, str]:
    """State the tenant's limits and what is left of them, as `RateLimit-Policy` and `RateLimit`.

    What is left is as of this instance's last look at the ledger: information, never a promise.

    Source: draft-ietf-httpapi-ratelimit-headers-10, read 2026-11: `q` quota, `qu` its unit, `w` window in seconds; `r`
    what remains, `t` seconds until it is restored. Session minutes are a unit of our own; whole ones, rounded down.
    """
    policies: list[str] = []
    limits: list[str] = []

    def state(name: str, limit: int, used: int, start_at: datetime, until: datetime) -> None:
        left = max(0, limit - used)
        window, rest = int((until - start_at).total_seconds()), max(0, int((until - now).total_seconds()))
        policies.append(f'"{name}";q={int(granularity.minutes(limit))};qu="session-minutes";w={window}')
        limits.append(f'"{name}";r={int(granularity.minutes(left))};t={rest}')

    period, today = Period.of(now), day_of(now)
    if quota.increments_per_period is not None:
        used = standing.balance if standing is not None and standing.period == period else 0
        state("period", quota.increments_per_period, used, period.start_at, period.until)
    if quota.increments_per_day is not None:
        used = standing.day_increments if standing is not None and standing.day == today else 0
        state("day", quota.increments_per_day, used, day_start(now), day_until(now))
    if quota.sessions is not None:
        open_until = standing.open_until if standing is not None and standing.open_until is not None else ()
        taken = sum(until > now for until in open_until)
        policies.append(f'"sessions";q={quota.sessions};qu="concurrent-sessions"')
        limits.append(f'"sessions";r={max(0, quota.sessions - taken)}')
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(limits)} if policies else {}


def _known(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in _TO_POOL if name in headers and _is_sendable(headers[name])}


def _is_sendable(value: str) -> bool:
    """Say whether the client can send a header's value; the call would fail with any other, once it is charged."""
    return value.isascii() and value.isprintable()


def _printable(value: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in value)


def number(value: Decimal) -> str:
    """Write a decimal without exponent and without idle zeros."""
    return f"{value.normalize():f}"


def instant(at: datetime) -> str:
    """Write an aware instant as RFC 3339 in UTC, with a fraction only where there is one."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
