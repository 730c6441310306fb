"""Drives Semantic Kernel's plugin of 2024, which calls the `python/` paths, as its documentation showed.

Runs in the client's own environment, which holds nothing of Tollgate.
"""

import asyncio
import importlib.metadata
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from checks import CSV, FILE_NAME, MEAN, ODD_NAME, PLOT, error_of, expect, expect_in, paid_sessions, report

os.environ["SSL_CERT_FILE"] = os.environ["CA_FILE"]  # before the plugin makes its client

import httpx
from semantic_kernel.core_plugins import SessionsPythonTool
from semantic_kernel.core_plugins.sessions_python_tool.sessions_python_settings import SessionsPythonSettings

VERSION = importlib.metadata.version("semantic-kernel")
FOLDER = Path(os.environ["TMPDIR"])
PLAIN_NAME = "a/b \u03b1=1%-._~!$'()*,;:@?"  # nothing is encoded but what no URL may hold, so that +, & and # are read
RUN = asyncio.Runner().run  # one loop for all, since the plugin keeps its connections


class Plugin:
    """The plugin for Python."""

    def __init__(self) -> None:
        self._tool = self._make_tool()

    @staticmethod
    def _make_tool(key: str = os.environ["KEY"], session_id: str | None = None) -> SessionsPythonTool:
        async def auth_callback() -> str:
            return key

        return SessionsPythonTool(
            pool_management_endpoint=os.environ["PROXY_TLS"],
            auth_callback=auth_callback,
            settings=None if session_id is None else SessionsPythonSettings(session_id=session_id),
            http_client=httpx.AsyncClient(timeout=120),
        )

    def run(self) -> None:
        expect(RUN(self._tool.execute_code("x = 6\nprint('six')\nx * 7")), "Result:\n42Stdout:\nsix\nStderr:\n")

    def state(self) -> None:
        expect(RUN(self._tool.execute_code("x")), "Result:\n6Stdout:\nStderr:\n")

    def upload(self) -> None:
        (FOLDER / FILE_NAME).write_bytes(CSV)
        uploaded = RUN(self._tool.upload_file(local_file_path=str(FOLDER / FILE_NAME)))
        expect((uploaded.full_path, uploaded.size_in_bytes), (f"/mnt/data/{FILE_NAME}", len(CSV)))
        expect_in("40.66", RUN(self._tool.execute_code(MEAN)))

    def list(self) -> None:
        listed = RUN(self._tool.list_files())
        expect([(file.filename, file.size_in_bytes) for file in listed], [(FILE_NAME, len(CSV))])

    def download(self) -> None:
        expect(RUN(self._tool.download_file(remote_file_path=FILE_NAME)).read(), CSV)

    def image(self) -> str:
        expect_in("'base64_data': 'iVBORw0KGgo", RUN(self._tool.execute_code(PLOT)))
        return "as text"

    def error(self) -> None:
        expect_in("ZeroDivisionError: division by zero", RUN(self._tool.execute_code("1/0")))

    def quota(self) -> str:
        return http_error(self._make_tool(os.environ["SPENT_KEY"]).execute_code("1"), 403)

    def revoked(self) -> str:
        return http_error(self._make_tool(os.environ["REVOKED_KEY"]).execute_code("1"), 401)

    def name(self) -> str:
        before = paid_sessions()
        RUN(self._make_tool(session_id=PLAIN_NAME).execute_code("name = 'plain'"))
        expect_in("plain", RUN(self._make_tool(session_id=PLAIN_NAME).execute_code("name")))
        for name in (ODD_NAME, "a&x=2", "a#b", "a+b"):
            http_error(self._make_tool(session_id=name).execute_code("1"), 400)
        expect(paid_sessions() - before, {PLAIN_NAME})
        return "without `+`, `&`, `#`"


def http_error(work: Coroutine[Any, Any, Any], status: int) -> str:
    """Expect what `httpx` makes of a status."""
    error: Any = error_of(lambda: RUN(work))
    expect(
        (type(error).__name__, getattr(getattr(error, "response", None), "status_code", None)),
        ("HTTPStatusError", status),
    )
    return f"HTTPStatusError {status}"


if __name__ == "__main__":
    report({f"Semantic Kernel {VERSION}": Plugin()})
