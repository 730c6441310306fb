"""What answers say: domain values as JSON values.

Rules of this file: pure; minutes are JSON numbers, money is text, instants are RFC 3339 in UTC; nothing secret but
the one text of a new key.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from metering.entries import Entry, Kind
from metering.increments import Granularity
from metering.reconcile import Difference
from metering.reports import ReportLine, Totals
from metering.rows import DayNumbers
from metering.statements import Statement
from metering.verify import Finding
from proxy.operations import OPERATIONS, Effect
from proxy.tenants import ApiKey, ParsedKey, Tenant

type Json = dict[str, Any]

_ENDING_OPERATIONS = frozenset(row.name for row in OPERATIONS if row.effect is Effect.ENDS)


def tenant_view(tenant: Tenant) -> Json:
    """Show a tenant as the operator sets it."""
    return {
        "id": tenant.id,
        "name": tenant.name,
        "minutes_per_month": _number_or_none(tenant.minutes_per_month),
        "minutes_per_day": _number_or_none(tenant.minutes_per_day),
        "max_concurrent_sessions": tenant.max_concurrent_sessions,
        "calls_per_minute": tenant.calls_per_minute,
        "rate_per_session_hour": price_or_none(tenant.rate_per_session_hour),
        "rates": [
            {"from": change.from_day.isoformat(), "rate_per_session_hour": price_or_none(change.per_session_hour)}
            for change in tenant.rate_changes
        ],
        "pools": list(tenant.pools),
        "suspended": tenant.suspended,
        "webhook_url": tenant.webhook_url,
        "alert_percents": None if tenant.alert_percents is None else list(tenant.alert_percents),
        "created_at": instant_or_none(tenant.created_at),
    }


def key_view(key: ApiKey) -> Json:
    """Show what is kept of a key, but for its hash."""
    return {
        "id": key.id,
        "tenant": key.tenant_id,
        "label": key.label,
        "scopes": sorted(key.scopes),
        "created_at": instant(key.created_at),
        "expires_at": instant_or_none(key.expires_at),
        "revoked_at": instant_or_none(key.revoked_at),
    }


def new_key_view(key: ApiKey, minted: ParsedKey) -> Json:
    """Show a new key, for the only time with its text."""
    view = key_view(key)
    del view["revoked_at"]
    return {"id": view.pop("id"), "key": minted.text, **view}


def entry_view(entry: Entry, granularity: Granularity) -> Json:
    """Show an entry as its tenant sees it; `why` says what made it, in one word."""
    return {
        "sequence": entry.sequence,
        "kind": entry.kind.value,
        "why": _why(entry),
        "at": instant(entry.at),
        "session": entry.session_name,
        "from": instant_or_none(entry.from_at),
        "until": instant_or_none(entry.until),
        "increments": entry.increments,
        "minutes": number(granularity.minutes(entry.increments)),
        "operation": entry.operation,
        "request_id": entry.request_id,
        "reason": entry.reason,
        "corrects": None if entry.corrects is None else str(entry.corrects),
    }


def _why(entry: Entry) -> str:
    match entry.kind:
        case Kind.CHARGE:
            return "opened" if entry.opens_window else "extended"
        case Kind.REVERSAL:
            ends = (entry.operation or "").rpartition("/")[2] in _ENDING_OPERATIONS
            return "ended_early" if ends else "did_not_run"
        case Kind.ADJUSTMENT:
            return "adjusted"


def statement_view(statement: Statement) -> Json:
    """Show a statement; `minutes_today` is there for a tenant with a daily quota, in the current period."""
    granularity = statement.granularity

    def minutes(increments: int | None) -> int | float | None:
        return None if increments is None else number(granularity.minutes(increments))

    view: Json = {
        "tenant": statement.tenant_id,
        "name": statement.terms.name,
        "period": str(statement.period),
        "increment_seconds": granularity.increment_seconds,
        "minutes": _minutes_view(statement),
        "sessions_opened": statement.sessions_opened,
        "days": _days_view(statement.days, granularity),
        "lines": [
            {
                "date": line.day.isoformat(),
                "kind": line.kind.value,
                "corrects": None if line.corrects is None else str(line.corrects),
                "minutes": minutes(line.increments),
                "sessions": line.sessions,
                "rate_per_session_hour": f"{line.rate_per_session_hour:f}",
                "cost": f"{line.cost:f}",
            }
            for line in statement.lines
        ],
        "cost": {
            "amount": f"{statement.cost:f}",
            "currency": statement.terms.currency,
            "rate_per_session_hour": f"{statement.rate_per_session_hour:f}",
            "rates": [
                {"from": day.isoformat(), "rate_per_session_hour": f"{rate:f}"}
                for day, rate in statement.terms.rates.within(statement.period)
            ],
        },
        "closed": statement.closed_at is not None,
        "closed_at": instant_or_none(statement.closed_at),
        "complete_until": instant(statement.complete_until),
    }
    if statement.today is not None:
        today = statement.today
        names = ("used", "quota", "remaining")
        view["minutes_today"] = {name: minutes(getattr(today, name)) for name in names}
    return view


def report_line_view(line: ReportLine) -> Json:
    """Show one tenant's line of a report."""
    statement, pool = line.statement, line.pool
    return {
        "tenant": statement.tenant_id,
        "name": statement.terms.name,
        "minutes": _minutes_view(statement),
        "sessions_opened": statement.sessions_opened,
        "cost": f"{line.cost:f}",
        "pool_minutes": None if pool is None else minutes_of_seconds(pool.seconds),
        "stranded_minutes": None if line.stranded_seconds is None else minutes_of_seconds(line.stranded_seconds),
        "pool_cost": None if pool is None else f"{pool.cost:f}",
        "margin": price_or_none(line.margin),
        "closed": statement.closed_at is not None,
    }


