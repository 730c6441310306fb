"""The table in the documentation: made from what was seen, and found there again."""

from collections.abc import Iterable, Mapping

from tests.clients.drivers import Rows
from tests.running import ROOT

PAGE = ROOT / "docs/clients.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->"
COLUMNS: Mapping[str, str] = {
    "run": "run code",
    "state": "state",
    "upload": "upload",
    "list": "list",
    "download": "download",
    "image": "images",
    "error": "code's errors",
    "quota": "quota used up",
    "revoked": "key revoked",
    "name": "any session name",
    "identity": "managed identity",
    "agent": "agent loop",
}


def write_table(outcomes: Iterable[Rows]) -> str:
    """Write a line for each row, sorted, and a column for each check.

    Raises:
        ValueError: A driver made a check that has no column.
    """
    rows = {title: checks for outcome in outcomes for title, checks in outcome.items()}
    lines = [["client", *COLUMNS.values()], ["---"] * (1 + len(COLUMNS))]
    for title, checks in sorted(rows.items(), key=lambda row: row[0].casefold()):
        if unknown := checks.keys() - COLUMNS.keys():
            raise ValueError(f"{title} made checks that the table has no column for: {', '.join(sorted(unknown))}")
        cells = {name: (seen.note or "yes") if seen.passed else "**no**" for name, seen in checks.items()}
        lines.append([title, *(cells.get(name, "\N{EN DASH}") for name in COLUMNS)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def table_in(page: str) -> str:
    """Return the table that a page has now."""
    return page.partition(BEGIN)[2].partition(END)[0]


def with_table(page: str, table: str) -> str:
    """Put a table where the page has its own."""
    before, begin, rest = page.partition(BEGIN)
    return before + begin + table + END + rest.partition(END)[2]
