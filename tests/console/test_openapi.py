"""The description of the surface has all that is served and nothing else, says what answers say, and is free to read.

That calls are answered as it says is for `tests/stack/test_schemathesis.py`.
"""

import ast
import json
import re
import tomllib
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from console import live, views
from console.bodies import AdjustmentBody, Body, ExpiryBody, HeadsBody, OperatorKeyBody, TenantBody, TenantKeyBody
from console.openapi.document import describe, make_document
from metering.entries import Entry, Kind
from metering.increments import Granularity
from metering.periods import Period
from metering.reconcile import Difference, Mismatch
from metering.reports import PoolEstimate, ReportLine, total
from metering.rows import DayNumbers
from metering.statements import DayQuota, Statement
from metering.verify import Finding, Flaw
from proxy.errors import ERRORS, ErrorCode
from proxy.messages import GatewayRequest, GatewayResponse
from proxy.open_sessions import EndingRequest, OpenSession
from proxy.operations import OPERATIONS, Effect
from proxy.quotes import Quote, Refusal
from proxy.tenants import OPERATOR_SCOPES, ApiKey, ParsedKey, Tenant
from tests.support.building import statement_terms

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 11, 23, tzinfo=UTC)

document = cache(make_document)


def described() -> dict[tuple[str, str], dict[str, Any]]:
    """All operations, by method and path."""
    paths = document()["paths"].items()
    return {(method.upper(), path): operation for path, item in paths for method, operation in item.items()}


