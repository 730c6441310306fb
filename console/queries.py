"""What the queries and paths of the console's APIs may say.

Rules of this file: pure; a refusal names the parameter and never repeats what stood in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl

from console.bodies import SEQUENCE_MAX, invalid
from metering.periods import Period
from proxy.tenants import TENANT_ID

PAGE_DEFAULT = 200
PAGE_MAX = 1000
REPORT_PAGE_DEFAULT = 1000
REPORT_PAGE_MAX = 10_000


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Which entries; `period` is None for the current one. With `latest`, so many of the newest, and no others."""

    period: Period | None
    after: int
    limit: int
    latest: int | None = None


@dataclass(frozen=True, slots=True)
class SessionQuery:
    """Which session of which pool; None: it was not said."""

    session_name: str | None
    pool_name: str | None


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts; None: whosever, and whether somebody has still to hear of them or not."""

    tenant_id: str | None
    pending: bool | None


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """Which tenants of a report: up to `limit`, whose ids come after `after`."""

    after: str
    limit: int


def read_usage_query(query: str) -> UsageQuery:
    """Read `period`, `after` and `limit`; other parameters are not ours.

    Raises:
        GatewayError: VALIDATION_FAILED.
    """
    values = dict(parse_qsl(query, keep_blank_values=True))
    try:
        period = Period.parse(values["period"]) if "period" in values else None
    except ValueError as error:
        raise invalid(f"period: {error}", "period") from None
    return UsageQuery(
        period=period,
        after=_count(values, "after", default=0, least=0, most=SEQUENCE_MAX - PAGE_MAX),
        limit=_count(values, "limit", default=PAGE_DEFAULT, least=1, most=PAGE_MAX),
        latest=_count(values, "latest", default=1, least=1, most=PAGE_MAX) if "latest" in values else None,
    )


def read_session_query(query: str, name: str) -> SessionQuery:
    """Read a session's name, which stands in the parameter `name`, and `pool`; each at most once.

    Raises:
        GatewayError: VALIDATION_FAILED.
    """
    try:
        found = [
            pair for pair in parse_qsl(query, keep_blank_values=True, errors="strict") if pair[0] in {name, "pool"}
        ]
    except UnicodeDecodeError:
        raise invalid("The query is not UTF-8.", "query") from None
    values = dict(found)
    if len(values) != len(found):
        raise invalid(f"{name} and pool may stand in the query once.", name)
    return SessionQuery(values.get(name), values.get("pool"))


def read_alert_query(query: str) -> AlertQuery:
    """Read `tenant` and `state`.

    Raises:
        GatewayError: VALIDATION_FAILED.
    """
    values = dict(parse_qsl(query, keep_blank_values=True))
    state = values.get("state")
    if state not in {None, "pending", "done"}:
        raise invalid("state: must be pending or done", "state")
    return AlertQuery(values.get("tenant"), None if state is None else state == "pending")


def read_report_query(query: str) -> ReportQuery:
    """Read `after` and `limit`; other parameters are not ours.

    Raises:
        GatewayError: VALIDATION_FAILED.
    """
    values = dict(parse_qsl(query, keep_blank_values=True))
    after = values.get("after")
    if after is not None and TENANT_ID.fullmatch(after) is None:
        raise invalid("after: must be a tenant's id", "after")
    return ReportQuery(after or "", _count(values, "limit", default=REPORT_PAGE_DEFAULT, least=1, most=REPORT_PAGE_MAX))


def read_period(text: str, now: datetime) -> Period:
    """Read the period of a report.

    Raises:
        GatewayError: VALIDATION_FAILED; also for a period that has not begun.
    """
    try:
        period = Period.parse(text)
    except ValueError as error:
        raise invalid(f"period: {error}", "period") from None
    return begun(period, now)


def begun(period: Period, now: datetime) -> Period:
    """Pass on a period that has begun.

    Raises:
        GatewayError: VALIDATION_FAILED for any other.
    """
    if period.start_at > now:
        raise invalid(f"period: {period} has not begun", "period")
    return period


def _count(values: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    text = values.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise invalid(f"{name}: must be a whole number from {least} to {most}", name)
    return int(text)
