"""Visits to the dashboard: Chromium, one page in it, and everything that went wrong there."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect, sync_playwright

from metering.clock import utc_now
from metering.periods import Period
from scripts.browser import NOTE, chromium

ARGUMENTS = (
    "--no-sandbox",  # tests may run as the superuser, which Chromium's own sandbox refuses
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE_MS = 20_000
MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"  # what stands in a cell without a value
_VIOLATIONS = """
window.violations = [];
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
  violations.push(`${violatedDirective} ${blockedURI}`);
});
"""
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")

type Scheme = Literal["light", "dark"]


def last_month() -> str:
    """Return the period before the current one."""
    return str(Period.of(Period.of(utc_now()).start_at - timedelta(days=1)))


class NoBrowserError(Exception):
    """There is no Chromium here; the message says how to get one."""


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Run the system's Chromium without a window.

    Raises:
        NoBrowserError: there is none.
    """
    found = chromium()
    if found is None:
        raise NoBrowserError(NOTE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS), headless=True)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """One page on the dashboard.

    Attributes:
        refused: statuses of answers that the page asked for and was refused.
        problems: console errors and uncaught exceptions; a good visit has none.
        requests: every address that was asked.
    """

    page: Page
    url: str
    refused: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def enter(self, key: str) -> "Visit":
        """Give a key, and wait for what it shows."""
        self.give(key)
        self.page.locator("#view h1").wait_for()
        return self

    def give(self, key: str) -> None:
        """Type a key and press Enter."""
        self.page.get_by_label("API key").fill(key)
        self.page.keyboard.press("Enter")

    def region(self, title: str) -> Locator:
        """Find a card by its heading."""
        return self.page.get_by_role("region", name=title, exact=True)

    def table(self, title: str) -> list[list[str]]:
        """Read the rows of a table by its caption, hidden texts left out."""
        rows = self.page.get_by_role("table", name=title).locator("tbody tr")
        return [[cell.inner_text() for cell in row.locator("th, td").all()] for row in rows.all()]

    def chart(self, title: str) -> list[str]:
        """Open the table behind a chart; return its rows, cells joined with bars."""
        details = self.region(title).locator("details")
        if details.get_attribute("open") is None:
            details.locator("summary").click()
        rows = details.locator("tbody tr")
        return [" | ".join(cell.inner_text() for cell in row.locator("th, td").all()) for row in rows.all()]

    def violations(self) -> list[str]:
        """Return what the Content-Security-Policy kept from happening."""
        found: list[str] = self.page.evaluate("window.violations")
        return found

    def _on_console(self, message: ConsoleMessage) -> None:
        refused = _REFUSED.match(message.text)
        if refused:
            self.refused.append(int(refused[1]))
        elif message.type in {"error", "warning"}:
            self.problems.append(message.text)

    def _on_request(self, request: Request) -> None:
        self.requests.append(request.url)


@contextlib.contextmanager
def visiting(
    browser: Browser, url: str, *, scheme: Scheme = "light", width: int = 1280, height: int = 900, **more: Any
) -> Iterator[Visit]:
    """Open the dashboard in a context of its own."""
    viewport: Any = {"width": width, "height": height}
    context = browser.new_context(color_scheme=scheme, viewport=viewport, reduced_motion="reduce", **more)
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    context.add_init_script(_VIOLATIONS)
    try:
        page = context.new_page()
        visit = Visit(page, url)
        page.on("console", visit._on_console)
        page.on("pageerror", lambda error: visit.problems.append(str(error)))
        page.on("request", visit._on_request)
        page.goto(f"{url}/dashboard")
        yield visit
    finally:
        context.close()
