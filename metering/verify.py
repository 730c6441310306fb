"""Recomputes a ledger from its entries, and says what is wrong where.

Rules of this file: pure; a `Verification` is told each row as it is read, keeps sums and no entries, and never fails
on what a row holds. It finds every row that was edited, dropped, added or moved, but for these, which storage alone
cannot show:

- the newest entries cut off together with a fitting period row and windows, unless it is given a head hash of one of
  them that went out with the telemetry;
- a whole tenant, or a whole period, unless it is given a head hash of it;
- a window's `owner`, `shared` and, within its last increment, `paid_until`; a period's `closed`; a window row that
  housekeeping may remove. No sum depends on these.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain
from types import MappingProxyType

from metering.closing import is_sealed
from metering.entries import Entry, Kind, entry_hash
from metering.heads import Head, Heads
from metering.increments import Granularity
from metering.periods import Period
from metering.row_keys import ENTRIES, PERIODS, entry_key, parse_entry_key, period_key, window_key
from metering.rows import PeriodRow
from metering.store import BadRow
from metering.windows import Accounts

FINDINGS_MAX = 1_000  # reported; more are counted


class Flaw(StrEnum):
    """What kind of thing is wrong."""

    ROW = "row"  # no row of a ledger, or not as Tollgate writes it
    CHAIN = "chain"  # an entry's hash does not fit it, the entry before it and its key
    SEQUENCE = "sequence"  # entries are missing, or there are too many
    ENTRY = "entry"  # an entry that no decision makes
    SUMS = "sums"  # a period row that is not the sum of its entries
    WINDOW = "window"  # a window row that is not what its entries say
    HEAD = "head"  # an entry whose hash went out is gone, or has another hash now


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `where` is a row key."""

    flaw: Flaw
    where: str
    what: str


class _Chain:
    """One period's entries in their order, and the sums of them."""

    def __init__(self, tenant_id: str, period: Period, pool_increment_seconds: int) -> None:
        self.sums = replace(PeriodRow.empty(tenant_id, period), pool_increment_seconds=pool_increment_seconds)
        self.previous: str | None = self.sums.head_hash  # None: the entry before could not be read
        self.claimed: PeriodRow | None = None
        self.compared = False

    @property
    def next_sequence(self) -> int:
        return self.sums.next_sequence


