"""What an alert's webhook says, and how it is signed.

The body is a CloudEvent (1.0, structured mode, JSON); it is signed as the Standard Webhooks specification (1.0.0) has
it. Secrets are derived from the ledger's keys and kept nowhere. While those are rotated, a message is signed for each
of them, so that a receiver that knows the secret of either goes on verifying.

Rules of this file: pure.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from metering.alerts import Alert, Subject
from metering.entries import LedgerKeys, write_instant
from metering.increments import Granularity

CONTENT_TYPE = "application/cloudevents+json"
QUOTA_EVENT = "tollgate.quota.threshold.v1"
POOL_EVENT = "tollgate.pool.capacity.v1"


def webhook_secret(keys: LedgerKeys, tenant_id: str | None) -> str:
    """Return the secret with which a receiver verifies, as its owner is shown it; None: the operator's."""
    return "whsec_" + base64.b64encode(_derive(keys.keys[keys.current_id], tenant_id)).decode()


def sign(
    body: bytes, *, message_id: str, sent_at: datetime, keys: LedgerKeys, tenant_id: str | None
) -> Mapping[str, str]:
    """Return the headers that prove a message to whoever has the secret of the tenant; None: of the operator.

    `message_id` has no full stop in it: it could pass for an id and a timestamp.
    """
    timestamp = str(int(sent_at.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    current_first = sorted(keys.keys, key=lambda key_id: key_id != keys.current_id)
    secrets = (_derive(keys.keys[key_id], tenant_id) for key_id in current_first)
    signatures = (base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode() for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _derive(ledger_key: bytes, tenant_id: str | None) -> bytes:
    """Derive a secret; what the ledger seals with the same key is JSON and never starts so."""
    owner = b"operator" if tenant_id is None else b"tenant\0" + tenant_id.encode()
    return hmac.digest(ledger_key, b"webhook\0" + owner, hashlib.sha256)


def event(alert: Alert, granularity: Granularity) -> bytes:
    """Write an alert as a CloudEvent: the same bytes however often it is sent."""
    about = _quota_event(alert, granularity) if alert.subject is Subject.QUOTA else _pool_event(alert)
    document = {
        "specversion": "1.0",
        "id": alert.id,
        **about,
        "time": write_instant(alert.at),
        "datacontenttype": "application/json",
    }
    document["data"] = document.pop("data")  # last, where people look for it
    return json.dumps(document, separators=(",", ":")).encode()


def _quota_event(alert: Alert, granularity: Granularity) -> dict[str, Any]:
    def minutes(increments: int) -> int | float:
        return _number(granularity.minutes(increments))

    return {
        "source": f"/tollgate/tenants/{alert.tenant_id}",
        "type": QUOTA_EVENT,
        "subject": f"quota/{alert.period}",
        "data": {
            "tenant": alert.tenant_id,
            "period": str(alert.period),
            "percent": alert.percent,
            "quota_minutes": minutes(alert.limit),
            "used_minutes": minutes(alert.used),
            "remaining_minutes": minutes(max(0, alert.limit - alert.used)),
            "entry": alert.entry,
        },
    }


def _pool_event(alert: Alert) -> dict[str, Any]:
    return {
        "source": f"/tollgate/pools/{alert.pool}",
        "type": POOL_EVENT,
        "subject": "capacity",
        "data": {
            "pool": alert.pool,
            "percent": alert.percent,
            "max_sessions": alert.limit,
            "sessions": alert.used,
        },
    }


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
