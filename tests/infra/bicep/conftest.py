"""What the tests of the project's templates share."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.infra.bicep.tollgate import App


@pytest.fixture(scope="package")
def app() -> Iterator[App]:
    """The app, as far as it reads its settings."""
    with closing(App()) as running:
        yield running
