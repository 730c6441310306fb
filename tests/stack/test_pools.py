"""Several pools behind one gateway, and what becomes of sessions that are gone: over HTTP, with real code."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import running_stack
from tests.stack.tenants import TenantClient, send

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run a stack with a pool of Node.js, and a default pool on two endpoints."""
    folder: Path = tmp_path_factory.mktemp("pools")
    with running_stack(folder, "--pool", "node=node", "--pool-endpoints", "2") as running:
        yield running.ready


@pytest.fixture
def demo(pools: dict[str, Any]) -> TenantClient:
    """Be the tenant that was given all pools."""
    return TenantClient(pools["url"], pools["tenants"][0]["key"])


def test_code_runs_in_the_pool_that_the_path_names(demo: TenantClient) -> None:
    in_node = TenantClient(f"{demo.url}/pools/node", demo.key)

    assert in_node.run("const n = 6; console.log(typeof process.version); n * 7", "one")["result"] == 42
    assert in_node.run("n + 1", "one")["result"] == 7
    assert demo.run("'python'", "one")["result"] == "python"
    operations = [entry["operation"] for entry in demo.entries() if entry["session"] == "one"]
    assert {"node/code.execute", "code.execute"} <= set(operations)


def test_sessions_stay_on_their_endpoint_of_a_pool_that_has_two(pools: dict[str, Any], demo: TenantClient) -> None:
    names = [f"spread-{number}" for number in range(8)]
    for number, name in enumerate(names):
        demo.run(f"kept = {number}", name)

    assert [demo.run("kept", name)["result"] for name in names] == list(range(8))
    listed = demo.call("GET", "/listSessions", params={"api-version": "2025-02-02-preview"}).json()["sessions"]
    assert set(names) <= {session["identifier"] for session in listed}
    held = [TenantClient(endpoint, "none").call("GET", "/listSessions", params={"api-version": "2025-02-02-preview"})
            for endpoint in pools["pool_endpoints"]]  # fmt: skip
    assert all(len(answer.json()["sessions"]) > 0 for answer in held)


def test_an_asynchronous_execution_is_followed_by_its_link(demo: TenantClient) -> None:
    body = {"codeInputType": "Inline", "executionType": "Asynchronous", "code": "6 * 7", "timeoutInSeconds": 60}
    started = demo.flat("POST", "/executions", "later", json=body, headers={"operation-id": "mine-1"})

    assert (started.json()["id"], started.json()["identifier"]) == ("mine-1", "later")
    link = started.headers["Operation-Location"]
    assert link.startswith(f"{demo.url}/executions/mine-1?")
    for _ in range(100):
        told = send("GET", link, headers={"Authorization": f"Bearer {demo.key}"}).json()
        if told["status"] != "Running":
            break
    assert (told["status"], told["result"]["executionResult"]) == ("Succeeded", 42)


def test_what_a_session_does_not_have_is_told_in_the_pools_words_and_a_fresh_session_as_such(
    demo: TenantClient,
) -> None:
    form = {"file": ("a.txt", b"hello")}
    assert demo.flat("POST", "/files", "gone", params={"path": "sub"}, files=form).status_code == 200
    assert demo.flat("GET", "/files/sub/a.txt/content", "gone").content == b"hello"

    unknown = demo.flat("GET", "/executions/unknown", "gone")
    ended = demo.flat("DELETE", "/session", "gone")
    again = demo.flat("GET", "/files//mnt/data/sub/a.txt/content", "gone")
    looked = demo.flat("GET", "/session", "never-used")

    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "ExecutionNotFound")
    assert ended.status_code == 204
    assert (again.status_code, again.json()["error"]["code"]) == (404, "FileNotFound")
    assert again.headers["Tollgate-Session"] == "new"
    assert (looked.status_code, looked.json()["error"]["code"]) == (400, "SessionWithIdentifierNotFound")


def test_a_name_that_the_pool_does_not_take_is_told_in_its_words(demo: TenantClient) -> None:
    refused = demo.flat("POST", "/files", "names", files={"file": ("a?*|.txt", b"x")})

    assert (refused.status_code, refused.json()["error"]["target"]) == (400, "file")
