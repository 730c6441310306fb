"""Many new sessions at once: callers wait in line, and every one gets a session of its own."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.infra.pool.support import new_name, running_pool

pytestmark = [pytest.mark.stack, pytest.mark.slow]

SESSIONS = 50


def test_a_burst_of_new_sessions_is_served_and_each_is_its_own(tmp_path: Path) -> None:
    names = [new_name() for _ in range(SESSIONS)]
    with running_pool(tmp_path, warm_sessions=3) as pool:
        pool.http.timeout = 300
        with ThreadPoolExecutor(SESSIONS) as threads:
            values = list(threads.map(lambda name: pool.value(f"own = '{name}'\nown", name), names))
            again = list(threads.map(lambda name: pool.value("own", name), names))
        assert values == again == names
        assert len(pool.call("GET", "/listSessions").json()["sessions"]) == SESSIONS
