"""What must hold, always: the promises about calls, each a function with the promise's name.

`ledger` states those about the rows themselves: never over, never twice, balance is the sum of entries. The oracle is
told of every change of the table, every call that the pool takes in and every answer, and raises `Broken` at once.
Instants are microseconds of true time since the start, unless they say `local`: then of an instance's clock, since
1970.

Never lost holds in the clock of the instance that admitted the call. Covered holds to within the clocks' error. An
admitted call is on its way to the pool for a moment; what the pool holds because of that moment is not promised.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.simulation.calls import CallRecord
from tests.simulation.ledger import LATE, Books, Broken, PaidWindow, Piece, instant
from tests.simulation.plan import Plan
from tests.simulation.table import Columns

SECOND = 1_000_000
ANSWER_SECONDS_MAX = 300  # the pool's 225, and trying the ledger before and after it


@dataclass(frozen=True, slots=True)
class Claim:
    """The pool holds a session over this time because of one call."""

    call: CallRecord
    start: int
    until: int


@dataclass(slots=True)
class Oracle:
    """Watches one history."""

    plan: Plan
    epoch: int
    books: dict[str, Books] = field(default_factory=dict)
    calls: dict[str, CallRecord] = field(default_factory=dict)
    claims: dict[str, list[Claim]] = field(default_factory=dict)
    ended: dict[str, list[int]] = field(default_factory=dict)
    known: dict[tuple[str, str, str], int | None] = field(default_factory=dict)
    in_flight: dict[tuple[str, str, str], int] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    under_way: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Open a book for each tenant."""
        increment, tail = self.plan.increment_seconds * SECOND, self.plan.tail_seconds * SECOND
        for tenant, limits in self.plan.limits.items():
            self.books[tenant] = Books(
                limits=limits, increment=increment, tail=tail, one_clock=self.plan.skew_seconds == 0
            )

    def changed(self, partition: str, rows: Mapping[str, Columns]) -> None:
        """Hear of a transaction."""
        if partition in self.books:
            self.books[partition].take(rows)

    def begun(self, call: CallRecord) -> None:
        """Hear of a call that begins."""
        self.calls[call.id] = call
        key = call.instance, call.tenant, call.session
        busy = self.in_flight[key] = self.in_flight.get(key, 0) + 1
        call.known_until = self.known.get(key) if busy == 1 else None  # others may be taking charges back, or ending it
        call.history_start = len(self.books[call.tenant].slack) - 1
        others = self.under_way[call.tenant] = self.under_way.get(call.tenant, 0) + 1
        if others > 1:
            for other in self.calls.values():
                if other.tenant == call.tenant and other.ended_at is None:
                    other.alone = False

    def received(self, call: CallRecord) -> None:
        """Hear of a call that the pool takes in."""
        admitted = never_lost(call, self.local(call, 0), self.plan, self.books[call.tenant])
        until = admitted - self.local(call, 0) + self.plan.cooldown_seconds * SECOND
        assert call.received_at is not None
        self.claims.setdefault(call.identifier, []).append(Claim(call, call.received_at, until))

    def session_ended(self, call: CallRecord) -> None:
        """Hear of a session that the pool has ended."""
        assert call.received_at is not None
        self.ended.setdefault(call.identifier, []).append(call.received_at)
        self.books[call.tenant].ended.add(call.identifier)

    def left(self, call: CallRecord, at: int) -> None:
        """Hear of a call that is over, answered or not."""
        call.ended_at = at
        self.under_way[call.tenant] -= 1
        self.in_flight[call.instance, call.tenant, call.session] -= 1
        self._learn(call)

    def answered(self, call: CallRecord, at: int, *, status: int, headers: Mapping[str, str]) -> None:
        """Hear of an answer."""
        call.status, call.headers = status, dict(headers)
        call.code = headers.get("x-ms-error-code", "")
        books = self.books[call.tenant]
        if call.code == "InternalError" or at - call.started_at > ANSWER_SECONDS_MAX * SECOND:
            raise Broken("always answered", f"{call.id} got {status} after {(at - call.started_at) / SECOND} s")
        if call.code == "QuotaExceeded":
            quota_refusals_are_true(call, books)
        elif call.code == "TooManySessions":
            session_refusals_are_true(call, self.local(call, call.started_at), self.plan, books)
        elif call.code == "MeteringUnavailable":
            storage_down(call, self.local(call, call.started_at), self.plan)
        if "Tollgate-Charged-Minutes" in headers:
            told = float(headers["Tollgate-Charged-Minutes"]) * 60 / self.plan.increment_seconds
            answers_are_true(call, round(told), books)

    def _learn(self, call: CallRecord) -> None:
        """Note until when the instance itself has said that a session is paid; None for good once it may take back."""
        key = call.instance, call.tenant, call.session
        said = call.headers.get("Tollgate-Session-Paid-Until")
        if call.verb == "look" or (key in self.known and self.known[key] is None):
            return
        self.known[key] = instant(said) if said is not None and call.ran else None

    def local(self, call: CallRecord, at: int) -> int:
        """Read the clock of the call's instance."""
        return self.epoch + at + call.skew

    def at_rest(self) -> None:
        """Check what must hold once every call is over, every late request has arrived and the table can be reached."""
        for identifier, claims in self.claims.items():
            windows = self.books[claims[0].call.tenant].windows.get(identifier, [])
            covered(claims, self.ended.get(identifier, []), windows, self.plan, self.epoch)
        for books in self.books.values():
            for identifier, windows in books.windows.items():
                calls = [call for call in self.calls.values() if call.identifier == identifier and call.ran]
                for window in windows:
                    nothing_leaks(window, self, calls)


