"""Verification: silent about what Tollgate wrote, and blind to no change of it."""

import asyncio
import random
import string
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from metering.admissions import Admission, Outcome
from metering.alert_rows import write_alert
from metering.alerts import Alert, Subject
from metering.audit import Verdict, verify
from metering.entries import Entry, Kind, entry_hash, genesis, read_instant, write_instant
from metering.housekeeping import surely_kept_since
from metering.meter import Meter
from metering.periods import Period
from metering.requests import Adjust, Admitted, Quota, Reverse
from metering.row_keys import ENTRIES, PERIODS, WINDOWS, entry_key, parse_entry_key
from metering.store import LedgerUnavailable
from metering.table_rows import read_entry, read_row, write_entry, write_period
from metering.table_store import TableLedgerStore
from metering.verify import FINDINGS_MAX, Flaw
from metering.windows import Accounts
from proxy.storage import open_tables
from tests.support.building import KEYS, FakeClock, admit, granularity, meter, statement_terms
from tests.support.ledgers import TENANT, Columns, Ledger, make_ledger
from tests.support.memory_store import MemoryLedgerStore

NOVEMBER, DECEMBER = Period(2026, 11), Period(2026, 12)
SEEDS = st.integers(0, 2**32)
UNPROVEN = {(WINDOWS, "owner"), (WINDOWS, "shared"), (PERIODS, "pool_increment_seconds")}
OPTIONAL = (
    *("session_name", "pool_identifier", "opened_at", "from_at", "until", "operation", "reverses", "reason"),
    "corrects",
)


def verdict(ledger: Ledger, only: Period | None = None) -> Verdict:
    return asyncio.run(verify(ledger, TENANT, only=only, granularity=ledger.of, keys=KEYS.keys, now=ledger.now))


def flaws(ledger: Ledger, only: Period | None = None) -> dict[str, str]:
    """Verify; return what was found, by row key."""
    return {finding.where: finding.flaw.value for finding in verdict(ledger, only).findings}


def prefix(key: str) -> str:
    return key[: key.index(":") + 1]


def may_be_removed(ledger: Ledger, row: Columns) -> bool:
    kept_since = surely_kept_since(ledger.now) + ledger.of.length(1)
    return prefix(row["RowKey"]) == WINDOWS and read_instant(row["paid_until"]) <= kept_since


