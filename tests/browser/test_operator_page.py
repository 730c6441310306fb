"""An operator looks at all tenants in a real browser."""

import re
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from metering.clock import utc_now
from metering.periods import Period
from tests.browser.conftest import Open
from tests.browser.looking import colours, focused, unnamed
from tests.browser.visits import MINUS, last_month
from tests.stack.tenants import Operator, TenantClient

pytestmark = [pytest.mark.stack, pytest.mark.slow]

HOSTILE = "<img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def tenants(stack: dict[str, Any]) -> dict[str, TenantClient]:
    """Make a profitable, a loss-making, a hostile and an idle tenant."""
    operator = Operator(stack)
    made = {
        "dear": operator.tenant("dear", name="Dear", minutes_per_month=40, rate_per_session_hour="12"),
        "cheap": operator.tenant("cheap", name="Cheap", rate_per_session_hour="0.001"),
        "hostile": operator.tenant("hostile", name=HOSTILE),
        "idle": operator.tenant("idle", name="Idle"),
    }
    for session in ("one", "two", "three"):
        made["dear"].run("1", session)
    made["cheap"].run("1")
    made["cheap"].run("1")
    made["hostile"].run("1", HOSTILE)
    return made


@pytest.fixture
def report(operator: Operator, tenants: dict[str, TenantClient]) -> dict[str, Any]:
    """Read the report of the current month."""
    response = operator.call("GET", f"/reports/{Period.of(utc_now())}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def money(text: str, places: int = 4) -> str:
    return f"{Decimal(text):,.{places}f}".replace("-", MINUS)


def grouped(value: float) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".").replace("-", MINUS)


def test_the_numbers_on_the_page_are_those_of_the_report(
    visit: Open, operator: Operator, report: dict[str, Any]
) -> None:
    totals = report["totals"]

    seen = visit().enter(operator.stack["operator_key"])

    expect(seen.page.get_by_role("heading", level=1)).to_have_text("All tenants")
    tiles = [tile.inner_text() for tile in seen.page.locator(".tile").all()]
    assert f"{grouped(totals['minutes']['billed'])} min" in tiles[0]
    assert f"{totals['sessions_opened']} sessions opened" in tiles[0]
    for tile, name in ((tiles[1], "cost"), (tiles[2], "pool_cost"), (tiles[3], "margin")):
        shown = re.search(rf"({MINUS}?[\d,.]+) {report['currency']}", tile)
        assert shown is not None
        assert Decimal(shown[1].replace(",", "").replace(MINUS, "-")) == Decimal(totals[name])
    assert f"{grouped(totals['pool_minutes'])} min, estimated" in tiles[2]
    assert f"{grouped(totals['stranded_minutes'])} min" in tiles[4]
    rows = {row[0].split("\n")[0]: row for row in seen.table("All tenants")}
    assert len(rows) == len(report["lines"])
    for line in report["lines"]:
        row = rows[line["name"]]
        assert row[2:5] == [grouped(line["minutes"]["billed"]), money(line["cost"]), money(line["pool_cost"])]
        assert row[5].removeprefix("loss").strip() == money(line["margin"])
        assert row[5].startswith("loss") == line["margin"].startswith("-")
    assert rows["Cheap"][5].startswith("loss")
    assert "38 % of 40" in rows["Dear"][1]
    assert "no quota" in rows["Cheap"][1]
    assert seen.refused == [403]  # an operator's key reads no usage of its own: that is how the page knows it


def test_both_charts_are_drawn_and_have_their_tables(visit: Open, operator: Operator, report: dict[str, Any]) -> None:
    seen = visit().enter(operator.stack["operator_key"])

    for title in ("Days", "Busiest tenants"):
        assert colours(seen.region(title).locator("canvas"))["rgb(74, 104, 220)"] > 200
    billed = {line["name"]: line["minutes"]["billed"] for line in report["lines"] if line["minutes"]["billed"] > 0}
    assert dict(row.split(" | ") for row in seen.chart("Busiest tenants")) == {
        name: grouped(minutes) for name, minutes in billed.items()
    }
    assert [row.split(" | ")[1:] for row in seen.chart("Days")] == [
        [grouped(day["minutes"]), str(day["sessions"])] for day in report["totals"]["days"]
    ]


def test_the_keyboard_sorts_by_any_column(visit: Open, operator: Operator, report: dict[str, Any]) -> None:
    seen = visit().enter(operator.stack["operator_key"])
    heads = seen.page.get_by_role("columnheader")

    def column(index: int) -> list[str]:
        return [row[index].removeprefix("loss").strip().split("\n")[0] for row in seen.table("All tenants")]

    expect(seen.page.get_by_role("columnheader", name="Billed minutes")).to_have_attribute("aria-sort", "descending")
    by_billed = sorted((line["minutes"]["billed"] for line in report["lines"]), reverse=True)
    assert column(2) == [grouped(value) for value in by_billed]

    heads.filter(has_text="Margin").get_by_role("button").focus()
    seen.page.keyboard.press("Enter")
    seen.page.keyboard.press("Enter")

    margins = sorted(Decimal(line["margin"]) for line in report["lines"])
    assert column(5) == [money(str(value)) for value in margins]
    expect(heads.filter(has_text="Margin")).to_have_attribute("aria-sort", "ascending")
    assert seen.page.locator("[aria-sort]").count() == 1
    assert focused(seen.page).startswith("Margin")

    heads.filter(has_text="Tenant").get_by_role("button").click()
    assert column(0) == sorted((line["name"] for line in report["lines"]), key=str.lower)


