"""One deployment for all clients, and each client driven once."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.clients.deployment import running_deployment
from tests.clients.drivers import Drivers


@pytest.fixture(scope="module")
def drivers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drivers]:
    """Start driving the clients whose tests are to run, side by side; tests then wait for those that they need."""
    chosen = [item.callspec.params.get("client") for item in request.session.items if hasattr(item, "callspec")]
    with running_deployment(tmp_path_factory.mktemp("clients")) as deployment:
        drivers = Drivers(deployment, tmp_path_factory.mktemp("homes"))
        with contextlib.closing(drivers):
            drivers.start(client for client in chosen if client)
            yield drivers
