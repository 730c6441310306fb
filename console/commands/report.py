"""`tollgate report`: who used what, who owes what, and what the pool costs."""

import json
import sys
from contextlib import ExitStack
from typing import Annotated

import typer

from console.backends import WRONG_USAGE, CommandError
from console.commands.documents import check_output, copy, tell
from console.commands.files import is_same, writing
from console.commands.months import checked_month, last_months, this_month
from console.commands.paging import pages
from console.commands.progress import working
from console.commands.reach import Reach, path_of, register
from console.commands.report_table import show_page
from console.commands.show import Json
from console.commands.totals import RunningTotals

PAGE_SIZES = {"json": 1000, "csv": 1000, "focus": 100}  # a tenant has rows for each of its days in FOCUS


def add_report(root: typer.Typer) -> None:
    """Add the command `report` to the root."""

    @register(root, "report", example="tollgate report --month 2026-11 --csv november.csv")
    async def report(
        reach: Reach,
        *,
        month: Annotated[
            str | None,
            typer.Option(metavar="YYYY-MM", help="The current month, if left out.", autocompletion=last_months),
        ] = None,
        csv: Annotated[
            str | None, typer.Option(metavar="FILE|-", help="Write it as CSV, a row for each tenant.")
        ] = None,
        focus: Annotated[
            str | None, typer.Option(metavar="FILE|-", help="Write it as FOCUS 1.2, for tools that read cloud bills.")
        ] = None,
        page_size: Annotated[
            int | None, typer.Option(min=1, max=10_000, help="Ask for so many tenants at a time.")
        ] = None,
    ) -> None:
        """Show what all tenants used in a month, what they owe, what the pool costs, and who costs more than they pay.

        Minutes are those billed. Stranded ones the pool holds, and Azure charges, beyond them: both are estimates.

        Files are written whole or not at all; - is standard output.
        """
        period = this_month() if month is None else checked_month(month)
        targets = {form: target for form, target in (("csv", csv), ("focus", focus)) if target is not None}
        check_output(reach, list(targets.values()))
        if csv is not None and focus is not None and is_same(csv, focus):
            raise CommandError("--csv and --focus cannot go to the same place", exit_status=WRONG_USAGE)
        if targets:
            await _write(reach, period, targets, page_size)
        else:
            await _show(reach, period, page_size or PAGE_SIZES["json"])


async def _show(reach: Reach, period: str, page_size: int) -> None:
    totals, is_first = RunningTotals(), True
    with working(f"Report of {period}") as progress:
        async for page in pages(reach, "GET", path_of("reports", period), {"limit": str(page_size)}):
            totals.add(page)
            with progress.aside():
                if reach.json:
                    _write_json(page, totals, is_first=is_first)
                else:
                    show_page(page, totals)
            progress.say(f"{totals.tenants} tenants")
            is_first = False


def _write_json(page: Json, totals: RunningTotals, *, is_first: bool) -> None:
    """Write a page's part of the one document: nothing is held until the end."""
    out = sys.stdout
    if is_first:
        head = {name: page[name] for name in ("period", "currency", "increment_seconds")}
        out.write(json.dumps(head, ensure_ascii=False, indent=2).removesuffix("\n}") + ',\n  "lines": [')
    for number, line in enumerate(page["lines"], totals.tenants - len(page["lines"])):
        out.write((",\n    " if number else "\n    ") + json.dumps(line, ensure_ascii=False))
    if page["next"] is None:
        tail = {"complete_until": totals.complete_until, "closed": totals.is_closed, "totals": totals.view()}
        out.write("\n  ],\n  " + json.dumps(tail, indent=2).removeprefix("{\n  ") + "\n")
    out.flush()


async def _write(reach: Reach, period: str, targets: dict[str, str], page_size: int | None) -> None:
    written: list[Json] = []
    with ExitStack() as stack:
        files = {form: stack.enter_context(writing(target)) for form, target in targets.items()}  # all before the first
        for form, file in files.items():
            query: dict[str, str | int | None] = {"limit": page_size or PAGE_SIZES[form], "format": form}
            doing = f"Report of {period} as {form.upper()}"
            length = await copy(reach, path_of("reports", period), query, file, doing=doing)
            written.append({"format": form, "file": targets[form], "bytes": length})
    tell(reach, written)
