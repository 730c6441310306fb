"""A tenant looks at its month in a real browser."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import expect

from metering.clock import utc_now
from metering.periods import Period
from tests.browser.conftest import Open
from tests.browser.looking import colours, focused, unnamed
from tests.browser.visits import MINUS, NOTHING, last_month
from tests.stack.tenants import Operator, TenantClient, send

pytestmark = [pytest.mark.stack, pytest.mark.slow]

UNKNOWN = "The API key is missing, unknown, expired or revoked."
HOSTILE = "<img src=x onerror=alert(1)>\"'&amp;"


def sessions_of(tenant: TenantClient) -> list[dict[str, Any]]:
    sessions: list[dict[str, Any]] = tenant.call("GET", "/usage/sessions").json()["sessions"]
    return sessions


def clock(instant: str, pattern: str = "%H:%M:%S") -> str:
    return datetime.fromisoformat(instant).astimezone(UTC).strftime(pattern)


def long_day(date: str) -> str:
    day = datetime.fromisoformat(date)
    return f"{day:%a} {day.day} {day:%B}"


def test_the_page_comes_through_the_host_with_its_headers_and_nothing_else_does(stack: dict[str, Any]) -> None:
    url = f"{stack['url']}/dashboard"
    page = send("GET", url)

    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert page.headers["Content-Length"] == str(len(page.content))
    again = send("GET", url, headers={"If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert send("GET", f"{url}/missing.js").headers["x-ms-error-code"] == "OperationNotFound"
    for path in ("/../page.py", "/%2e%2e/page.py", "/..%2fpage.py", "//page.py", "/..%5cpage.py"):
        refused = send("GET", url + path)
        assert refused.status_code in {401, 404}, path  # 401 where the path led out of the dashboard on the way
        assert b"serve_dashboard" not in refused.content


def test_the_numbers_on_the_page_are_those_of_the_usage_api(
    visit: Open, operator: Operator, tenant: TenantClient
) -> None:
    tenant.run("1", "first")
    tenant.run("1", "first")
    tenant.run("1", "second")
    tenant.flat("DELETE", "/session", "second")
    operator.call(
        "POST", f"/tenants/{tenant.usage()['tenant']}/adjustments", json={"minutes": -5, "reason": "an outage"}
    )
    usage, minutes = tenant.usage(), tenant.usage()["minutes"]

    seen = visit().enter(tenant.key)

    expect(seen.page.get_by_role("heading", level=1)).to_have_text(usage["name"])
    meter = seen.page.get_by_role("meter", name="Quota this month")
    assert meter.get_attribute("aria-valuenow") == str(minutes["billed"])
    assert meter.get_attribute("aria-valuemax") == str(minutes["quota"])
    quota = seen.region("Quota")
    expect(quota).to_contain_text(f"{minutes['billed']} of 600 minutes used this month")
    expect(quota).to_contain_text(f"{minutes['remaining']} minutes remaining")
    tiles = seen.page.locator(".tile")
    amount = usage["cost"]["amount"].rstrip("0")
    assert amount.removesuffix(".") in tiles.nth(0).inner_text()
    assert usage["cost"]["currency"] in tiles.nth(0).inner_text()
    expect(tiles.nth(1)).to_contain_text(f"{minutes['billed']} min")
    expect(tiles.nth(1)).to_contain_text(
        f"{minutes['charged']} charged, {minutes['reversed']} given back, {MINUS}5 corrected"
    )
    expect(tiles.nth(2)).to_contain_text(str(usage["sessions_opened"]))
    expect(seen.page.get_by_label("Month", exact=True)).to_have_value(usage["period"])


def test_the_chart_is_drawn_and_the_table_behind_it_has_the_days(visit: Open, tenant: TenantClient) -> None:
    tenant.run("1")
    days = tenant.usage()["days"]

    seen = visit().enter(tenant.key)

    picture = seen.region("Days").get_by_role("img")
    assert long_day(days[-1]["date"]) in (picture.get_attribute("aria-label") or "")
    picture.locator(".u-over").hover()
    expect(seen.region("Days").locator(".chart-hint")).to_have_text(re.compile(r"^\w{3} 1[56] \w+: "))
    drawn = colours(picture.locator("canvas"))
    assert drawn.get("rgb(74, 104, 220)", 0) > 200  # a bar, in the style sheet's --bar
    assert seen.chart("Days") == [f"{long_day(day['date'])} | {day['minutes']} | {day['sessions']}" for day in days]


def test_every_entry_says_in_words_why_it_was_charged(visit: Open, operator: Operator, tenant: TenantClient) -> None:
    tenant.run("1", "first")
    tenant.run("1", "first")
    tenant.envelope(
        "POST",
        "/code/execute",
        "second",
        json={
            "properties": {
                "codeInputType": "inline",
                "executionType": "synchronous",
                "code": "1",
                "timeoutInSeconds": "x",
            }
        },
    )
    tenant.flat("DELETE", "/session", "first")
    body = {"minutes": 10, "reason": HOSTILE, "corrects": last_month()}
    assert operator.call("POST", f"/tenants/{tenant.usage()['tenant']}/adjustments", json=body).status_code == 201
    entries = tenant.call("GET", "/usage/entries").json()["entries"]
    extended = next(entry for entry in entries if entry["why"] == "extended")
    used, until = (clock(extended[name], "%H:%M") for name in ("at", "until"))

    rows = visit().enter(tenant.key).table("The latest")

    words = [row[0] for row in rows]
    assert len(words) == len(entries) == 6
    assert words[0].startswith(f"Correction by the operator: {HOSTILE} (for ")
    assert words[1] == "Session ended early: given back"
    assert words[2] == "The call did not run: taken back"
    assert words[3] == "Opened the session: the first 5 minutes"
    assert words[4] == f"Used again at {used}: paid on until {until}"
    assert words[5] == "Opened the session: the first 5 minutes"
    assert [row[1] for row in rows] == [NOTHING, "first", "second", "second", "first", "first"]
    assert [row[3] for row in rows] == ["+10", f"{MINUS}5", f"{MINUS}5", "+5", "+5", "+5"]


def test_a_session_ended_in_the_page_is_gone_and_the_page_says_what_came_back(
    visit: Open, tenant: TenantClient
) -> None:
    tenant.run("1", "kept")
    tenant.run("1", "ended")
    tenant.run("1", "ended")
    (paid,) = [session["paid_until"] for session in sessions_of(tenant) if session["session"] == "ended"]

    seen = visit().enter(tenant.key)
    row = seen.region("Open sessions").get_by_role("row", name=re.compile("^ended"))
    expect(row).to_contain_text(clock(paid))
    row.get_by_role("button", name="End ended").click()
    expect(row).to_contain_text("About 5 minutes come back.")
    row.get_by_role("button", name="Keep it").click()
    assert {session["session"] for session in sessions_of(tenant)} == {"kept", "ended"}
    row.get_by_role("button", name="End ended").click()
    row.get_by_role("button", name="End it now").click()

    expect(seen.region("Open sessions").get_by_role("status")).to_have_text(
        "Session “ended” ended. 5 minutes came back."
    )
    expect(row).to_have_count(0)
    assert [session["session"] for session in sessions_of(tenant)] == ["kept"]
    expect(seen.region("Latest entries")).to_contain_text("Session ended early: given back")
    expect(seen.region("Quota")).to_contain_text(f"{tenant.usage()['minutes']['billed']} of 600 minutes")


def test_a_session_is_ended_in_its_own_pool(visit: Open, operator: Operator) -> None:
    tenant = operator.tenant("two-pools", pools=["default", "second"])
    body = {"properties": {"codeInputType": "inline", "executionType": "synchronous", "code": "1"}}
    for pool in ("default", "second"):
        assert tenant.envelope("POST", f"/pools/{pool}/code/execute", "twin", json=body).status_code == 200
    seen = visit().enter(tenant.key)
    card = seen.region("What will it cost?")

    seen.page.get_by_role("button", name="End twin, pool second").click()
    seen.page.get_by_role("button", name="End it now").click()

    expect(seen.region("Open sessions").get_by_role("status")).to_contain_text("Session “twin” ended.")
    assert [(session["session"], session["pool"]) for session in sessions_of(tenant)] == [("twin", "default")]
    for pool, opens in (("second", True), ("default", False)):
        card.get_by_label("Session name").fill("twin")
        card.get_by_label("Pool").fill(pool)
        with seen.page.expect_response(f"**/usage/quote?*pool={pool}"):
            card.get_by_role("button", name="Ask").click()
        words = "It would open the session" if opens else "The session goes on"
        expect(card.get_by_role("status")).to_contain_text(words)


def test_a_daily_quota_has_a_meter_of_its_own(visit: Open, operator: Operator) -> None:
    tenant = operator.tenant("daily", minutes_per_month=600, minutes_per_day=5)
    tenant.run("1")

    seen = visit().enter(tenant.key)

    today = seen.page.get_by_role("meter", name="Quota today")
    expect(today).to_have_attribute("aria-valuetext", "5 of 5 minutes used today, 0 minutes remaining")
    expect(seen.page.get_by_role("meter", name="Quota this month")).to_have_attribute("aria-valuenow", "5")


def test_the_keyboard_alone_leads_from_the_key_to_the_end_of_a_session(visit: Open, tenant: TenantClient) -> None:
    tenant.run("1", "the-one")
    seen = visit()
    press = seen.page.keyboard.press

    def tab_to(name: str, most: int = 40) -> None:
        for _ in range(most):
            press("Tab")
            if focused(seen.page) == name:
                return
        raise AssertionError(f"{name} was not reached with Tab")

    tab_to("API key")
    seen.page.keyboard.type(tenant.key)
    press("Enter")
    expect(seen.page.get_by_role("heading", level=1)).to_be_focused()
    tab_to("End the-one, pool default")
    outline = seen.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    press("Enter")
    assert focused(seen.page) == "End it now"
    press("Escape")
    assert focused(seen.page) == "End the-one, pool default"
    press("Enter")
    press("Enter")

    expect(seen.region("Open sessions")).to_contain_text("Session “the-one” ended.")
    assert focused(seen.page) == "Open sessions"
    assert sessions_of(tenant) == []


@pytest.mark.parametrize(
    ("key", "said", "statuses"),
    [
        ("", "Enter an API key.", []),
        ("not a key", "This is not an API key: it has characters that no key has.", []),
        ("tg_schlüssel", "This is not an API key: it has characters that no key has.", []),
        ("mistyped", UNKNOWN, [401]),
        ("tg_000000000000_0000000000000000000000000000000000000000", UNKNOWN, [401]),
    ],
)
def test_a_wrong_key_is_told_in_words_where_it_was_entered(
    visit: Open, key: str, said: str, statuses: list[int]
) -> None:
    seen = visit()

    seen.give(key)

    expect(seen.page.locator("#key-problem")).to_have_text(said)
    expect(seen.page.locator("#key-problem")).to_have_role("alert")
    field = seen.page.get_by_label("API key")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(seen.page.locator("#view")).to_be_hidden()
    assert seen.refused == statuses


def test_the_key_is_nowhere_but_in_the_memory_of_the_page(visit: Open, tenant: TenantClient) -> None:
    tenant.run("1")
    seen = visit().enter(tenant.key)
    page = seen.page

    def kept() -> str:
        text: str = page.evaluate(
            "async () => JSON.stringify([location.href, document.cookie, history.state, name, {...localStorage},"
            " {...sessionStorage}, await indexedDB.databases(), await caches.keys(),"
            " [...document.querySelectorAll('input')].map((input) => input.value)])"
        )
        return text + page.content()

    assert tenant.key not in kept()
    assert "tg_" not in kept().replace('placeholder="tg_…"', "")
    assert not [address for address in seen.requests if tenant.key in address or not address.startswith(seen.url)]

    page.get_by_role("button", name="Forget the key").click()

    expect(page.get_by_label("API key")).to_be_focused()
    assert tenant.key not in kept()
    expect(page.locator("#view")).to_be_empty()
    asked = len(seen.requests)
    page.get_by_role("button", name="Show my usage").click()
    expect(page.locator("#key-problem")).to_have_text("Enter an API key.")
    page.reload()
    expect(page.get_by_label("API key")).to_have_value("")
    assert not [address for address in seen.requests[asked:] if "/usage" in address]


def test_a_key_that_was_revoked_leads_back_to_the_entrance(
    visit: Open, operator: Operator, tenant: TenantClient
) -> None:
    tenant.run("1")
    name = tenant.usage()["tenant"]
    seen = visit().enter(tenant.key)
    (key,) = operator.call("GET", f"/tenants/{name}/keys").json()["keys"]
    operator.call("DELETE", f"/tenants/{name}/keys/{key['id']}")

    seen.page.get_by_role("button", name="Refresh").click()

    expect(seen.page.locator("#key-problem")).to_have_text(UNKNOWN)
    expect(seen.page.get_by_label("API key")).to_be_focused()
    expect(seen.page.locator("#view")).to_be_empty()


def test_a_key_without_the_right_to_end_sessions_is_told_so(
    visit: Open, operator: Operator, tenant: TenantClient
) -> None:
    tenant.run("1", "mine")
    body = {"label": "reader", "scopes": ["usage"]}
    reader = operator.call("POST", f"/tenants/{tenant.usage()['tenant']}/keys", json=body).json()["key"]
    seen = visit().enter(reader)

    seen.page.get_by_role("button", name="End mine").click()
    seen.page.get_by_role("button", name="End it now").click()

    expect(seen.region("Open sessions").get_by_role("alert")).to_contain_text(
        "“mine” was not ended: The API key does not carry the scope"
    )
    assert focused(seen.page) == "End mine, pool default"
    assert len(sessions_of(tenant)) == 1


def test_a_broken_connection_is_told_and_what_was_shown_stays(visit: Open, tenant: TenantClient) -> None:
    tenant.run("1", "mine")
    seen = visit().enter(tenant.key)

    seen.page.context.set_offline(True)
    seen.page.get_by_role("button", name="Refresh").click()
    expect(seen.page.locator("#problem")).to_contain_text("Tollgate cannot be reached.")
    expect(seen.region("Open sessions")).to_contain_text("mine")
    seen.page.context.set_offline(False)
    seen.page.get_by_role("button", name="Refresh").click()

    expect(seen.page.locator("#problem")).to_be_hidden()
    expect(seen.page.locator("#status")).to_have_text("Refreshed.")
    offline = [problem for problem in seen.problems if "ERR_INTERNET_DISCONNECTED" in problem]
    assert offline
    seen.problems = [problem for problem in seen.problems if problem not in offline]


def test_a_quote_says_what_the_next_call_is_then_charged(visit: Open, tenant: TenantClient) -> None:
    seen = visit().enter(tenant.key)
    card = seen.region("What will it cost?")

    def asked(session: str) -> str:
        card.get_by_label("Session name").fill(session)
        with seen.page.expect_response("**/usage/quote*"):
            seen.page.keyboard.press("Enter")
        answer = card.get_by_role("status")
        expect(answer).to_contain_text(session)
        return answer.inner_text()

    card.get_by_role("button", name="Ask").click()
    expect(card.get_by_role("alert")).to_have_text("Enter the name of a session.")
    first = asked("new one")
    assert "would be charged 5 minutes now: 0.0025 USD. It would open the session" in first
    assert tenant.usage()["minutes"]["billed"] == 0
    assert tenant.execute("1", "new one").headers["Tollgate-Charged-Minutes"] == "5"
    assert "would be charged 5 minutes now: 0.0025 USD. The session goes on" in asked("new one")
    assert tenant.execute("1", "new one").headers["Tollgate-Charged-Minutes"] == "5"
    assert "would cost nothing now" in asked("new one")


def test_a_quote_beyond_the_quota_says_that_the_call_would_be_refused(visit: Open, operator: Operator) -> None:
    tenant = operator.tenant("poor", minutes_per_month=0)
    seen = visit().enter(tenant.key)
    card = seen.region("What will it cost?")

    card.get_by_label("Session name").fill(HOSTILE)
    card.get_by_role("button", name="Ask").click()

    expect(card.get_by_role("status")).to_contain_text(f"A call on “{HOSTILE}” would be refused now: ")
    expect(seen.page.get_by_role("meter")).to_have_attribute("aria-valuetext", re.compile("0 of 0 minutes used"))


def test_an_earlier_month_is_shown_and_the_current_one_again(visit: Open, tenant: TenantClient) -> None:
    tenant.run("1")
    current = Period.of(utc_now())
    seen = visit().enter(tenant.key)
    month = seen.page.get_by_label("Month", exact=True)

    month.select_option(last_month())
    expect(seen.region("Latest entries")).to_contain_text("Nothing was booked in this month.")
    expect(seen.region("Quota")).to_contain_text("0 of 600 minutes")
    expect(seen.region("Open sessions").get_by_role("row")).to_have_count(2)  # sessions are open now, whatever month
    month.select_option(str(current))

    expect(seen.region("Latest entries")).to_contain_text("Opened the session")


def test_hostile_names_stay_text(visit: Open, operator: Operator) -> None:
    tenant = operator.tenant("hostile", name=HOSTILE)
    tenant.run("1", HOSTILE)

    seen = visit().enter(tenant.key)

    expect(seen.page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(seen.region("Open sessions").get_by_role("rowheader")).to_contain_text(HOSTILE)
    expect(seen.region("Latest entries").get_by_role("cell").first).to_have_text(HOSTILE)
    expect(seen.region("Quota")).to_contain_text("There is no monthly quota.")
    assert seen.page.locator("#view img").count() == 0
    seen.page.get_by_role("button", name=f"End {HOSTILE}").click()
    seen.page.get_by_role("button", name="End it now").click()
    expect(seen.region("Open sessions")).to_contain_text(f"Session “{HOSTILE}” ended.")
    assert sessions_of(tenant) == []


def test_a_refresh_leaves_the_focus_and_a_question_where_they_are(visit: Open, tenant: TenantClient) -> None:
    tenant.run("1", "mine")
    seen = visit().enter(tenant.key)
    seen.page.get_by_role("button", name="End mine").click()
    tenant.run("1", "another")

    # As the automatic refresh does it: without taking the focus by a click.
    seen.page.evaluate("document.getElementById('refresh').dispatchEvent(new Event('click'))")

    expect(seen.region("Open sessions")).to_contain_text("another")
    assert focused(seen.page) == "End it now"


def test_the_page_refreshes_itself_until_that_is_switched_off(visit: Open, tenant: TenantClient) -> None:
    seen = visit()
    seen.page.clock.install()
    seen.page.reload()
    seen.enter(tenant.key)
    tenant.run("1", "late")

    seen.page.clock.run_for(31_000)
    expect(seen.region("Open sessions")).to_contain_text("late")
    seen.page.get_by_label("every 30 s").uncheck()
    asked = len(seen.requests)
    seen.page.clock.run_for(120_000)

    assert len(seen.requests) == asked


def test_everything_has_a_name_and_a_place_for_who_does_not_see_it(visit: Open, tenant: TenantClient) -> None:
    tenant.run("1", "mine")
    seen = visit()
    assert unnamed(seen.page) == []
    seen.enter(tenant.key)
    page = seen.page

    assert unnamed(page) == []
    for role in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(role)).to_have_count(1)
    headings = page.get_by_role("heading", level=2)
    assert headings.all_inner_texts() == ["Quota", "Days", "Open sessions", "Latest entries", "What will it cost?"]
    expect(seen.region("Open sessions")).to_match_aria_snapshot(
        """
        - region "Open sessions":
          - heading "Open sessions" [level=2]
          - status
          - region "Open sessions, table":
            - table "Open sessions":
              - caption: Open sessions
              - rowgroup:
                - row "Session Opened Paid Paid until Ending returns End it"
              - rowgroup:
                - row /mine pool default/:
                  - rowheader /mine pool default/
                  - cell /\\d\\d:\\d\\d/
                  - cell "5 min"
                  - cell /left/
                  - cell "0 min"
                  - cell "End mine, pool default":
                    - button "End mine, pool default"
        """
    )
    assert page.evaluate("document.documentElement.lang") == "en"
    assert tenant.usage()["name"] in page.title()
