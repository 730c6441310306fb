"""NCRONTAB: when a timer trigger is due.

Rules of this file: pure, and in UTC, as in Azure without `WEBSITE_TIME_ZONE`. Six fields: second, minute, hour, day of
the month, month, day of the week (0 is Sunday). A field is a comma-separated list of `*`, `n`, `a-b`, each with an
optional `/step`. Unlike in cron, a day must match *both* day fields; this is how the host's parser reads them.
"""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

_FIELDS = (
    ("second", 0, 59),
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 6),
)
_TERM = re.compile(r"(?:\*|(?P<first>\d+)(?:-(?P<last>\d+))?)(?:/(?P<step>\d+))?")

# The rarest day that can be asked for, 29 February on a given weekday, returns within 40 years.
_HORIZON = timedelta(days=366 * 40)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The values that each field admits."""

    seconds: AbstractSet[int]
    minutes: AbstractSet[int]
    hours: AbstractSet[int]
    days: AbstractSet[int]
    months: AbstractSet[int]
    weekdays: AbstractSet[int]

    def next_after(self, at: datetime) -> datetime | None:
        """Return the first due instant later than `at`, or None if there is none (30 February)."""
        due = at.replace(microsecond=0) + timedelta(seconds=1)
        end = due + _HORIZON
        while due < end:
            if not self._admits_day(due):
                due = due.replace(hour=0, minute=0, second=0) + timedelta(days=1)
            elif due.hour not in self.hours:
                due = due.replace(minute=0, second=0) + timedelta(hours=1)
            elif due.minute not in self.minutes:
                due = due.replace(second=0) + timedelta(minutes=1)
            elif due.second not in self.seconds:
                due += timedelta(seconds=1)
            else:
                return due
        return None

    def _admits_day(self, at: datetime) -> bool:
        return at.day in self.days and at.month in self.months and at.isoweekday() % 7 in self.weekdays


def parse(expression: str) -> Schedule:
    """Read an NCRONTAB expression of six fields; `ValueError` says what is wrong with it."""
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"a schedule has six fields, seconds first; {expression!r} has {len(fields)}")
    return Schedule(*(_values(text, *field) for text, field in zip(fields, _FIELDS, strict=True)))


def _values(text: str, name: str, lowest: int, highest: int) -> frozenset[int]:
    values: set[int] = set()
    for term in text.split(","):
        match = _TERM.fullmatch(term)
        if match is None:
            raise ValueError(f"{term!r} is not a {name}: use *, numbers, ranges, lists and steps")
        step = int(match["step"] or 1)
        first = lowest if match["first"] is None else int(match["first"])
        # A lone number with a step runs to the end of the field: 5/15 is 5, 20, 35, 50.
        last = highest if match["first"] is None or (match["step"] and not match["last"]) else first
        if match["last"]:
            last = int(match["last"])
        if step < 1 or not lowest <= first <= last <= highest:
            raise ValueError(f"{term!r} is not a {name} between {lowest} and {highest}")
        values.update(range(first, last + 1, step))
    return frozenset(values)
