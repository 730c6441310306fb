"""What an instance remembers of the sessions that it serves: until when each is paid, and who relies on that.

Rules of this file: memory only, one event loop, no await. Forgetting a session that has no call in flight is always
safe: its next call reads the ledger again.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from metering.requests import Charge

SESSIONS_MAX = 200_000  # remembered while idle: some 60 MB
SWEEP_AT_MIN = 1_024

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class SessionMemory:
    """One session.

    Attributes:
        opened_at: when its window was opened; None while this instance knows of none.
        paid_until: meaningful with `opened_at`.
        calls: admitted or asking for admission, and not yet settled.
        entered: how many calls there have been, those that are settled included.
        ran_until: until when the pool may hold the session for calls that ran.
        withheld: charges of calls that did not run, not taken back yet because other calls were in flight.
    """

    opened_at: datetime | None = None
    paid_until: datetime = LONG_AGO
    calls: int = 0
    entered: int = 0
    ran_until: datetime = LONG_AGO
    withheld: list[Charge] = field(default_factory=list)

    def forget(self) -> None:
        """Rely on the window no more; the next call asks the ledger."""
        self.opened_at = None
        self.paid_until = LONG_AGO

    def take_unneeded(self) -> list[Charge]:
        """Take out the withheld charges, if no call is left; return those that no call has needed, the newest first."""
        if self.calls:
            return []
        charges, self.withheld = sorted(self.withheld, key=lambda charge: charge.from_at, reverse=True), []
        return [charge for charge in charges if charge.from_at >= self.ran_until]


class Coverage:
    """The sessions by pool identifier, bounded."""

    def __init__(self, *, sessions_max: int = SESSIONS_MAX) -> None:
        self._sessions: dict[str, SessionMemory] = {}
        self._sessions_max = sessions_max
        self._sweep_at = min(SWEEP_AT_MIN, sessions_max)

    def __len__(self) -> int:
        """Count the sessions remembered."""
        return len(self._sessions)

    def known(self, pool_identifier: str) -> SessionMemory | None:
        """Return what is remembered of a session."""
        return self._sessions.get(pool_identifier)

    def enter(self, pool_identifier: str, now: datetime) -> SessionMemory:
        """Count a call in; it stays remembered until the call is counted out."""
        session = self._sessions.get(pool_identifier)
        if session is None:
            if len(self._sessions) >= self._sweep_at:
                self._sweep(now)
            session = self._sessions[pool_identifier] = SessionMemory()
        session.calls += 1
        session.entered += 1
        return session

    def learn(self, pool_identifier: str, opened_at: datetime, paid_until: datetime) -> None:
        """Remember a window that this instance has committed or touched."""
        session = self._sessions.get(pool_identifier)
        if session is not None:
            session.opened_at, session.paid_until = opened_at, paid_until

    def forget(self, pool_identifier: str) -> None:
        """Rely on a session's window no more: it was shortened."""
        session = self._sessions.get(pool_identifier)
        if session is not None:
            session.forget()

    def _sweep(self, now: datetime) -> None:
        """Drop what has expired and, if too much is left, the older half of the rest; costs little per session."""
        kept = {name: s for name, s in self._sessions.items() if _in_use(s) or s.paid_until > now}
        if len(kept) >= self._sessions_max:
            half = len(kept) // 2
            kept = {name: s for age, (name, s) in enumerate(kept.items()) if _in_use(s) or age >= half}
        self._sessions = kept
        self._sweep_at = max(len(kept) + 1, min(max(SWEEP_AT_MIN, 2 * len(kept)), self._sessions_max))


def _in_use(session: SessionMemory) -> bool:
    return session.calls > 0 or bool(session.withheld)
