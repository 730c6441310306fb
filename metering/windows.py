"""What the entries say of each session's newest window, and whether a window row says the same.

Rules of this file: pure; entries come in their order, one by one, and are not kept.

The time that a window's entries pay for is without gaps: the first charge begins at `opened_at`, each other one where
the paid time ends, and a reversal takes back from that end. When a session is ended, its window's `paid_until` moves
into the last increment that has begun, for which there is no entry. So entries prove `paid_until` to within one
increment, and a charge may begin up to one increment before the end of what was paid (an instance whose clock is
behind does that). They prove everything else of a row but `owner` and `shared`, which no sum of money depends on.

Around the turn of a month, instances book into two periods at once, in an order that no row tells. A window with an
entry from there that does not fit is not judged.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from metering.clock import CLOCKS_APART
from metering.entries import Entry, Kind
from metering.increments import Granularity
from metering.periods import Period
from metering.rows import Window

SWEEP_AT_MIN = 50_000  # sessions known: some 25 MB
SETTLED_AFTER = timedelta(days=1)  # an entry about a window comes at most so long after its end


@dataclass(slots=True)
class Account:
    """One session's newest window, as its entries have it.

    Attributes:
        until: where the paid time ends.
        newest_charge: None while only reversals of it were seen.
        in_scope: whether an entry of the period asked for is about it.
        in_doubt: whether the order of its entries is not known.
    """

    opened_at: datetime
    until: datetime
    session_name: str
    newest_charge: str | None = None
    in_scope: bool = False
    in_doubt: bool = False


class Accounts:
    """The newest windows by pool identifier; forgets those that are long over, unless they are in `kept`.

    With `since`, entries of earlier periods were not seen, so a window that was opened in one is taken as it is found.
    """

    def __init__(
        self,
        *,
        granularity: Granularity,
        kept: frozenset[str],
        since: Period | None,
        sweep_at_min: int = SWEEP_AT_MIN,
    ) -> None:
        self._granularity = granularity
        self._kept = kept
        self._since = since
        self._accounts: dict[str, Account] = {}
        self._sweep_at_min = self._sweep_at = sweep_at_min
        self._forgot = False

    def add(self, entry: Entry, *, in_scope: bool) -> str | None:
        """Take in the next charge or reversal; say what is wrong with it, as a predicate."""
        identifier, opened_at, from_at, until = entry.pool_identifier, entry.opened_at, entry.from_at, entry.until
        if identifier is None or opened_at is None or from_at is None or until is None or entry.session_name is None:
            return "names no window"
        account = self._accounts.get(identifier)
        problem = None
        if account is None or account.opened_at != opened_at:
            account, problem = self._open(entry, account, opened_at, from_at, until)
        if account is not None:
            account.in_scope |= in_scope
            self._accounts[identifier] = account
            unfitting = self._move(account, entry, from_at, until)
            problem = problem or unfitting
            if entry.session_name != account.session_name:
                problem = "names another session than the window's other entries"
        if until - from_at != self._granularity.length(entry.increments):
            problem = "pays for a time that is not as long as its increments"
        if len(self._accounts) >= self._sweep_at:
            self._sweep(entry.at)
        return problem

    def problem(self, row: Window) -> str | None:
        """Compare a window row with its entries; say what is wrong with it, as a predicate."""
        account = self._accounts.get(row.pool_identifier)
        if account is None:
            expected = self._since is None or Period.of(row.opened_at) == self._since
            return "has no entries" if expected else None
        unseen = (
            self._since is not None and Period.of(row.opened_at) < self._since and row.opened_at != account.opened_at
        )
        if account.in_doubt or unseen or (self._since is not None and not account.in_scope):
            return None
        paid = self._granularity.begun(opened_at=account.opened_at, at=account.until)
        wrong = {
            "session_name": row.session_name != account.session_name,
            "opened_at": row.opened_at != account.opened_at,
            "increments": row.increments != paid,
            "paid_until": row.paid_until > account.until
            or self._granularity.begun(opened_at=account.opened_at, at=row.paid_until) != paid
            or row.paid_until < account.opened_at,
            "newest_charge": account.newest_charge not in {None, row.newest_charge},
        }
        fields = [field for field, is_wrong in wrong.items() if is_wrong]
        return f"differs from its entries in {', '.join(fields)}" if fields else None

    def paid_beyond(self, at: datetime) -> set[str]:
        """Name the sessions whose windows, whether they were ended or not, are paid until after that instant."""
        latest = at + self._granularity.length(1)
        return {
            identifier
            for identifier, account in self._accounts.items()
            if account.until > latest and not account.in_doubt and (self._since is None or account.in_scope)
        }

    def _open(
        self, entry: Entry, before: Account | None, opened_at: datetime, from_at: datetime, until: datetime
    ) -> tuple[Account | None, str | None]:
        assert entry.session_name is not None, "checked by the caller"
        if self._since is not None and Period.of(opened_at) < self._since:
            paid_until = until if entry.kind is Kind.REVERSAL else from_at
            return Account(opened_at, paid_until, entry.session_name), None
        in_doubt = _at_turn(entry)
        if entry.kind is Kind.REVERSAL:
            if before is not None:
                before.in_doubt |= in_doubt
            # The charge of a window that is forgotten was seen; nothing of it is left to compare with.
            known = in_doubt or (self._forgot and before is None)
            return None, None if known else "takes back what was not charged"
        account = Account(opened_at, from_at, entry.session_name)
        problem = None
        if from_at != opened_at:
            problem = "extends a window that was not opened"
        elif before is not None and self._is_open(before, opened_at):
            problem = "opens a window while the session's window before it is open"
        account.in_doubt = in_doubt and problem is not None
        return account, None if in_doubt else problem

    def _move(self, account: Account, entry: Entry, from_at: datetime, until: datetime) -> str | None:
        reference = f"{entry.period}/{entry.sequence}"
        if entry.kind is Kind.CHARGE:
            fits = self._earliest(account) < from_at <= account.until and from_at >= account.opened_at
            account.until, account.newest_charge = until, reference
            problem = "does not begin where the paid time ends"
        else:
            fits = until == account.until and account.opened_at <= from_at < until
            fits = fits and entry.reverses is not None and _position(entry.reverses) < _position(reference)
            account.until = from_at
            problem = "takes back other time, or another charge, than the end of what was paid"
        account.in_doubt |= not fits and _at_turn(entry)
        return None if fits or account.in_doubt else problem

    def _is_open(self, account: Account, at: datetime) -> bool:
        """Say whether the window was open then by every clock: it may have been ended by a faster one."""
        return account.until > account.opened_at and at + CLOCKS_APART <= self._earliest(account)

    def _earliest(self, account: Account) -> datetime:
        """Return the instant after which the window may have been ended."""
        return account.until - self._granularity.length(1)

    def _sweep(self, now: datetime) -> None:
        over = now - SETTLED_AFTER
        known = len(self._accounts)
        self._accounts = {i: a for i, a in self._accounts.items() if a.until > over or i in self._kept}
        self._forgot |= len(self._accounts) < known
        self._sweep_at = max(self._sweep_at_min, 2 * len(self._accounts))


def _at_turn(entry: Entry) -> bool:
    return min(entry.at - entry.period.start_at, entry.period.until - entry.at) < CLOCKS_APART


def _position(reference: str) -> tuple[str, int]:
    period, _, sequence = reference.partition("/")
    return period, int(sequence) if sequence.isascii() and sequence.isdecimal() else 0