def test_a_filter_leaves_the_tenants_with_the_text_in_their_name_or_id(
    visit: Open, operator: Operator, tenants: dict[str, TenantClient]
) -> None:
    seen = visit().enter(operator.stack["operator_key"])

    seen.page.get_by_label("Filter by name or id").fill("ONERROR")

    assert [row[0].split("\n")[0] for row in seen.table("All tenants")] == [HOSTILE]
    expect(seen.region("Tenants")).to_contain_text(re.compile(r"1 of \d+ tenants"))
    seen.page.get_by_label("Filter by name or id").fill("no such tenant")
    assert seen.table("All tenants") == []


def test_a_tenant_is_opened_its_session_ended_and_the_list_found_again(
    visit: Open, operator: Operator, tenants: dict[str, TenantClient]
) -> None:
    seen = visit().enter(operator.stack["operator_key"])
    page = seen.page

    page.get_by_role("button", name=HOSTILE).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(seen.region("Latest entries")).to_contain_text("Opened the session: the first 5 minutes")
    expect(seen.region("What will it cost?")).to_have_count(0)  # a quote is a tenant's own question
    page.get_by_role("button", name=f"End {HOSTILE}").click()
    page.get_by_role("button", name="End it now").click()
    expect(seen.region("Open sessions").get_by_role("status")).to_have_text(
        f"Session “{HOSTILE}” ended. Nothing came back."
    )
    assert tenants["hostile"].call("GET", "/usage/sessions").json()["sessions"] == []
    page.get_by_role("button", name="All tenants").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("All tenants")
    expect(page.get_by_role("button", name=HOSTILE)).to_be_focused()
    assert page.locator("#view img").count() == 0


def test_further_pages_are_loaded_and_summed_up(visit: Open, operator: Operator, report: dict[str, Any]) -> None:
    """The page asks for a thousand tenants at a time; here the same API gives it two."""
    seen = visit()

    def by_two(route: Route) -> None:
        route.continue_(url=route.request.url.replace("limit=1000", "limit=2"))

    seen.page.route("**/operator/reports/**", by_two)
    seen.enter(operator.stack["operator_key"])
    expect(seen.page.get_by_text("These are the first 2 tenants; the sums are theirs alone.")).to_be_visible()
    while seen.page.get_by_role("button", name="Load the next tenants").is_visible():
        shown = len(seen.table("All tenants"))
        seen.page.get_by_role("button", name="Load the next tenants").click()
        expect(seen.page.get_by_role("table", name="All tenants").get_by_role("row")).not_to_have_count(shown + 1)

    assert len(seen.table("All tenants")) == len(report["lines"])
    cost = Decimal(report["totals"]["cost"])
    shown_cost = re.search(r"([\d,.]+) ", seen.page.locator(".tile .figure").nth(1).inner_text())
    assert shown_cost is not None
    assert Decimal(shown_cost[1].replace(",", "")) == cost


def test_a_month_before_any_tenant_is_empty(visit: Open, operator: Operator, report: dict[str, Any]) -> None:
    seen = visit().enter(operator.stack["operator_key"])

    seen.page.get_by_label("Month", exact=True).select_option(last_month())

    expect(seen.page.locator(".tile").first).to_contain_text("0 min")
    expect(seen.region("Busiest tenants")).to_contain_text("No tenant was billed in this month.")


def test_everything_has_a_name_for_who_does_not_see_it(visit: Open, operator: Operator, report: dict[str, Any]) -> None:
    seen = visit().enter(operator.stack["operator_key"])

    assert unnamed(seen.page) == []
    titles = seen.page.get_by_role("heading", level=2).all_inner_texts()
    assert titles == ["Days", "Busiest tenants", "Tenants"]


@pytest.mark.parametrize(
    ("amounts", "total"),
    [
        (["0.1000", "0.2000"], "0.3000"),
        (["-1.0001", "1.0000"], "-0.0001"),
        (["9007199254740993.0001", "0.0001"], "9007199254740993.0002"),
        ([], "0.0000"),
    ],
)
def test_money_is_summed_exactly(visit: Open, amounts: list[str], total: str) -> None:
    seen = visit()

    summed = seen.page.evaluate("async (amounts) => (await import('/dashboard/words.js')).sumOfMoney(amounts)", amounts)

    assert summed == total


def test_money_is_written_as_it_is(visit: Open) -> None:
    seen = visit()
    amounts = ["0.0000", "1234567.5000", "-0.0475", "12", "100.1200"]

    written = seen.page.evaluate(
        "async (all) => {"
        " const { money } = await import('/dashboard/words.js'); return all.map((text) => money(text, 'USD')); }",
        amounts,
    )

    assert written == ["0.00 USD", "1,234,567.50 USD", f"{MINUS}0.0475 USD", "12.00 USD", "100.12 USD"]
