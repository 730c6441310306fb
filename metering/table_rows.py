"""The ledger's rows as columns of a table, and back.

Rules of this file: pure; columns are named after the fields; instants are text of fixed width
(`entries.write_instant`), so that they compare as they are; None has no column. Each value has one form only, so that
a row which says anything else, or more, is known to have been edited (`read_row`).
"""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from metering.alert_rows import ALERTS, read_alert, write_alert
from metering.alerts import Alert
from metering.closing import terms_as_json
from metering.entries import Entry, Kind, read_instant, write_instant
from metering.periods import Period
from metering.rates import Rates
from metering.row_keys import ENTRIES, PERIODS, WINDOWS, entry_key, period_key, window_key
from metering.rows import Closing, DayNumbers, PeriodRow, StatementTerms, Window
from metering.store import BadRow, StoredRow

type Entity = Mapping[str, Any]

_INSTANTS = ("opened_at", "from_at", "until")
_TEXTS = ("session_name", "pool_identifier", "operation", "reverses", "reason")
_NUMBERS = (
    *("sequence", "increments", "charged", "reversed", "adjusted", "sessions_opened", "next_sequence"),
    *("pool_increment_seconds", "pool_increments"),
    *("percent", "limit", "used", "attempts"),
)
_FLAGS = ("closed", "shared")


def read_row(entity: Entity) -> StoredRow:
    """Read a row of whatever kind its key says; what is not exactly as Tollgate writes it is a `BadRow`."""
    key, tenant_id = str(entity["RowKey"]), str(entity["PartitionKey"])
    row: Entry | PeriodRow | Window | Alert
    try:
        if key.startswith(ENTRIES):
            row = read_entry(entity)
            again = write_entry(tenant_id, row)
        elif key.startswith(PERIODS):
            row = read_period(tenant_id, Period.parse(key.removeprefix(PERIODS)), entity)
            again = write_period(tenant_id, row)
        elif key.startswith(WINDOWS):
            row = read_window(entity)
            again = write_window(tenant_id, row)
        elif key.startswith(ALERTS):
            row = read_alert(entity)
            again = write_alert(tenant_id, row)
        else:
            return BadRow(key, "is no row of a ledger")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        return BadRow(key, f"cannot be read ({type(error).__name__})")
    odd = sorted(
        name
        for name in again.keys() | entity.keys()
        if again.get(name) != entity.get(name) or type(entity.get(name)) is not _type_of(name)
    )
    return BadRow(key, f"is not as Tollgate writes it: {', '.join(odd)}") if odd else row


def _type_of(column: str) -> type:
    return int if column in _NUMBERS else bool if column in _FLAGS else str


def write_period(tenant_id: str, row: PeriodRow) -> dict[str, Any]:
    """Write a period's running sums; what there is nothing of has no column, as in rows of before it was thought of."""
    days = {day.isoformat(): [numbers.increments, numbers.sessions] for day, numbers in row.days.items()}
    columns = {
        "PartitionKey": tenant_id,
        "RowKey": period_key(row.period),
        "charged": row.charged,
        "reversed": row.reversed,
        "adjusted": row.adjusted,
        "sessions_opened": row.sessions_opened,
        "days": _dump(days),
        "next_sequence": row.next_sequence,
        "head_hash": row.head_hash,
        "closed": row.closed,
    }
    if row.adjustments:
        keys = (
            (day.isoformat() + (f">{corrects}" if corrects else ""), n)
            for (day, corrects), n in row.adjustments.items()
        )
        columns["adjustments"] = _dump(dict(keys))
    if row.pool_increment_seconds:
        columns |= {
            "pool_increment_seconds": row.pool_increment_seconds,
            "pool_increments": row.pool_increments,
        }
    if row.alerted:
        columns["alerted"] = _dump(sorted(row.alerted))
    if row.closing is not None:
        columns["closing"] = _dump(
            {
                "at": write_instant(row.closing.at),
                "terms": terms_as_json(row.closing.terms),
                "hash": row.closing.hash,
                "key_id": row.closing.key_id,
            }
        )
    return columns


