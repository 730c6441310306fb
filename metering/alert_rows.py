"""Alerts as rows of the ledger's table, and back.

Rules of this file: pure; as in `table_rows`, a value has one form only, and None has no column.
"""

from collections.abc import Mapping
from typing import Any

from metering.alerts import Alert, Subject, Target
from metering.entries import read_instant, write_instant
from metering.periods import Period

ALERTS = "alert:"

_TEXTS = ("tenant_id", "pool", "entry", "problem")


def alert_key(alert: Alert) -> str:
    """Return the row key of an alert: about a quota one for each period, limit and threshold, about a pool by time."""
    if alert.subject is Subject.QUOTA:
        return f"{ALERTS}{alert.period}:quota:{alert.limit}:{alert.percent:03}"
    return f"{ALERTS}{alert.pool}:{alert.percent:03}:{write_instant(alert.at)}"


def write_alert(partition: str, alert: Alert) -> dict[str, Any]:
    """Write an alert."""
    texts = {name: getattr(alert, name) for name in _TEXTS}
    texts["period"] = None if alert.period is None else str(alert.period)
    texts["delivered_at"] = None if alert.delivered_at is None else write_instant(alert.delivered_at)
    return {
        "PartitionKey": partition,
        "RowKey": alert_key(alert),
        "id": alert.id,
        "subject": alert.subject.value,
        "percent": alert.percent,
        "limit": alert.limit,
        "used": alert.used,
        "at": write_instant(alert.at),
        "waiting_for": " ".join(sorted(alert.waiting_for)),
        "attempts": alert.attempts,
        "next_attempt_at": write_instant(alert.next_attempt_at),
        **{name: text for name, text in texts.items() if text is not None},
    }


def read_alert(entity: Mapping[str, Any]) -> Alert:
    """Read an alert."""
    delivered_at = entity.get("delivered_at")
    texts: dict[str, Any] = {name: entity.get(name) for name in _TEXTS}
    return Alert(
        id=entity["id"],
        subject=Subject(entity["subject"]),
        percent=entity["percent"],
        limit=entity["limit"],
        used=entity["used"],
        at=read_instant(entity["at"]),
        period=Period.parse(entity["period"]) if "period" in entity else None,
        waiting_for=frozenset(map(Target, entity["waiting_for"].split())),
        attempts=entity["attempts"],
        next_attempt_at=read_instant(entity["next_attempt_at"]),
        delivered_at=None if delivered_at is None else read_instant(delivered_at),
        **texts,
    )
