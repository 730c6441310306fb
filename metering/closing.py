"""Closing a period: from then on its statement is made of its row alone, and the row can be told from a forged one.

Rules of this file: pure. The seal is an HMAC over all that the row says and the terms that were frozen with it. It
holds the hash of the newest entry, which seals every entry before it: so a closed statement proves its entries too.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from metering.clock import CLOCKS_APART
from metering.entries import LedgerKeys, write_instant
from metering.periods import Period
from metering.rows import Closing, PeriodRow, StatementTerms


def closable_at(period: Period) -> datetime:
    """Return the instant from which a period can be closed: no instance, whatever its clock, books into it any more."""
    return period.until + CLOCKS_APART


def close(row: PeriodRow, *, tenant_id: str, terms: StatementTerms, now: datetime, keys: LedgerKeys) -> PeriodRow:
    """Return the row of a period that is over and open, closed with these terms."""
    assert not row.closed, "what is closed stays as it is"
    assert now >= closable_at(row.period), "a period is closed once nobody books into it any more"
    unsealed = Closing(at=now, terms=terms, hash="", key_id=keys.current_id)
    seal = _hash(replace(row, closing=unsealed), tenant_id, keys.keys[keys.current_id])
    return replace(row, closing=replace(unsealed, hash=seal))


def is_sealed(row: PeriodRow, *, tenant_id: str, keys: Mapping[str, bytes]) -> bool | None:
    """Say whether a closed row is as it was when it was closed; None: it was sealed with a key that is not known."""
    assert row.closing is not None, "only what is closed has a seal"
    key = keys.get(row.closing.key_id)
    return None if key is None else hmac.compare_digest(row.closing.hash, _hash(row, tenant_id, key))


def terms_as_json(terms: StatementTerms) -> dict[str, Any]:
    """Write terms as values of JSON, in the one form in which they are sealed and kept."""
    return {
        "name": terms.name,
        "quota": terms.quota,
        "rate": f"{terms.rates.base:f}",
        "changes": [[day.isoformat(), f"{rate:f}"] for day, rate in terms.rates.changes],
        "list_rate": f"{terms.list_rate_per_session_hour:f}",
        "currency": terms.currency,
        "increment_seconds": terms.increment_seconds,
        "pool_rate": f"{terms.pool_rate_per_session_hour:f}",
        "issuer": terms.issuer,
    }


def _hash(row: PeriodRow, tenant_id: str, key: bytes) -> str:
    assert row.closing is not None, "only what is closed has a seal"
    fields = [
        tenant_id,
        str(row.period),
        row.charged,
        row.reversed,
        row.adjusted,
        row.sessions_opened,
        sorted([day.isoformat(), numbers.increments, numbers.sessions] for day, numbers in row.days.items()),
        sorted([day.isoformat(), str(corrects or ""), n] for (day, corrects), n in row.adjustments.items()),
        row.next_sequence,
        row.head_hash,
        row.pool_increment_seconds,
        row.pool_increments,
        write_instant(row.closing.at),
        terms_as_json(row.closing.terms),
        row.closing.key_id,
    ]
    text = json.dumps(fields, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
