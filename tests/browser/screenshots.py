"""Make the pictures of the dashboard for the documentation: `python -m tests.browser.screenshots`."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from metering.clock import utc_now
from scripts.browser import NOTE, chromium
from tests.browser.month import HABITS, make_month
from tests.browser.visits import Visit, running_browser, visiting
from tests.running import ROOT, Running, running_stack
from tests.stack.tenants import Operator, TenantClient

PICTURES = ROOT / "docs/images"
BYTES_MAX = 200_000
WIDTH = 1200


def main() -> int:
    """Start a stack, make a month, take the pictures; the exit status is 1 where there is no browser."""
    if chromium() is None:
        sys.stderr.write(f"screenshots: {NOTE}.\n")
        return 1
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder)) as stack:
        key = _prepare(stack)
        _take(stack.ready["url"], key, stack.ready["operator_key"])
    return 0


def _prepare(stack: Running) -> str:
    """Make tenants, their month, and open sessions of the first; return its key."""
    operator, clients = Operator(stack.ready), dict[str, TenantClient]()
    for habit in HABITS:
        limits = {"minutes_per_month": habit.minutes_per_month, "rate_per_session_hour": habit.rate_per_session_hour}
        clients[habit.tenant] = operator.tenant(habit.tenant, name=habit.name, **limits)
    assert stack.data_dir is not None
    secret = json.loads((stack.data_dir / "stack.json").read_text())["ledger_secret"]
    asyncio.run(make_month(stack.ready["storage"], secret, utc_now()))

    shown, usual = clients[HABITS[0].tenant], ("report-builder", "analysis-7f3a", "agent-0b9e", "notebook-51c2")
    for name in (*usual, *usual[:2], usual[3]):
        shown.run("1", name)
    shown.flat("DELETE", "/session", usual[3])
    correction = {"minutes": -30, "reason": "outage on Monday"}
    operator.call("POST", f"/tenants/{HABITS[0].tenant}/adjustments", json=correction)
    return shown.key


def _take(url: str, tenant_key: str, operator_key: str) -> None:
    with running_browser() as browser:
        with visiting(browser, url, width=WIDTH, height=1640) as visit:
            _save(visit.enter(tenant_key), "dashboard-tenant")
        with visiting(browser, url, width=WIDTH, height=1150) as visit:
            _save(visit.enter(operator_key), "dashboard-operator")
        with visiting(browser, url, width=WIDTH, height=1150, scheme="dark") as visit:
            _save(visit.enter(operator_key), "dashboard-dark")


def _save(visit: Visit, name: str) -> None:
    visit.region("Days").locator("canvas").wait_for()
    path = PICTURES / f"{name}.png"
    size = len(visit.page.screenshot(path=path))
    assert size < BYTES_MAX, f"{path} has {size} bytes"
    sys.stdout.write(f"{path.relative_to(ROOT)}: {size // 1000} kB\n")


if __name__ == "__main__":
    sys.exit(main())
