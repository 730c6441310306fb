"""Shell commands run in a sandbox of their session; the answer's status is the exit code, as text."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.infra.pool.support import (
    ENVELOPE,
    FLAT,
    REPOSITORY,
    NotStartedError,
    Pool,
    code_of,
    new_name,
    running_pool,
)

pytestmark = pytest.mark.stack

SHELL = "2025-02-02-preview"
MISSING = (400, "SessionPropertiesMissing")
TIMED_OUT = "Request timed out waiting for code execution to complete"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A pool that runs shell commands."""
    with running_pool(tmp_path_factory.mktemp("shell"), kind="shell", file_bytes=2_000_000) as running:
        yield running


@pytest.fixture(scope="module")
def shared() -> str:
    """A session for tests that leave nothing behind."""
    return new_name()


@pytest.mark.parametrize("version", [SHELL, FLAT])
def test_the_answer_is_flat_and_has_the_exit_code_as_its_status(pool: Pool, shared: str, version: str) -> None:
    body = {"codeInputType": "inline", "executionType": "synchronous", "shellCommand": "echo out; echo err >&2; exit 3"}
    answer = pool.call("POST", "/executions", shared, version=version, json={**body, "timeoutInSeconds": 600})
    resource = answer.json()
    assert answer.headers["operation-id"] == resource.pop("id")
    assert isinstance(resource["result"].pop("executionTimeInMilliseconds"), int)
    assert resource == {
        "identifier": shared,
        "executionType": "Synchronous",
        "status": "3",
        "result": {"stdout": "out\n", "stderr": "err\n"},
    }
    assert not [name for name in answer.headers if name.startswith("x-ms-")]


@pytest.mark.parametrize(
    ("command", "status"), [("true", "0"), ("exit 42", "42"), ("nosuchcommand", "127"), ("kill -9 $$", "137")]
)
def test_the_command_alone_is_enough_and_its_status_comes_back(
    pool: Pool, shared: str, command: str, status: str
) -> None:
    assert pool.shell(command, shared)["status"] == status


@pytest.mark.parametrize(
    "body",
    [
        {"code": "echo"},
        {"codeInputType": "inline", "executionType": "synchronous", "code": "echo", "timeoutInSeconds": 60},
        {"properties": {"shellCommand": "echo"}},
        {"shellCommand": 1},
        {},
        [],
    ],
)
def test_code_and_other_shapes_are_refused_and_take_no_session(pool: Pool, session: str, body: Any) -> None:
    assert code_of(pool.call("POST", "/executions", session, version=SHELL, json=body)) == MISSING
    assert pool.call("GET", "/session", session).status_code == 400


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/executions", ENVELOPE),
        ("/executions", "2024-10-02-preview"),
        ("/code/execute", ENVELOPE),
        ("/code/execute", SHELL),
    ],
)
def test_versions_and_paths_that_know_no_shell_are_refused(pool: Pool, session: str, path: str, version: str) -> None:
    for body in ({"shellCommand": "true"}, {"properties": {"code": "true"}}):
        answer = pool.call("POST", path, session, version=version, json=body)
        assert code_of(answer) == (400, "SessionRequestNotSupported")
        assert answer.json()["error"]["message"].startswith("Shell execution is not supported in API version ")
    assert pool.call("GET", "/session", session).status_code == 400


def test_each_stream_is_cut_at_4096_bytes_and_nothing_says_so(pool: Pool, shared: str) -> None:
    command = "printf x; printf 'é%.0s' $(seq 5000); yes | head -c 200000 >&2"
    choices: list[dict[str, Any]] = [{}, {"outputStreamsMaxLength": 100_000}]
    for fields in choices:
        resource = pool.shell(command, shared, **fields)
        assert (resource["status"], set(resource["result"])) == (
            "0",
            {"stdout", "stderr", "executionTimeInMilliseconds"},
        )
        assert resource["result"]["stdout"] == "x" + "é" * 2047 + "\N{REPLACEMENT CHARACTER}"
        assert resource["result"]["stderr"] == "y\n" * 2048


def test_files_stay_and_each_command_has_a_shell_of_its_own(pool: Pool, session: str) -> None:
    pool.shell("echo kept > f; echo kept too > /tmp/t; export VARIABLE=1; cd /tmp", session)
    result = pool.shell('pwd; cat f /tmp/t; echo "[$VARIABLE]"', session)["result"]
    assert result["stdout"] == "/mnt/data\nkept\nkept too\n[]\n"


def test_commands_and_callers_share_the_files(pool: Pool, session: str) -> None:
    answer = pool.call(
        "POST", "/files", session, version=SHELL, files={"file": ("in.txt", b"abc")}, params={"path": "/mnt/data"}
    )
    assert (answer.json()["name"], answer.json()["sizeInBytes"]) == ("in.txt", 3)
    assert pool.shell("cat /mnt/data/in.txt > out.txt; rm in.txt", session)["status"] == "0"
    listed = pool.call("GET", "/files", session, version=SHELL).json()["value"]
    assert [(entry["name"], entry["sizeInBytes"]) for entry in listed] == [("out.txt", 3)]
    assert pool.call("GET", "/files/out.txt/content", session, version=SHELL).content == b"abc"
    assert pool.call("DELETE", "/files/out.txt", session, version=SHELL).status_code == 204