def changed(value: Any, chance: random.Random) -> Any:
    """Make another value of the same kind, near or far."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + chance.choice([-1, 1, 1_000])
    if value is None:
        return chance.choice(["x", write_instant(Ledger().now)])
    try:
        at = read_instant(value)
    except ValueError:
        place = chance.randrange(len(value)) if value else 0
        letter = chance.choice([c for c in string.ascii_lowercase + string.digits if c != value[place : place + 1]])
        return value[:place] + letter + value[place + 1 :]
    return write_instant(at + timedelta(microseconds=chance.choice([-1, 1, 1_000_000, -300_000_000, 300_000_000])))


@given(seed=SEEDS, apart=st.sampled_from([0, 1, 200, 600]))
@settings(max_examples=100, deadline=None)
def test_what_decisions_wrote_is_correct(seed: int, apart: int) -> None:
    ledger = make_ledger(seed, apart_seconds=apart)

    for only in (None, NOVEMBER, DECEMBER):
        assert verdict(ledger, only).findings == ()


@given(seed=SEEDS)
@settings(max_examples=300, deadline=None)
def test_any_single_edited_column_is_found(seed: int) -> None:
    chance = random.Random(seed)
    ledger = make_ledger(seed % 20, decisions=30)
    key = chance.choice(sorted(ledger.rows))
    row = ledger.rows[key]
    columns = sorted({*row, *(OPTIONAL if key.startswith(ENTRIES) else ())} - {"PartitionKey", "RowKey"})
    column = chance.choice(columns)
    edit = changed(row.get(column), chance)
    assume((prefix(key), column) not in UNPROVEN)
    assume(not (may_be_removed(ledger, row) and column == "pool_identifier"))
    if key.startswith(WINDOWS) and column == "paid_until":
        opened_at, before = read_instant(row["opened_at"]), read_instant(row["paid_until"])
        begun = [ledger.of.begun(opened_at=opened_at, at=at) for at in (before, read_instant(edit))]
        paid = opened_at + ledger.of.length(row["increments"])
        assume(begun[0] != begun[1] or not opened_at <= read_instant(edit) <= paid)

    ledger.rows[key] = {**row, column: edit}

    assert flaws(ledger), f"{key}: {column} {row.get(column)!r} -> {edit!r}"


@given(seed=SEEDS)
@settings(max_examples=100, deadline=None)
def test_any_dropped_row_is_found(seed: int) -> None:
    chance = random.Random(seed)
    ledger = make_ledger(seed % 20, decisions=30)
    key = chance.choice(sorted(ledger.rows))
    assume(not may_be_removed(ledger, ledger.rows[key]))
    assume(ledger.rows[key].get("next_sequence") != 1)  # a month without entries: nothing is lost with its row

    del ledger.rows[key]

    assert flaws(ledger), key


def moved(row: Columns, key: str) -> Columns:
    """Put what a row says under another key, so that it fits there."""
    place = parse_entry_key(key)
    if place is not None:
        return {**row, "RowKey": key, "period": str(place[0]), "sequence": place[1]}
    if key.startswith(WINDOWS):
        return {**row, "RowKey": key, "pool_identifier": key.removeprefix(WINDOWS)}
    return {**row, "RowKey": key}


@given(seed=SEEDS)
@settings(max_examples=150, deadline=None)
def test_any_two_rows_that_change_places_are_found(seed: int) -> None:
    chance = random.Random(seed)
    ledger = make_ledger(seed % 20, decisions=30)
    kind = chance.choice([ENTRIES, ENTRIES, PERIODS, WINDOWS])
    keys = sorted(key for key in ledger.rows if key.startswith(kind))
    assume(len(keys) > 1)
    one, other = chance.sample(keys, 2)

    ledger.rows[one], ledger.rows[other] = moved(ledger.rows[other], one), moved(ledger.rows[one], other)

    assert flaws(ledger), (one, other)


@given(seed=SEEDS)
@settings(max_examples=150, deadline=None)
def test_any_added_row_is_found(seed: int) -> None:
    chance = random.Random(seed)
    ledger = make_ledger(seed % 20, decisions=30)
    key = chance.choice(sorted(ledger.rows))
    place = parse_entry_key(key)
    copies = {
        ENTRIES: entry_key(place[0], chance.choice([0, ledger.periods[place[0]].next_sequence, 10**9]))
        if place
        else "",
        PERIODS: f"{PERIODS}2026-{chance.choice(['09', '10'])}",
        WINDOWS: f"{WINDOWS}pool-another",
    }
    copy = copies[prefix(key)]

    ledger.rows[copy] = moved(ledger.rows[key], copy)

    assert flaws(ledger), copy


@pytest.mark.parametrize(
    "key", ["", "entry", "entry:", "entry:2026-11:1", "entry:2026-13:0000000001", "f", "period:x", "q", "~"]
)
def test_a_row_that_is_none_of_a_ledger_is_found(key: str) -> None:
    ledger = make_ledger(1)
    ledger.rows[key] = {"PartitionKey": TENANT, "RowKey": key, "column": "x"}

    assert flaws(ledger) == {key: Flaw.ROW}


@pytest.mark.parametrize(
    "edit", [{"sequence": None}, {"kind": "gift"}, {"at": "yesterday"}, {"increments": "1"}, {"extra": 1}]
)
def test_an_entry_that_cannot_be_read_is_found_and_the_others_are_verified(edit: Columns) -> None:
    ledger = make_ledger(1)
    key, edited = entry_key(NOVEMBER, 3), entry_key(NOVEMBER, 6)
    ledger.rows[key] = {**ledger.rows[key], **edit}
    ledger.rows[edited] = {**ledger.rows[edited], "request_id": "another"}

    found = flaws(ledger)

    assert found[key] == Flaw.ROW
    assert found[edited] == Flaw.CHAIN
    assert found.keys() <= {
        key,
        edited,
        f"{PERIODS}{NOVEMBER}",
        *(k for k in ledger.rows if ledger.rows[k].get("session_name")),
    }


def test_a_period_row_that_cannot_be_read_is_found_once() -> None:
    ledger = make_ledger(1)
    key = f"{PERIODS}{NOVEMBER}"
    ledger.rows[key] = {**ledger.rows[key], "days": "{"}

    assert flaws(ledger) == {key: Flaw.ROW}


def test_a_row_before_the_first_entry_is_found_and_disturbs_no_sum() -> None:
    ledger = make_ledger(1)
    key = entry_key(NOVEMBER, 0)
    ledger.rows[key] = {"PartitionKey": TENANT, "RowKey": key}

    assert [(f.flaw, f.where) for f in verdict(ledger).findings] == [(Flaw.ROW, key), (Flaw.SEQUENCE, key)]


def test_a_closed_period_is_correct_and_a_change_of_its_terms_is_found() -> None:
    ledger = make_ledger(1)
    ledger.close(NOVEMBER, statement_terms(quota=100))
    key = f"{PERIODS}2026-11"
    assert flaws(ledger) == {}

    closing = ledger.rows[key]["closing"]
    ledger.rows[key] = {**ledger.rows[key], "closing": closing.replace('"quota":100', '"quota":900')}

    [finding] = verdict(ledger).findings
    assert (finding.where, finding.flaw) == (key, Flaw.CHAIN)
    assert finding.what == "was changed after it was closed"


def test_a_period_that_was_closed_with_a_key_that_is_not_known_is_found() -> None:
    ledger = make_ledger(1)
    row = ledger.close(NOVEMBER, statement_terms())
    assert row.closing is not None
    closed = replace(row, closing=replace(row.closing, key_id="k9"))
    ledger.rows[f"{PERIODS}2026-11"] = write_period(TENANT, closed)

    [finding] = verdict(ledger).findings
    assert finding.what == "was closed with a ledger key that is not known here"


def test_a_row_of_before_the_pools_time_was_counted_is_correct() -> None:
    ledger = make_ledger(1)
    for period, row in ledger.periods.items():
        old = replace(row, pool_increment_seconds=0, pool_increments=0)
        ledger.rows[f"{PERIODS}{period}"] = write_period(TENANT, old)

    assert flaws(ledger) == {}


def test_adjustments_that_are_not_those_of_the_entries_are_found() -> None:
    ledger = make_ledger(3)
    row = ledger.periods[NOVEMBER]
    ledger.rows[f"{PERIODS}2026-11"] = write_period(TENANT, replace(row, adjustments={}))

    [finding] = verdict(ledger).findings
    assert finding.what == "differs from its entries in adjustments"


def test_alerts_are_rows_of_a_ledger_that_no_sum_depends_on() -> None:
    ledger = make_ledger(1)
    alert = Alert(
        id="a",
        subject=Subject.QUOTA,
        tenant_id=TENANT,
        percent=50,
        limit=2,
        used=1,
        at=ledger.now,
        period=NOVEMBER,
        next_attempt_at=ledger.now,
    )
    columns = write_alert(TENANT, alert)
    ledger.rows[columns["RowKey"]] = columns
    assert flaws(ledger) == {}

    ledger.rows[columns["RowKey"]] = {**columns, "percent": "50"}
    assert flaws(ledger) == {columns["RowKey"]: "row"}


def test_a_period_row_that_is_missing_is_found() -> None:
    ledger = make_ledger(1)
    del ledger.rows[f"{PERIODS}{NOVEMBER}"]

    assert flaws(ledger) == flaws(ledger, NOVEMBER) == {f"{PERIODS}{NOVEMBER}": Flaw.SUMS}
    assert flaws(ledger, DECEMBER) == {}


def test_a_window_row_that_is_missing_is_found_while_it_is_paid_for() -> None:
    ledger = small_ledger()
    key = f"{WINDOWS}pool-s1"
    row = ledger.rows.pop(key)
    assert flaws(ledger) == {key: Flaw.WINDOW}

    ledger.now += timedelta(hours=1)  # housekeeping may have removed it
    assert flaws(ledger) == {}
    assert read_instant(row["paid_until"]) < ledger.now


def test_a_window_row_that_cannot_be_read_is_found_once() -> None:
    ledger = make_ledger(1)
    key = max(
        (key for key in ledger.rows if key.startswith(WINDOWS)), key=lambda key: str(ledger.rows[key]["paid_until"])
    )
    ledger.rows[key] = {**ledger.rows[key], "shared": "no"}

    assert flaws(ledger) == {key: Flaw.ROW}


def test_an_edit_is_found_where_it_is() -> None:
    ledger = make_ledger(2)
    key = entry_key(NOVEMBER, 5)
    ledger.rows[key] = {**ledger.rows[key], "request_id": "another"}

    assert flaws(ledger) == {key: Flaw.CHAIN}
    assert flaws(ledger, NOVEMBER) == {key: Flaw.CHAIN}
    assert flaws(ledger, DECEMBER) == {}


def test_what_is_wrong_with_other_periods_is_not_said_when_one_is_asked_for() -> None:
    ledger = make_ledger(2)
    first = ledger.rows[entry_key(DECEMBER, 1)]
    ledger.rows[entry_key(DECEMBER, 0)] = moved(first, entry_key(DECEMBER, 0))
    ledger.rows[entry_key(DECEMBER, 5)] = {"PartitionKey": TENANT, "RowKey": entry_key(DECEMBER, 5)}
    del ledger.rows[entry_key(DECEMBER, 3)]

    assert flaws(ledger, NOVEMBER) == {}
    assert {entry_key(DECEMBER, n) for n in (0, 3, 5)} <= flaws(ledger, DECEMBER).keys()


def test_missing_entries_are_named_from_the_first_to_the_last() -> None:
    ledger = make_ledger(2)
    for sequence in (4, 5):
        del ledger.rows[entry_key(NOVEMBER, sequence)]
    last = ledger.periods[DECEMBER].next_sequence - 1
    del ledger.rows[entry_key(DECEMBER, last)]

    found = {finding.where: finding.what for finding in verdict(ledger).findings if finding.flaw is Flaw.SEQUENCE}

    assert found == {
        entry_key(NOVEMBER, 4): "is missing, with all entries up to 5",
        entry_key(DECEMBER, last): "is missing",
    }


def test_the_newest_entries_cut_off_without_the_rest_are_found() -> None:
    ledger = make_ledger(3)
    shorter = make_ledger(3, decisions=50)
    whole = {**ledger.rows}
    ledger.rows = {key: row for key, row in whole.items() if not key.startswith(ENTRIES) or key in shorter.rows}
    assert flaws(ledger)

    ledger.rows = {**whole, f"{PERIODS}{DECEMBER}": shorter.rows[f"{PERIODS}{DECEMBER}"]}
    assert flaws(ledger)


def test_entries_sealed_with_an_earlier_key_are_verified_and_one_with_an_unknown_key_is_found() -> None:
    ledger = make_ledger(4)
    reseal(ledger, NOVEMBER, key_id="k0")
    assert flaws(ledger) == {}

    key = entry_key(NOVEMBER, 1)
    ledger.rows[key] = {**ledger.rows[key], "key_id": "k9"}
    assert flaws(ledger) == {key: Flaw.CHAIN}


def reseal(ledger: Ledger, period: Period, *, key_id: str = "k1", edited: int = 0, **edits: Any) -> None:
    """Write a period's chain anew, as only who has a key can, with edits of one entry."""
    previous = genesis(TENANT, period)
    for sequence in range(1, ledger.periods[period].next_sequence):
        entry = replace(read_entry(ledger.rows[entry_key(period, sequence)]), key_id=key_id)
        entry = replace(entry, **(edits if sequence == edited else {}))
        previous = entry_hash(entry, previous=previous, key=KEYS.keys[key_id])
        ledger.rows[entry_key(period, sequence)] = write_entry(TENANT, replace(entry, hash=previous))
    key = f"{PERIODS}{period}"
    ledger.rows[key] = {**ledger.rows[key], "head_hash": previous}


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TAKES_BACK = "takes back other time, or another charge, than the end of what was paid"


