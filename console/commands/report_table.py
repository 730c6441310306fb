"""A report for people: a table for each page, with the totals below the last.

Rules of this file: a loss is a word, and not a colour alone. Lines are put together here, since tables of `rich` take
seconds for what a large report has; where there is little room names are folded, and numbers never are: half a number
would be another one.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.text import Text

from console.commands.show import Column, Json, Output, short_instant
from console.commands.totals import RunningTotals, is_loss

_NAMES = (Column("tenant", "tenant"), Column("name", "name"))
_NUMBERS = (
    Column("sessions", "sessions_opened"),
    Column("minutes", "minutes.billed"),
    Column("cost", "cost"),
    Column("stranded", "stranded_minutes"),
    Column("pool cost", "pool_cost"),
    Column("margin", "margin"),
)
_COLUMNS = (*_NAMES, *_NUMBERS)
_LEAST_WIDTH = 8  # keeps the pages' columns below each other
_GAP = "  "


def show_page(page: Json, totals: RunningTotals) -> None:
    """Print a page, and after the last one the totals; `totals` has the page already."""
    is_last = page["next"] is None
    output = Output()
    rows = [[column.title for column in _COLUMNS], *map(_cells, page["lines"])]
    if is_last:
        rows.append(_cells({"tenant": "total", "name": "", **totals.view()}))
    widths = _widths(rows, output.width)
    text = Text()
    for place, row in enumerate(rows):
        is_bold = place == 0 or (is_last and place == len(rows) - 1)
        for line in _lines(row, widths):
            text.append(line, style="bold" if is_bold else "")
            text.append("\n")
    text.highlight_regex(r"(?m)loss -\S+$", "red")
    output.print(text, end="", soft_wrap=True)
    if is_last:
        for remark in _remarks(page, totals):
            output.print(remark, markup=False, highlight=False)


def _cells(line: Json) -> list[str]:
    cells = [column.text(line).plain for column in _COLUMNS]
    if is_loss(line["margin"]):
        cells[-1] = f"loss {cells[-1]}"
    return cells


def _widths(rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """Give numbers what they need, and names what is left."""
    natural = [max(_LEAST_WIDTH, *map(cell_len, column)) for column in zip(*rows, strict=True)]
    left = room - sum(natural[len(_NAMES) :]) - len(_GAP) * (len(_COLUMNS) - 1)
    name = min(natural[1], max(left // 2, left - natural[0]))
    tenant = min(natural[0], left - name)
    return [max(_LEAST_WIDTH, tenant), max(_LEAST_WIDTH, name), *natural[len(_NAMES) :]]


def _lines(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """Write a row: a line, and more of them for names that have to be folded."""
    names = [chop_cells(cell or " ", width) for cell, width in zip(row, widths[: len(_NAMES)], strict=False)]
    numbers = [cell.rjust(width) for cell, width in zip(row[len(_NAMES) :], widths[len(_NAMES) :], strict=True)]
    for place, parts in enumerate(zip_longest(*names, fillvalue="")):
        padded = [set_cell_size(part, width) for part, width in zip(parts, widths, strict=False)]
        yield _GAP.join([*padded, *numbers] if place == 0 else padded).rstrip()


def _remarks(page: Json, totals: RunningTotals) -> list[str]:
    if totals.is_closed:
        state = "closed"
    elif totals.closed:
        state = f"closed for {totals.closed} of {totals.tenants} tenants"
    else:
        state = "not closed"
    until = short_instant(totals.complete_until or page["complete_until"])
    tenants = f"{totals.tenants} tenant{'s' * (totals.tenants != 1)}"
    remarks = [f"{page['period']}, {tenants}, prices in {page['currency']}: complete until {until}, {state}."]
    if totals.at_a_loss == 1:
        remarks.append("1 tenant costs more than it pays.")
    elif totals.at_a_loss:
        remarks.append(f"{totals.at_a_loss} tenants cost more than they pay.")
    return remarks
