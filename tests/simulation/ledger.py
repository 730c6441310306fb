"""The oracle's own reading of the table's rows, kept up with each transaction; it shares no code with the product.

A window is a stack of pieces: a charge puts one on top, a reversal takes increments off the top. Instants are integer
microseconds since 1970, as the instances' clocks had them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.simulation.plan import Limits
from tests.simulation.table import Columns

LATE = 2_000_000
"""A charge of which its call hears later than this pays for time that is over; the call may be charged anew."""

PERCENTS = (50, 75, 90, 100)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Broken(BaseException):
    """A promise does not hold. No `Exception`: no product code may take it for an error of its own."""

    def __init__(self, promise: str, what: str) -> None:
        super().__init__(f"{promise}: {what}")
        self.promise = promise


def instant(text: str) -> int:
    """Read an instant as the rows have it."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND


@dataclass(slots=True)
class Piece:
    """One charge, as far as it is not taken back."""

    request: str
    at: int
    start: int
    until: int
    increments: int


@dataclass(slots=True)
class PaidWindow:
    """One window: when it was opened, and the pieces that pay for it, the newest last.

    Attributes:
        kept: it was shared, ended or followed by another, so what remains of it is not taken back any more.
    """

    opened: int
    kept: bool = False
    pieces: list[Piece] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The first instant that is not paid."""
        return self.pieces[-1].until if self.pieces else self.opened


@dataclass(slots=True)
class Sums:
    """A period, added up entry by entry."""

    charged: int = 0
    reversed: int = 0
    adjusted: int = 0
    opened: int = 0
    entries: int = 0
    head: str = ""
    days: dict[str, list[int]] = field(default_factory=dict)

    @property
    def balance(self) -> int:
        """What the tenant has used."""
        return self.charged - self.reversed + self.adjusted


class Books:
    """One tenant's books. Raises `Broken` as soon as a transaction breaks a promise about them."""

    def __init__(self, *, limits: Limits, increment: int, tail: int, one_clock: bool) -> None:
        self._limits = limits
        self._one_clock = one_clock
        self._increment = increment
        self._tail = tail
        self.to_open = max(1, -(-tail // increment))
        self.periods: dict[str, Sums] = {}
        self.entries: set[str] = set()
        self.rows: dict[str, Columns] = {}
        self.paid: dict[str, int] = {}
        self.ended: set[str] = set()
        self.windows: dict[str, list[PaidWindow]] = {}
        self.charges: dict[str, list[int]] = {}
        self.slack: list[int] = [self._slack(Sums(), "")]
        self.shortened = 0
        self.reached: set[str] = set()
        self.alerts: set[str] = set()

    def take(self, changed: Mapping[str, Columns]) -> None:
        """Book one transaction."""
        touched: set[str] = set()
        newest = ""
        for key in sorted(key for key in changed if key.startswith("entry:")):
            self._entry(key, changed[key])
            touched.add(changed[key]["period"])
            newest = key
        for key, columns in changed.items():
            if key.startswith("window:"):
                self._window(columns)
        for key, columns in changed.items():
            if key.startswith("period:"):
                touched.add(key.removeprefix("period:"))
                balance_is_the_sum_of_entries(columns, self.periods.setdefault(key.removeprefix("period:"), Sums()))
        for period in touched:
            if f"period:{period}" not in changed:
                raise Broken("balance is the sum of entries", f"entries were added to {period} without its sums")
        if newest:
            self._within_limits(changed[newest])
        self.alerts |= {key for key in changed if key.startswith("alert:")}
        if self.alerts != self.reached:
            wrong = sorted(self.alerts ^ self.reached)
            raise Broken("every crossing is alerted", f"alerts and thresholds reached differ in {wrong}")

    def _entry(self, key: str, columns: Columns) -> None:
        sums = self.periods.setdefault(columns["period"], Sums())
        if key in self.entries or columns["sequence"] != sums.entries + 1:
            raise Broken("balance is the sum of entries", f"{key} overwrites an entry, or leaves one out")
        if columns["at"][:7] != columns["period"]:
            raise Broken("balance is the sum of entries", f"{key} belongs to another period")
        self.entries.add(key)
        sums.entries += 1
        sums.head = columns["hash"]
        day = sums.days.setdefault(columns["at"][:10], [0, 0])
        opens = int(columns.get("opened_at") is not None and columns["opened_at"] == columns["from_at"])
        match columns["kind"]:
            case "charge":
                self._charge(key, columns)
                sums.charged += columns["increments"]
                change = columns["increments"]
            case "reversal":
                self._reversal(key, columns)
                sums.reversed += columns["increments"]
                change, opens = -columns["increments"], -opens
            case _:
                sums.adjusted += columns["increments"]
                change = columns["increments"]
        sums.opened += opens
        day[0] += change
        day[1] += opens
        if change > 0 and self._limits.month:
            self.reached |= {
                f"alert:{columns['period']}:quota:{self._limits.month}:{percent:03}"
                for percent in PERCENTS
                if sums.balance * 100 >= percent * self._limits.month
            }

    def _charge(self, key: str, columns: Columns) -> None:
        at, opened = instant(columns["at"]), instant(columns["opened_at"])
        start, until, increments = instant(columns["from_at"]), instant(columns["until"]), columns["increments"]
        windows = self.windows.setdefault(columns["pool_identifier"], [])
        before = windows[-1] if windows else None
        is_over = before is None or not before.pieces or columns["pool_identifier"] in self.ended
        if at >= self.paid.get(columns["pool_identifier"], 0) or (at == start and is_over):
            due = at == start == opened and increments == self.to_open
            if before is not None:
                before.kept = True
            windows.append(PaidWindow(opened))
        else:  # an empty window in the future of this clock is extended as any other
            due = increments == -(-(at + self._tail - start) // self._increment)
        window = next((window for window in reversed(windows) if window.opened == opened), None)
        if window is None or window.end != start or until - start != increments * self._increment:
            raise Broken("never twice", f"{key} pays for time that is paid already, or leaves a gap")
        if not due:
            raise Broken("never twice", f"{key} charges what the call did not need")
        request = columns["request_id"]
        standing = self.charges.setdefault(request, [])
        if any(at - earlier < LATE for earlier in standing):
            raise Broken("never twice", f"{key} charges the call {request} again")
        standing.append(at)
        self.paid[columns["pool_identifier"]] = until
        window.pieces.append(Piece(request, at, start, until, increments))

    def _reversal(self, key: str, columns: Columns) -> None:
        start, until, left = instant(columns["from_at"]), instant(columns["until"]), columns["increments"]
        opened = instant(columns["opened_at"])
        windows = self.windows.get(columns["pool_identifier"], [])
        window = next((window for window in reversed(windows) if window.opened == opened), None)
        if window is None or window.end != until or until - start != left * self._increment:
            raise Broken("never twice", f"{key} takes back what is not paid, or not the newest of it")
        self.paid[columns["pool_identifier"]] = start
        while left:
            if not window.pieces:
                raise Broken("never twice", f"{key} takes back more than was paid")
            piece = window.pieces[-1]
            taken = min(left, piece.increments)
            piece.increments -= taken
            piece.until -= taken * self._increment
            left -= taken
            if not piece.increments:
                window.pieces.pop()
                self.charges[piece.request].remove(piece.at)

    def _window(self, columns: Columns) -> None:
        identifier = columns["pool_identifier"]
        before, paid_until = self.rows.get(identifier), instant(columns["paid_until"])
        if (
            before is not None
            and before["opened_at"] == columns["opened_at"]
            and before["paid_until"] > columns["paid_until"]
        ):
            self.shortened += 1
        self.rows[identifier], self.paid[identifier] = columns, paid_until
        opened = instant(columns["opened_at"])
        paid = next((w for w in reversed(self.windows.get(identifier, [])) if w.opened == opened), None)
        if paid is None or paid_until > paid.end or columns["increments"] != sum(p.increments for p in paid.pieces):
            raise Broken("never lost", f"the window of {identifier} promises more than its entries pay for")
        paid.kept = paid.kept or columns["shared"] or paid_until < paid.end

    def _within_limits(self, newest: Columns) -> None:
        sums = self.periods[newest["period"]]
        slack = self._slack(sums, newest["at"][:10])
        self.slack.append(slack)
        if slack < 0:
            raise Broken("never over", f"the balance of {newest['period']} is {sums.balance}, {-slack} over the quota")
        opens = newest["kind"] == "charge" and newest["from_at"] == newest["opened_at"]
        if opens and self._one_clock and self._limits.sessions is not None:
            taken = sum(row["paid_until"] > newest["at"] for row in self.rows.values())
            if taken > self._limits.sessions:
                raise Broken("never over", f"{taken} sessions are open, {self._limits.sessions} are allowed")

    def slack_since(self, start: int) -> int:
        """Return the least that the quota had left, in any period, since the history was that long."""
        now = (self._slack(sums, day) for sums in self.periods.values() for day in sums.days)
        return min((*self.slack[start:], *now))

    def _slack(self, sums: Sums, day: str) -> int:
        used = sums.days.get(day, [0])[0]
        limits = ((self._limits.month, sums.balance), (self._limits.day, used))
        return min((limit - taken for limit, taken in limits if limit is not None), default=1_000_000)


def balance_is_the_sum_of_entries(columns: Columns, sums: Sums) -> None:
    """Raise `Broken` unless the period row says what its entries add up to."""
    said = (
        *(columns[name] for name in ("charged", "reversed", "adjusted", "sessions_opened")),
        columns["next_sequence"] - 1,
        json.loads(columns["days"]),
    )
    true = (sums.charged, sums.reversed, sums.adjusted, sums.opened, sums.entries, sums.days)
    if said != true or (sums.entries and columns["head_hash"] != sums.head):
        raise Broken("balance is the sum of entries", f"the row says {said}, the entries say {true}")
