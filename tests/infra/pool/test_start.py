"""The pool starts with one line and a ready file, or says why not; it leaves nothing behind, however it ends."""

import json
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.pool.support import (
    NotStartedError,
    descendants,
    new_name,
    running_pool,
    start_process,
    wait_for,
    wait_until_gone,
)

pytestmark = pytest.mark.stack

type Start = Callable[..., tuple[subprocess.Popen[bytes], dict[str, Any]]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start pools that the test ends itself; those that it does not are killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start_one(**settings: Any) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
        ready_file = tmp_path / "ready.json"
        started.append(start_process("--port", "0", "--ready-file", str(ready_file), **settings))
        return started[-1], wait_for(ready_file, started[-1])

    yield start_one
    for process in started:
        process.kill()
        process.communicate(timeout=20)


@pytest.mark.parametrize(
    ("number", "kind"),
    [(signal.SIGTERM, "python"), (signal.SIGINT, "python"), (signal.SIGTERM, "node"), (signal.SIGTERM, "shell")],
)
def test_a_signal_ends_it_with_status_0_and_nothing_left(start: Start, number: int, kind: str) -> None:
    temporary = Path(tempfile.mkdtemp(prefix="pool"))  # the folder of a test has too long a path for sockets
    process, ready = start(temporary=temporary, kind=kind)
    assert process.stdout is not None
    assert process.stdout.readline().decode() == f"Session pool on {ready['url']}, sandbox: {ready['sandbox']}\n"
    assert list(temporary.iterdir())
    family = descendants(process.pid)
    process.send_signal(number)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (0, b"", b"")
    wait_until_gone(family)
    temporary.rmdir()  # fails unless it is empty


def test_a_call_that_is_running_at_the_end_is_answered(tmp_path: Path) -> None:
    with running_pool(tmp_path) as pool:
        body = {"code": "import time\ntime.sleep(60)", "executionType": "Synchronous"}
        session = new_name()
        assert pool.value("1", session) == 1
        raw = socket.create_connection(("127.0.0.1", int(pool.url.rsplit(":", 1)[1])))
        content = json.dumps(body).encode()
        head = f"POST /executions?api-version=2025-10-02-preview&identifier={session} HTTP/1.1\r\nHost: x\r\n"
        raw.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        time.sleep(0.5)  # the code is running by now
        pool.process.send_signal(signal.SIGTERM)
        with raw:
            assert b"Execution aborted" in b"".join(iter(lambda: raw.recv(65536), b""))
        assert pool.process.wait(timeout=20) == 0


def test_the_next_pool_removes_what_a_killed_one_left(start: Start, tmp_path: Path) -> None:
    temporary = Path(tempfile.mkdtemp(prefix="pool"))
    killed, _ = start(temporary=temporary)
    killed.kill()
    killed.wait()
    (left,) = temporary.iterdir()
    (tmp_path / "ready.json").unlink()
    process, _ = start(temporary=temporary)
    (found,) = temporary.iterdir()
    assert found != left
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    temporary.rmdir()


@pytest.mark.parametrize(
    ("sandbox", "kind"),
    [("bubblewrap", "python"), ("unshare", "python"), ("none", "python"), ("auto", "node"), ("auto", "shell")],
)
def test_kernels_die_with_a_pool_that_is_killed(start: Start, sandbox: str, kind: str) -> None:
    try:
        process, _ = start(sandbox=sandbox, kind=kind)
    except NotStartedError as refusal:
        if sandbox == "auto":
            raise
        pytest.skip(str(refusal))
    family = descendants(process.pid)
    assert family
    process.kill()
    process.communicate(timeout=20)
    wait_until_gone(family)


def test_without_a_sandbox_it_warns_loudly(start: Start) -> None:
    process, _ = start(sandbox="none")
    process.send_signal(signal.SIGTERM)
    assert b"WITHOUT a sandbox" in process.communicate(timeout=20)[1]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"max_sessions": "many"}, "TOLLGATE_LOCAL_POOL_MAX_SESSIONS='many'"),
        ({"pool_cooldown_seconds": 0}, "TOLLGATE_POOL_COOLDOWN_SECONDS='0'"),
        ({"sandbox": "castle"}, "TOLLGATE_LOCAL_POOL_SANDBOX='castle'"),
        ({"python": "/nowhere/python"}, "/nowhere/python"),
        ({"python": "/bin/true"}, "/bin/true"),
        ({"kind": "ruby"}, "TOLLGATE_LOCAL_POOL_KIND='ruby'"),
        ({"kind": "shell", "python": "/nowhere/python"}, "/nowhere/python"),
        ({"kind": "node", "node": "/nowhere/node"}, "/nowhere/node"),
        ({"kind": "node", "node": "/bin/true"}, "no Node.js of version 20"),
        ({"kind": "custom"}, "TOLLGATE_LOCAL_POOL_CONTAINER=''"),
        ({"kind": "custom", "container": "'unfinished"}, 'TOLLGATE_LOCAL_POOL_CONTAINER="\'unfinished"'),
        ({"kind": "custom", "container": "/nowhere/program x"}, "there is no program '/nowhere/program'"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_in_one_line(settings: dict[str, Any], reason: str) -> None:
    _ends_with(reason, start_process("--port", "0", **settings))


def test_a_port_in_use_is_named_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        _ends_with(f"port {port} cannot be used", start_process("--port", port))


def test_a_data_folder_serves_one_pool_at_a_time_and_nothing_stays_in_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "sessions" / "left-by-a-killed-pool").mkdir(parents=True)
    with running_pool(tmp_path, "--data-dir", str(data)) as pool:
        assert not (data / "sessions" / "left-by-a-killed-pool").exists()
        pool.upload("file", b"x", new_name())
        assert list(data.glob("sessions/*/file"))
        _ends_with("in use by another pool", start_process("--port", "0", "--data-dir", str(data)))
    assert [path.name for path in data.iterdir()] == ["lock"]


def _ends_with(reason: str, process: subprocess.Popen[bytes]) -> None:
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (1, b"")
    assert errors.decode().startswith("The session pool cannot start: ")
    assert reason in errors.decode()
    assert errors.count(b"\n") == 1
