"""The pool as a running server: put together, announced, and taken apart again."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import uvicorn
import zmq.asyncio

from infra.local.pool.app import PoolApplication, make_routes
from infra.local.pool.executions import Workbench
from infra.local.pool.folders import Folders
from infra.local.pool.interpreter import Interpreter
from infra.local.pool.kernel import KernelFactory
from infra.local.pool.sandbox import Sandbox
from infra.local.pool.serve_executions import ExecutionOperations
from infra.local.pool.serve_files import FileOperations
from infra.local.pool.serve_sessions import SessionOperations
from infra.local.pool.sessions import Clock, Sessions
from infra.local.pool.settings import PoolSettings
from infra.local.pool.warm import WarmKernels

_SOCKETS_PER_KERNEL = 3
_MOST_MESSAGE_BYTES = 64 * 1024**2  # a kernel that sends more in one message is cut off
_KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the pool is made of, all found and checked."""

    settings: PoolSettings
    interpreter: Interpreter
    sandbox: Sandbox
    folders: Folders
    clock: Clock


class _Server(uvicorn.Server):
    """A server that leaves signals to its owner and says when it accepts connections."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


async def serve(parts: Parts, listener: socket.socket, announce: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM; running executions are then aborted, and everything is ended.

    Raises:
        StartError: no kernel starts here.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with _application(parts) as (application, sessions):
        config = uvicorn.Config(
            application,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        server = _Server(config, announce)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        serving.add_done_callback(lambda _: stopping.set())
        sweeping = asyncio.create_task(_sweep(sessions, parts.settings.cooldown_seconds))
        await stopping.wait()
        server.should_exit = True
        sweeping.cancel()
        await sessions.close()  # answers the calls that are still running, so that the server can end
        await serving


@contextlib.asynccontextmanager
async def _application(parts: Parts) -> AsyncIterator[tuple[PoolApplication, Sessions]]:
    settings, folders = parts.settings, parts.folders
    context = zmq.asyncio.Context()
    context.maxmsgsize = _MOST_MESSAGE_BYTES
    context.max_sockets = 64 + _SOCKETS_PER_KERNEL * 2 * (settings.max_sessions + settings.warm_sessions)
    factory = KernelFactory(
        python=parts.interpreter.python,
        sandbox=parts.sandbox,
        run_root=folders.run,
        data_root=folders.data,
        context=context,
    )
    warm = WarmKernels(factory.start, keep=settings.warm_sessions, at_once=os.process_cpu_count() or 1)
    sessions = Sessions(
        clock=parts.clock,
        cooldown=timedelta(seconds=settings.cooldown_seconds),
        most=settings.max_sessions,
        make_workbench=lambda: Workbench(factory.make_data_folder(), warm.take),
    )
    routes = make_routes(
        ExecutionOperations(sessions, settings),
        FileOperations(sessions, settings, incoming=folders.incoming),
        SessionOperations(sessions, interpreter=parts.interpreter, started_at=parts.clock()),
    )
    try:
        await warm.open()
        yield PoolApplication(routes, token=settings.token, drain_bytes=2 * settings.upload_bytes), sessions
    finally:
        await sessions.close()
        await warm.close()
        context.destroy(linger=0)


async def _sweep(sessions: Sessions, cooldown_seconds: float) -> None:
    """Clear expired sessions away; that nobody is served one does not depend on this."""
    while True:
        await asyncio.sleep(min(1.0, cooldown_seconds / 4))
        sessions.clear_expired()
