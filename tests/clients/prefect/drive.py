"""Drives prefect-aca-sessions 2.x, client and worker, on a pool whose containers run `container.py`.

Runs in the client's own environment, which holds nothing of Tollgate.
"""
# ruff: noqa: E402 -- Prefect reads its settings when it is imported

import asyncio
import importlib.metadata
import os
import shlex
import socket
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from uuid import UUID

from checks import ODD_NAME, error_of, expect, expect_in, managed_identity, paid_sessions, report

FOLDER = Path(os.environ["TMPDIR"])
LISTENER = socket.create_server(("127.0.0.1", 0))  # calls wait in it until there is a server
API_URL = f"http://127.0.0.1:{LISTENER.getsockname()[1]}/api"
os.environ.update(
    {
        "PREFECT_API_URL": API_URL,
        "PREFECT_HOME": str(FOLDER / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
        "DO_NOT_TRACK": "1",
        "ACA_SESSIONS_POOL_MANAGEMENT_ENDPOINT": os.environ["CONTAINER_PROXY"],
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
    }
)

from azure.core.credentials import AccessToken
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter
from prefect.deployments import run_deployment
from prefect.flows import Flow
from prefect.logging.handlers import APILogHandler
from prefect_aca_sessions.client import SessionsClient
from prefect_aca_sessions.worker import ACASessionsWorker

VERSION = importlib.metadata.version("prefect-aca-sessions")
ENDED_WITHIN_SECONDS = 30
WORK_POOL = "aca-sessions"
FLOW = """
from prefect import flow

@flow(log_prints=True)
def hello():
    print("six times seven is", 6 * 7)
"""


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
        log, status = use(lambda client: outcome(client, "first", "echo $WORD; echo told >&2", {"WORD": "out"}))
        expect((log, status), ("out\ntold\n", 0))

    def state(self) -> None:
        async def go(client: SessionsClient) -> None:
            expect((await client.poll("first", 4))["log"], "told\n")
            await client.stop("first")
            anew = await client.poll("first", 0)
            expect((anew["started"], anew["offset"]), (False, 0))

        use(go)

    def error(self) -> None:
        log, status = use(lambda client: outcome(client, "second", "cat missing; exit 3", {}))
        expect(status, 3)
        expect_in("No such file", log)
        self._told_error("second", os.environ["KEY"], 409, "this session has had its process")

    def quota(self) -> str:
        return self._told_error("first", os.environ["SPENT_KEY"], 403, "QuotaExceeded")

    def revoked(self) -> str:
        return self._told_error("first", os.environ["REVOKED_KEY"], 401, "InvalidApiKey")

    def name(self) -> None:
        expect(use(lambda client: outcome(client, ODD_NAME, "echo odd", {})), ("odd\n", 0))
        expect({ODD_NAME} - paid_sessions(), set())

    def identity(self) -> None:
        async def go() -> None:
            async with SessionsClient(os.environ["CONTAINER_PROXY"]) as client:
                expect((await client.poll("second", 0))["exit_code"], 3)

        with managed_identity():
            asyncio.run(go())

    @staticmethod
    def _told_error(identifier: str, key: str, status: int, told: str) -> str:
        error: Any = error_of(lambda: use(lambda client: client.start(identifier, "true", {}), key))
        expect((type(error).__name__, getattr(error, "status_code", None)), ("SessionExecutionError", status))
        expect_in(told, str(error))
        return f"SessionExecutionError with status {status} and message"


class Worker:
    """The worker, with a Prefect server of its own; a managed identity is all that it can prove itself with."""

    def __init__(self) -> None:
        threading.Thread(target=serve_prefect, daemon=True).start()

    def run(self) -> None:
        asyncio.run(deploy())
        self._flow_run = asyncio.run(flow_run(os.environ["KEY"]))
        expect_in("six times seven is 42", self._flow_run[1])

    def identity(self) -> None:
        expect(self._flow_run[0], "Completed: ")

    def quota(self) -> str:
        return self._told_crash(os.environ["SPENT_KEY"], "returned HTTP 403", "QuotaExceeded")

    def revoked(self) -> str:
        return self._told_crash(os.environ["REVOKED_KEY"], "ManagedIdentityCredential", "InvalidApiKey")

    @staticmethod
    def _told_crash(key: str, *told: str) -> str:
        state, _ = asyncio.run(flow_run(key))
        for part in ("Crashed: Failed to submit flow run to infrastructure", *told):
            expect_in(part, state)
        return "Crashed, with the message"


def use(work: Callable[[SessionsClient], Coroutine[Any, Any, Any]], key: str = os.environ["KEY"]) -> Any:
    """Work with a client that holds a key."""

    async def go() -> Any:
        async with SessionsClient(os.environ["CONTAINER_PROXY"], credential=Key(key)) as client:
            return await work(client)

    return asyncio.run(go())


async def outcome(client: SessionsClient, identifier: str, command: str, env: dict[str, str]) -> tuple[str, int]:
    """Run a command to its end; return what it wrote and its status."""
    await client.start(identifier, command, env)
    async with asyncio.timeout(ENDED_WITHIN_SECONDS):
        while (seen := await client.poll(identifier, 0))["exit_code"] is None:
            await asyncio.sleep(0.1)
    return seen["log"], seen["exit_code"]


def serve_prefect() -> None:
    """Serve Prefect's own API until this process ends."""
    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(create_app(webserver_only=True), log_level="critical")
    uvicorn.Server(config).run(sockets=[LISTENER])


async def deploy() -> None:
    """Make a work pool for the worker and a deployment in it."""
    (FOLDER / "flows.py").write_text(FLOW)
    async with ACASessionsWorker(WORK_POOL) as worker:
        await worker.sync_with_backend()
    flow = await Flow.from_source(source=str(FOLDER), entrypoint="flows.py:hello")
    variables = {"command": f"{shlex.quote(sys.executable)} -m prefect flow-run execute", "poll_interval_seconds": 1}
    await flow.deploy(name="hello", work_pool_name=WORK_POOL, job_variables=variables, print_next_steps=False)


async def flow_run(key: str) -> tuple[str, str]:
    """Ask for a run of the flow, let the worker see to it, and return how it ended and what it logged."""
    asked = await run_deployment("hello/hello", timeout=0)
    with managed_identity():
        os.environ["IDENTITY_HEADER"] = key
        await ACASessionsWorker(WORK_POOL).start(run_once=True)
    return await told_by_prefect(asked.id)


async def told_by_prefect(flow_run_id: UUID) -> tuple[str, str]:
    """Return a flow run's state, and what the worker forwarded of its output."""
    await APILogHandler.aflush()
    async with get_client() as client:
        state = (await client.read_flow_run(flow_run_id)).state
        logs = await client.read_logs(LogFilter(flow_run_id={"any_": [flow_run_id]}))
    forwarded = [record.message for record in logs if record.name == "prefect.flow_runs.worker"]
    return f"{state.name}: {state.message or ''}", "\n".join(forwarded)


if __name__ == "__main__":
    title = f"prefect-aca-sessions {VERSION}"
    report({f"{title} client": Client(), f"{title} worker": Worker()})
