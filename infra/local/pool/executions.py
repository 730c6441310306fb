"""Running code in a session: one execution after another, on a kernel that is taken when it is first needed.

A session that only holds files has no kernel. When one is taken, warm or anew after the last one died, the files move
into the folder that this kernel sees as `/mnt/data`.
"""

import asyncio
import shutil
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.pool.errors import PoolError, Problem, StartError
from infra.local.pool.files import move_all
from infra.local.pool.ground import Kernel
from infra.local.pool.outputs import Outcome, aborted

_MOST_LOGGED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRequest:
    """Code to run: how long at most, and how much of each output stream to keep."""

    code: str
    asynchronous: bool
    seconds: float
    stream_bytes: int


@dataclass(slots=True, kw_only=True)
class Execution:
    """An execution as it is reported; without an outcome it is still running.

    Attributes:
        allocation_milliseconds: how long it waited for a kernel.
    """

    id: str
    asynchronous: bool
    outcome: Outcome | None = None
    allocation_milliseconds: int = 0


@dataclass(slots=True)
class ExecutionLog:
    """The latest executions of a session, by id."""

    _by_id: OrderedDict[str, Execution] = field(default_factory=OrderedDict)

    def open(self, execution: Execution) -> None:
        """Enter an execution, forgetting the oldest ones that are over.

        Raises:
            PoolError: `VALIDATION`, if the id has been used.
        """
        if execution.id in self._by_id:
            raise PoolError(Problem.VALIDATION, f"The operation id {execution.id!r} is in use.", target="operation-id")
        self._by_id[execution.id] = execution
        for past in [entry for entry in self._by_id.values() if entry.outcome is not None][:-_MOST_LOGGED]:
            del self._by_id[past.id]

    def get(self, execution_id: str) -> Execution | None:
        """Return an execution."""
        return self._by_id.get(execution_id)


class Workbench:
    """A session's files and, once needed, its kernel.

    Attributes:
        folder: where the files are now; the next execution may move them elsewhere, so it is not to be kept across an
            `await`.
        executions: what has been run lately.
        ended: never; a session of code ends when its time is up or it is deleted.
    """

    ended = False

    def __init__(self, folder: Path, take_kernel: Callable[[], Awaitable[Kernel]]) -> None:
        self.folder = folder
        self.executions = ExecutionLog()
        self._take_kernel = take_kernel
        self._kernel: Kernel | None = None
        self._turn = asyncio.Lock()
        self._closed = False

    async def run(self, request: ExecutionRequest, execution: Execution) -> Outcome:
        """Run code after all that came before it; leaves the outcome in `execution` too.

        Raises:
            PoolError: `NO_KERNEL`, if none can be started.
        """
        begun = time.monotonic()
        async with self._turn:
            try:
                kernel = await self._ready_kernel()
            except PoolError:
                execution.outcome = aborted()
                raise
            execution.allocation_milliseconds = round((time.monotonic() - begun) * 1000)
            if kernel is None:
                execution.outcome = aborted()
            else:
                execution.outcome = await kernel.execute(
                    request.code, seconds=request.seconds, stream_bytes=request.stream_bytes
                )
        return execution.outcome

    async def close(self) -> None:
        """End the kernel, with what it is running, and delete the files."""
        self._closed = True
        if self._kernel is not None:
            await self._kernel.close()
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    async def _ready_kernel(self) -> Kernel | None:
        """Return a kernel that takes code; None if the session has ended."""
        if self._closed or (self._kernel is not None and self._kernel.alive):
            return None if self._closed else self._kernel
        if self._kernel is not None:
            await self._kernel.close()
        try:
            kernel = await self._take_kernel()
        except StartError as failure:
            raise PoolError(Problem.NO_KERNEL, f"No session could be allocated: {failure}") from failure
        if self._closed:
            await kernel.close()
            shutil.rmtree(kernel.data, ignore_errors=True)
            return None
        move_all(self.folder, kernel.data)
        self.folder, self._kernel = kernel.data, kernel
        return kernel
