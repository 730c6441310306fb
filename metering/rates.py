"""What a session hour costs, by day.

Rules of this file: pure; prices are `Decimal`, per session hour, in the deployment's one currency; days are UTC.

The list price of a session hour was 0.03 USD, and 0.026 and 0.025 USD with the savings plans of one and three years
(Azure Container Apps pricing, read 2026-11).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from metering.periods import Period


@dataclass(frozen=True, slots=True)
class RateChange:
    """From this day on, a session hour has this price; None: whatever the deployment asks of everybody."""

    from_day: date
    per_session_hour: Decimal | None


@dataclass(frozen=True, slots=True)
class Rates:
    """The price of a session hour on each day.

    Attributes:
        base: what holds until the first change.
        changes: the days from which another price holds, in order, each once.
    """

    base: Decimal
    changes: tuple[tuple[date, Decimal], ...] = ()

    def __post_init__(self) -> None:
        """Refuse changes that do not stand in the order of time."""
        days = [day for day, _ in self.changes]
        if days != sorted(set(days)):
            raise ValueError("changes of a rate stand in the order of their days, each day once")

    def on(self, day: date) -> Decimal:
        """Return the price of a session hour on this day."""
        rate = self.base
        for from_day, changed in self.changes:
            if from_day > day:
                break
            rate = changed
        return rate

    def within(self, period: Period) -> Iterator[tuple[date, Decimal]]:
        """Name the prices that hold in a period, with the first day of it from which each one does."""
        yield period.first_day, self.on(period.first_day)
        yield from ((day, rate) for day, rate in self.changes if period.first_day < day <= period.last_day)
