"""What the ledger is asked, and what it answers: values without behaviour."""

from dataclasses import dataclass
from datetime import datetime

from metering.alerts import PERCENTS_DEFAULT, PERCENTS_MAX
from metering.entries import Entry
from metering.periods import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a tenant may use; None is without limit.

    Attributes:
        increments_per_period: quota of a period.
        increments_per_day: quota of a UTC day.
        sessions: windows that may be open at one instant, at least 1.
        alert_percents: thresholds of the period's quota; an entry that reaches one makes an alert.
    """

    increments_per_period: int | None = None
    increments_per_day: int | None = None
    sessions: int | None = None
    alert_percents: tuple[int, ...] = PERCENTS_DEFAULT

    def __post_init__(self) -> None:
        """Refuse a limit that no session could ever meet."""
        if self.sessions is not None and self.sessions < 1:
            raise ValueError("a limit on sessions is at least 1")
        if len(self.alert_percents) > PERCENTS_MAX:
            raise ValueError(f"a quota has at most {PERCENTS_MAX} thresholds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Admit:
    """May this call on this session go to the pool?"""

    pool_identifier: str
    session_name: str
    operation: str
    request_id: str
    quota: Quota


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one call was charged: enough to take it back.

    Attributes:
        reference: `period/sequence` of the entry.
        from_at: first instant that it pays for.
        until: first instant after it.
        increments: how many.
        opened_at: when the window was opened; equal to `from_at` if this charge opened it.
        request_id: the call's.
    """

    reference: str
    request_id: str
    pool_identifier: str
    session_name: str
    operation: str
    opened_at: datetime
    from_at: datetime
    until: datetime
    increments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverse:
    """The call that made this charge did not run: take the charge back."""

    charge: Charge


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The pool has ended this session at the tenant's wish: end its window."""

    pool_identifier: str
    opened_at: datetime
    operation: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjust:
    """The operator corrects the balance by so many increments, signed, never 0.

    `corrects` is the earlier period that is made good; None: the current one.
    """

    increments: int
    reason: str
    request_id: str
    quota: Quota
    corrects: Period | None = None


type Request = Admit | Reverse | End | Adjust


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The call, admitted at `at`, may go to the pool: its session is paid for until `paid_until`."""

    at: datetime
    opened_at: datetime
    paid_until: datetime
    charge: Charge | None  # None: covered


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaExceeded:
    """The quota does not cover what was needed; nothing was written.

    Attributes:
        needed: increments that the call needed.
        remaining: increments that are left, not below 0.
        until: when the period, or the day, of that quota ends.
        daily: whether the day's quota is what was used up.
    """

    needed: int
    remaining: int
    until: datetime
    daily: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TooManySessions:
    """All of the tenant's places are taken; one is free at `free_at`, unless the sessions are used again."""

    limit: int
    free_at: datetime


@dataclass(frozen=True, slots=True)
class TakenBack:
    """So many increments were reversed; 0 if others rely on them, or none was left to take."""

    increments: int


@dataclass(frozen=True, slots=True)
class Adjusted:
    """The balance was corrected by this entry."""

    entry: Entry


type Answer = Admitted | QuotaExceeded | TooManySessions | TakenBack | Adjusted
