"""The pure decision: scenarios that finance could read, and properties against a walk through time."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.entries import Entry, Kind, entry_hash, genesis
from metering.increments import Granularity
from metering.ledger import Decision, decide
from metering.periods import Period
from metering.requests import (
    Adjust,
    Adjusted,
    Admitted,
    Answer,
    Charge,
    End,
    Quota,
    QuotaExceeded,
    Request,
    Reverse,
    TakenBack,
    TooManySessions,
)
from metering.rows import PeriodRow, Rows, Window
from tests.support.building import KEYS, MORNING, admit, granularity, terms
from tests.support.oracle import WalkedSession


class Book:
    """A tenant's rows, kept in plain dictionaries; applies decisions one after the other."""

    def __init__(self, of: Granularity | None = None) -> None:
        self.of = of or granularity()
        self.row = PeriodRow.empty("t", Period.of(MORNING))
        self.windows: dict[str, Window] = {}
        self.entries: list[Entry] = []

    def decide(self, at: float, *requests: Request, instance: str = "i1") -> tuple[Answer, ...]:
        now = MORNING + timedelta(seconds=at)
        open_windows = {name: w.paid_until for name, w in self.windows.items() if w.paid_until > now}
        rows = Rows(tenant_id="t", period_row=self.row, windows=self.windows, open_windows=open_windows)
        decision = decide(rows, requests, terms=terms(instance, of=self.of), now=now, commit_id="c")
        return self.apply(decision)

    def apply(self, decision: Decision) -> tuple[Answer, ...]:
        self.row = decision.period_row
        self.windows = {**self.windows, **decision.windows}
        self.entries += decision.entries
        return decision.answers

    def admit(self, at: float, session: str = "s1", instance: str = "i1") -> Admitted:
        [answer] = self.decide(at, admit(session), instance=instance)
        assert isinstance(answer, Admitted)
        return answer


def paid(answer: Admitted) -> tuple[int, float]:
    return (0 if answer.charge is None else answer.charge.increments, (answer.paid_until - MORNING).total_seconds())


# at, charged, paid until, increments so far: increment and tail of 300 s
WORKED_EXAMPLE = [
    (0, 1, 300, 1),
    (1, 1, 600, 2),
    (250, 0, 600, 2),
    (300, 0, 600, 2),
    (301, 1, 900, 3),
    (850, 1, 1200, 4),
    (1200, 1, 1500, 5),
]


def test_the_worked_example_of_the_documentation_holds() -> None:
    book = Book()

    for at, charged, until, balance in WORKED_EXAMPLE:
        assert paid(book.admit(at)) == (charged, until)
        assert book.row.balance == balance
    assert book.row.sessions_opened == 2


def test_without_a_tail_only_active_time_is_billed() -> None:
    book = Book(granularity(300, 0))

    assert [paid(book.admit(at)) for at in (0, 1, 250, 299, 300)] == [(1, 300), (0, 300), (0, 300), (0, 300), (1, 600)]
    assert book.row.sessions_opened == 2


def test_a_covered_call_writes_nothing() -> None:
    book = Book()
    book.admit(0)
    now = MORNING
    rows = Rows(tenant_id="t", period_row=book.row, windows=book.windows)

    decision = decide(rows, [admit()], terms=terms(), now=now, commit_id="c")

    assert not decision.writes


def test_requests_of_one_decision_see_what_those_before_them_did() -> None:
    book = Book()

    first, second, other = book.decide(0, admit("s1"), admit("s1"), admit("s2"))

    assert [paid(a) for a in (first, second, other) if isinstance(a, Admitted)] == [(1, 300), (0, 300), (1, 300)]
    assert [entry.sequence for entry in book.entries] == [1, 2]


def test_the_call_that_would_need_more_than_is_left_is_refused_and_leaves_nothing() -> None:
    book = Book()
    book.decide(0, admit("s1", month=3), admit("s2", month=3))
    before = book.row

    [refused] = book.decide(2, Adjust(increments=2, reason="x", request_id="r", quota=Quota(increments_per_period=3)))
    assert refused == QuotaExceeded(needed=2, remaining=1, until=before.period.until, daily=False)

    book.decide(3, admit("s3", month=3))
    [refused] = book.decide(4, admit("s4", month=3))
    assert refused == QuotaExceeded(needed=1, remaining=0, until=before.period.until, daily=False)
    assert book.row.balance == 3

    [admitted] = book.decide(5, admit("s4", month=4))
    assert isinstance(admitted, Admitted)


def test_a_days_quota_ends_with_the_day() -> None:
    book = Book()
    book.decide(0, admit("s1", day=1))

    [refused] = book.decide(5, admit("s2", day=1))
    assert refused == QuotaExceeded(needed=1, remaining=0, until=MORNING + timedelta(hours=15), daily=True)

    [admitted] = book.decide(15 * 3600, admit("s2", day=1))
    assert isinstance(admitted, Admitted)


