"""Tables as CSV: what is read back is what was written, and no text is a formula."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.tables import (
    BLOCK_CHARACTERS,
    ENTRY_COLUMNS,
    REPORT_COLUMNS,
    SESSION_COLUMNS,
    STATEMENT_COLUMNS,
    Cell,
    Table,
    csv_blocks,
    csv_body,
    entries_table,
    focus_report_table,
    focus_statement_table,
    report_table,
    sessions_table,
    statement_table,
    without_header,
)
from console.views import entry_view
from metering.focus import COLUMNS, OPERATOR_COLUMNS
from metering.periods import Period
from metering.reports import ReportLine, report_line
from metering.rows import DayNumbers, PeriodRow
from metering.statements import Statement, make_statement
from metering.table_rows import read_entry
from tests.support.building import granularity, statement_terms
from tests.support.ledgers import make_ledger

NOVEMBER = Period(2026, 11)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
formulas = st.builds(str.__add__, st.sampled_from(STARTS), texts)


def read(body: bytes) -> list[list[str]]:
    """Read CSV back as any reader of RFC 4180 does."""
    return list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))


def written(*cells: Cell) -> str:
    return without_header(csv_body(Table(tuple("c" * len(cells)), [cells]))).decode()


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        ("", '""'),
        ("plain", "plain"),
        ("a,b", '"a,b"'),
        ('say "no"', '"say ""no"""'),
        ("two\r\nlines", '"two\r\nlines"'),
        ("Größe 東京", "Größe 東京"),
        (True, "true"),
        (False, "false"),
        (-5, "-5"),
        (2.5, "2.5"),
        (Decimal("-0.0300"), "-0.0300"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("1E+3"), "1000"),
        (date(2026, 11, 3), "2026-11-03"),
        (datetime(2026, 11, 3, tzinfo=UTC), "2026-11-03T00:00:00Z"),
    ],
)
def test_a_cell_is_spelled_by_its_type(cell: Cell, text: str) -> None:
    assert written(cell) == f"{text}\r\n"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", '"\'\r=1"'),
        ("\n=1", '"\'\n=1"'),
        ('=HYPERLINK("x","y")', '"\'=HYPERLINK(""x"",""y"")"'),
        ("＝1", "'＝1"),  # noqa: RUF001
        ("a=1", "a=1"),
        ("'=1", "'=1"),
    ],
)
def test_text_that_begins_like_a_formula_is_defused(cell: str, text: str) -> None:
    assert written(cell) == f"{text}\r\n"


@given(st.lists(st.lists(texts | formulas, min_size=3, max_size=3), max_size=5))
def test_what_is_read_back_is_what_was_written_and_nothing_begins_like_a_formula(rows: list[list[str]]) -> None:
    header, *cells = read(csv_body(Table(("a", "b", "c"), rows)))

    assert header == ["a", "b", "c"]
    for read_row, row in zip(cells, rows, strict=True):
        for cell, text in zip(read_row, row, strict=True):
            assert not cell.startswith(STARTS)
            assert cell in {text, f"'{text}"}


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False) | st.integers(), min_size=1, max_size=5))
def test_numbers_are_never_touched_and_never_have_an_exponent(numbers: list[Decimal | int]) -> None:
    [cells] = read(written(*numbers).encode())

    assert [Decimal(cell) for cell in cells] == numbers
    assert not any("E" in cell.upper() for cell in cells)


def test_half_a_surrogate_pair_is_written_as_its_escape() -> None:
    assert written("a\ud800") == "a\\ud800\r\n"


