"""The operator's reports and the closing of months, over the operator API on a real table storage."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from console.wiring import build_apis
from metering.periods import Period
from proxy.answering import answer
from proxy.messages import GatewayRequest
from proxy.tenants import OPERATOR_SCOPES
from tests.console.serving import fresh_id, open_parts
from tests.console.test_operator_api import Operator, code
from tests.support.building import MORNING, FakeClock, admit

pytestmark = pytest.mark.azurite

NOVEMBER = Period(2026, 11)
DECEMBER_AT = datetime(2026, 12, 1, 0, 10, tzinfo=UTC)


@pytest.fixture
async def operator(azurite: str) -> AsyncIterator[Operator]:
    clock = FakeClock()
    async with open_parts(azurite, clock) as parts:
        _, minted = await parts.directory.create_key(None, label="test", scopes=OPERATOR_SCOPES)
        yield Operator(build_apis(parts)[0], parts, clock, minted.text)


async def used(operator: Operator, *sessions: str, tenant_id: str | None = None, **fields: Any) -> str:
    """Make a tenant that has opened these sessions."""
    tenant = tenant_id or fresh_id()
    await operator.call("PUT", f"/tenants/{tenant}", {"minutes_per_month": None, **fields})
    for session in sessions:
        await operator.parts.meter.admit(tenant, replace(admit(session), pool_identifier=f"{tenant}-{session}"))
    return tenant


async def report(operator: Operator, query: str = "?limit=10000", period: str = "2026-11") -> dict[str, Any]:
    status, page = await operator.call("GET", f"/reports/{period}{query}")
    assert status == 200, page
    found: dict[str, Any] = page
    return found


async def test_a_report_has_a_line_for_each_tenant_with_what_it_owes_and_what_the_pool_costs(
    operator: Operator,
) -> None:
    tenant = await used(operator, "s1", "s2", name="Acme", minutes_per_month=60, rate_per_session_hour="0.12")

    page = await report(operator)

    [line] = [line for line in page["lines"] if line["tenant"] == tenant]
    assert line == {
        "tenant": tenant,
        "name": "Acme",
        "minutes": {"charged": 10, "reversed": 0, "adjusted": 0, "billed": 10, "quota": 60, "remaining": 50},
        "sessions_opened": 2,
        "cost": "0.0200",
        "pool_minutes": 120,
        "stranded_minutes": 110,
        "pool_cost": "0.0600",
        "margin": "-0.0400",
        "closed": False,
    }
    assert (page["period"], page["currency"], page["complete_until"]) == ("2026-11", "USD", "2026-11-23T09:00:00Z")


async def test_lines_say_what_the_tenants_own_statements_say_and_sum_up_to_the_totals(operator: Operator) -> None:
    for sessions in (("a",), ("b", "c"), ()):
        await used(operator, *sessions)

    page = await report(operator)

    for line in page["lines"]:
        _, statement = await operator.call("GET", f"/tenants/{line['tenant']}/usage")
        assert line["minutes"] == statement["minutes"]
        assert line["cost"] == statement["cost"]["amount"]
    totals = page["totals"]
    assert totals["tenants"] == len(page["lines"])
    for name in ("charged", "reversed", "adjusted", "billed"):
        assert totals["minutes"][name] == sum(line["minutes"][name] for line in page["lines"])
    for name in ("cost", "pool_cost", "margin"):
        assert Decimal(totals[name]) == sum(Decimal(line[name]) for line in page["lines"])
    for name in ("pool_minutes", "stranded_minutes", "sessions_opened"):
        assert totals[name] == sum(line[name] for line in page["lines"])
    assert sum(day["minutes"] for day in totals["days"]) == totals["minutes"]["billed"]


async def test_pages_have_each_tenant_once(operator: Operator) -> None:
    for _ in range(3):
        await used(operator)
    every = [line["tenant"] for line in (await report(operator))["lines"]]

    found: list[str] = []
    query: str | None = "?limit=2"
    while query is not None:
        page = await report(operator, query)
        found += [line["tenant"] for line in page["lines"]]
        query = None if page["next"] is None else page["next"].removeprefix("/operator/reports/2026-11")

    assert found == every == sorted(every)


async def test_a_tenant_that_came_later_is_not_in_the_report_of_an_earlier_month(operator: Operator) -> None:
    operator.clock.now = DECEMBER_AT
    tenant = await used(operator)

    assert tenant not in {line["tenant"] for line in (await report(operator))["lines"]}
    assert tenant in {line["tenant"] for line in (await report(operator, period="2026-12"))["lines"]}


async def test_a_closed_month_is_the_same_byte_for_byte_whatever_comes_after(operator: Operator) -> None:
    tenant = await used(operator, "s1", "s2", name="Acme", minutes_per_month=60, rate_per_session_hour="0.12")
    operator.clock.now = DECEMBER_AT
    status, closed = await operator.call("POST", "/reports/2026-11/close?limit=10000")
    assert (status, closed["period"], closed["next"]) == (200, "2026-11", None)
    assert closed["closed"] >= 1

    async def shown() -> tuple[bytes, dict[str, Any]]:
        request = GatewayRequest(id="r", method="GET", path=f"/operator/tenants/{tenant}/usage", query="period=2026-11")
        line = next(line for line in (await report(operator))["lines"] if line["tenant"] == tenant)
        return (await answer(operator.api.answer, request)).body, line

    before = await shown()
    operator.clock.now += timedelta(days=3)
    await used(operator, "s3", tenant_id=tenant, name="Other", rate_per_session_hour="9", minutes_per_month=1)
    adjustment = {"minutes": -5, "reason": "outage", "corrects": "2026-11"}
    assert (await operator.call("POST", f"/tenants/{tenant}/adjustments", adjustment))[0] == 201
    _, again = await operator.call("POST", "/reports/2026-11/close?limit=10000")

    assert await shown() == before
    assert json.loads(before[0])["closed_at"] == "2026-12-01T00:10:00Z"
    assert (again["closed"], again["already_closed"]) == (0, closed["closed"] + closed["already_closed"])
    assert (await report(operator))["closed"]
    _, december = await operator.call("GET", f"/tenants/{tenant}/usage")
    assert [line["corrects"] for line in december["lines"]] == [None, "2026-11"]
    _, verified = await operator.call("GET", f"/tenants/{tenant}/verification")
    assert verified["ok"], verified


async def test_closing_comes_in_pages(operator: Operator) -> None:
    for _ in range(3):
        await used(operator)
    operator.clock.now = DECEMBER_AT

    count, query = 0, "?limit=2"
    while query:
        _, page = await operator.call("POST", f"/reports/2026-11/close{query}")
        count += page["closed"] + page["already_closed"]
        query = "" if page["next"] is None else page["next"].removeprefix("/operator/reports/2026-11/close")

    assert count == len((await report(operator))["lines"])


@pytest.mark.parametrize(
    ("now", "period"),
    [
        (MORNING, "2026-11"),
        (DECEMBER_AT - timedelta(seconds=1), "2026-11"),
        (DECEMBER_AT, "2026-12"),
    ],
)
async def test_a_month_that_is_not_surely_over_is_not_closed(operator: Operator, now: datetime, period: str) -> None:
    tenant = await used(operator, "s1")
    operator.clock.now = now

    status, refused = await operator.call("POST", f"/reports/{period}/close")

    assert (status, code(refused)) == (409, "PeriodNotOver")
    assert not (await operator.parts.store.period_row(tenant, NOVEMBER)).closed


@pytest.mark.parametrize("period", ["2026-13", "november", "2026-12", "9999-01", ""])
@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("POST", "/close")])
async def test_a_month_that_there_is_not_or_not_yet_is_refused(
    operator: Operator, method: str, suffix: str, period: str
) -> None:
    status, refused = await operator.call(method, f"/reports/{period}{suffix}")

    assert status == (404 if period == "" else 400), refused


@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "limit=x", "after=No_Tenant"])
async def test_a_page_that_there_cannot_be_is_refused(operator: Operator, query: str) -> None:
    status, refused = await operator.call("GET", f"/reports/2026-11?{query}")

    assert (status, code(refused)) == (400, "SessionRequestValidationFailed")


@pytest.mark.parametrize(
    ("adjustment", "status", "refusal", "target"),
    [
        ({"period": "2026-10"}, 409, "PeriodClosed", "period"),
        ({"period": "2026-12"}, 400, "SessionRequestValidationFailed", "period"),
        ({"corrects": "2026-11"}, 400, "SessionRequestValidationFailed", "corrects"),
        ({"corrects": "2026-12"}, 400, "SessionRequestValidationFailed", "corrects"),
        ({"corrects": "2024-10"}, 400, "SessionRequestValidationFailed", "corrects"),
        ({"corrects": "last month"}, 400, "SessionRequestValidationFailed", "corrects"),
        ({"corrects": 202610}, 400, "SessionRequestValidationFailed", "corrects"),
    ],
)
async def test_an_adjustment_is_booked_now_and_corrects_what_is_over(
    operator: Operator, adjustment: dict[str, Any], status: int, refusal: str, target: str
) -> None:
    tenant = await used(operator)

    answered, refused = await operator.call(
        "POST", f"/tenants/{tenant}/adjustments", {"minutes": -5, "reason": "r", **adjustment}
    )

    assert (answered, code(refused), refused["error"]["target"]) == (status, refusal, target)
    assert (await operator.parts.store.period_row(tenant, NOVEMBER)).next_sequence == 1


async def test_an_adjustment_may_say_that_it_is_booked_now(operator: Operator) -> None:
    tenant = await used(operator)
    body = {"minutes": -5, "reason": "r", "period": "2026-11", "corrects": "2024-11"}

    assert (await operator.call("POST", f"/tenants/{tenant}/adjustments", body))[0] == 201


@pytest.mark.parametrize(
    ("fields", "target"),
    [
        ({"rates": [{"from": "2026-12-01"}]}, "rates.0.rate_per_session_hour"),
        ({"rates": [{"from": "soon", "rate_per_session_hour": "1"}]}, "rates.0.from"),
        ({"rates": [{"from": "2026-02-30", "rate_per_session_hour": "1"}]}, "rates.0.from"),
        ({"rates": [{"from": "2026-12-01", "rate_per_session_hour": "-1"}]}, "rates.0.rate_per_session_hour"),
        ({"rates": [{"from": "2026-12-01", "rate_per_session_hour": "1e3"}]}, "rates.0.rate_per_session_hour"),
        ({"rates": [{"from": "2026-12-01", "rate_per_session_hour": "=1"}]}, "rates.0.rate_per_session_hour"),
        ({"rates": [{"from": "2026-12-01", "rate_per_session_hour": "NaN"}]}, "rates.0.rate_per_session_hour"),
        ({"rates": [{"from": "2026-12-01", "rate_per_session_hour": None}] * 2}, "rates"),
        ({"rate_per_session_hour": "0.0000001"}, "rate_per_session_hour"),
        ({"webhook_url": "http://example.org/"}, "webhook_url"),
        ({"webhook_url": "https://user:secret@example.org/"}, "webhook_url"),
        ({"alert_percents": [0]}, "alert_percents.0"),
        ({"alert_percents": [101]}, "alert_percents.0"),
        ({"alert_percents": list(range(1, 12))}, "alert_percents"),
    ],
)
async def test_terms_that_cannot_be_are_refused_with_their_place(
    operator: Operator, fields: dict[str, Any], target: str
) -> None:
    status, refused = await operator.call("PUT", f"/tenants/{fresh_id()}", {"minutes_per_month": None, **fields})

    assert (status, refused["error"].get("target")) == (400, target), refused
    assert "secret" not in json.dumps(refused)