def small_ledger() -> Ledger:
    """Make a ledger with two charges of a window, the reversal of the second, an adjustment, and another window."""
    ledger = Ledger(now=NOON)
    ledger.decide(admit("s1"))
    ledger.now += timedelta(seconds=10)
    [answer] = ledger.decide(admit("s1")).answers
    assert isinstance(answer, Admitted)
    assert answer.charge is not None
    ledger.decide(Reverse(charge=answer.charge))
    ledger.decide(Adjust(increments=2, reason="why not", request_id="r", quota=Quota()))
    ledger.now += timedelta(seconds=400)
    ledger.decide(admit("s1"))
    return ledger


@pytest.mark.parametrize(
    ("at", "edits", "what"),
    [
        (1, {"pool_identifier": None}, "names no window"),
        (1, {"from_at": NOON - timedelta(minutes=5), "until": NOON}, "extends a window that was not opened"),
        (1, {"increments": 2}, "pays for a time that is not as long as its increments"),
        (1, {"increments": -1}, "has a number of increments that no decision makes"),
        (4, {"increments": 0}, "has a number of increments that no decision makes"),
        (1, {"at": NOON + timedelta(days=20)}, "was booked at an instant of another period"),
        (2, {"session_name": "other"}, "names another session than the window's other entries"),
        (2, {"from_at": NOON, "until": NOON + timedelta(minutes=5)}, "does not begin where the paid time ends"),
        (3, {"reverses": None}, TAKES_BACK),
        (3, {"reverses": "2026-11/3"}, TAKES_BACK),
        (3, {"reverses": "2026-11/x"}, None),
        (3, {"from_at": NOON, "until": NOON + timedelta(minutes=5)}, TAKES_BACK),
        (3, {"opened_at": NOON - timedelta(minutes=5)}, "takes back what was not charged"),
        (
            5,
            {
                "opened_at": NOON - timedelta(minutes=10),
                "from_at": NOON - timedelta(minutes=10),
                "until": NOON - timedelta(minutes=5),
            },
            "opens a window while the session's window before it is open",
        ),
    ],
)
def test_an_entry_that_no_decision_makes_is_found_though_it_is_sealed(at: int, edits: Any, what: str | None) -> None:
    ledger = small_ledger()
    assert flaws(ledger) == {}
    if at == 5:
        reseal(ledger, NOVEMBER, edited=3, kind=Kind.ADJUSTMENT)  # so that the second charge stands

    reseal(ledger, NOVEMBER, edited=at, **edits)

    found = [(f.where, f.what) for f in verdict(ledger).findings if f.flaw is Flaw.ENTRY]
    assert what is None or (entry_key(NOVEMBER, at), what) in found


