"""Stands in for the container of prefect-aca-sessions 2.x: one process per session, started and watched over HTTP.

`POST /start` with `{"command", "env"}` starts the process, once; `GET /poll?offset=` tells what it has written since
that offset, and with which status it ended. Nothing of a call is ever written down: `env` holds the tenant's secrets.

Standard library only: it runs where nothing of Tollgate is.
"""

import json
import os
import subprocess
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

LOG_BYTES_AT_ONCE = 65_536


class Run:
    """The process of a session and what it has written."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: str, env: dict[str, str]) -> int | None:
        """Start the process and return its id; None if there has been one."""
        with self._lock, self._log.open("ab") as log:
            if self._process is not None:
                return None
            self._process = subprocess.Popen(
                ["sh", "-c", command], env={**os.environ, **env}, stdout=log, stderr=subprocess.STDOUT
            )
            return self._process.pid

    def poll(self, offset: int) -> dict[str, Any]:
        """Tell what was written from that byte on, how to go on from there, and how the process is."""
        with self._lock:
            # Asked before the log is read: what a process has written, it has written when it has ended.
            exit_code = None if self._process is None else self._process.poll()
            started = self._process is not None
        with self._log.open("rb") as log:
            log.seek(offset)
            found = log.read(LOG_BYTES_AT_ONCE)
            more = bool(log.read(1))
        if more:
            found = whole_characters(found)
        return {
            "log": found.decode(errors="replace"),
            "offset": offset + len(found),
            "more": more,
            "started": started,
            "exit_code": exit_code,
        }


def whole_characters(found: bytes) -> bytes:
    """Leave a character that is cut off at the end to the next look."""
    for cut in range(min(4, len(found))):
        kept = found[: len(found) - cut]
        try:
            kept.decode()
        except UnicodeDecodeError:
            continue
        return kept
    return found


class Handler(BaseHTTPRequestHandler):
    """Answers the calls that the pool passes on to the container."""

    protocol_version = "HTTP/1.1"
    run: Run

    def do_GET(self) -> None:
        """Tell how the process is."""
        address = urlsplit(self.path)
        offset = parse_qs(address.query).get("offset", ["0"])[-1]
        if address.path != "/poll":
            self._answer(404, {"error": "there is nothing here"})
        elif not (offset.isascii() and offset.isdecimal()):
            self._answer(400, {"error": "the offset is not a number"})
        else:
            self._answer(200, self.run.poll(int(offset)))

    def do_POST(self) -> None:
        """Start the process."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if urlsplit(self.path).path != "/start":
            self._answer(404, {"error": "there is nothing here"})
            return
        try:
            asked = json.loads(body)
            command, env = asked["command"], {str(name): str(value) for name, value in asked.get("env", {}).items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            self._answer(400, {"error": "the body lacks a command or its environment"})
            return
        process_id = self.run.start(str(command), env)
        if process_id is None:
            self._answer(409, {"error": "this session has had its process"})
        else:
            self._answer(200, {"pid": process_id})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Write nothing down."""


def main() -> None:
    """Serve until the container ends."""
    with tempfile.TemporaryDirectory() as folder:
        Handler.run = Run(Path(folder) / "log")
        (Path(folder) / "log").touch()
        ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()


if __name__ == "__main__":
    main()
