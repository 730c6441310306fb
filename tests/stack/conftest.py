"""One running stack for the tests that leave it as it is; each takes tenants of its own."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.running import running_stack
from tests.stack.tenants import Operator, TenantClient

_numbers = count(1)


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run a stack with increments of five minutes, as in Azure."""
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running.ready


@pytest.fixture
def operator(stack: dict[str, Any]) -> Operator:
    """Be the operator."""
    return Operator(stack)


@pytest.fixture
def tenant(operator: Operator) -> TenantClient:
    """Be a new tenant without limits."""
    return operator.tenant(f"tenant-{next(_numbers)}")
