"""The pool as a running server: started, announced, and stopped again."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from infra.local.pool.kinds import Parts, assembled
from infra.local.pool.sessions import Sessions

_KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 5


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
    async with assembled(parts) as (application, sessions):
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


async def _sweep(sessions: Sessions[Any], cooldown_seconds: float) -> None:
    """Clear expired sessions away; that nobody is served one does not depend on this."""
    while True:
        await asyncio.sleep(min(1.0, cooldown_seconds / 4))
        sessions.clear_expired()
