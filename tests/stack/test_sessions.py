"""Open sessions on the whole stack: what a call would cost, what is open, and what ending it gives back."""

from typing import Any

import httpx
import pytest

from tests.stack.tenants import Operator, TenantClient, send

pytestmark = pytest.mark.stack


def sessions(tenant: TenantClient) -> list[dict[str, Any]]:
    """List the tenant's open sessions."""
    response = tenant.call("GET", "/usage/sessions")
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["sessions"]
    return found


def quote(tenant: TenantClient, session: str, **more: str) -> dict[str, Any]:
    """Ask what a call would cost."""
    response = tenant.call("GET", "/usage/quote", params={"identifier": session, **more})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def follow(tenant: TenantClient, end: dict[str, str]) -> httpx.Response:
    """Make the call that ends a session."""
    return send(end["method"], tenant.url + end["path"], headers={"x-api-key": tenant.key})


def test_a_call_costs_what_was_quoted_and_the_quote_changed_nothing(tenant: TenantClient) -> None:
    for _ in range(3):
        told = quote(tenant, "a session")
        before = tenant.usage()["minutes"]
        answer = tenant.execute("1", "a session")

        assert told["admitted"]
        assert float(answer.headers["Tollgate-Charged-Minutes"]) == told["charged_minutes"]
        assert tenant.usage()["minutes"]["billed"] == before["billed"] + told["charged_minutes"]
    assert told["charged_minutes"] == 0
    assert not told["opens_session"]


def test_a_quote_tells_a_refusal_in_the_words_of_the_call(operator: Operator) -> None:
    tenant = operator.tenant("quoted", minutes_per_month=0)

    told = quote(tenant, "s1")
    refused = tenant.execute("1", "s1").json()["error"]

    assert not told["admitted"]
    assert told["refusal"] == {"code": refused["code"], "message": refused["message"]}
    assert (told["charged_minutes"], told["paid_until"]) == (0, None)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"identifier": ""}, 400),
        ({"identifier": "a\nb"}, 400),
        ({"identifier": ["a", "b"]}, 400),
        ({"identifier": "a", "pool": "nowhere"}, 404),
    ],
)
def test_a_quote_for_what_cannot_be_is_refused(tenant: TenantClient, query: dict[str, Any], status: int) -> None:
    assert tenant.call("GET", "/usage/quote", params=query).status_code == status


@pytest.mark.parametrize("name", ["plain", "with space & =?/#", "naïve \N{SNOWMAN}"])
def test_an_open_session_is_listed_and_ended_by_the_call_that_is_told(tenant: TenantClient, name: str) -> None:
    tenant.run("1", name)
    tenant.run("1", name)

    [session] = sessions(tenant)
    ended = follow(tenant, session["end"])

    assert (session["session"], session["pool"], session["minutes"]) == (name, "default", 10)
    assert ended.status_code < 300, ended.text
    assert float(ended.headers["Tollgate-Reversed-Minutes"]) == session["would_return_minutes"] == 5
    assert sessions(tenant) == []
    assert tenant.entries()[-1]["why"] == "ended_early"


def test_a_tenants_sessions_are_nobody_elses(tenant: TenantClient, operator: Operator) -> None:
    other = operator.tenant("somebody-else")
    tenant.run("x = 1", "mine")

    assert sessions(other) == []
    follow(other, sessions(tenant)[0]["end"])
    assert [session["session"] for session in sessions(tenant)] == ["mine"]
    assert tenant.run("x", "mine")["result"] == 1


def test_the_operator_sees_and_ends_sessions_though_the_tenant_is_suspended(operator: Operator) -> None:
    tenant = operator.tenant("held")
    tenant.run("1", "s1")
    tenant.run("1", "s1")
    operator.put("held", suspended=True)

    listed = operator.call("GET", "/tenants/held/sessions").json()["sessions"]
    ended = operator.call("DELETE", "/tenants/held/sessions", params={"session": "s1"})
    again = operator.call("DELETE", "/tenants/held/sessions", params={"session": "s1"})

    assert [session["session"] for session in listed] == ["s1"]
    assert ended.json() == {"session": "s1", "pool": "default", "ended": True, "reversed_minutes": 5}
    assert (again.status_code, again.json()["error"]["code"]) == (404, "ResourceNotFound")
    assert operator.call("DELETE", "/tenants/nobody/sessions", params={"session": "s1"}).status_code == 404
    assert operator.call("DELETE", "/tenants/held/sessions").status_code == 400


def test_tables_come_as_csv_by_format_and_by_accept(tenant: TenantClient) -> None:
    tenant.run("1", "=1+1")

    for path in ("/usage", "/usage/entries", "/usage/sessions"):
        by_format = tenant.call("GET", path, params={"format": "csv"})
        by_accept = tenant.call("GET", path, headers={"Accept": "text/csv"})

        assert by_format.headers["content-type"] == by_accept.headers["content-type"] == "text/csv; charset=utf-8"
        assert by_format.text == by_accept.text
        assert len(by_format.text.splitlines()) == 2
    assert "'=1+1" in by_format.text
    assert tenant.call("GET", "/usage", params={"format": "pdf"}).status_code == 400
    assert tenant.call("GET", "/usage/entries", params={"format": "focus"}).status_code == 400
    focus = tenant.call("GET", "/usage", params={"format": "focus"}).text
    assert focus.startswith("BilledCost,")
