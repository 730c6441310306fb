"""The bodies that the operator API takes: described by the models that read them, and by what checks in code say."""

from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from console.bodies import (
    POOLS_MAX,
    RATES_MAX,
    SEQUENCE_MAX,
    AdjustmentBody,
    ExpiryBody,
    HeadsBody,
    OperatorKeyBody,
    TenantBody,
    TenantKeyBody,
)
from console.openapi.console_names import DAY, PERIOD, POOL_NAMED, TENANT_SCOPES_NAMED
from console.openapi.parts import Json, record
from metering.alerts import PERCENTS_MAX
from metering.heads import HEADS_MAX
from proxy.tenants import TENANT_SCOPES
from proxy.webhook_urls import URL_LENGTH_MAX

_BODIES = (TenantBody, TenantKeyBody, OperatorKeyBody, ExpiryBody, AdjustmentBody, HeadsBody)

_RATE: Json = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": 1_000_000},
        {"type": "string", "pattern": r"^\d{1,6}(?:\.\d{1,6})?$"},
        {"type": "null"},
    ],
    "default": None,
    "description": "With up to six decimal places.",
}

# What checks in code say of fields and no model does.
_TOLD: dict[tuple[str, str], Json] = {
    ("TenantKeyBody", "scopes"): {
        "type": "array",
        "items": TENANT_SCOPES_NAMED,
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
    ("TenantBody", "rate_per_session_hour"): _RATE,
    ("TenantBody", "rates"): {
        "anyOf": [
            {
                "type": "array",
                "maxItems": RATES_MAX,
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"from": DAY, "rate_per_session_hour": _RATE},
                    "required": ["from", "rate_per_session_hour"],
                },
            },
            {"type": "null"},
        ],
        "default": None,
        "description": "Other prices, each from its day on; null: the gateway's own again. Each day once.",
    },
    ("TenantBody", "webhook_url"): {
        "anyOf": [{"type": "string", "maxLength": URL_LENGTH_MAX}, {"type": "null"}],
        "default": None,
        "description": "Where the tenant's alerts go: https, without user and fragment.",
    },
    ("TenantBody", "alert_percents"): {
        "anyOf": [
            {
                "type": "array",
                "maxItems": PERCENTS_MAX,
                "items": {"type": "integer", "minimum": 1, "maximum": 100},
            },
            {"type": "null"},
        ],
        "default": None,
        "description": "Thresholds of the month's quota; null: 50, 75, 90 and 100.",
    },
    ("TenantBody", "created_at"): {
        "anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}],
        "default": None,
        "description": "As it was shown; nothing is made of it.",
    },
    ("AdjustmentBody", "corrects"): {
        "anyOf": [PERIOD, {"type": "null"}],
        "default": None,
        "description": "The earlier month that is made good.",
    },
    ("AdjustmentBody", "period"): {
        "anyOf": [PERIOD, {"type": "null"}],
        "default": None,
        "description": "The month to book into: the current one, and no other.",
    },
    ("HeadsBody", "heads"): {
        "type": "array",
        "maxItems": HEADS_MAX,
        "items": {
            **record(
                {
                    "period": PERIOD,
                    "sequence": {"type": "integer", "minimum": 1, "maximum": SEQUENCE_MAX},
                    "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                }
            ),
            "additionalProperties": False,
        },
        "description": "As the log lines `ledger_head` have them. Those of other months than `period` are left out.",
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