def routes_in(source: str, function: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Read methods and paths out of a function's `match` over them, and of those that it hands the rest of a path to.

    A parameter is written `{}`.
    """
    tree = ast.parse((ROOT / source).read_text())
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)}
    for node in ast.walk(functions[function]):
        if not isinstance(node, ast.match_case):
            continue
        if not isinstance(node.pattern, ast.MatchSequence):  # what is left: refused, or for another function
            yield from routes_in(source, called, prefix) if (called := called_in(node, functions)) else ()
            continue
        method, *segments = node.pattern.patterns
        path = prefix
        for segment in segments:
            if not isinstance(segment, ast.MatchStar):
                path += f"/{ast.literal_eval(segment.value)}" if isinstance(segment, ast.MatchValue) else "/{}"
        if isinstance(method, ast.MatchValue):
            yield ast.literal_eval(method.value), path
            continue
        called = called_in(node, functions)
        assert called is not None, "the rest of the path is for another function"
        yield from routes_in(source, called, path)


def called_in(case: ast.match_case, functions: Collection[str]) -> str | None:
    """Name the function of the same file to which a case leads."""
    calls = [call.attr for step in case.body for call in ast.walk(step) if isinstance(call, ast.Attribute)]
    return next((name for name in calls if name in functions), None)


def without_names(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


@pytest.mark.parametrize("prefix", ["", "/pools/{pool}"])
def test_every_operation_of_the_table_is_described(prefix: str) -> None:
    for row in OPERATIONS:
        operation = described()[row.method, f"{prefix}/{'/'.join(row.path)}"]

        assert operation["security"] == [{"bearerAuth": [row.scope]}, {"apiKey": [row.scope]}]
        assert f"`{row.name}`" in operation["description"]


def test_the_operator_api_is_described_as_it_is() -> None:
    served = set(routes_in("console/operator_api.py", "_answer", "/operator"))

    found = {(method, without_names(path)) for method, path in described() if path.startswith("/operator/")}
    assert len(served) > 15
    assert found == served


def test_the_usage_api_is_described_as_it_is() -> None:
    served = set(routes_in("console/tenant_api.py", "handle"))

    assert {(method, path) for method, path in described() if path.startswith("/usage")} == served


def test_every_route_of_the_function_app_is_described() -> None:
    tree = ast.parse((ROOT / "function_app.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "app.route"]
    routes = {ast.literal_eval(call.args[0]) for call in calls}
    paths = {path[1:] for _, path in described()}

    assert len(routes) > 5
    for route in routes:
        literal = route.removesuffix("/{*rest}").removesuffix("{*rest}")
        assert route in paths or any(path.startswith(literal) for path in paths if route != literal), route


def test_every_error_stands_where_it_can_come_and_under_its_own_status() -> None:
    responses = document()["components"]["responses"]
    told = {
        (code, int(name.partition(".")[0].removeprefix("McpError").removeprefix("Error")))
        for name, response in responses.items()
        for code in re.findall(r"`(\w+)`: ", response["description"])
    }

    assert told == {(code.value, row.status) for code, row in ERRORS.items()}


@pytest.mark.parametrize("code", [ErrorCode.QUOTA_EXCEEDED, ErrorCode.TOO_MANY_SESSIONS])
def test_only_calls_that_are_charged_can_exceed_a_quota(code: ErrorCode) -> None:
    charged = {row.name for row in OPERATIONS if row.effect in {Effect.EXECUTES, Effect.ALLOCATES}}

    for row in OPERATIONS:
        operation = described()[row.method, f"/{'/'.join(row.path)}"]
        refused = operation["responses"][str(ERRORS[code].status)]["$ref"]
        assert (code.value in refused) == (row.name in charged), row.name
        headers = next(answer["headers"] for status, answer in operation["responses"].items() if status < "300")
        assert ("Tollgate-Charged-Minutes" in headers) == (row.name in charged), row.name


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does() -> None:
    operations = list(described().values())

    assert len({operation["operationId"] for operation in operations}) == len(operations)
    tags = {tag["name"] for tag in document()["tags"]}
    assert {tag for operation in operations for tag in operation["tags"]} == tags
    for operation in operations:
        assert len(operation["summary"]) > 5


def test_what_is_referred_to_is_there_and_nothing_else() -> None:
    text = json.dumps(document())
    referred = set(re.findall(r'"#/components/([^"]+)"', text))
    components = document()["components"]
    there = {f"{kind}/{name}" for kind, found in components.items() for name in found if kind != "securitySchemes"}

    assert referred == there
    schemes = {scheme for operation in described().values() for option in operation["security"] for scheme in option}
    assert schemes == set(components["securitySchemes"])


KEY = ApiKey(id="4fJq2Zr0TbXk", tenant_id=None, label="", scopes=OPERATOR_SCOPES, sha256="", created_at=AT)
STATEMENT = Statement(
    tenant_id="acme",
    period=Period(2026, 11),
    terms=statement_terms(),
    charged=1,
    reversed=0,
    adjusted=0,
    today=DayQuota(1, 2),
    sessions_opened=1,
    days=((date(2026, 11, 23), DayNumbers(increments=1, sessions=1)),),
    adjustments=(),
    closed_at=None,
    complete_until=AT,
    head_hash="",
)
REPORT_LINE = ReportLine(STATEMENT, STATEMENT.cost, PoolEstimate(3600, Decimal("0.0300")))
OPEN_SESSION = OpenSession(
    session_name="s1",
    pool_name="default",
    opened_at=AT,
    paid_until=AT,
    increments=1,
    would_return=0,
    ending=EndingRequest("DELETE", "/session", "identifier=s1"),
)
QUOTE = Quote(session_name="s1", pool_name="default", at=AT, refusal=Refusal(ErrorCode.QUOTA_EXCEEDED, "no"))
DIFFERENCE = Difference(
    mismatch=Mismatch.HELD_NOT_PAID,
    pool_identifier="acme-1",
    tenant_id="acme",
    session_name=None,
    window=None,
    held=None,
    seconds=1,
)
GRANULARITY = Granularity(increment_seconds=60, tail_seconds=60)
ENTRY = Entry(period=Period(2026, 11), sequence=1, kind=Kind.CHARGE, at=AT, increments=1, request_id="r", commit_id="c")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Tenant", views.tenant_view(Tenant(id="acme", name="Acme"))),
        ("Key", views.key_view(KEY)),
        ("NewKey", views.new_key_view(KEY, ParsedKey("id", "text"))),
        ("Entry", views.entry_view(ENTRY, GRANULARITY)),
        ("Statement", views.statement_view(STATEMENT)),
        ("Statement.minutes", views.statement_view(STATEMENT)["minutes"]),
        ("Statement.minutes_today", views.statement_view(STATEMENT)["minutes_today"]),
        ("Statement.cost", views.statement_view(STATEMENT)["cost"]),
        ("Statement.days", views.statement_view(STATEMENT)["days"][0]),
        ("Statement.cost.rates", views.statement_view(STATEMENT)["cost"]["rates"][0]),
        ("Line", views.statement_view(STATEMENT)["lines"][0]),
        ("ReportLine", views.report_line_view(REPORT_LINE)),
        ("ReportTotals", views.totals_view(total([REPORT_LINE]), GRANULARITY)),
        ("OpenSession", live.open_session_view(OPEN_SESSION, GRANULARITY)),
        ("OpenSession.end", live.open_session_view(OPEN_SESSION, GRANULARITY)["end"]),
        ("Quote", live.quote_view(QUOTE, GRANULARITY, cost=Decimal(0), currency="USD")),
        ("Quote.refusal", live.quote_view(QUOTE, GRANULARITY, cost=Decimal(0), currency="USD")["refusal"]),
        ("Verification.findings", views.finding_view(Finding(Flaw.ROW, "row", "what"))),
        ("Difference", views.difference_view(DIFFERENCE)),
    ],
)
def test_answers_have_the_members_that_are_described(name: str, shown: dict[str, Any]) -> None:
    schema, *members = name.split(".")
    described = document()["components"]["schemas"][schema]
    for member in members:
        described = described["properties"][member]

    described = described.get("anyOf", [described])[0]

    assert set(shown) == set(described.get("items", described)["properties"])


@pytest.mark.parametrize("model", [TenantBody, TenantKeyBody, OperatorKeyBody, ExpiryBody, AdjustmentBody, HeadsBody])
def test_bodies_have_the_members_that_their_models_read(model: type[Body]) -> None:
    described = document()["components"]["schemas"][model.__name__]

    assert set(described["properties"]) == set(model.model_fields)
    assert described.get("required", []) == [name for name, field in model.model_fields.items() if field.is_required()]
    assert described["additionalProperties"] is False


def test_minutes_are_described_as_numbers_within_bounds() -> None:
    described = document()["components"]["schemas"]

    month = described["TenantBody"]["properties"]["minutes_per_month"]["anyOf"]
    correction = described["AdjustmentBody"]["properties"]["minutes"]
    assert [kind["type"] for kind in month] == ["number", "null"]
    assert (month[0]["minimum"], month[0]["maximum"]) == (0, 1_000_000_000)
    assert (correction["type"], correction["minimum"], correction["maximum"]) == ("number", -10_000_000, 10_000_000)


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert document()["info"]["version"] == project["version"]


async def read(**headers: str) -> GatewayResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await describe(GatewayRequest(id="r", method="GET", path="/openapi.json", headers=named))


async def test_the_document_is_served_to_anybody_and_may_be_kept_for_a_while() -> None:
    response = await read()

    assert response.status == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "public, max-age=300"
    assert json.loads(response.body) == document()


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*"])
async def test_who_has_the_document_is_told_that_it_has_not_changed(form: str) -> None:
    etag = (await read()).headers["ETag"]

    response = await read(if_none_match=form.format(etag))

    assert response.status == 304
    assert response.body == b""
    assert response.headers["ETag"] == etag


async def test_who_has_another_document_gets_this_one() -> None:
    assert (await read(if_none_match='"another"')).status == 200
