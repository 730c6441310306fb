"""Sessions come with their first data request, end with the cooldown or when told to, and are never too many."""

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.infra.pool.support import ENVELOPE, Pool, code_of, new_name, running_pool

pytestmark = pytest.mark.stack

UNKNOWN = (400, "SessionWithIdentifierNotFound")


def test_a_file_listing_takes_a_session_and_looking_at_sessions_does_not(pool: Pool, session: str) -> None:
    assert code_of(pool.call("GET", "/session", session)) == UNKNOWN
    assert code_of(pool.call("POST", "/.management/getSession", session, version=ENVELOPE)) == UNKNOWN
    assert code_of(pool.call("DELETE", "/session", session)) == UNKNOWN
    assert pool.call("GET", "/files", session).json() == {"value": []}
    assert pool.call("GET", "/session", session).json()["identifier"] == session


def test_a_data_request_moves_the_end_and_looking_does_not(pool: Pool, session: str) -> None:
    pool.call("GET", "/files", session)
    first = _session(pool, session)
    assert _session(pool, session) == first
    assert first["expireAt"] - first["lastAccessedAt"] == timedelta(seconds=300)
    pool.call("GET", "/files/absent", session)
    second = _session(pool, session)
    assert second["lastAccessedAt"] > first["lastAccessedAt"]
    assert second["expireAt"] > first["expireAt"]
    assert second["createdAt"] == first["createdAt"]


def test_both_ways_to_list_sessions_show_them_in_their_own_words(pool: Pool, session: str) -> None:
    pool.call("GET", "/files", session)
    listed = pool.call("GET", "/listSessions").json()["sessions"]
    found = next(entry for entry in listed if entry["identifier"] == session)
    assert set(found) == {"identifier", "etag", "createdAt", "lastAccessedAt", "expireAt"}
    page = pool.call("POST", "/.management/listSessions").json()
    assert page["count"] == len(page["value"]) == len(listed)
    view = pool.call("POST", "/.management/getSession", session).json()
    assert view == next(entry for entry in page["value"] if entry["identifier"] == session)
    assert view["expiresAt"] == found["expireAt"]
    assert pool.call("GET", "/listSessions", params={"skip": "100000"}).json() == {"sessions": []}
    assert pool.call("GET", "/listSessions", params={"skip": "-1"}).status_code == 400


def test_a_session_used_again_after_its_deletion_is_a_new_and_empty_one(pool: Pool, session: str) -> None:
    pool.upload("file", b"x", session)
    pool.value("variable = 1\n1", session)
    before = _session(pool, session)
    answer = pool.call("DELETE", "/session", session)
    assert (answer.status_code, answer.content) == (204, b"")
    assert code_of(pool.call("GET", "/session", session)) == UNKNOWN
    assert pool.call("GET", "/files", session).json() == {"value": []}
    assert "NameError" in pool.execute("variable", session)["stderr"]
    assert _session(pool, session)["etag"] != before["etag"]


def test_deleting_a_session_aborts_what_it_is_running(pool: Pool, session: str) -> None:
    body = {"code": "import time\ntime.sleep(60)", "executionType": "Asynchronous"}
    pool.value("1", session)
    pool.call("POST", "/executions", session, json=body, headers={"operation-id": "long"})
    begun = time.monotonic()
    assert pool.call("DELETE", "/session", session).status_code == 204
    assert time.monotonic() - begun < 5


def test_a_session_lives_for_the_cooldown_after_its_last_call_and_not_longer(tmp_path: Path) -> None:
    with running_pool(tmp_path, pool_cooldown_seconds=1) as pool:
        kept, left = new_name(), new_name()
        pool.upload("file", b"x", left)
        pool.value("variable = 1\n1", kept)
        etag = pool.call("GET", "/session", left).json()["etag"]
        for _ in range(4):
            time.sleep(0.4)
            assert pool.value("variable", kept) == 1
        assert code_of(pool.call("GET", "/session", left)) == UNKNOWN
        assert pool.names(left) == []
        assert pool.call("GET", "/session", left).json()["etag"] != etag
        time.sleep(1.1)
        assert pool.call("GET", "/listSessions").json() == {"sessions": []}
        assert "NameError" in pool.execute("variable", kept)["stderr"]


def test_an_execution_longer_than_the_cooldown_is_finished(tmp_path: Path) -> None:
    with running_pool(tmp_path, pool_cooldown_seconds=0.5) as pool:
        assert pool.value("import time\ntime.sleep(1.2)\n'finished'", "long-running") == "finished"
        assert code_of(pool.call("GET", "/session", "long-running")) == UNKNOWN


def test_one_session_too_many_is_refused_until_another_ends(tmp_path: Path) -> None:
    with running_pool(tmp_path, max_sessions=2, warm_sessions=0) as pool:
        names = [new_name() for _ in range(3)]
        for name in names[:2]:
            assert pool.call("GET", "/files", name).status_code == 200
        full = pool.call("POST", "/executions", names[2], json={"code": "1"})
        assert code_of(full) == (429, "MaxConcurrentSessionsReached")
        assert pool.call("GET", "/files", names[0]).status_code == 200
        pool.call("DELETE", "/session", names[0])
        assert pool.value("1", names[2]) == 1


def test_the_pool_says_what_its_sessions_offer(pool: Pool) -> None:
    metadata = pool.call("GET", "/metadata").json()
    assert metadata["runtimes"][0]["name"] == "python"
    assert metadata["jupyterKernel"]["name"] == "ipykernel"
    assert {"createdAt", "lastUpdatedAt", "preInstalledPackages"} <= set(metadata)


def _session(pool: Pool, name: str) -> dict[str, Any]:
    document: dict[str, Any] = pool.call("GET", "/session", name).json()
    return {
        field: datetime.fromisoformat(value) if field.endswith("At") else value for field, value in document.items()
    }
