"""Starts pools and speaks to them; what the tests share."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

REPOSITORY = Path(__file__).resolve().parents[3]
ENVELOPE = "2024-02-02-preview"
FLAT = "2025-10-02-preview"
STARTUP_SECONDS = 30


def new_name() -> str:
    """Return a session identifier that every api-version allows and no other test uses."""
    return f"test-{uuid.uuid4().hex}"


@dataclass(frozen=True, slots=True)
class Pool:
    """A running pool."""

    url: str
    process: subprocess.Popen[bytes]
    ready: dict[str, Any]
    http: httpx.Client

    def call(
        self, method: str, path: str, session: str | None = None, *, version: str | None = FLAT, **options: Any
    ) -> httpx.Response:
        """Send one request; further query parameters go into `params`."""
        params = {"api-version": version, "identifier": session} | options.pop("params", {})
        known = {name: value for name, value in params.items() if value is not None}
        return self.http.request(method, path, params=known, **options)

    def run(self, code: str, session: str, *, version: str = FLAT, **fields: Any) -> dict[str, Any]:
        """Run code in the flat dialect and return the resource."""
        body = {"codeInputType": "Inline", "executionType": "Synchronous", "code": code, **fields}
        answer = self.call("POST", "/executions", session, version=version, json=body)
        assert answer.status_code == 200, answer.text
        resource: dict[str, Any] = answer.json()
        return resource

    def value(self, code: str, session: str) -> Any:
        """Run code that must succeed, and return the value of its last expression."""
        resource = self.run(code, session)
        assert resource["status"] == "Succeeded", resource
        return resource["result"]["executionResult"]

    def execute(self, code: str, session: str) -> dict[str, Any]:
        """Run code in the envelope dialect and return its properties."""
        body = {"properties": {"codeInputType": "inline", "executionType": "synchronous", "code": code}}
        answer = self.call("POST", "/code/execute", session, version=ENVELOPE, json=body)
        assert answer.status_code == 200, answer.text
        properties: dict[str, Any] = answer.json()["properties"]
        return properties

    def shell(self, command: str, session: str, *, version: str = FLAT, **fields: Any) -> dict[str, Any]:
        """Run a command in a shell pool and return the resource."""
        answer = self.call("POST", "/executions", session, version=version, json={"shellCommand": command, **fields})
        assert answer.status_code == 200, answer.text
        resource: dict[str, Any] = answer.json()
        return resource

    def upload(self, name: str, content: bytes, session: str, **params: str) -> httpx.Response:
        """Upload a file in the flat dialect."""
        return self.call("POST", "/files", session, files={"file": (name, content)}, params=params)

    def content(self, name: str, session: str, **params: str) -> httpx.Response:
        """Download a file in the flat dialect."""
        return self.call("GET", f"/files/{name}/content", session, params=params)

    def names(self, session: str) -> list[str]:
        """Return the names at the top of the session's folder."""
        return [entry["name"] for entry in self.call("GET", "/files", session).json()["value"]]


def descendants(process: int) -> set[int]:
    """Return the processes below one."""
    below = {int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()}
    return below.union(*(descendants(child) for child in below))


def wait_until_gone(processes: Iterable[int]) -> None:
    """Wait until none of them runs any more, for some seconds; what is left then fails the test."""
    deadline = time.monotonic() + 10
    left = [process for process in processes if _runs(process)]
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [process for process in left if _runs(process)]
    assert left == []


def _runs(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Return what a refusal says: status and code."""
    document = answer.json()
    assert set(document) == {"error"}
    assert {"code", "message", "traceId"} <= set(document["error"])
    assert answer.headers["x-ms-error-code"] == document["error"]["code"]
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, document["error"]["code"]


class NotStartedError(Exception):
    """A pool ended before it was ready; the message is what it said."""


def _environment(temporary: Path | None, settings: dict[str, object]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOLLGATE_")}
    kept |= {"TMPDIR": str(temporary)} if temporary else {}
    small = {"warm_sessions": 1} | settings
    for name, value in small.items():
        prefix = "TOLLGATE_" if name == "pool_cooldown_seconds" else "TOLLGATE_LOCAL_POOL_"
        kept[prefix + name.upper()] = str(value)
    return kept


def start_process(*arguments: str, temporary: Path | None = None, **settings: Any) -> subprocess.Popen[bytes]:
    """Start a pool's process without waiting for it.

    Args:
        arguments: of its command line.
        temporary: its folder for temporary files, if not the system's.
        settings: of the pool, and no others.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "infra.local.pool", *arguments],
        cwd=REPOSITORY,
        env=_environment(temporary, settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextlib.contextmanager
def running_pool(folder: Path, *arguments: str, **settings: Any) -> Iterator[Pool]:
    """Run a pool of its own, with its ready file in `folder`."""
    ready_file = folder / f"ready-{uuid.uuid4().hex}.json"
    process = start_process("--port", "0", "--ready-file", str(ready_file), *arguments, **settings)
    try:
        ready = wait_for(ready_file, process)
        with httpx.Client(base_url=ready["url"], timeout=60, trust_env=False) as http:
            yield Pool(ready["url"], process, ready, http)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=STARTUP_SECONDS)


def wait_for(ready_file: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Wait until the ready file is there and return what it says.

    Raises:
        NotStartedError: the process ended, or took too long.
    """
    deadline = time.monotonic() + STARTUP_SECONDS
    while not ready_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise NotStartedError(process.communicate()[1].decode())
        time.sleep(0.02)
    ready: dict[str, Any] = json.loads(ready_file.read_text())
    return ready
