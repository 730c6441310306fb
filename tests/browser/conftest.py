"""One stack and one browser for each module; each test visits the page anew, and nothing may go wrong there."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.visits import NoBrowserError, Visit, running_browser, visiting
from tests.running import running_stack
from tests.stack.tenants import Operator, TenantClient

_numbers = count(1)

type Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """Run Chromium; without one the tests are skipped, but not where everything is to be tested."""
    with ExitStack() as running:
        try:
            browser = running.enter_context(running_browser())
        except NoBrowserError as error:
            if os.environ.get("CI"):
                pytest.fail(str(error))
            pytest.skip(str(error))
        yield browser


@pytest.fixture(scope="module")
def stack(chrome: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run a stack with two pools, after the browser: where there is none, no stack is needed."""
    with running_stack(tmp_path_factory.mktemp("stack"), "--pool", "second=python") as running:
        yield running.ready


@pytest.fixture
def operator(stack: dict[str, Any]) -> Operator:
    """Be the operator."""
    return Operator(stack)


@pytest.fixture
def tenant(operator: Operator) -> TenantClient:
    """Be a new tenant with a quota."""
    number = next(_numbers)
    return operator.tenant(f"tenant-{number}", name=f"Tenant {number}", minutes_per_month=600)


@pytest.fixture
def visit(chrome: Browser, stack: dict[str, Any]) -> Iterator[Open]:
    """Open the dashboard by `visit(**options)`; at the end no page may have had an error or a policy violation."""
    with ExitStack() as opened:
        visits: list[Visit] = []

        def open_page(**options: Any) -> Visit:
            made = opened.enter_context(visiting(chrome, stack["url"], **options))
            visits.append(made)
            return made

        yield open_page
        assert [problem for made in visits for problem in made.problems] == []
        assert [violation for made in visits for violation in made.violations()] == []