def test_of_too_many_findings_the_others_are_counted() -> None:
    ledger = Ledger(now=NOON)
    for number in range(FINDINGS_MAX + 7):
        ledger.rows[f"junk{number:05}"] = {"PartitionKey": TENANT, "RowKey": f"junk{number:05}"}

    found = verdict(ledger)

    assert (len(found.findings), found.findings_beyond) == (FINDINGS_MAX, 7)


def test_sessions_that_are_long_over_are_forgotten_unless_they_have_a_row() -> None:
    ledger = small_ledger()
    [charge] = [a.charge for a in ledger.decide(admit("late")).answers if isinstance(a, Admitted)]
    ledger.now += timedelta(days=2)
    ledger.decide(admit("s2"), admit("s3"))
    assert charge is not None
    ledger.decide(Reverse(charge=charge))
    ledger.rows.pop(f"{WINDOWS}pool-late")
    accounts = Accounts(granularity=ledger.of, kept=frozenset({"pool-s1"}), since=None, sweep_at_min=2)

    problems = []
    for key in sorted(ledger.rows):
        row = read_row(ledger.rows[key])
        if isinstance(row, Entry) and row.kind is not Kind.ADJUSTMENT:
            problems.append(accounts.add(row, in_scope=True))

    assert set(problems) == {None}
    assert accounts.paid_beyond(NOON - timedelta(days=1)) == {"pool-s1", "pool-s2", "pool-s3"}