class Verification:
    """What is known of one tenant's ledger so far; `entries` counts those of the periods asked for.

    Entries of a period are added in their order, earlier periods first, and their period row after them, in the order
    in which they were read: a row that was read later may know of entries that come later. `pool_increment_seconds` is
    what the period rows say of it, since their sums of the pool's time depend on it.
    """

    def __init__(
        self,
        tenant_id: str,
        *,
        granularity: Granularity,
        keys: Mapping[str, bytes],
        kept: frozenset[str],
        only: Period | None = None,
        pool_increment_seconds: Mapping[Period, int] = MappingProxyType({}),
        heads: Iterable[Head] = (),
    ) -> None:
        self.entries = 0
        self.findings: list[Finding] = []
        self.findings_beyond = 0
        self.accounts = Accounts(granularity=granularity, kept=kept, since=only)
        self._tenant_id = tenant_id
        self._keys = keys
        self._only = only
        self._pool_increment_seconds = pool_increment_seconds
        self._heads = Heads(heads, only=only)
        self._chains: dict[Period, _Chain] = {}
        self._bad_keys: set[str] = set()

    @property
    def periods(self) -> dict[Period, int]:
        """The periods met so far, in order, with the sequence that comes next in each."""
        return {period: self._chains[period].next_sequence for period in sorted(self._chains)}

    @property
    def waits_for_entries(self) -> bool:
        """Whether a period row knows of entries that were not added yet."""
        return any(c.claimed is not None and not c.compared for c in self._chains.values())

    def add_entry(self, entry: Entry) -> None:
        """Check the next entry, and add it to the sums."""
        key, period = entry_key(entry.period, entry.sequence), entry.period
        link = self._chain(period)
        if not self._follows(link, key, entry.sequence):
            return
        in_scope = self._only in {None, period}
        self.entries += in_scope
        if in_scope:
            self._check_hash(link, key, entry)
            if not self._heads.meet(key, entry):
                self._find(Flaw.HEAD, key, "its hash differs from the one that went out")
            if Period.of(entry.at) != period:
                self._find(Flaw.ENTRY, key, "was booked at an instant of another period")
            if entry.increments == 0 or (entry.increments < 0 and entry.kind is not Kind.ADJUSTMENT):
                self._find(Flaw.ENTRY, key, "has a number of increments that no decision makes")
        problem = None if entry.kind is Kind.ADJUSTMENT else self.accounts.add(entry, in_scope=in_scope)
        if problem is not None and in_scope:
            self._find(Flaw.ENTRY, key, problem)
        link.sums, link.previous = link.sums.with_entry(entry), entry.hash
        self._compare(link)

    def add_period(self, row: PeriodRow) -> None:
        """Compare a period row with its entries, now or as soon as all that it knows of are added."""
        if self._only not in {None, row.period}:
            return
        link = self._chain(row.period)
        link.claimed = row
        if link.next_sequence > row.next_sequence:
            self._find(Flaw.SEQUENCE, period_key(row.period), "knows of fewer entries than there are")
        self._compare(link)

    def add_bad_row(self, row: BadRow) -> None:
        """Note a row that is none; an entry that cannot be read keeps its place in the sequence."""
        elsewhere = self._only is not None and row.key.startswith((ENTRIES, PERIODS)) and str(self._only) not in row.key
        if row.key in self._bad_keys or elsewhere:
            return
        self._find(Flaw.ROW, row.key, row.problem)
        self._heads.skip(row.key)
        if len(self._bad_keys) < FINDINGS_MAX:
            self._bad_keys.add(row.key)
        place = parse_entry_key(row.key)
        if place is not None:
            period, sequence = place
            link = self._chain(period)
            if self._follows(link, row.key, sequence):
                link.sums, link.previous = _skip(link.sums, sequence), None
                self._compare(link)
        for period, link in self._chains.items():
            link.compared |= row.key == period_key(period)  # nothing to compare with

    def add_window_problem(self, pool_identifier: str, problem: str) -> None:
        """Note what is wrong with a window."""
        self._find(Flaw.WINDOW, window_key(pool_identifier), problem)

    def end_of_periods(self) -> None:
        """Note that all period rows that there are were added: what has entries and none has lost it."""
        for period, link in self._chains.items():
            if link.claimed is None and not link.compared and self._only in {None, period}:
                self._find(Flaw.SUMS, period_key(period), "is missing, though there are entries")
                link.compared = True

    def end(self) -> None:
        """Note that every row was added."""
        for link in self._chains.values():
            if link.claimed is not None and not link.compared:
                self._find_missing(link, link.claimed.next_sequence - 1)
        for key in self._heads.gone():
            self._find(Flaw.HEAD, key, "is gone, though its hash went out")

    def _chain(self, period: Period) -> _Chain:
        if period not in self._chains:
            self._chains[period] = _Chain(self._tenant_id, period, self._pool_increment_seconds.get(period, 0))
        return self._chains[period]

    def _follows(self, link: _Chain, key: str, sequence: int) -> bool:
        """Say whether an entry with that sequence can be next, after a gap perhaps."""
        expected = link.next_sequence
        if sequence == expected:
            return True
        in_scope = self._only in {None, link.sums.period}
        if sequence < expected:
            if in_scope:
                self._find(Flaw.SEQUENCE, key, "has a sequence that no entry has")
            return False
        if in_scope:
            self._find_missing(link, sequence - 1)
        link.sums, link.previous = _skip(link.sums, sequence - 1), None
        return True

    def _find_missing(self, link: _Chain, last: int) -> None:
        first = link.next_sequence
        others = f", with all entries up to {last}" if last > first else ""
        self._find(Flaw.SEQUENCE, entry_key(link.sums.period, first), f"is missing{others}")

    def _check_hash(self, link: _Chain, key: str, entry: Entry) -> None:
        secret = self._keys.get(entry.key_id)
        if secret is None:
            self._find(Flaw.CHAIN, key, "is sealed with a ledger key that is not known here")
        elif link.previous is not None and entry.hash != entry_hash(entry, previous=link.previous, key=secret):
            self._find(Flaw.CHAIN, key, "was changed, or stands behind another entry than the one it was sealed behind")

    def _compare(self, link: _Chain) -> None:
        claimed, sums = link.claimed, link.sums
        if claimed is None or link.compared or sums.next_sequence < claimed.next_sequence:
            return
        link.compared = True
        columns = ("charged", "reversed", "adjusted", "sessions_opened", "next_sequence", "head_hash")
        wrong = [name for name in columns if getattr(claimed, name) != getattr(sums, name)]
        days = sorted(set(chain(claimed.days, sums.days)))
        wrong += [f"day {day}" for day in days if claimed.days.get(day) != sums.days.get(day)]
        wrong += ["adjustments"] if claimed.adjustments != sums.adjustments else []
        # The granularity is that of the row; a row that was made since the granularities were read is not judged.
        is_known = claimed.pool_increment_seconds == sums.pool_increment_seconds
        wrong += ["pool_increments"] if is_known and claimed.pool_increments != sums.pool_increments else []
        self._check_seal(claimed)
        if wrong:
            self._find(Flaw.SUMS, period_key(sums.period), f"differs from its entries in {', '.join(wrong)}")

    def _check_seal(self, row: PeriodRow) -> None:
        if row.closing is None:
            return
        sealed = is_sealed(row, tenant_id=self._tenant_id, keys=self._keys)
        if sealed is None:
            self._find(Flaw.CHAIN, period_key(row.period), "was closed with a ledger key that is not known here")
        elif not sealed:
            self._find(Flaw.CHAIN, period_key(row.period), "was changed after it was closed")

    def _find(self, flaw: Flaw, where: str, what: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(flaw, where, what))
        else:
            self.findings_beyond += 1


def _skip(sums: PeriodRow, sequence: int) -> PeriodRow:
    """Return the sums as they go on after entries up to `sequence` of which nothing is known."""
    return replace(sums, next_sequence=sequence + 1)