def test_a_quota_below_the_balance_leaves_nothing_not_less() -> None:
    book = Book()
    book.decide(0, admit("s1"), admit("s2"))

    [refused] = book.decide(5, admit("s3", month=1))

    assert isinstance(refused, QuotaExceeded)
    assert refused.remaining == 0


def test_the_sessions_limit_counts_open_windows_and_says_when_one_closes() -> None:
    book = Book()
    book.decide(0, admit("s1", sessions=2))
    book.decide(100, admit("s2", sessions=2))

    assert book.decide(200, admit("s3", sessions=2)) == (
        TooManySessions(limit=2, free_at=MORNING + timedelta(seconds=300)),
    )
    assert book.decide(200, admit("s3", sessions=1)) == (
        TooManySessions(limit=1, free_at=MORNING + timedelta(seconds=400)),
    )
    [again] = book.decide(200, admit("s1", sessions=2))
    assert isinstance(again, Admitted)  # its own window is open: no new one is needed
    [later] = book.decide(400, admit("s3", sessions=2))
    assert isinstance(later, Admitted)


def test_the_sessions_limit_holds_within_one_decision() -> None:
    answers = Book().decide(0, *(admit(f"s{n}", sessions=2) for n in range(5)))

    assert [isinstance(answer, Admitted) for answer in answers] == [True, True, False, False, False]


def test_a_limit_on_sessions_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Quota(sessions=0)


def test_a_reversal_closes_the_window_that_its_charge_opened() -> None:
    book = Book()
    charge = book.admit(0).charge
    assert charge is not None

    assert book.decide(1, Reverse(charge=charge)) == (TakenBack(1),)
    assert (book.row.balance, book.row.sessions_opened) == (0, 0)
    assert book.entries[-1].reverses == "2026-11/1"
    assert paid(book.admit(2)) == (1, 302)


def test_a_second_reversal_changes_nothing() -> None:
    book = Book()
    charge = book.admit(0).charge
    assert charge is not None
    book.decide(1, Reverse(charge=charge))
    before = book.row

    assert book.decide(2, Reverse(charge=charge)) == (TakenBack(0),)
    assert book.row == before


def test_a_reversed_extension_leaves_the_window_as_it_was() -> None:
    book = Book()
    book.admit(0)
    extension = book.admit(10).charge
    assert extension is not None

    assert book.decide(11, Reverse(charge=extension)) == (TakenBack(1),)
    assert book.windows["pool-s1"].paid_until == MORNING + timedelta(seconds=300)
    assert book.row.sessions_opened == 1


def test_a_charge_that_others_built_upon_is_not_reversed() -> None:
    book = Book()
    charge = book.admit(0).charge
    assert charge is not None
    book.admit(10)

    assert book.decide(11, Reverse(charge=charge)) == (TakenBack(0),)


def test_another_instances_first_use_marks_the_window_shared_and_costs_nothing() -> None:
    book = Book()
    charge = book.admit(0).charge
    assert charge is not None

    assert book.admit(0, instance="i2").charge is None
    assert book.windows["pool-s1"].shared
    assert book.decide(1, Reverse(charge=charge)) == (TakenBack(0),)
    assert book.decide(1, End(pool_identifier="pool-s1", opened_at=MORNING, operation="o", request_id="r")) == (
        TakenBack(0),
    )
    assert book.admit(0, instance="i3").charge is None  # shared already: nothing more to write


def test_another_instances_extension_shares_the_window_too() -> None:
    book = Book()
    book.admit(0)

    charge = book.admit(10, instance="i2").charge

    assert charge is not None
    assert book.windows["pool-s1"].shared
    assert book.decide(11, Reverse(charge=charge), instance="i2") == (TakenBack(0),)


def end(session: str = "s1") -> End:
    return End(pool_identifier=f"pool-{session}", opened_at=MORNING, operation="session.delete", request_id="r")


def test_ending_early_gives_back_the_increments_that_had_not_begun() -> None:
    book = Book(granularity(60, 300))
    book.admit(0)

    assert book.decide(61, end()) == (TakenBack(3),)
    assert (book.row.balance, book.row.sessions_opened) == (2, 1)
    assert book.entries[-1].from_at == MORNING + timedelta(seconds=120)
    assert paid(book.admit(62)) == (5, 362)  # the pool makes a new session, so a new window opens


def test_ending_within_the_last_increment_gives_nothing_back_but_ends_the_window() -> None:
    book = Book()
    book.admit(0)

    assert book.decide(299, end()) == (TakenBack(0),)
    assert book.row.balance == 1
    assert paid(book.admit(299)) == (1, 599)


