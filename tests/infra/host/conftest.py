"""One host per kind of app and module of tests; a host can only ever run one app."""

import json
from collections.abc import Iterator

import pytest

from tests.infra.host.conformance_app import SOURCE
from tests.infra.host.support import BODY_LIMIT_BYTES, Host, running_host, write_app


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The conformance app; one of its settings stands in `local.settings.json`."""
    folder = write_app(tmp_path_factory.mktemp("conformance"), SOURCE)
    (folder / "local.settings.json").write_text(json.dumps({"Values": {"TOCK_SCHEDULE": "0 0 0 1 1 *"}}))
    with running_host(folder, "--body-limit-bytes", str(BODY_LIMIT_BYTES)) as running:
        yield running