def totals_view(totals: Totals, granularity: Granularity) -> Json:
    """Show the totals of some lines."""
    names = ("charged", "reversed", "adjusted", "billed")
    return {
        "tenants": totals.tenants,
        "minutes": {name: number(granularity.minutes(getattr(totals, name))) for name in names},
        "sessions_opened": totals.sessions_opened,
        "cost": f"{totals.cost:f}",
        "pool_minutes": minutes_of_seconds(totals.pool_seconds),
        "stranded_minutes": minutes_of_seconds(totals.stranded_seconds),
        "pool_cost": f"{totals.pool_cost:f}",
        "margin": f"{totals.margin:f}",
        "days": _days_view(totals.days, granularity),
    }


def _minutes_view(statement: Statement) -> Json:
    names = ("charged", "reversed", "adjusted", "billed", "quota", "remaining")
    values = ((name, getattr(statement, name)) for name in names)
    minutes = statement.granularity.minutes
    return {name: None if value is None else number(minutes(value)) for name, value in values}


def _days_view(days: Iterable[tuple[date, DayNumbers]], granularity: Granularity) -> list[Json]:
    return [
        {
            "date": day.isoformat(),
            "minutes": number(granularity.minutes(numbers.increments)),
            "sessions": numbers.sessions,
        }
        for day, numbers in days
    ]


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
        "created_at": None if held is None else instant_or_none(held.created_at),
        "last_accessed_at": None if held is None else instant_or_none(held.last_accessed_at),
        "expires_at": None if held is None else instant_or_none(held.expires_at),
        "pool_identifier": found.pool_identifier,
    }


def number(value: Decimal) -> int | float:
    """Make a JSON number: whole when it is whole."""
    whole = int(value)
    return whole if whole == value else float(value)


def minutes_of_seconds(seconds: int) -> int | float:
    """Write whole seconds as minutes."""
    return number(Decimal(seconds) / 60)


def instant(at: datetime) -> str:
    """Write an aware instant as RFC 3339 in UTC, with a fraction only when it has one."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _number_or_none(value: Decimal | None) -> int | float | None:
    return None if value is None else number(value)


def price_or_none(value: Decimal | None) -> str | None:
    """Write an amount of money, if there is one."""
    return None if value is None else f"{value:f}"


def instant_or_none(at: datetime | None) -> str | None:
    """Write an instant, if there is one."""
    return None if at is None else instant(at)
