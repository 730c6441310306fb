"""One pool for all tests that need no settings of their own; they keep apart by session."""

from collections.abc import Iterator

import pytest

from tests.infra.pool.support import Pool, new_name, running_pool


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A pool with the default settings, but for what would take memory."""
    with running_pool(tmp_path_factory.mktemp("pool"), warm_sessions=2, upload_bytes=1_000_000) as running:
        yield running


@pytest.fixture
def session() -> str:
    """A session that no other test knows."""
    return new_name()


@pytest.fixture(scope="session")
def shared() -> str:
    """A session for tests that leave nothing behind, since each new one costs the start of a kernel."""
    return new_name()
