"""A report for people: a table for each page, with the totals below the last.

Rules of this file: a loss is a word, and not a colour alone.
"""

from rich.table import Table
from rich.text import Text

from console.commands.show import Column, Json, Output, short_instant
from console.commands.totals import RunningTotals, is_loss

_COLUMNS = (
    Column("tenant", "tenant"),
    Column("name", "name"),
    Column("sessions", "sessions_opened", is_number=True),
    Column("minutes", "minutes.billed", is_number=True),
    Column("cost", "cost", is_number=True),
    Column("stranded", "stranded_minutes", is_number=True),
    Column("pool cost", "pool_cost", is_number=True),
    Column("margin", "margin", is_number=True),
)
_NUMBER_WIDTH = 8  # what is no smaller keeps the pages' columns below each other


def show_page(page: Json, totals: RunningTotals) -> None:
    """Print a page, and after the last one the totals; `totals` has the page already."""
    is_last = page["next"] is None
    rows = [(_cells(line), "") for line in page["lines"]]
    if is_last:
        everything = f"{totals.tenants} tenant{'s' * (totals.tenants != 1)}"
        rows.append((_cells({"tenant": "total", "name": everything, **totals.view()}), "bold"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in _COLUMNS:
        if column.is_number:  # the words fold where there is little room: half a number would be another one
            table.add_column(column.title, no_wrap=True, min_width=_NUMBER_WIDTH, justify="right")
        else:
            table.add_column(column.title, overflow="fold", min_width=len(column.title))
    for cells, style in rows:
        table.add_row(*cells, style=style)
    output = Output()
    output.print(table)
    if is_last:
        for line in _remarks(page, totals):
            output.print(line, markup=False, highlight=False)


def _cells(line: Json) -> list[Text]:
    cells = [column.text(line) for column in _COLUMNS]
    if is_loss(line["margin"]):
        cells[-1] = Text.assemble(("loss ", "red"), (str(line["margin"]), "red"), overflow="fold")
    return cells


def _remarks(page: Json, totals: RunningTotals) -> list[str]:
    if totals.is_closed:
        state = "closed"
    elif totals.closed:
        state = f"closed for {totals.closed} of {totals.tenants} tenants"
    else:
        state = "not closed"
    until = short_instant(totals.complete_until or page["complete_until"])
    remarks = [f"{page['period']}, prices in {page['currency']}: complete until {until}, {state}."]
    if totals.at_a_loss == 1:
        remarks.append("1 tenant costs more than it pays.")
    elif totals.at_a_loss:
        remarks.append(f"{totals.at_a_loss} tenants cost more than they pay.")
    return remarks
