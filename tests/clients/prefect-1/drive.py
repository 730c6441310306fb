"""Drives the client of prefect-aca-sessions 1.x, on the Python pool, with the code that its worker runs there.

Runs in the client's own environment, which holds nothing of Tollgate.
"""

import asyncio
import importlib.metadata
import json
import os
from collections.abc import Callable, Coroutine
from typing import Any

from azure.core.credentials import AccessToken
from checks import ODD_NAME, error_of, expect, expect_in, managed_identity, paid_sessions, report
from prefect_aca_sessions.client import SessionsClient
from prefect_aca_sessions.snippets import build_poll_code, build_start_code
from prefect_aca_sessions.worker import DEFAULT_API_VERSION

VERSION = importlib.metadata.version("prefect-aca-sessions")
ENDED_WITHIN_SECONDS = 30


class Key:
    """A credential that is a key."""

    def __init__(self, key: str) -> None:
        self._key = key

    async def get_token(self, *_scopes: str, **_: Any) -> AccessToken:
        """Return the key, for good."""
        return AccessToken(self._key, 2**32)

    async def close(self) -> None:
        """Nothing is open."""


class Client:
    """The client that the worker is made of."""

    def run(self) -> None:
        expect(executed("first", "x = 6\nprint('six')\nprint(x * 7)"), "six\n42\n")

    def state(self) -> None:
        expect(executed("first", "print(x)"), "6\n")

        async def run_command(client: SessionsClient) -> dict[str, Any]:
            await client.execute("first", build_start_code("echo $WORD; exit 3", {"WORD": "out"}, []))
            async with asyncio.timeout(ENDED_WITHIN_SECONDS):
                while (seen := await poll(client))["exit_code"] is None:
                    await asyncio.sleep(0.1)
            return seen

        async def poll(client: SessionsClient) -> dict[str, Any]:
            return json.loads((await client.execute("first", build_poll_code(0))).stdout)

        expect(use(run_command), {"log": "out\n", "offset": 4, "more": False, "exit_code": 3})

        async def start_anew(client: SessionsClient) -> str:
            await client.delete_session("first")
            return (await client.execute("first", "print('x' in globals())")).stdout

        expect(use(start_anew), "False\n")

    def error(self) -> None:
        error = error_of(lambda: executed("first", "1/0"))
        expect(type(error).__name__, "SessionExecutionError")
        expect_in("status 'Failed'", str(error))
        expect_in("ZeroDivisionError: division by zero", str(error))

    def quota(self) -> str:
        return told_error(os.environ["SPENT_KEY"], 403, "QuotaExceeded")

    def revoked(self) -> str:
        return told_error(os.environ["REVOKED_KEY"], 401, "InvalidApiKey")

    def name(self) -> None:
        executed(ODD_NAME, "name = 'odd'")
        expect(executed(ODD_NAME, "print(name)"), "odd\n")
        expect({ODD_NAME} - paid_sessions(), set())

    def identity(self) -> None:
        async def go() -> None:
            async with SessionsClient(os.environ["PROXY"], DEFAULT_API_VERSION) as client:
                expect((await client.execute(ODD_NAME, "print(name)")).stdout, "odd\n")

        with managed_identity():
            asyncio.run(go())


def use(work: Callable[[SessionsClient], Coroutine[Any, Any, Any]], key: str = os.environ["KEY"]) -> Any:
    """Work with a client that holds a key."""

    async def go() -> Any:
        async with SessionsClient(os.environ["PROXY"], DEFAULT_API_VERSION, credential=Key(key)) as client:
            return await work(client)

    return asyncio.run(go())


def executed(identifier: str, code: str, key: str = os.environ["KEY"]) -> str:
    """Run code, and return what it wrote."""
    return use(lambda client: client.execute(identifier, code), key).stdout


def told_error(key: str, status: int, code: str) -> str:
    """Expect the client's own error; it tells the answer's status and body."""
    error = error_of(lambda: executed("first", "1", key))
    expect(type(error).__name__, "SessionExecutionError")
    expect_in(f"HTTP {status}", str(error))
    expect_in(code, str(error))
    return f"SessionExecutionError with status {status} and message"


if __name__ == "__main__":
    report({f"prefect-aca-sessions {VERSION} client": Client()})
