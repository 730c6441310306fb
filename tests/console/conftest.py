"""The command line both ways: over HTTP to a served API, and directly on the storage."""

from collections.abc import Iterator

import pytest

from metering.clock import utc_now
from tests.console.serving import LEDGER_SECRET, fresh_id, serving
from tests.console.terminals import Terminal, on_storage


@pytest.fixture(scope="module")
def direct(azurite: str) -> Terminal:
    """Work on the storage itself."""
    return on_storage(azurite, LEDGER_SECRET)


@pytest.fixture(scope="module")
def operator_key(direct: Terminal) -> str:
    """Make an operator's key."""
    key: str = direct.done("keys", "create", "--operator", "--label", "test")["key"]
    return key


@pytest.fixture(scope="module")
def http(azurite: str, operator_key: str) -> Iterator[Terminal]:
    """Call an API that is served."""
    with serving(azurite, utc_now) as url:
        yield Terminal({"TOLLGATE_URL": url, "TOLLGATE_KEY": operator_key})


@pytest.fixture(params=["http", "direct"])
def terminal(request: pytest.FixtureRequest) -> Terminal:
    """Be each of the two in turn."""
    found: Terminal = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def new_tenant(terminal: Terminal) -> str:
    """Make a tenant with a quota of 600 minutes."""
    tenant_id = fresh_id()
    terminal.done("tenants", "set", tenant_id, "--minutes-per-month", "600")
    return tenant_id
