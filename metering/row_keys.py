"""The row keys of a tenant's partition.

Rules of this file: pure; text order is the order in which a ledger is read: entries by period and sequence, then
periods, then windows.
"""

import re

from metering.periods import Period

ENTRIES, PERIODS, WINDOWS = "entry:", "period:", "window:"

_ENTRY = re.compile(r"entry:(\d{4}-\d\d):(\d{10})", re.ASCII)


def entry_key(period: Period, sequence: int) -> str:
    """Return the key of an entry; sequences have ten digits, so that text order is theirs."""
    return f"{ENTRIES}{period}:{sequence:010}"


def period_key(period: Period) -> str:
    """Return the key of a period's running sums."""
    return f"{PERIODS}{period}"


def window_key(pool_identifier: str) -> str:
    """Return the key of a session's newest window."""
    return f"{WINDOWS}{pool_identifier}"


def beyond(prefix: str) -> str:
    """Return the first key after all those that start with `prefix`, which ends in a colon."""
    return prefix[:-1] + ";"


def parse_entry_key(key: str) -> tuple[Period, int] | None:
    """Read the key of an entry; None if it is anything else."""
    match = _ENTRY.fullmatch(key)
    try:
        return match and (Period.parse(match[1]), int(match[2]))
    except ValueError:
        return None
