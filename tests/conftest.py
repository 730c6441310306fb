"""What tests of several folders share: a real table storage, and the whole local stack."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.running import running_stack, running_storage


def pytest_configure() -> None:
    """Give Ctrl-C its meaning back for the processes of tests: a script's background jobs are started to ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run one Azurite, in memory, for all tests; yields its connection string. Tests take tables of their own."""
    with running_storage(tmp_path_factory.mktemp("azurite")) as connection_string:
        yield connection_string


@pytest.fixture
def local_stack(tmp_path: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """Start local stacks, each with its own data, by `local_stack(*options)`; returns what its ready file says."""
    with ExitStack() as running:

        def start(*options: str) -> dict[str, Any]:
            folder = tmp_path / f"stack-{len(list(tmp_path.glob('stack-*')))}"
            return running.enter_context(running_stack(folder, *options)).ready

        yield start
