"""Light and dark, on a desk and on a phone: what can be measured of it."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.looking import colours, contrasts, drawn_anew, scrolls_sideways
from tests.browser.visits import Scheme, Visit
from tests.stack.tenants import Operator

pytestmark = [pytest.mark.stack, pytest.mark.slow]

LONG = "a-session-with-a-name-that-is-as-long-as-names-may-be-" + "x" * 70
READABLE = 4.5


@pytest.fixture(scope="module")
def keys(stack: dict[str, Any]) -> dict[str, str]:
    """Make usage to look at: nearly all of a quota, a loss, long names."""
    operator = Operator(stack)
    tenant = operator.tenant("looks", name="A tenant " * 20, minutes_per_month=15, rate_per_session_hour="0.0001")
    tenant.run("1", LONG)
    tenant.run("1", LONG)
    tenant.run("1", "short")
    tenant.flat("DELETE", "/session", LONG)
    tenant.run("1", LONG)
    return {"tenant": tenant.key, "operator": stack["operator_key"]}


def everything(seen: Visit) -> None:
    """Unfold the tables, and ask whether a session is to end."""
    for details in seen.page.locator("details").all():
        details.locator("summary").click()
    ends = seen.page.get_by_role("button", name=f"End {LONG}")
    if ends.count():
        ends.click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("who", ["tenant", "operator"])
def test_all_text_is_readable(visit: Open, keys: dict[str, str], who: str, scheme: Scheme) -> None:
    seen = visit(scheme=scheme)
    entrance = contrasts(seen.page)
    seen.give("wrong")
    expect(seen.page.locator("#key-problem")).not_to_be_empty()
    refused = contrasts(seen.page)
    seen.enter(keys[who])
    everything(seen)

    found = entrance + refused + contrasts(seen.page)

    assert len(found) > 30
    assert [one for one in found if one["ratio"] < READABLE] == []


def test_dark_is_dark_and_the_chart_follows(visit: Open, keys: dict[str, str]) -> None:
    seen = visit(scheme="light").enter(keys["tenant"])
    canvas = seen.region("Days").locator("canvas")

    def looks() -> tuple[str, str]:
        style = seen.page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        return tuple(style)

    light = looks()
    assert "rgb(74, 104, 220)" in colours(canvas)
    seen.page.emulate_media(color_scheme="dark")
    drawn_anew(seen.page)
    dark = looks()

    assert light == ("rgb(245, 246, 249)", "rgb(23, 28, 40)")
    assert dark == ("rgb(14, 17, 24)", "rgb(231, 235, 243)")
    expect(canvas).to_have_count(1)
    drawn = colours(canvas)
    assert drawn.get("rgb(130, 152, 245)", 0) > 100
    assert "rgb(74, 104, 220)" not in drawn


@pytest.mark.parametrize("width", [320, 390, 768])
@pytest.mark.parametrize("who", ["tenant", "operator"])
def test_no_page_scrolls_sideways(visit: Open, keys: dict[str, str], who: str, width: int) -> None:
    seen = visit(width=width, height=844)
    assert not scrolls_sideways(seen.page)

    seen.enter(keys[who])
    everything(seen)

    assert not scrolls_sideways(seen.page)
    for table in seen.page.locator("table:visible").all():
        place = table.locator("xpath=..")
        assert place.get_attribute("tabindex") == "0"
        assert place.evaluate("(node) => getComputedStyle(node).overflowX") == "auto"


def test_text_twice_as_large_fits_too(visit: Open, keys: dict[str, str]) -> None:
    seen = visit(width=640).enter(keys["tenant"])

    seen.page.evaluate("document.documentElement.style.fontSize = '200%'")

    assert not scrolls_sideways(seen.page)


def test_nothing_moves_for_who_does_not_want_it(visit: Open, keys: dict[str, str]) -> None:
    seen = visit().enter(keys["tenant"])

    assert seen.page.evaluate("getComputedStyle(document.querySelector('.meter-fill')).transitionDuration") == "0s"
    seen.page.emulate_media(reduced_motion="no-preference")
    assert seen.page.evaluate("getComputedStyle(document.querySelector('.meter-fill')).transitionDuration") != "0s"
