"""The answers of the operator API and of the tenants' usage, as `console` makes them; tests hold the two together.

Rules of this file: pure data.
"""

from console.openapi.console_names import DAY, KEY, PERIOD, POOL_NAMED, TENANT
from console.openapi.parts import (
    COUNT,
    FLAG,
    INSTANT,
    NUMBER,
    TEXT,
    Json,
    listing,
    nullable,
    one_of,
    record,
    said,
)
from console.openapi.parts import schema as component
from metering.alerts import Subject, Target
from metering.entries import Kind
from metering.reconcile import Mismatch
from metering.statements import LineKind
from metering.verify import Flaw
from proxy.tenants import OPERATOR_SCOPES, TENANT_SCOPES

_MONEY: Json = {"type": "string", "pattern": r"^\d{1,7}(?:\.\d+)?$"}
_POSITIVE: Json = {"type": "integer", "minimum": 1}
_ANY_SCOPE = one_of(sorted(TENANT_SCOPES | OPERATOR_SCOPES))

_SUMS: Json = {
    "charged": NUMBER,
    "reversed": NUMBER,
    "adjusted": NUMBER,
    "billed": said(NUMBER, "What was charged, less what was reversed, and what was adjusted."),
}
_MINUTES = record({**_SUMS, "quota": nullable(NUMBER), "remaining": nullable(NUMBER)})
_DAYS = listing(record({"date": DAY, "minutes": NUMBER, "sessions": {"type": "integer"}}))
_AMOUNT: Json = {"type": "string", "pattern": r"^-?\d+\.\d{4}$", "description": "A decimal, in the currency named."}
_NEXT = nullable(said(TEXT, "Path and query of the next page; null: this is the last."))
_POOL_SUMS: Json = {
    "pool_minutes": said(NUMBER, "What the pool is estimated to bill."),
    "stranded_minutes": said(NUMBER, "What of it was sold to nobody."),
    "pool_cost": _AMOUNT,
    "margin": said(_AMOUNT, "The bill less the pool's; below 0: money is lost."),
}
_TODAY = record({"used": NUMBER, "quota": NUMBER, "remaining": NUMBER})
_ENTRY: Json = {
    "sequence": said(_POSITIVE, "Its place in the tenant's month, without gaps."),
    "kind": one_of(kind.value for kind in Kind),
    "why": one_of(["opened", "extended", "did_not_run", "ended_early", "adjusted"], "What made it."),
    "at": said(INSTANT, "When it was booked."),
    "session": nullable(said(TEXT, "The tenant's name for the session.")),
    "from": nullable(said(INSTANT, "Where the time that it pays for begins.")),
    "until": nullable(said(INSTANT, "Where that time ends.")),
    "increments": {"type": "integer"},
    "minutes": NUMBER,
    "operation": nullable(TEXT),
    "request_id": TEXT,
    "reason": nullable(said(TEXT, "The operator's words, for adjustments.")),
    "corrects": nullable(said(PERIOD, "For adjustments, the earlier month that is made good.")),
}
_KEY: Json = {
    "id": KEY,
    "tenant": nullable(TENANT),
    "label": TEXT,
    "scopes": listing(_ANY_SCOPE),
    "created_at": INSTANT,
    "expires_at": nullable(said(INSTANT, "The first instant at which it is not accepted; null: it does not expire.")),
}

