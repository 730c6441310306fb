"""The billing period: a UTC calendar month, half-open."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self

_PATTERN = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A UTC calendar month, written `YYYY-MM`; it holds the instants from `start_at` up to, not including, `until`."""

    year: int
    month: int

    @classmethod
    def of(cls, at: datetime) -> Self:
        """Return the period that holds the aware instant `at`."""
        at = at.astimezone(UTC)
        return cls(at.year, at.month)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `YYYY-MM`.

        Raises:
            ValueError: if the text is anything else.
        """
        match = _PATTERN.fullmatch(text)
        if match is None or match[1] in {"0000", "9999"}:
            raise ValueError("a period is written YYYY-MM, for example 2026-11")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        """Write the period as it is parsed."""
        return f"{self.year:04}-{self.month:02}"

    @property
    def start_at(self) -> datetime:
        """The first instant of the period."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def until(self) -> datetime:
        """The first instant after the period."""
        return datetime(self.year + self.month // 12, self.month % 12 + 1, 1, tzinfo=UTC)

    @property
    def first_day(self) -> date:
        """The first day of the period."""
        return self.start_at.date()

    @property
    def last_day(self) -> date:
        """The last day of the period."""
        return self.until.date() - timedelta(days=1)


def day_of(at: datetime) -> date:
    """Return the UTC day that holds the aware instant `at`."""
    return at.astimezone(UTC).date()


def day_start(at: datetime) -> datetime:
    """Return the first instant of the UTC day that holds `at`."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def day_until(at: datetime) -> datetime:
    """Return the first instant after the UTC day that holds `at`."""
    return day_start(at) + timedelta(days=1)
