"""What answers say: domain values as JSON values.

Rules of this file: pure; minutes are JSON numbers, money is text, instants are RFC 3339 in UTC; nothing secret but
the one text of a new key.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from metering.entries import Entry
from metering.increments import Granularity
from metering.reconcile import Difference
from metering.statements import Statement
from metering.verify import Finding
from proxy.tenants import ApiKey, ParsedKey, Tenant

type Json = dict[str, Any]


def tenant_view(tenant: Tenant) -> Json:
    """Show a tenant as the operator sets it."""
    return {
        "id": tenant.id,
        "name": tenant.name,
        "minutes_per_month": _number_or_none(tenant.minutes_per_month),
        "minutes_per_day": _number_or_none(tenant.minutes_per_day),
        "max_concurrent_sessions": tenant.max_concurrent_sessions,
        "calls_per_minute": tenant.calls_per_minute,
        "rate_per_session_hour": None if tenant.rate_per_session_hour is None else f"{tenant.rate_per_session_hour:f}",
        "pools": list(tenant.pools),
        "suspended": tenant.suspended,
    }


def key_view(key: ApiKey) -> Json:
    """Show what is kept of a key, but for its hash."""
    return {
        "id": key.id,
        "tenant": key.tenant_id,
        "label": key.label,
        "scopes": sorted(key.scopes),
        "created_at": instant(key.created_at),
        "expires_at": _instant_or_none(key.expires_at),
        "revoked_at": _instant_or_none(key.revoked_at),
    }


def new_key_view(key: ApiKey, minted: ParsedKey) -> Json:
    """Show a new key, for the only time with its text."""
    view = key_view(key)
    del view["revoked_at"]
    return {"id": view.pop("id"), "key": minted.text, **view}


def entry_view(entry: Entry, granularity: Granularity) -> Json:
    """Show an entry as its tenant sees it."""
    return {
        "sequence": entry.sequence,
        "kind": entry.kind.value,
        "at": instant(entry.at),
        "session": entry.session_name,
        "from": _instant_or_none(entry.from_at),
        "until": _instant_or_none(entry.until),
        "increments": entry.increments,
        "minutes": number(granularity.minutes(entry.increments)),
        "operation": entry.operation,
        "request_id": entry.request_id,
    }


def statement_view(statement: Statement, granularity: Granularity) -> Json:
    """Show a statement; `minutes_today` is there for a tenant with a daily quota, in the current period."""

    def minutes(increments: int | None) -> int | float | None:
        return None if increments is None else number(granularity.minutes(increments))

    view: Json = {
        "tenant": statement.tenant_id,
        "period": str(statement.period),
        "increment_seconds": granularity.increment_seconds,
        "minutes": {
            "charged": minutes(statement.charged),
            "reversed": minutes(statement.reversed),
            "adjusted": minutes(statement.adjusted),
            "billed": minutes(statement.billed),
            "quota": minutes(statement.quota),
            "remaining": minutes(statement.remaining),
        },
        "sessions_opened": statement.sessions_opened,
        "days": [
            {"date": day.isoformat(), "minutes": minutes(numbers.increments), "sessions": numbers.sessions}
            for day, numbers in statement.days
        ],
        "cost": {
            "amount": f"{statement.cost:f}",
            "currency": statement.currency,
            "rate_per_session_hour": f"{statement.rate_per_session_hour:f}",
        },
        "closed": statement.closed,
        "complete_until": instant(statement.complete_until),
    }
    if statement.today is not None:
        today = statement.today
        names = ("used", "quota", "remaining")
        view["minutes_today"] = {name: minutes(getattr(today, name)) for name in names}
    return view


def finding_view(finding: Finding) -> Json:
    """Show what is wrong with a ledger, and in which row."""
    return {"kind": finding.flaw.value, "row": finding.where, "what": finding.what}


def difference_view(found: Difference) -> Json:
    """Show on which session ledger and pool differ: for operators only, since it holds the pool's own names."""
    window, held = found.window, found.held
    return {
        "kind": found.mismatch.value,
        "tenant": found.tenant_id,
        "session": found.session_name,
        "minutes": round(found.seconds / 60, 3),
        "opened_at": None if window is None else instant(window.opened_at),
        "paid_until": None if window is None else instant(window.paid_until),
        "created_at": None if held is None else _instant_or_none(held.created_at),
        "last_accessed_at": None if held is None else _instant_or_none(held.last_accessed_at),
        "expires_at": None if held is None else _instant_or_none(held.expires_at),
        "pool_identifier": found.pool_identifier,
    }


def number(value: Decimal) -> int | float:
    """Make a JSON number: whole when it is whole."""
    whole = int(value)
    return whole if whole == value else float(value)


def instant(at: datetime) -> str:
    """Write an aware instant as RFC 3339 in UTC, with a fraction only when it has one."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _number_or_none(value: Decimal | None) -> int | float | None:
    return None if value is None else number(value)


def _instant_or_none(at: datetime | None) -> str | None:
    return None if at is None else instant(at)
