"""Small function apps in folders of their own, run by the host in processes of their own."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from textwrap import dedent
from typing import Any

REPOSITORY_ROOT = Path(__file__).resolve().parents[3]
START_SECONDS_MAX = 20
BODY_LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) < 2, f"{name} is repeated"
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Host:
    """A running host."""

    process: subprocess.Popen[str]
    url: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def call(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request; the target goes out exactly as given."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            return Answer(
                response.status, [(name.lower(), value) for name, value in response.getheaders()], response.read()
            )
        finally:
            connection.close()

    def raw(self, request: bytes) -> bytes:
        """Send these bytes, and return all that comes back until the host closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))


def write_app(folder: Path, source: str, host_json: Mapping[str, Any] | None = None) -> Path:
    """Write an app; without other settings its routes have no prefix, and its log holds warnings only."""
    settings = {
        "version": "2.0",
        "logging": {"logLevel": {"default": "Warning"}},
        "extensions": {"http": {"routePrefix": ""}},
        **(host_json or {}),
    }
    (folder / "host.json").write_text(json.dumps(settings))
    header = "import azure.functions as func\napp = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n"
    (folder / "function_app.py").write_text(header + dedent(source))
    return folder


@contextmanager
def running_host(app: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Host]:
    """Run the host until the block ends, and require that it then ends well."""
    ready_file = app / "ready.json"
    process = start_process(app, "--port", "0", "--ready-file", str(ready_file), *arguments, environment=environment)
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not ready_file.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the host did not get ready"
            time.sleep(0.02)
        ready = json.loads(ready_file.read_text())
        assert ready["pid"] == process.pid
        yield Host(process, ready["url"])
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors


def start_process(app: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start `python -m infra.local.host` on this app."""
    return subprocess.Popen(
        [sys.executable, "-m", "infra.local.host", "--app", str(app), *arguments],
        cwd=REPOSITORY_ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def failed_start(app: Path, *arguments: str) -> list[str]:
    """Return the lines in which a start that must fail says why, without what the SDK logged before."""
    process = start_process(app, "--port", "0", *arguments)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, "")
    _, _, reason = errors.partition("functions host: ")
    assert reason
    return reason.splitlines()