def test_ending_what_is_ended_unknown_or_another_window_changes_nothing() -> None:
    book = Book()
    book.admit(0)
    book.decide(10, end())
    before = book.row

    other_window = replace(end(), opened_at=MORNING + timedelta(seconds=1))
    assert book.decide(11, end(), end("s2"), other_window) == (TakenBack(0),) * 3
    assert book.row == before


def test_a_window_that_a_faster_clock_has_ended_is_over_for_a_slower_one() -> None:
    book = Book()
    book.admit(0)
    book.decide(200, end())

    reopened = book.admit(100, instance="i2")

    assert paid(reopened) == (1, 400)
    assert reopened.charge is not None
    assert reopened.charge.from_at == reopened.opened_at  # nothing of the time paid for already is paid for again


def test_a_window_that_was_wholly_reversed_is_over_even_before_it_began() -> None:
    book = Book()
    charge = book.admit(200).charge
    assert charge is not None
    book.decide(201, Reverse(charge=charge))

    assert paid(book.admit(100, instance="i2")) == (1, 400)


def test_an_adjustment_changes_the_balance_and_says_why() -> None:
    book = Book()
    book.admit(0)

    [answer] = book.decide(1, Adjust(increments=-3, reason="goodwill", request_id="r", quota=Quota()))

    assert isinstance(answer, Adjusted)
    assert (answer.entry.kind, answer.entry.reason) == (Kind.ADJUSTMENT, "goodwill")
    assert (book.row.balance, book.row.adjusted) == (-2, -3)


def test_a_negative_adjustment_passes_above_the_quota() -> None:
    book = Book()
    book.decide(0, admit("s1"), admit("s2"))

    [answer] = book.decide(1, Adjust(increments=-1, reason="x", request_id="r", quota=Quota(increments_per_period=0)))

    assert isinstance(answer, Adjusted)


def test_each_entry_is_sealed_over_the_one_before() -> None:
    book = Book()
    book.decide(0, admit("s1"), admit("s2"))
    book.decide(9, end())

    previous = genesis("t", Period.of(MORNING))
    for entry in book.entries:
        assert entry.hash == entry_hash(entry, previous=previous, key=KEYS.keys["k1"])
        previous = entry.hash
    assert book.row.head_hash == previous


# ---- properties ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    gap: int
    session: str
    ends: bool


steps = st.lists(
    st.builds(Step, gap=st.integers(0, 40), session=st.sampled_from("ab"), ends=st.sampled_from([False] * 4 + [True])),
    max_size=30,
)


@settings(max_examples=300)
@given(steps=steps, increment=st.integers(1, 12), tail=st.integers(0, 30))
def test_any_history_costs_what_a_walk_through_time_says(steps: list[Step], increment: int, tail: int) -> None:
    book = Book(granularity(increment, tail))
    walked = {"a": WalkedSession(), "b": WalkedSession()}
    at = expected = 0

    for step in steps:
        at += step.gap
        window = book.windows.get(f"pool-{step.session}")
        if step.ends and window is not None:
            request = End(
                pool_identifier=window.pool_identifier, opened_at=window.opened_at, operation="o", request_id="r"
            )
            book.decide(at, request)
            expected -= walked[step.session].stop(at, increment)
        elif not step.ends:
            book.admit(at, step.session)
            expected += walked[step.session].call(at, increment, tail)
        assert book.row.balance == expected


@settings(max_examples=200)
@given(
    quota=st.integers(0, 12),
    moves=st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from("abcd"), st.sampled_from(["admit", "reverse", "end", "adjust"])),
        max_size=40,
    ),
)
def test_no_history_exceeds_the_quota_and_the_sums_are_those_of_the_entries(
    quota: int, moves: list[tuple[int, str, str]]
) -> None:
    book, at = Book(), 0
    charges: dict[str, Charge] = {}

    for gap, session, move in moves:
        at += gap
        request: Request = admit(session, month=quota)
        if move == "reverse" and session in charges:
            request = Reverse(charge=charges[session])
        elif move == "end" and (window := book.windows.get(f"pool-{session}")) is not None:
            request = End(
                pool_identifier=window.pool_identifier, opened_at=window.opened_at, operation="o", request_id="r"
            )
        elif move == "adjust":
            request = Adjust(increments=1, reason="x", request_id="r", quota=Quota(increments_per_period=quota))
        [answer] = book.decide(at, request)
        if isinstance(answer, Admitted) and answer.charge is not None:
            charges[session] = answer.charge
        assert book.row.balance <= quota

    assert book.row.balance == sum(entry.effect for entry in book.entries)
    assert book.row.balance == sum(day.increments for day in book.row.days.values())
    assert book.row.sessions_opened == sum(day.sessions for day in book.row.days.values())
    assert [entry.sequence for entry in book.entries] == list(range(1, book.row.next_sequence))