def never_lost(call: CallRecord, zero: int, plan: Plan, books: Books) -> int:
    """What a call was admitted for is in the ledger before the pool hears of it; return when it was admitted (local).

    There must be an instant between the call's start and its forwarding at which the session was paid until the tail
    after it. For a call that was charged the entry says which; for one that waited for others' charges it is at least
    the earliest such instant; one that did not wait was admitted when it began.
    """
    assert call.sent_at is not None
    tail = max(1, plan.tail_seconds * SECOND)
    earliest = max(call.started_at, call.sent_at - LATE) + zero
    latest = call.sent_at + zero
    error = round(2 * plan.skew_seconds * SECOND)  # a window may have been opened in another clock's future
    windows = books.windows.get(call.identifier, [])
    for window in reversed(windows):
        charged_at = next((piece.at for piece in reversed(window.pieces) if piece.request == call.id), None)
        end = window.end if window is not windows[-1] else min(window.end, books.paid[call.identifier])
        admitted = max(earliest, window.opened - error) if charged_at is None else charged_at
        if admitted <= min(latest, end - tail):
            return admitted
    raise Broken("never lost", f"the pool got {call.id}, but no entry pays for it")


def covered(
    claims: Iterable[Claim], ended: Iterable[int], windows: Iterable[PaidWindow], plan: Plan, epoch: int
) -> None:
    """Every instant at which the pool may hold a session for a call is inside a paid window (with `T >= cooldown`)."""
    if plan.tail_seconds < plan.cooldown_seconds:
        return
    error = round(plan.skew_seconds * SECOND)
    paid = sorted((window.opened - epoch - error, window.end - epoch + error) for window in windows)
    for claim in claims:
        until = min([claim.until, *(at for at in ended if at > claim.start)])
        reached = claim.start
        for start, end in paid:
            if start <= reached < end:
                reached = end
        if reached < until:
            raise Broken("covered", f"{claim.call.id} has the pool hold a session until {until}, paid until {reached}")


def nothing_leaks(window: PaidWindow, oracle: Oracle, calls: list[CallRecord]) -> None:
    """At rest, no charge remains that nobody needed (Never unfairly refused).

    It is needed if its own call, or another one that had to be taken to have run, used the time, or if later charges
    build upon it. It may remain if another instance relies on the window (shared), if the window was ended or has been
    followed by another (then nobody knows who relied on it), or if the instance that made it was killed.
    """
    if window.kept:
        return
    tail = max(1, oracle.plan.tail_seconds * SECOND)
    for piece in reversed(window.pieces):
        call = oracle.calls[piece.request]
        if call.ran or call.instance in oracle.dead or any(_uses(other, piece, tail, oracle) for other in calls):
            return
        raise Broken("never unfairly refused", f"the charge of {call.id}, which did not run, remains")


def _uses(call: CallRecord, piece: Piece, tail: int, oracle: Oracle) -> bool:
    assert call.sent_at is not None
    first, last = oracle.local(call, call.started_at), oracle.local(call, call.sent_at)
    return first < piece.until and last + tail > piece.start


def quota_refusals_are_true(call: CallRecord, books: Books) -> None:
    """A call within quota is admitted: at some instant of a refused one, the quota did not cover it."""
    if books.slack_since(call.history_start) >= books.to_open:
        raise Broken("never unfairly refused", f"{call.id} was refused, though the quota covered it all the time")


def session_refusals_are_true(call: CallRecord, local: int, plan: Plan, books: Books) -> None:
    """All places were taken at some instant of a call that was refused for want of one."""
    limit = plan.limits[call.tenant].sessions
    taken = sum(instant(row["paid_until"]) > local for row in books.rows.values()) + books.shortened
    if limit is None or taken < limit:
        raise Broken("never unfairly refused", f"{call.id} found no place, though only {taken} of {limit} are taken")


def storage_down(call: CallRecord, local: int, plan: Plan) -> None:
    """A session that the instance knows to be paid needs no storage; without trouble nothing is refused for it."""
    if call.known_until is not None and local + max(1, plan.tail_seconds * SECOND) <= call.known_until:
        raise Broken("storage down", f"{call.id} was refused though its session is paid")
    if plan.is_calm and call.alone:
        raise Broken("never unfairly refused", f"{call.id} was refused for storage that is in order")


def answers_are_true(call: CallRecord, told: int, books: Books) -> None:
    """What a caller is told of its charge stands in the ledger; a charge may be back before anyone can be sure."""
    charged = sum(
        piece.increments
        for windows in books.windows.values()
        for window in windows
        for piece in window.pieces
        if piece.request == call.id
    )
    if told < charged or (told > charged and call.ran):
        raise Broken("never lost", f"{call.id} was told that it cost {told} increments; the entries say {charged}")
