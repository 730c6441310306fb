"""Months, as commands take them: `2026-11`, in UTC; the shell completes the last ones."""

from typing import Annotated

import typer

from console.backends import WRONG_USAGE, CommandError
from metering.clock import utc_now
from metering.periods import Period

OFFERED = 13  # this month, and as far back as the same one of last year


def last_months(incomplete: str) -> list[str]:
    """Name this month and those before it, the newest first, that begin as was typed."""
    now = utc_now()
    counted = now.year * 12 + now.month - 1
    months = (divmod(counted - back, 12) for back in range(OFFERED))
    return [text for year, month in months if (text := f"{year:04}-{month + 1:02}").startswith(incomplete)]


def this_month() -> str:
    """Name the current month."""
    return str(Period.of(utc_now()))


def checked_month(text: str) -> str:
    """Pass on a month. Raises CommandError for anything else."""
    try:
        return str(Period.parse(text))
    except ValueError as error:
        raise CommandError(str(error), exit_status=WRONG_USAGE) from None


Month = Annotated[
    str | None,
    typer.Option("--period", metavar="YYYY-MM", help="The current month, if left out.", autocompletion=last_months),
]