@pytest.mark.parametrize("command", ["sleep 60", "trap '' TERM INT; while :; do sleep 1; done"])
def test_a_command_that_takes_too_long_is_killed_and_the_session_goes_on(pool: Pool, shared: str, command: str) -> None:
    begun = time.monotonic()
    resource = pool.shell(f"echo begun; {command}", shared, timeoutInSeconds=1)
    assert time.monotonic() - begun < 3
    assert (resource["status"], resource["result"]["stdout"], resource["result"]["stderr"]) == (
        "Failed",
        "begun\n",
        TIMED_OUT,
    )
    assert pool.shell("echo on", shared)["result"]["stdout"] == "on\n"


def test_a_command_is_one_argument_and_may_be_as_long_as_one(pool: Pool, shared: str) -> None:
    assert pool.shell(": " + "x" * 100_000, shared)["status"] == "0"
    too_long = pool.shell(": " + "x" * 140_000, shared)
    assert too_long["status"] == "Failed"
    assert "Argument list too long" in too_long["result"]["stderr"]


def test_what_a_command_leaves_running_goes_on(pool: Pool, session: str) -> None:
    begun = time.monotonic()
    pool.shell("(sleep 0.3; echo later > f) &", session)
    assert time.monotonic() - begun < 0.3
    assert pool.shell("while ! test -e f; do sleep 0.02; done; cat f", session)["result"]["stdout"] == "later\n"


def test_killing_everything_aborts_the_command_and_keeps_the_files(pool: Pool, session: str) -> None:
    pool.shell("echo kept > f", session)
    resource = pool.shell("kill -9 -1", session)
    assert (resource["status"], resource["result"]["stderr"]) == ("Failed", "Execution aborted")
    assert pool.shell("cat f", session)["result"]["stdout"] == "kept\n"


def test_deleting_a_session_ends_its_command(pool: Pool, session: str) -> None:
    pool.shell("true", session)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(pool.shell, "echo begun; sleep 60", session)
        time.sleep(0.3)
        assert pool.call("DELETE", "/session", session).status_code == 204
        resource = running.result(timeout=5)
    assert (resource["status"], resource["result"]["stderr"]) == ("Failed", "Execution aborted")
    assert pool.call("GET", "/files", session).json() == {"value": []}


def test_an_asynchronous_command_is_there_to_be_read(pool: Pool, shared: str) -> None:
    body = {"shellCommand": "sleep 0.2; exit 5", "executionType": "Asynchronous"}
    submitted = pool.call("POST", "/executions", shared, version=SHELL, json=body)
    assert (submitted.status_code, submitted.json()["status"]) == (202, "Running")
    deadline = time.monotonic() + 10
    location = submitted.headers["operation-location"]
    while (polled := pool.http.get(location).json())["status"] == "Running" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (polled["status"], polled["executionType"]) == ("5", "Asynchronous")


def test_the_usual_tools_are_there_and_their_input_is_empty(pool: Pool, shared: str) -> None:
    command = "cat; python3 -c 'print(6 * 7)'; printf 'a b\\n' | awk '{print $2}'; echo YQo= | base64 -d; which sed"
    assert pool.shell(command, shared)["result"]["stdout"].split() == ["42", "b", "a", "/usr/bin/sed"]


def test_memory_and_file_size_are_limited(pool: Pool, shared: str) -> None:
    assert "MemoryError" in pool.shell("python3 -c 'bytearray(3 << 30)'", shared)["result"]["stderr"]
    assert pool.shell("head -c 3000000 /dev/zero > big; s=$?; rm big; exit $s", shared)["status"] != "0"


@pytest.fixture(scope="module", params=["bubblewrap", "unshare"])
def confined(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A pool with one of the sandboxes, where the system has it."""
    try:
        with running_pool(tmp_path_factory.mktemp("confined"), kind="shell", sandbox=request.param) as running:
            yield running
    except NotStartedError as refusal:
        pytest.skip(str(refusal))


def test_sessions_see_neither_each_other_nor_the_host_nor_the_network(confined: Pool) -> None:
    one, other = new_name(), new_name()
    confined.shell("touch f /tmp/f; sleep 60 &", one)
    command = (
        "ls /mnt/data; ls -d /tmp/f 2> /dev/null; env | grep TOLLGATE; cat /proc/*/cmdline | grep -c 'slee[p]';"
        f"ls -d /etc/passwd {REPOSITORY}/pyproject.toml 2> /dev/null; touch /usr/planted 2> /dev/null || echo read-only"
    )
    assert confined.shell(command, other)["result"]["stdout"] == "0\nread-only\n"
    port = confined.url.rpartition(":")[2]
    connect = f"python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}), 1)'"
    assert confined.shell(connect, other)["status"] == "1"


def test_the_pool_says_what_it_is(pool: Pool) -> None:
    metadata = pool.call("GET", "/metadata").json()
    assert metadata["runtimes"][0]["version"]
    assert metadata["jupyterKernel"]["name"] == "sh"
