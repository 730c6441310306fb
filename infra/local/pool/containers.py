"""A session's container in a pool of custom containers: the operator's own program, listening on a port of its own.

It is not sandboxed: its port on the loopback interface must be reached from outside, and the operator, who chose it,
trusts it. It has limits on memory and file size, a working folder of its own, and ends with its session.
"""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.local.pool.errors import PoolError, Problem, StartError
from infra.local.pool.ground import START_SECONDS, Ground, Process

_POLL_SECONDS = 0.02
_SETTLE_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStart:
    """How containers are started.

    Attributes:
        ground: where.
        command: the program and its arguments; relative paths in these start from the container's working folder.
        environment: what it finds besides `PORT`.
    """

    ground: Ground
    command: Sequence[str]
    environment: Mapping[str, str]

    def start(self) -> "Container":
        """Begin to start a container, for the running event loop."""
        return Container(self)


class Container:
    """A container from the moment its session is made; see `sessions.Content`."""

    def __init__(self, how: ContainerStart) -> None:
        self._how = how
        self._place = how.ground.make_place()
        self._port = _free_port()
        self._process: Process | None = None
        self._starting = asyncio.create_task(self._start())

    @property
    def ended(self) -> bool:
        """Whether its program has ended, or could not be started."""
        if not self._starting.done():
            return False
        return self._process is None or not self._process.alive

    async def port(self) -> int:
        """Wait until it accepts connections, and return its port on 127.0.0.1.

        Raises:
            PoolError: `NO_KERNEL`, if it does not.
        """
        await asyncio.wait({self._starting})
        if self._starting.cancelled():
            raise PoolError(Problem.NO_KERNEL, "The session ended while it was being allocated.")
        failure = self._starting.exception()
        if failure is not None:
            raise PoolError(Problem.NO_KERNEL, f"No session could be allocated: {failure}") from failure
        return self._port

    async def settle(self) -> None:
        """Wait a moment for the end that a broken connection may announce, so that the next call finds it ended."""
        if self._process is not None:
            await asyncio.wait({self._process.death}, timeout=_SETTLE_SECONDS)

    async def close(self) -> None:
        """End it and all that it started, and delete its files."""
        self._starting.cancel()
        await asyncio.gather(self._starting, return_exceptions=True)
        if self._process is not None:
            await self._process.end()
        await asyncio.to_thread(shutil.rmtree, self._place.data, ignore_errors=True)

    async def _start(self) -> None:
        environment = {**self._how.environment, "PORT": str(self._port)}
        self._process = process = await self._how.ground.start(self._place, self._how.command, environment=environment)
        try:
            async with asyncio.timeout(START_SECONDS):
                while process.alive and not await _accepts_connections(self._port):
                    await asyncio.wait({process.death}, timeout=_POLL_SECONDS)
        except TimeoutError:
            process.kill()
        if not process.alive:
            raise StartError(f"the container does not listen on its port: {process.last_words()}")


async def _accepts_connections(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
