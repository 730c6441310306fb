"""Entries and the chain of their hashes."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.entries import Entry, Kind, LedgerKeys, entry_hash, genesis, read_instant, write_instant
from metering.periods import Period
from tests.support.building import KEYS, MORNING

KEY = KEYS.keys["k1"]
ENTRY = Entry(
    period=Period(2026, 11),
    sequence=1,
    kind=Kind.REVERSAL,
    at=MORNING,
    increments=2,
    session_name="s",
    pool_identifier="p",
    opened_at=MORNING,
    from_at=MORNING,
    until=MORNING + timedelta(seconds=600),
    operation="code.execute",
    reverses="2026-11/1",
    request_id="r",
    commit_id="c",
    reason="because",
    key_id="k1",
)
OTHERS: dict[str, Any] = {
    "period": Period(2026, 12),
    "sequence": 2,
    "kind": Kind.CHARGE,
    "increments": 3,
    **{name: MORNING + timedelta(microseconds=1) for name in ("at", "opened_at", "from_at", "until")},
    **dict.fromkeys(("session_name", "pool_identifier", "operation", "reverses", "reason"), "other"),
    **dict.fromkeys(("request_id", "commit_id", "key_id"), "other"),
    "corrects": Period(2026, 10),
}


@pytest.mark.parametrize("name", [field.name for field in fields(Entry) if field.name != "hash"])
def test_changing_any_field_changes_the_hash(name: str) -> None:
    changed = replace(ENTRY, **{name: OTHERS[name]})

    assert entry_hash(changed, previous="x", key=KEY) != entry_hash(ENTRY, previous="x", key=KEY)


def test_the_hash_depends_on_the_one_before_and_on_the_key() -> None:
    hashes = {
        entry_hash(ENTRY, previous="x", key=KEY),
        entry_hash(ENTRY, previous="y", key=KEY),
        entry_hash(ENTRY, previous="x", key=KEYS.keys["k0"]),
    }

    assert len(hashes) == 3


def test_chains_of_different_tenants_and_periods_start_differently() -> None:
    starts = {genesis("a", Period(2026, 11)), genesis("b", Period(2026, 11)), genesis("a", Period(2026, 12))}

    assert len(starts) == 3


@given(microseconds=st.integers(0, 10**12), later=st.integers(1, 10**12))
def test_written_instants_are_read_back_and_sort_as_time_does(microseconds: int, later: int) -> None:
    at = MORNING + timedelta(microseconds=microseconds)

    assert read_instant(write_instant(at)) == at
    assert write_instant(at) < write_instant(at + timedelta(microseconds=later))


def test_a_reversal_lowers_the_balance_and_the_rest_raise_it() -> None:
    assert ENTRY.effect == -2
    assert replace(ENTRY, kind=Kind.CHARGE).effect == 2
    assert replace(ENTRY, kind=Kind.ADJUSTMENT, increments=-3).effect == -3


def test_keys_without_the_current_one_are_refused() -> None:
    with pytest.raises(ValueError, match="current ledger key"):
        LedgerKeys("k2", {"k1": KEY})
