"""The bodies and answers of the operator API and of the tenants' usage.

Bodies come from the models that read them; answers are written down here, as `console.views` makes them, and tests hold
the two together.
"""

from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from console.bodies import POOLS_MAX, AdjustmentBody, ExpiryBody, OperatorKeyBody, TenantBody, TenantKeyBody
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
from metering.entries import Kind
from metering.reconcile import Mismatch
from metering.verify import Flaw
from proxy.tenants import KEY_ID, OPERATOR_SCOPES, POOL_NAME, TENANT_ID, TENANT_SCOPES

_BODIES = (TenantBody, TenantKeyBody, OperatorKeyBody, ExpiryBody, AdjustmentBody)

TENANT: Json = {"type": "string", "pattern": f"^{TENANT_ID.pattern}$", "examples": ["acme"]}
KEY: Json = {"type": "string", "pattern": f"^{KEY_ID.pattern}$", "examples": ["4fJq2Zr0TbXk"]}
POOL_NAMED: Json = {"type": "string", "pattern": f"^{POOL_NAME.pattern}$", "examples": ["default"]}
PERIOD: Json = {
    "type": "string",
    "pattern": r"^(?:[1-8]\d{3}|0[1-9]\d{2}|9[0-8]\d{2})-(?:0[1-9]|1[0-2])$",
    "examples": ["2026-11"],
}
_MONEY: Json = {"type": "string", "pattern": r"^\d{1,7}(?:\.\d+)?$"}
_POSITIVE: Json = {"type": "integer", "minimum": 1}
_TENANT_SCOPES = one_of(sorted(TENANT_SCOPES))
_ANY_SCOPE = one_of(sorted(TENANT_SCOPES | OPERATOR_SCOPES))

# What checks in code say of fields and no model does.
_TOLD: dict[tuple[str, str], Json] = {
    ("TenantKeyBody", "scopes"): {
        "type": "array",
        "items": _TENANT_SCOPES,
        "minItems": 1,
        "default": sorted(TENANT_SCOPES),
    },
    ("TenantBody", "pools"): {
        "anyOf": [
            {"type": "array", "items": POOL_NAMED, "minItems": 1, "maxItems": POOLS_MAX, "uniqueItems": True},
            {"type": "null"},
        ],
        "default": None,
    },
    ("TenantBody", "rate_per_session_hour"): {
        "anyOf": [
            {"type": "number", "minimum": 0, "maximum": 1_000_000},
            {"type": "string", "pattern": r"^\d{1,6}(?:\.\d{1,6})?$"},
            {"type": "null"},
        ],
        "default": None,
        "description": "With up to six decimal places.",
    },
}


@cache
def body_schemas() -> Json:
    """Describe what bodies may say, by the names of their models."""
    _, found = models_json_schema([(model, "validation") for model in _BODIES], ref_template="{model}")
    types: Json = found["$defs"]
    described = {model.__name__: _plain(types[model.__name__], types) for model in _BODIES}
    for (model, name), value in _TOLD.items():
        described[model]["properties"][name] = value
    return described


def _plain(value: Any, types: Json) -> Any:
    """Write the types of fields where they are used, and of numbers that code checks what a model's constraint would.

    That is: they are no text, and have bounds.
    """
    if isinstance(value, list):
        return [_plain(part, types) for part in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return {**_plain(types[value["$ref"]], types), **{name: part for name, part in value.items() if name != "$ref"}}
    if "decimal_places" in value:
        places = f"With up to {value['decimal_places']} decimal places."
        return {"type": "number", "minimum": value["ge"], "maximum": value["le"], "description": places}
    return {name: _plain(part, types) for name, part in value.items() if name != "title"}


_MINUTES = record(
    {
        "charged": NUMBER,
        "reversed": NUMBER,
        "adjusted": NUMBER,
        "billed": said(NUMBER, "What was charged, less what was reversed, and what was adjusted."),
        "quota": nullable(NUMBER),
        "remaining": nullable(NUMBER),
    }
)
_TODAY = record({"used": NUMBER, "quota": NUMBER, "remaining": NUMBER})
_ENTRY: Json = {
    "sequence": said(_POSITIVE, "Its place in the tenant's month, without gaps."),
    "kind": one_of(kind.value for kind in Kind),
    "at": said(INSTANT, "When it was booked."),
    "session": nullable(said(TEXT, "The tenant's name for the session.")),
    "from": nullable(said(INSTANT, "Where the time that it pays for begins.")),
    "until": nullable(said(INSTANT, "Where that time ends.")),
    "increments": {"type": "integer"},
    "minutes": NUMBER,
    "operation": nullable(TEXT),
    "request_id": TEXT,
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
            "period": PERIOD,
            "increment_seconds": _POSITIVE,
            "minutes": _MINUTES,
            "minutes_today": said(_TODAY, "With a daily quota, in the current month."),
            "sessions_opened": COUNT,
            "days": listing(
                record({"date": {"type": "string", "format": "date"}, "minutes": NUMBER, "sessions": COUNT})
            ),
            "cost": record({"amount": said(TEXT, "A decimal."), "currency": TEXT, "rate_per_session_hour": _MONEY}),
            "closed": said(FLAG, "Whether it can no longer change."),
            "complete_until": INSTANT,
        },
        optional=["minutes_today"],
        description="A tenant's account for a month.",
    ),
    "Entry": record(_ENTRY, description="A row of the ledger: a charge, a reversal or an adjustment."),
    "Entries": record(
        {
            "entries": listing(component("Entry")),
            "next": nullable(said(TEXT, "Path and query of the next page; null: this is the last.")),
        }
    ),
    "Adjustment": record({**_ENTRY, "reason": TEXT}),
    "Tenant": record(
        {
            "id": TENANT,
            "name": TEXT,
            "minutes_per_month": nullable(NUMBER),
            "minutes_per_day": nullable(NUMBER),
            "max_concurrent_sessions": nullable(_POSITIVE),
            "calls_per_minute": nullable(_POSITIVE),
            "rate_per_session_hour": nullable(_MONEY),
            "pools": listing(POOL_NAMED),
            "suspended": FLAG,
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
