"""Kernels ahead of demand: a new session takes one that has been started already.

A start takes most of a second of one core, so only so many run at once; a burst of new sessions waits in line, and
each gets its kernel in the order in which it asked.
"""

import asyncio
import logging
import shutil
from collections import deque
from collections.abc import Awaitable, Callable

from infra.local.pool.errors import StartError
from infra.local.pool.ground import Kernel

_log = logging.getLogger(__name__)


class WarmKernels:
    """Hands out kernels, and starts new ones in their place. For one event loop."""

    def __init__(self, start: Callable[[], Awaitable[Kernel]], *, keep: int, at_once: int) -> None:
        self._start = start
        self._keep = keep
        self._at_once = at_once
        self._ready: deque[Kernel] = deque()
        self._waiting: deque[asyncio.Future[Kernel]] = deque()
        self._starting: set[asyncio.Task[bool]] = set()

    async def open(self) -> None:
        """Start the first kernel, so that a sandbox or an interpreter that does not work is known at once.

        Raises:
            StartError: it did not start.
        """
        if self._keep:
            self._hand_over(await self._start())
            self._fill()

    async def take(self) -> Kernel:
        """Return a kernel that nobody else has; the caller closes it.

        Raises:
            StartError: none could be started.
        """
        while self._ready:
            kernel = self._ready.popleft()
            if kernel.alive:
                self._fill()
                return kernel
            await _dispose(kernel)
        turn: asyncio.Future[Kernel] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._fill()
        return await turn

    async def close(self) -> None:
        """End all kernels that nobody has taken; those who wait for one are told that the pool ends."""
        for task in self._starting:
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        for turn in self._waiting:
            if not turn.done():
                turn.set_exception(StartError("the pool is shutting down"))
        await asyncio.gather(*(_dispose(kernel) for kernel in self._ready))

    def _fill(self) -> None:
        """Start what is missing: one for each caller in line, and the number to keep."""
        wanted = self._keep + len(self._waiting) - len(self._ready)
        while len(self._starting) < min(wanted, self._at_once):
            task = asyncio.create_task(self._start_one())
            self._starting.add(task)
            task.add_done_callback(self._started)

    async def _start_one(self) -> bool:
        """Start a kernel for whoever is first in line; say whether it worked."""
        try:
            self._hand_over(await self._start())
        except (StartError, OSError) as failure:
            _log.warning("%s", failure)
            if turn := self._next_in_line():
                turn.set_exception(StartError(str(failure)))
            return False
        return True

    def _started(self, task: asyncio.Task[bool]) -> None:
        self._starting.discard(task)
        # After a failure with nobody in line, the next caller is the one to try again.
        if not task.cancelled() and (task.result() or self._waiting):
            self._fill()

    def _hand_over(self, kernel: Kernel) -> None:
        if turn := self._next_in_line():
            turn.set_result(kernel)
        else:
            self._ready.append(kernel)

    def _next_in_line(self) -> asyncio.Future[Kernel] | None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # a caller who gave up has cancelled its turn
                return turn
        return None


async def _dispose(kernel: Kernel) -> None:
    await kernel.close()
    shutil.rmtree(kernel.data, ignore_errors=True)
