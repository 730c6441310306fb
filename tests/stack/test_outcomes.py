"""What a call costs that the pool never heard of, turned away or did not answer: a host, and pools that misbehave."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.running import LEDGER_SECRET, NAMESPACE_SECRET, ROOT, running_module
from tests.stack.tenants import Operator, TenantClient

pytestmark = [pytest.mark.stack, pytest.mark.azurite]

_numbers = count(1)

FULL = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"


@contextlib.contextmanager
def pool_that_says(answer: bytes) -> Iterator[str]:
    """Listen as a pool that reads each call, says this, and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):  # the server was closed: the test is over
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(65_536)
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def tenant_of(azurite: str, tmp_path: Path) -> Iterator[Callable[[str], TenantClient]]:
    """Start a host for a pool's address, and be a new tenant there."""
    with contextlib.ExitStack() as running:

        def start(endpoint: str) -> TenantClient:
            environment = {
                **os.environ,
                "TOLLGATE_POOL_ENDPOINTS": endpoint,
                "TOLLGATE_POOL_AUTH": "none",
                "TOLLGATE_STORAGE": azurite,
                "TOLLGATE_NAMESPACE_SECRET": NAMESPACE_SECRET,
                "TOLLGATE_LEDGER_SECRET": LEDGER_SECRET,
            }
            create = ["keys", "create", "--operator", "--label", "tests", "--direct", "--json"]
            made = subprocess.run(
                [sys.executable, "-m", "console", *create], cwd=ROOT, env=environment, capture_output=True, check=True
            )
            host = running.enter_context(
                running_module("infra.local.host", tmp_path, "--port", "0", environment=environment)
            )
            stack = {"url": host.ready["url"], "operator_key": json.loads(made.stdout)["key"]}
            return Operator(stack).tenant(f"outcome-{os.getpid()}-{next(_numbers)}")

        yield start


def test_a_call_that_never_reached_the_pool_costs_nothing(tenant_of: Callable[[str], TenantClient]) -> None:
    with pool_that_says(b"") as endpoint:
        pass  # nothing listens there any more
    tenant = tenant_of(endpoint)

    refused = tenant.execute("1")

    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "PoolUnavailable")
    assert int(refused.headers["Retry-After"]) >= 1
    assert [entry["kind"] for entry in tenant.entries()] == ["charge", "reversal"]
    assert tenant.usage()["minutes"]["billed"] == 0
    assert tenant.usage()["sessions_opened"] == 0


def test_a_full_pool_costs_nothing(tenant_of: Callable[[str], TenantClient]) -> None:
    with pool_that_says(FULL) as endpoint:
        tenant = tenant_of(endpoint)

        refused = tenant.execute("1")

    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "PoolBusy")
    assert tenant.usage()["minutes"]["billed"] == 0


def test_a_call_whose_answer_was_lost_stays_charged(tenant_of: Callable[[str], TenantClient]) -> None:
    with pool_that_says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal") as endpoint:
        tenant = tenant_of(endpoint)

        lost = tenant.execute("1")

    assert (lost.status_code, lost.json()["error"]["code"]) == (504, "PoolTimeout")
    assert lost.headers["Tollgate-Charged-Minutes"] == "5"
    assert [entry["kind"] for entry in tenant.entries()] == ["charge"]
    assert endpoint not in lost.text