def read_period(tenant_id: str, period: Period, entity: Entity | None) -> PeriodRow:
    """Read a period's running sums; empty ones if there is no row."""
    if entity is None:
        return PeriodRow.empty(tenant_id, period)
    days = {date.fromisoformat(day): DayNumbers._make(numbers) for day, numbers in json.loads(entity["days"]).items()}
    adjustments = {_read_adjusted(key): n for key, n in json.loads(entity.get("adjustments", "{}")).items()}
    return PeriodRow(
        period=period,
        charged=entity["charged"],
        reversed=entity["reversed"],
        adjusted=entity["adjusted"],
        sessions_opened=entity["sessions_opened"],
        days=MappingProxyType(days),
        adjustments=MappingProxyType(adjustments),
        next_sequence=entity["next_sequence"],
        head_hash=entity["head_hash"],
        pool_increment_seconds=entity.get("pool_increment_seconds", 0),
        pool_increments=entity.get("pool_increments", 0),
        alerted=frozenset((limit, percent) for limit, percent in json.loads(entity.get("alerted", "[]"))),
        closing=_read_closing(json.loads(entity["closing"])) if "closing" in entity else None,
    )


def _read_adjusted(key: str) -> tuple[date, Period | None]:
    day, _, corrects = key.partition(">")
    return date.fromisoformat(day), Period.parse(corrects) if corrects else None


def _read_closing(value: Entity) -> Closing:
    terms = value["terms"]
    changes = tuple((date.fromisoformat(day), Decimal(rate)) for day, rate in terms["changes"])
    return Closing(
        at=read_instant(value["at"]),
        terms=StatementTerms(
            name=terms["name"],
            quota=terms["quota"],
            rates=Rates(Decimal(terms["rate"]), changes),
            list_rate_per_session_hour=Decimal(terms["list_rate"]),
            currency=terms["currency"],
            increment_seconds=terms["increment_seconds"],
            pool_rate_per_session_hour=Decimal(terms["pool_rate"]),
            issuer=terms["issuer"],
        ),
        hash=value["hash"],
        key_id=value["key_id"],
    )


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def write_window(tenant_id: str, window: Window) -> dict[str, Any]:
    """Write a window."""
    return {
        "PartitionKey": tenant_id,
        "RowKey": window_key(window.pool_identifier),
        "pool_identifier": window.pool_identifier,
        "session_name": window.session_name,
        "opened_at": write_instant(window.opened_at),
        "paid_until": write_instant(window.paid_until),
        "increments": window.increments,
        "newest_charge": window.newest_charge,
        "owner": window.owner,
        "shared": window.shared,
    }


def read_window(entity: Entity) -> Window:
    """Read a window."""
    return Window(
        pool_identifier=entity["pool_identifier"],
        session_name=entity["session_name"],
        opened_at=read_instant(entity["opened_at"]),
        paid_until=read_instant(entity["paid_until"]),
        increments=entity["increments"],
        newest_charge=entity["newest_charge"],
        owner=entity["owner"],
        shared=entity["shared"],
    )


def write_entry(tenant_id: str, entry: Entry) -> dict[str, Any]:
    """Write an entry."""
    columns: dict[str, Any] = {name: getattr(entry, name) for name in _TEXTS}
    columns |= {name: at and write_instant(at) for name in _INSTANTS for at in (getattr(entry, name),)}
    return {
        "PartitionKey": tenant_id,
        "RowKey": entry_key(entry.period, entry.sequence),
        "period": str(entry.period),
        "sequence": entry.sequence,
        "kind": entry.kind.value,
        "at": write_instant(entry.at),
        "increments": entry.increments,
        "request_id": entry.request_id,
        "commit_id": entry.commit_id,
        "hash": entry.hash,
        "key_id": entry.key_id,
        **({} if entry.corrects is None else {"corrects": str(entry.corrects)}),
        **{name: value for name, value in columns.items() if value is not None},
    }


def read_entry(entity: Entity) -> Entry:
    """Read an entry."""
    instants: dict[str, Any] = {name: at and read_instant(at) for name in _INSTANTS for at in (entity.get(name),)}
    texts: dict[str, Any] = {name: entity.get(name) for name in _TEXTS}
    return Entry(
        period=Period.parse(entity["period"]),
        sequence=entity["sequence"],
        kind=Kind(entity["kind"]),
        at=read_instant(entity["at"]),
        increments=entity["increments"],
        request_id=entity["request_id"],
        commit_id=entity["commit_id"],
        hash=entity["hash"],
        key_id=entity["key_id"],
        corrects=Period.parse(entity["corrects"]) if "corrects" in entity else None,
        **texts,
        **instants,
    )
