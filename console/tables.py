"""Statements, reports, entries and sessions as tables, and tables as CSV: RFC 4180, UTF-8, lines that end in CR LF.

Rules of this file: pure. A page is a whole CSV document with its header row. Nothing is held that was written: rows may
come from a generator, and the text leaves in blocks.

A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break for a formula (OWASP, "CSV
Injection"), and names and reasons are other people's words. So text that begins like that gets an apostrophe before
it. Numbers are never touched: they are ours, and `-5` is one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import chain

from console.views import Json, entry_view, instant, minutes_of_seconds, number
from metering.entries import Entry
from metering.focus import COLUMNS, OPERATOR_COLUMNS, Row, report_rows, statement_rows
from metering.increments import Granularity
from metering.reports import ReportLine
from metering.statements import Line, Statement

BLOCK_CHARACTERS = 65_536

# The wide forms are there since some programs read them as the plain ones.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
_QUOTED = frozenset(',"\r\n')

STATEMENT_COLUMNS = (
    "tenant",
    "name",
    "period",
    "date",
    "kind",
    "corrects",
    "minutes",
    "sessions",
    "rate_per_session_hour",
    "cost",
    "currency",
    "closed",
)
REPORT_COLUMNS = (
    "period",
    "tenant",
    "name",
    "charged_minutes",
    "reversed_minutes",
    "adjusted_minutes",
    "billed_minutes",
    "quota_minutes",
    "remaining_minutes",
    "sessions_opened",
    "cost",
    "pool_minutes",
    "stranded_minutes",
    "pool_cost",
    "margin",
    "currency",
    "closed",
)
ENTRY_COLUMNS = (
    "sequence",
    "kind",
    "why",
    "at",
    "session",
    "from",
    "until",
    "increments",
    "minutes",
    "operation",
    "request_id",
    "reason",
    "corrects",
)
SESSION_COLUMNS = ("session", "pool", "opened_at", "paid_until", "minutes", "would_return_minutes")

type Cell = str | bool | int | float | Decimal | date | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, each in the order of the columns; `rows` may be a generator, to be read once."""

    columns: tuple[str, ...]
    rows: Iterable[Sequence[Cell]]


def csv_blocks(table: Table) -> Iterator[bytes]:
    """Write a table as CSV, a block at a time."""
    lines: list[str] = []
    length = 0
    for row in chain([table.columns], table.rows):
        line = ",".join(map(_write, row)) + "\r\n"
        lines.append(line)
        length += len(line)
        if length >= BLOCK_CHARACTERS:
            yield "".join(lines).encode(errors="backslashreplace")
            lines, length = [], 0
    if lines:
        yield "".join(lines).encode(errors="backslashreplace")


def csv_body(table: Table) -> bytes:
    """Write a table as CSV, whole."""
    return b"".join(csv_blocks(table))


def without_header(page: bytes) -> bytes:
    """Take the header row off a page, to put it after the one before it: names of columns hold no line break."""
    return page.partition(b"\r\n")[2]


def statement_table(statement: Statement) -> Table:
    """One row for each line of a statement; the costs sum up to what the statement costs."""

    def row(line: Line) -> Sequence[Cell]:
        return (
            statement.tenant_id,
            statement.terms.name,
            str(statement.period),
            line.day,
            line.kind.value,
            None if line.corrects is None else str(line.corrects),
            number(statement.granularity.minutes(line.increments)),
            line.sessions,
            line.rate_per_session_hour,
            line.cost,
            statement.terms.currency,
            statement.closed_at is not None,
        )

    return Table(STATEMENT_COLUMNS, map(row, statement.lines))


def report_table(lines: Iterable[ReportLine]) -> Table:
    """One row for each tenant; what was not counted, and a quota that there is not, is empty."""
    return Table(REPORT_COLUMNS, map(_report_row, lines))


def _report_row(line: ReportLine) -> Sequence[Cell]:
    statement, pool, stranded = line.statement, line.pool, line.stranded_seconds
    minutes = statement.granularity.minutes
    used = (statement.charged, statement.reversed, statement.adjusted, statement.billed)
    quantities = (*used, statement.quota, statement.remaining)
    return (
        str(statement.period),
        statement.tenant_id,
        statement.terms.name,
        *(None if quantity is None else number(minutes(quantity)) for quantity in quantities),
        statement.sessions_opened,
        line.cost,
        None if pool is None else minutes_of_seconds(pool.seconds),
        None if stranded is None else minutes_of_seconds(stranded),
        None if pool is None else pool.cost,
        line.margin,
        statement.terms.currency,
        statement.closed_at is not None,
    )


def entries_table(entries: Iterable[Entry], granularity: Granularity) -> Table:
    """One row for each entry, with what its JSON form says."""
    return _listed(ENTRY_COLUMNS, (entry_view(entry, granularity) for entry in entries))


def sessions_table(sessions: Iterable[Json]) -> Table:
    """One row for each open session, from its JSON form; how to end it is left out."""
    return _listed(SESSION_COLUMNS, sessions)


def focus_statement_table(statement: Statement) -> Table:
    """Make the FOCUS rows of a statement."""
    return _listed(COLUMNS, statement_rows(statement))


def focus_report_table(lines: Iterable[ReportLine]) -> Table:
    """Make the FOCUS rows of all lines of a report, with what the pool costs."""
    return _listed(OPERATOR_COLUMNS, chain.from_iterable(map(report_rows, lines)))


def _listed(columns: tuple[str, ...], rows: Iterable[Json | Row]) -> Table:
    return Table(columns, (tuple(row[column] for column in columns) for row in rows))


def _write(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case str():
            return _text(cell)
        case bool():
            return "true" if cell else "false"
        case Decimal():
            return f"{cell:f}"
        case date():
            return _date(cell)
        case int() | float():
            return str(cell)


@lru_cache(maxsize=1024)  # a column says the same again and again
def _text(text: str) -> str:
    defused = f"'{text}" if text.startswith(_FORMULA_STARTS) else text
    # Quoted when empty, too: that tells no text from nothing.
    return '"' + defused.replace('"', '""') + '"' if not defused or not _QUOTED.isdisjoint(defused) else defused


@lru_cache(maxsize=1024)
def _date(at: date) -> str:
    return instant(at) if isinstance(at, datetime) else at.isoformat()
