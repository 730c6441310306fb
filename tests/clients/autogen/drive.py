"""Drives AutoGen's executor as its documentation shows.

Runs in the client's own environment, which holds nothing of Tollgate.
"""

import asyncio
import importlib.metadata
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from autogen_core import CancellationToken
from autogen_core.code_executor import CodeBlock, CodeResult
from autogen_ext.code_executors.azure import ACADynamicSessionsCodeExecutor
from azure.core.credentials import AccessToken
from azure.identity import DefaultAzureCredential
from checks import CSV, ODD_NAME, PLOT, error_of, expect, expect_in, managed_identity, paid_sessions, report

VERSION = importlib.metadata.version("autogen-ext")
FOLDER = Path(os.environ["TMPDIR"])
SESSION = "autogen"
PLAIN_NAME = (
    "a/b \u03b1=1%-._~!$'()*,;:@?"  # it encodes nothing itself, so that +, & and # mean what they mean in a URL
)


class Key:
    """A credential that is a key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def get_token(self, *_scopes: str, **_: Any) -> AccessToken:
        """Return the key, for good."""
        return AccessToken(self._key, 2**32)


class Executor:
    """The executor."""

    def __init__(self) -> None:
        self._executor = self._make_executor()

    @staticmethod
    def _make_executor(key: str = os.environ["KEY"], session_id: str = SESSION) -> ACADynamicSessionsCodeExecutor:
        return ACADynamicSessionsCodeExecutor(
            pool_management_endpoint=os.environ["PROXY"], credential=Key(key), work_dir=FOLDER, session_id=session_id
        )

    def run(self) -> None:
        answer = run(self._executor, "x = 6\nprint('six')\nx * 7")
        expect((answer.exit_code, answer.output), (0, "six\n42"))

    def state(self) -> None:
        expect(run(self._executor, "x").output, "6")

    def upload(self) -> str:
        (FOLDER / "people.csv").write_bytes(CSV)
        connection_error(self._executor.upload_files(["people.csv"], CancellationToken()), 411)
        expect(asyncio.run(self._executor.get_file_list(CancellationToken())), [])
        return "411"

    def list(self) -> None:
        run(self._executor, f"_ = open('/mnt/data/people.csv', 'wb').write({CSV!r})")
        expect(asyncio.run(self._executor.get_file_list(CancellationToken())), ["people.csv"])

    def download(self) -> None:
        (FOLDER / "people.csv").unlink(missing_ok=True)
        [local] = asyncio.run(self._executor.download_files(["people.csv"], CancellationToken()))
        expect(Path(local).read_bytes(), CSV)

    def image(self) -> str:
        answer = run(self._executor, PLOT)
        expect(answer.exit_code, 0)
        expect_in("'base64_data': 'iVBORw0KGgo", answer.output)
        return "as text"

    def error(self) -> None:
        answer = run(self._executor, "1/0")
        expect(answer.exit_code, 1)
        expect_in("ZeroDivisionError: division by zero", answer.output)

    def quota(self) -> str:
        return connection_error(executing(self._make_executor(os.environ["SPENT_KEY"]), "1"), 403)

    def revoked(self) -> str:
        return connection_error(executing(self._make_executor(os.environ["REVOKED_KEY"]), "1"), 401)

    def name(self) -> str:
        run(self._make_executor(session_id=PLAIN_NAME), "name = 'plain'")
        expect(run(self._make_executor(session_id=PLAIN_NAME), "name").output, "plain")
        connection_error(executing(self._make_executor(session_id=ODD_NAME), "1"), 400)
        expect(paid_sessions(), {SESSION, PLAIN_NAME})
        return "without `+`, `&`, `#`"

    def identity(self) -> None:
        with managed_identity():
            keyless = ACADynamicSessionsCodeExecutor(
                os.environ["PROXY"], DefaultAzureCredential(), work_dir=FOLDER, session_id=SESSION
            )
            expect(run(keyless, "x").output, "6")


def executing(executor: ACADynamicSessionsCodeExecutor, code: str) -> Coroutine[Any, Any, CodeResult]:
    """Return the execution of one code block, to be awaited."""
    return executor.execute_code_blocks([CodeBlock(code=code, language="python")], CancellationToken())


def run(executor: ACADynamicSessionsCodeExecutor, code: str) -> CodeResult:
    """Execute one code block."""
    return asyncio.run(executing(executor, code))


def connection_error(work: Coroutine[Any, Any, Any], status: int) -> str:
    """Expect the executor's own error; it tells no status, but stands on an error that does."""
    error = error_of(lambda: asyncio.run(work))
    expect((type(error).__name__, getattr(error.__cause__, "status", None)), ("ConnectionError", status))
    return f"ConnectionError, from a {status}"


if __name__ == "__main__":
    report({f"AutoGen {VERSION}": Executor()})
