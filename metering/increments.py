"""Time to increments and back: the only place that knows the granularity of billing.

Rules of this file: pure; integers for increments, `timedelta` for lengths; every division says which way it rounds.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Granularity:
    """The increment in which session time is sold, and the tail that each call must have paid ahead of it.

    Attributes:
        increment_seconds: length of one increment, at least 1.
        tail_seconds: how long after a call its session must stay paid; the pool's cooldown by default, 0 bills
            active time only.
    """

    increment_seconds: int
    tail_seconds: int

    def __post_init__(self) -> None:
        """Refuse lengths that no bill could be made of."""
        if self.increment_seconds < 1 or self.tail_seconds < 0:
            raise ValueError("an increment is at least one second long, a tail at least zero")

    @property
    def tail(self) -> timedelta:
        """How long after a call its session must stay paid."""
        return timedelta(seconds=self.tail_seconds)

    def to_open(self) -> int:
        """Count the increments that opening a window costs: the tail rounded up, and at least one."""
        return max(1, -(-self.tail_seconds // self.increment_seconds))

    def to_extend(self, *, paid_until: datetime, at: datetime) -> int:
        """Count the increments that a call at `at` needs beyond `paid_until`; 0 if it is covered."""
        missing = at + self.tail - paid_until
        return max(0, -(-missing // self.length(1)))

    def covers(self, *, paid_until: datetime, at: datetime) -> bool:
        """Say whether a window paid until `paid_until` is open at `at` and covers a call then."""
        return at < paid_until and at + self.tail <= paid_until

    def begun(self, *, opened_at: datetime, at: datetime) -> int:
        """Count the increments of a window opened at `opened_at` that begin before `at`."""
        return max(0, -(-(at - opened_at) // self.length(1)))

    def length(self, increments: int) -> timedelta:
        """Return how long so many increments last."""
        return timedelta(seconds=self.increment_seconds * increments)

    def minutes(self, increments: int) -> Decimal:
        """Convert increments to minutes, exactly as far as `Decimal` goes."""
        return Decimal(increments * self.increment_seconds) / 60

    def hours(self, increments: int) -> Decimal:
        """Convert increments to hours, for prices."""
        return Decimal(increments * self.increment_seconds) / 3600

    def within(self, minutes: Decimal) -> int:
        """Count the whole increments that fit into a quota of minutes (rounds down: never more than was granted)."""
        return int(minutes * 60 // self.increment_seconds)

    def exactly(self, minutes: Decimal) -> int:
        """Convert minutes that must be whole increments.

        Raises:
            ValueError: if they are not.
        """
        increments, rest = divmod(minutes * 60, self.increment_seconds)
        if rest:
            raise ValueError(f"minutes must be a multiple of {self.minutes(1).normalize():f}")
        return int(increments)
