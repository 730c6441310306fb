"""The golden month is written up byte for byte as it was, and its files add up to each other."""

import asyncio
import csv
import io
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from tests.golden.documents import FILES, documents
from tests.golden.seed import CUSTOMERS

TENANTS = [customer.id for customer in CUSTOMERS]


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    return asyncio.run(documents())


def table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((FILES / name).read_bytes().decode(), newline=""), strict=True))


def document(name: str) -> Any:
    return json.loads((FILES / name).read_bytes())


def total(cells: Iterable[str]) -> Decimal:
    return sum((Decimal(cell) for cell in cells if cell), start=Decimal(0))


def test_the_month_is_written_up_byte_for_byte_as_it_was(made: dict[str, bytes]) -> None:
    kept = {path.name: path.read_bytes() for path in FILES.iterdir()}

    assert sorted(made) == sorted(kept)
    differing = [name for name in sorted(made) if made[name] != kept[name]]
    assert not differing, f"{', '.join(differing)}: if that is meant, write them anew: python -m tests.golden"


def test_the_month_holds_what_the_formats_have_to_tell() -> None:
    lines = {name: document(f"{name}.json")["lines"] for name in TENANTS}
    kinds = {entry["why"] for name in TENANTS for entry in document(f"{name}.entries.json")["entries"]}

    assert kinds == {"opened", "extended", "did_not_run", "ended_early", "adjusted"}
    assert len({line["rate_per_session_hour"] for line in lines["acme"]}) == 2
    assert {line["kind"] for line in lines["bolt"]} == {"usage", "adjustment"}
    assert {line["corrects"] for line in lines["crux"]} == {None, "2026-10"}
    assert document("bolt.json")["name"].startswith("=")
    assert [document(f"{name}.json")["closed"] for name in TENANTS] == [True, False, True]


@pytest.mark.parametrize("tenant", TENANTS)
def test_lines_of_a_statement_add_up_to_its_cost_in_every_format(tenant: str) -> None:
    statement = document(f"{tenant}.json")
    focus = table(f"{tenant}.focus.csv")

    cost = Decimal(statement["cost"]["amount"])
    assert total(line["cost"] for line in statement["lines"]) == cost
    assert total(row["cost"] for row in table(f"{tenant}.csv")) == cost
    assert total(row["BilledCost"] for row in focus) == total(row["EffectiveCost"] for row in focus) == cost


@pytest.mark.parametrize("tenant", TENANTS)
def test_quantities_add_up_to_the_statement_in_every_format(tenant: str) -> None:
    statement, rows, focus = document(f"{tenant}.json"), table(f"{tenant}.csv"), table(f"{tenant}.focus.csv")
    minutes = statement["minutes"]

    assert total(row["minutes"] for row in rows) == minutes["billed"]
    assert total(row["PricingQuantity"] for row in focus) * 5 == minutes["billed"]
    assert total(row["ConsumedQuantity"] for row in focus) == minutes["charged"] - minutes["reversed"]
    for cells in ((row["sessions"] for row in rows), (row["x_Sessions"] for row in focus)):
        assert total(cells) == statement["sessions_opened"]
    assert sum(day["minutes"] for day in statement["days"]) == minutes["billed"]


@pytest.mark.parametrize("tenant", TENANTS)
def test_entries_add_up_to_the_statement(tenant: str) -> None:
    minutes = document(f"{tenant}.json")["minutes"]
    rows = table(f"{tenant}.entries.csv")

    for kind, name in (("charge", "charged"), ("reversal", "reversed"), ("adjustment", "adjusted")):
        assert total(row["minutes"] for row in rows if row["kind"] == kind) == minutes[name]
    assert len(rows) == len(document(f"{tenant}.entries.json")["entries"])


def test_the_report_is_the_sum_of_its_tenants_in_every_format() -> None:
    totals = document("report.json")["totals"]
    rows, focus = table("report.csv"), table("report.focus.csv")

    for column, name in (("cost", "BilledCost"), ("pool_cost", "x_PoolCost"), ("margin", "x_Margin")):
        assert total(row[column] for row in rows) == total(row[name] for row in focus) == Decimal(totals[column])
    for column, name in (("pool_minutes", "x_PoolMinutes"), ("stranded_minutes", "x_StrandedMinutes")):
        assert total(row[column] for row in rows) == total(row[name] for row in focus) == totals[column]
    for tenant in TENANTS:
        [row] = (row for row in rows if row["tenant"] == tenant)
        assert row["cost"] == document(f"{tenant}.json")["cost"]["amount"]
        assert total(row["x_PoolCost"] for row in focus if row["SubAccountId"] == tenant) == Decimal(row["pool_cost"])


def test_the_operators_rows_are_the_tenants_rows_with_what_the_pool_costs() -> None:
    operators = table("report.focus.csv")
    pool_columns = {column for column in operators[0] if column not in table("acme.focus.csv")[0]}

    tenants = [row for tenant in TENANTS for row in table(f"{tenant}.focus.csv")]

    assert pool_columns == {"x_Margin", "x_PoolCost", "x_PoolMinutes", "x_StrandedMinutes"}
    assert [{name: row[name] for name in tenants[0]} for row in operators] == tenants


def test_no_cell_of_text_begins_like_a_formula() -> None:
    for path in FILES.glob("*.csv"):
        for row in table(path.name):
            for column, cell in row.items():
                assert not cell.startswith(("=", "+", "@", "\t", "\r")), (path.name, column)
                assert not cell.startswith("-") or Decimal(cell) < 0, (path.name, column)
