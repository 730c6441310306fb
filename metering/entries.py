"""The ledger's immutable rows, and the chain of keyed hashes that shows if one was changed.

Rules of this file: values and pure functions; an entry's sealed form is canonical, so that any process recomputes it.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from metering.periods import Period


class Kind(StrEnum):
    """What an entry does to the balance."""

    CHARGE = "charge"  # adds its increments
    REVERSAL = "reversal"  # takes (part of) a charge back: subtracts its increments
    ADJUSTMENT = "adjustment"  # the operator's correction: adds its increments, which may be negative


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One immutable ledger row.

    Attributes:
        sequence: position in the tenant's period, from 1, without gaps.
        at: booking instant; decides the period and day that the entry belongs to.
        increments: positive for charges and reversals; signed for adjustments; never 0.
        session_name: the tenant's own name for the session; None for adjustments, like the five fields below it.
        pool_identifier: the session as the pool knows it; with `opened_at` it names the window.
        opened_at: when the window that this entry pays for was opened.
        from_at: first instant of the time paid for, or taken back.
        until: first instant after it.
        operation: the operation whose call caused the entry.
        reverses: for reversals, `period/sequence` of the newest charge that is taken back.
        request_id: the call that caused the entry.
        commit_id: the transaction that wrote it; recognises a commit whose answer was lost.
        reason: the operator's words, for adjustments.
        corrects: for adjustments, the earlier period that is corrected; None for all others.
        hash: HMAC-SHA256, hex, over the other fields and the hash of the entry before.
        key_id: which of the ledger's keys made the hash.
    """

    period: Period
    sequence: int
    kind: Kind
    at: datetime
    increments: int
    session_name: str | None = None
    pool_identifier: str | None = None
    opened_at: datetime | None = None
    from_at: datetime | None = None
    until: datetime | None = None
    operation: str | None = None
    reverses: str | None = None
    request_id: str
    commit_id: str
    reason: str | None = None
    corrects: Period | None = None
    hash: str = ""
    key_id: str = ""

    @property
    def effect(self) -> int:
        """The change of the balance, in increments."""
        return -self.increments if self.kind is Kind.REVERSAL else self.increments

    @property
    def opens_window(self) -> bool:
        """Whether the entry pays for (or takes back) the first increment of its window."""
        return self.from_at is not None and self.from_at == self.opened_at


@dataclass(frozen=True, slots=True)
class LedgerKeys:
    """The keys of the hash chain: the current one seals, all of them verify. Kept out of storage."""

    current_id: str
    keys: Mapping[str, bytes]

    def __post_init__(self) -> None:
        """Refuse a set without its current key."""
        if self.current_id not in self.keys:
            raise ValueError("the current ledger key is not among the keys")


def write_instant(at: datetime) -> str:
    """Write an aware instant in fixed width, so that text order is time order: `2026-11-23T06:35:01.000000Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_instant(text: str) -> datetime:
    """Read what `write_instant` wrote; aware, UTC.

    Other forms of ISO 8601 pass too: a strict format costs ten times as much, and `verify` compares what was read with
    how it would be written.
    """
    return datetime.fromisoformat(text)


def genesis(tenant_id: str, period: Period) -> str:
    """Return the hash that stands before a period's first entry: chains of other tenants and periods never fit."""
    return hashlib.sha256(f"{tenant_id}\0{period}".encode()).hexdigest()


def entry_hash(entry: Entry, *, previous: str, key: bytes) -> str:
    """Compute an entry's hash from its fields, the hash before it and the key named by its `key_id`."""
    fields = [
        str(entry.period),
        entry.sequence,
        entry.kind.value,
        write_instant(entry.at),
        entry.increments,
        entry.session_name,
        entry.pool_identifier,
        *(at and write_instant(at) for at in (entry.opened_at, entry.from_at, entry.until)),
        entry.operation,
        entry.reverses,
        entry.request_id,
        entry.commit_id,
        entry.reason,
        entry.key_id,
        previous,
        *([] if entry.corrects is None else [str(entry.corrects)]),
    ]
    text = json.dumps(fields, ensure_ascii=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