def test_rows_leave_in_blocks_and_are_asked_for_as_they_go() -> None:
    asked = 0

    def rows() -> Iterator[Sequence[Cell]]:
        nonlocal asked
        for number in range(100):
            asked += 1
            yield (number, "x" * (BLOCK_CHARACTERS // 10))

    blocks = csv_blocks(Table(("number", "text"), rows()))
    first = next(blocks)

    assert asked <= 10
    rest = list(blocks)
    assert max(map(len, [first, *rest])) <= 2 * BLOCK_CHARACTERS
    assert len(read(b"".join([first, *rest]))) == 101


def test_a_table_without_rows_is_its_header() -> None:
    assert csv_body(Table(("a", "b"), [])) == b"a,b\r\n"


def test_pages_are_joined_without_the_later_headers() -> None:
    pages = [csv_body(Table(("a", "b"), [(1, "x\r\ny")])), csv_body(Table(("a", "b"), [(2, "z")]))]

    assert read(pages[0] + without_header(pages[1])) == [["a", "b"], ["1", "x\r\ny"], ["2", "z"]]


DAY = date(2026, 11, 10)
ROW = replace(
    PeriodRow.empty("acme", NOVEMBER),
    charged=14,
    reversed=2,
    adjusted=-3,
    sessions_opened=2,
    days={DAY: DayNumbers(9, 2)},
    adjustments={(DAY, None): -1, (DAY, Period(2026, 10)): -2},
    next_sequence=9,
    pool_increment_seconds=3600,
    pool_increments=2,
)


def statement(row: PeriodRow = ROW, *, quota: int | None = 100, name: str = "=Acme") -> Statement:
    return make_statement(row, tenant_id="acme", terms=statement_terms(name=name, quota=quota, issuer="@Us"), now=NOON)


def test_a_statement_has_a_row_for_each_line() -> None:
    header, *rows = read(csv_body(statement_table(statement())))

    assert tuple(header) == STATEMENT_COLUMNS
    shared = ["acme", "'=Acme", "2026-11", "2026-11-10"]
    assert rows == [
        [*shared, "usage", "", "60", "2", "0.03", "0.0300", "USD", "false"],
        [*shared, "adjustment", "", "-5", "0", "0.03", "-0.0025", "USD", "false"],
        [*shared, "adjustment", "2026-10", "-10", "0", "0.03", "-0.0050", "USD", "false"],
    ]


def lines() -> list[ReportLine]:
    uncounted = replace(ROW, pool_increment_seconds=0)
    return [report_line(ROW, statement()), report_line(uncounted, statement(uncounted, quota=None, name="Bolt"))]


def test_a_report_has_a_row_for_each_tenant_and_nothing_where_nothing_was_counted() -> None:
    header, first, second = read(csv_body(report_table(lines())))

    assert tuple(header) == REPORT_COLUMNS
    used = ["70", "10", "-15", "45"]
    pool = ["120", "60", "0.0600", "-0.0375"]
    assert first == ["2026-11", "acme", "'=Acme", *used, "500", "455", "2", "0.0225", *pool, "USD", "false"]
    assert second == ["2026-11", "acme", "Bolt", *used, "", "", "2", "0.0225", "", "", "", "", "USD", "false"]


def test_entries_say_what_their_json_form_says() -> None:
    ledger = make_ledger(3)
    entries = [read_entry(columns) for key, columns in ledger.rows.items() if key.startswith("entry:")]
    body = csv_body(entries_table(entries, granularity()))

    found = list(csv.DictReader(io.StringIO(body.decode(), newline="")))

    assert tuple(found[0]) == ENTRY_COLUMNS == tuple(entry_view(entries[0], granularity()))
    for row, entry in zip(found, entries, strict=True):
        view = entry_view(entry, granularity())
        assert row == {column: "" if value is None else str(value) for column, value in view.items()}


def test_sessions_leave_out_how_they_are_ended() -> None:
    view = {
        "session": "-s1",
        "pool": "default",
        "opened_at": "2026-11-23T12:00:00Z",
        "paid_until": "2026-11-23T12:10:00Z",
        "minutes": 10,
        "would_return_minutes": 5,
        "end": {"method": "DELETE", "path": "/session"},
    }

    header, row = read(csv_body(sessions_table([view])))

    assert tuple(header) == SESSION_COLUMNS
    assert row == ["'-s1", "default", "2026-11-23T12:00:00Z", "2026-11-23T12:10:00Z", "10", "5"]


def test_focus_goes_through_the_same_writer() -> None:
    own = read(csv_body(focus_statement_table(statement())))
    operators = read(csv_body(focus_report_table(lines())))

    assert tuple(own[0]) == COLUMNS
    assert tuple(operators[0]) == OPERATOR_COLUMNS
    assert len(operators) == 1 + 2 * len(own[1:])
    row = dict(zip(own[0], own[1], strict=True))
    assert (row["SubAccountName"], row["ProviderName"]) == ("'=Acme", "'@Us")
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == ("2026-11-10T00:00:00Z", "2026-11-11T00:00:00Z")
    assert (row["ChargeClass"], row["PricingQuantity"], row["BilledCost"]) == ("", "12.0", "0.0300")
