"""`tollgate close`: the end of a month, for good."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from console.backends import REFUSED, WRONG_USAGE, CommandError
from console.commands.months import checked_month, last_months
from console.commands.paging import pages
from console.commands.progress import working
from console.commands.reach import Reach, path_of, register

PAGE_SIZE = 200  # closing writes, and every page has to end in the time that a call may take


def add_close(root: typer.Typer) -> None:
    """Add the command `close` to the root."""

    @register(root, "close", example="tollgate close 2026-10", before=_ask)
    async def close(
        reach: Reach,
        month: Annotated[str, typer.Argument(metavar="YYYY-MM", help="The month.", autocompletion=last_months)],
        *,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,  # noqa: ARG001 -- for _ask
    ) -> None:
        """Close a month that is over: its statements never change again. It can be repeated, and goes on where it was.

        Corrections of a closed month are adjustments in the current one: tollgate adjust … --corrects YYYY-MM.
        """
        closed = already = 0
        try:
            with working(f"Closing {month}") as progress:
                async for page in pages(reach, "POST", path_of("reports", month, "close"), {"limit": str(PAGE_SIZE)}):
                    closed, already = closed + page["closed"], already + page["already_closed"]
                    progress.say(f"{closed + already} tenants")
        except CommandError as error:
            if not closed:
                raise
            raise CommandError(
                f"{error}; {_statements(closed)} closed before that: repeat it for the others",
                exit_status=error.exit_status,
                code=error.code,
            ) from None
        answer = {"period": month, "closed": closed, "already_closed": already}
        reach.show(answer, lambda: typer.echo(f"{month}: {_statements(closed)} closed now, {already} already."))


def _ask(values: Mapping[str, Any]) -> None:
    """Have the user say yes, on the terminal."""
    month = checked_month(values["month"])
    if values["yes"]:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CommandError("a month is closed for good: give --yes where nobody can be asked", exit_status=WRONG_USAGE)
    typer.echo(f"Close {month} for good? Its statements never change again. [y/N] ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandError(f"{month} was not closed", exit_status=REFUSED)


def _statements(count: int) -> str:
    return f"{count} statement{'s' * (count != 1)}"