@pytest.fixture(params=["memory", pytest.param("table", marks=pytest.mark.azurite)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[MemoryLedgerStore | TableLedgerStore]:
    if request.param == "memory":
        yield MemoryLedgerStore()
        return
    async with open_tables(request.getfixturevalue("azurite")) as service:
        yield TableLedgerStore(service)


async def test_a_ledger_in_use_is_verified_without_false_alarm(store: MemoryLedgerStore | TableLedgerStore) -> None:
    tenant, clock = f"t{uuid4().hex[:12]}", FakeClock()
    short = granularity(2, 2)
    meters = [meter(store, clock, f"i{n}", of=short) for n in range(3)]
    stop = asyncio.Event()

    async def use(number: int) -> None:
        chance = random.Random(number)
        while not stop.is_set():
            clock.now += timedelta(milliseconds=chance.randrange(600))
            with suppress(LedgerUnavailable):  # they are in each other's way, and this clock runs out of patience
                await use_once(chance.choice(meters), chance)

    async def use_once(chosen: Meter, chance: random.Random) -> None:
        admission = await chosen.admit(tenant, admit(f"s{chance.randrange(6)}"))
        await asyncio.sleep(0)
        if isinstance(admission, Admission):
            await chosen.settle(admission, chance.choice([Outcome.RAN, Outcome.DID_NOT_RUN]))
            if chance.random() < 0.3:
                await chosen.end(tenant, chosen.ending(admission.pool_identifier), operation="end", request_id="r")

    users = [asyncio.create_task(use(number)) for number in range(4)]
    read = 0
    try:
        while read < 100:
            for only in (None, NOVEMBER):
                found = await verify(store, tenant, only=only, granularity=short, keys=KEYS.keys, now=clock())
                assert found.findings == ()
                read = found.entries
    finally:
        stop.set()
        await asyncio.gather(*users)


async def test_entries_are_not_held_while_a_ledger_is_read() -> None:
    ledger = Ledger(now=NOON)
    for _ in range(300):
        ledger.decide(*(Adjust(increments=1, reason="x" * 100, request_id="r", quota=Quota()) for _ in range(10)))
    tracemalloc.start()
    found = await verify(ledger, TENANT, only=None, granularity=ledger.of, keys=KEYS.keys, now=ledger.now)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (found.entries, found.findings) == (3_000, ())
    assert peak < 1_500_000  # 3,000 entries are some 5 MB
