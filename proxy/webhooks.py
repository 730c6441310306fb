"""What an alert's webhook says, how it is signed, and which URLs take one.

The body is a CloudEvent (1.0, structured mode, JSON); it is signed as the Standard Webhooks specification (1.0.0) has
it. Secrets are derived from the ledger's keys and kept nowhere. While those are rotated, a message is signed for each
of them, so that a receiver that knows the secret of either goes on verifying.

Rules of this file: pure; nothing secret in an error.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import SplitResult, urlsplit

from metering.alerts import Alert, Subject
from metering.entries import LedgerKeys, write_instant
from metering.increments import Granularity

CONTENT_TYPE = "application/cloudevents+json"
QUOTA_EVENT = "tollgate.quota.threshold.v1"
POOL_EVENT = "tollgate.pool.capacity.v1"

URL_LENGTH_MAX = 2_000

_URL = re.compile(r"[!-~]+", re.ASCII)  # printable, without spaces: anything else is percent-encoded
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)


def check_webhook_url(text: str) -> str:
    """Return the URL if alerts may be sent to it.

    Raises:
        ValueError: with a sentence that says why not and repeats nothing of it.
    """
    if len(text) > URL_LENGTH_MAX:
        raise ValueError(f"a webhook's URL has at most {URL_LENGTH_MAX} characters")
    if _URL.fullmatch(text) is None or "\\" in text:
        raise ValueError("a webhook's URL has no spaces and no backslashes; encode other characters than ASCII's")
    parts, host = _split(text)
    if parts.scheme not in {"https", "http"}:
        raise ValueError("a webhook's URL starts with https://")
    if "@" in parts.netloc:
        raise ValueError("a webhook's URL holds no user name and no password")
    if "#" in text:
        raise ValueError("a webhook's URL has no fragment")
    if _address(host) is None and _HOST.fullmatch(host) is None:
        raise ValueError("a webhook's URL names a host")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("a webhook's URL starts with https://; http:// is for this machine's own addresses only")
    return text


def _split(text: str) -> tuple[SplitResult, str]:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("a webhook's URL names a host, and perhaps a port") from None
    if port == 0:
        raise ValueError("a webhook's URL names a host, and perhaps a port")
    return parts, host


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


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
