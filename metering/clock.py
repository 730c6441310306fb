"""The one reader of wall time; everything else takes a `Clock` or an instant."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

type Clock = Callable[[], datetime]

CLOCKS_APART = timedelta(minutes=10)  # the most that two instances may differ: each is up to five minutes off


def utc_now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 -- this is the clock that everything else is told to take