ANSWER_SCHEMAS: Json = {
    "Statement": record(
        {
            "tenant": TENANT,
            "name": TEXT,
            "period": PERIOD,
            "increment_seconds": _POSITIVE,
            "minutes": _MINUTES,
            "minutes_today": said(_TODAY, "With a daily quota, in the current month."),
            "sessions_opened": {"type": "integer"},
            "days": _DAYS,
            "lines": listing(component("Line")),
            "cost": record(
                {
                    "amount": said(_AMOUNT, "The sum of the lines."),
                    "currency": TEXT,
                    "rate_per_session_hour": said(_MONEY, "That of the last day in the statement."),
                    "rates": listing(record({"from": DAY, "rate_per_session_hour": _MONEY})),
                }
            ),
            "closed": said(FLAG, "Whether it can no longer change."),
            "closed_at": nullable(INSTANT),
            "complete_until": INSTANT,
        },
        optional=["minutes_today"],
        description="A tenant's account for a month.",
    ),
    "Line": record(
        {
            "date": DAY,
            "kind": one_of(kind.value for kind in LineKind),
            "corrects": nullable(said(PERIOD, "The earlier month that an adjustment makes good.")),
            "minutes": NUMBER,
            "sessions": {"type": "integer"},
            "rate_per_session_hour": _MONEY,
            "cost": _AMOUNT,
        },
        description="What a day costs: its usage, or its adjustments.",
    ),
    "Report": record(
        {
            "period": PERIOD,
            "currency": TEXT,
            "increment_seconds": _POSITIVE,
            "complete_until": INSTANT,
            "closed": said(FLAG, "Whether no line can change any more."),
            "lines": listing(component("ReportLine")),
            "totals": component("ReportTotals"),
            "next": _NEXT,
        },
        description="A page of all tenants' statements of a month.",
    ),
    "ReportLine": record(
        {
            "tenant": TENANT,
            "name": TEXT,
            "minutes": _MINUTES,
            "sessions_opened": {"type": "integer"},
            "cost": _AMOUNT,
            **{name: nullable(value) for name, value in _POOL_SUMS.items()},
            "closed": FLAG,
        },
        description="What one tenant owes and what its sessions cost; null where the pool's time was not counted.",
    ),
    "ReportTotals": record(
        {
            "tenants": COUNT,
            "minutes": record(_SUMS),
            "sessions_opened": {"type": "integer"},
            "cost": _AMOUNT,
            **_POOL_SUMS,
            "days": _DAYS,
        },
        description="The sums over the lines of the page.",
    ),
    "Closed": record(
        {
            "period": PERIOD,
            "closed": said(COUNT, "How many statements were closed now."),
            "already_closed": COUNT,
            "next": _NEXT,
        }
    ),
    "OpenSessions": record({"at": INSTANT, "sessions": listing(component("OpenSession"))}),
    "OpenSession": record(
        {
            "session": TEXT,
            "pool": nullable(TEXT),
            "opened_at": INSTANT,
            "paid_until": INSTANT,
            "minutes": said(NUMBER, "What was paid for it since it was opened."),
            "would_return_minutes": said(NUMBER, "What ending it now gives back."),
            "end": nullable(record({"method": one_of(["DELETE", "POST"]), "path": TEXT})),
        },
        description="A session that is paid for now; `end` is the call that ends it.",
    ),
    "EndedSession": record(
        {"session": TEXT, "pool": TEXT, "ended": {"const": True}, "reversed_minutes": said(NUMBER, "What came back.")}
    ),
    "Quote": record(
        {
            "session": TEXT,
            "pool": TEXT,
            "at": INSTANT,
            "admitted": FLAG,
            "charged_minutes": NUMBER,
            "cost": record({"amount": _AMOUNT, "currency": TEXT}),
            "opens_session": FLAG,
            "paid_until": nullable(INSTANT),
            "refusal": nullable(record({"code": TEXT, "message": TEXT})),
        },
        description="What a call on a session would be charged.",
    ),
    "Alerts": record({"alerts": listing(component("Alert"))}),
    "Alert": record(
        {
            "id": said(TEXT, "The same however often the alert is sent."),
            "subject": one_of(subject.value for subject in Subject),
            "tenant": nullable(TENANT),
            "pool": nullable(TEXT),
            "percent": {"type": "integer", "minimum": 1, "maximum": 100},
            "limit_minutes": NUMBER,
            "used_minutes": NUMBER,
            "limit_sessions": COUNT,
            "used_sessions": COUNT,
            "at": INSTANT,
            "period": nullable(PERIOD),
            "entry": nullable(said(TEXT, "Month and sequence of the entry that reached the threshold.")),
            "state": one_of(["pending", "done"]),
            "waiting_for": listing(one_of(target.value for target in Target)),
            "attempts": said(COUNT, "Deliveries that failed."),
            "next_attempt_at": nullable(INSTANT),
            "delivered_at": nullable(INSTANT),
            "problem": nullable(TEXT),
        },
        optional=["limit_minutes", "used_minutes", "limit_sessions", "used_sessions"],
        description="A threshold of a quota, or of a pool's capacity, that was reached.",
    ),
    "Deliveries": record({"delivered": COUNT, "failed": COUNT, "waiting": COUNT}),
    "Webhook": record(
        {"url": nullable(TEXT), "secret": said(TEXT, "Verifies signatures; `whsec_` and base64.")},
        description="Where alerts go.",
    ),
    "Entry": record(_ENTRY, description="A row of the ledger: a charge, a reversal or an adjustment."),
    "Entries": record(
        {
            "entries": listing(component("Entry")),
            "next": _NEXT,
        }
    ),
    "Tenant": record(
        {
            "id": TENANT,
            "name": TEXT,
            "minutes_per_month": nullable(NUMBER),
            "minutes_per_day": nullable(NUMBER),
            "max_concurrent_sessions": nullable(_POSITIVE),
            "calls_per_minute": nullable(_POSITIVE),
            "rate_per_session_hour": nullable(_MONEY),
            "rates": listing(record({"from": DAY, "rate_per_session_hour": nullable(_MONEY)})),
            "pools": listing(POOL_NAMED),
            "suspended": FLAG,
            "webhook_url": nullable(TEXT),
            "alert_percents": nullable(listing({"type": "integer"})),
            "created_at": nullable(INSTANT),
        },
        description="A tenant; a limit that is null does not exist, a rate that is null is the gateway's own.",
    ),
    "Tenants": record({"tenants": listing(component("Tenant"))}),
    "Key": record({**_KEY, "revoked_at": nullable(INSTANT)}, description="What is kept of a key."),
    "Keys": record({"keys": listing(component("Key"))}),
    "NewKey": record({**_KEY, "key": said(TEXT, "The key itself, for the only time.")}),
    "Verification": record(
        {
            "tenant": TENANT,
            "period": nullable(PERIOD),
            "periods": listing(PERIOD),
            "entries": said(COUNT, "How many were looked at."),
            "findings": listing(record({"kind": one_of(flaw.value for flaw in Flaw), "row": TEXT, "what": TEXT})),
            "findings_beyond": said(COUNT, "How many more there are."),
            "ok": FLAG,
        }
    ),
    "Reconciliation": record(
        {
            "at": INSTANT,
            "sessions": said(COUNT, "How many the pools hold."),
            "windows": said(COUNT, "How many are paid for."),
            "findings": listing(component("Difference")),
            "ok": FLAG,
        }
    ),
    "Difference": record(
        {
            "kind": one_of(mismatch.value for mismatch in Mismatch),
            "tenant": nullable(TENANT),
            "session": nullable(TEXT),
            "minutes": NUMBER,
            "opened_at": nullable(INSTANT),
            "paid_until": nullable(INSTANT),
            "created_at": nullable(INSTANT),
            "last_accessed_at": nullable(INSTANT),
            "expires_at": nullable(INSTANT),
            "pool_identifier": TEXT,
        }
    ),
}
