"""Verification with the head hashes that went out: it sees what storage alone cannot show."""

import asyncio
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.audit import Verdict, verify
from metering.entries import Entry
from metering.heads import Head
from metering.periods import Period
from metering.row_keys import entry_key
from metering.verify import Flaw
from tests.support.building import KEYS, admit
from tests.support.ledgers import TENANT, Ledger, make_ledger

NOVEMBER, DECEMBER = Period(2026, 11), Period(2026, 12)
DECISIONS = 40
GONE, DIFFERS = "is gone, though its hash went out", "its hash differs from the one that went out"


def head_of(entry: Entry) -> Head:
    return Head(entry.period, entry.sequence, entry.hash)


def verdict(ledger: Ledger, heads: list[Head], only: Period | None = None) -> Verdict:
    found = verify(ledger, TENANT, only=only, granularity=ledger.of, keys=KEYS.keys, now=ledger.now, heads=heads)
    return asyncio.run(found)


def told(ledger: Ledger, heads: list[Head], only: Period | None = None) -> dict[str, str]:
    """Verify; return what was found of heads, by row key. Nothing else may be wrong."""
    findings = verdict(ledger, heads, only).findings
    assert {finding.flaw for finding in findings} <= {Flaw.HEAD}
    return {finding.where: finding.what for finding in findings}


def expected(ledger: Ledger, heads: list[Head], only: Period | None = None) -> dict[str, str]:
    """Look each head up by itself."""
    wrong: dict[str, str] = {}
    for head in heads:
        row = ledger.rows.get(f"entry:{head.period.year}-{head.period.month:02}:{head.sequence:010d}")
        if only is not None and head.period != only:
            continue
        if row is None:
            wrong[f"entry:{head.period}:{head.sequence:010d}"] = GONE
        elif row["hash"] != head.hash:
            wrong[row["RowKey"]] = DIFFERS
    return wrong


@given(
    seed=st.integers(0, 2**32),
    kept=st.integers(0, DECISIONS - 1),
    regrown=st.integers(0, 6),
    only=st.sampled_from([None, NOVEMBER, DECEMBER]),
)
@settings(max_examples=100, deadline=None)
def test_any_end_that_was_cut_off_or_grew_again_is_found_by_the_heads_and_by_nothing_else(
    seed: int, kept: int, regrown: int, only: Period | None
) -> None:
    """What is left fits together: it is the ledger as it once was, perhaps with other entries since."""
    chance = random.Random(seed)
    whole, left = make_ledger(seed, decisions=DECISIONS), make_ledger(seed, decisions=kept)
    for number in range(regrown):
        left.decide(admit(f"other{number}"))
    left.now = whole.now
    gone_out = whole.entries()
    heads = [head_of(entry) for entry in chance.sample(gone_out, chance.randint(1, len(gone_out)))]
    heads += [head_of(entry) for entry in left.entries()]  # these went out as well

    assert told(left, [], only) == {}
    assert told(left, heads, only) == expected(left, heads, only)
    assert told(whole, [head_of(entry) for entry in gone_out], only) == {}


@given(seed=st.integers(0, 2**32), kept=st.integers(0, DECISIONS - 1))
@settings(max_examples=100, deadline=None)
def test_the_newest_head_of_each_period_is_enough_to_see_that_something_was_cut_off(seed: int, kept: int) -> None:
    whole, left = make_ledger(seed, decisions=DECISIONS), make_ledger(seed, decisions=kept)
    newest = {entry.period: head_of(entry) for entry in whole.entries()}

    assert bool(told(left, list(newest.values()))) is (len(left.entries()) < len(whole.entries()))


def test_a_ledger_that_is_gone_is_found_by_one_head() -> None:
    head = head_of(make_ledger(1).entries()[-1])

    assert told(Ledger(), [head]) == {entry_key(head.period, head.sequence): GONE}


@pytest.mark.parametrize("edit", [{"kind": "nonsense"}, {"hash": 1}])
def test_an_entry_that_cannot_be_read_is_not_called_gone(edit: dict[str, object]) -> None:
    ledger = make_ledger(2)
    heads = [head_of(entry) for entry in ledger.entries()]
    key = entry_key(DECEMBER, 2)
    ledger.rows[key] = {**ledger.rows[key], **edit}

    found = verdict(ledger, heads).findings

    assert Flaw.ROW in {finding.flaw for finding in found if finding.where == key}
    assert Flaw.HEAD not in {finding.flaw for finding in found}


def test_every_hash_that_went_out_for_an_entry_must_be_its_own() -> None:
    ledger = make_ledger(3)
    heads = [head_of(entry) for entry in ledger.entries()]
    other = replace(heads[0], hash=heads[1].hash)

    assert told(ledger, [*heads, heads[0]]) == {}
    assert told(ledger, [*heads, other]) == {entry_key(other.period, other.sequence): DIFFERS}
