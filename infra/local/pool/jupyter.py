"""A kernel of a Python session: a confined Jupyter kernel, its sockets, and executions on it, one at a time.

What code inside can reach of this process is the parser of its own messages and nothing else.
"""

import asyncio
import contextlib
import json
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo

from infra.local.pool.errors import StartError
from infra.local.pool.ground import START_SECONDS, Ground, Process
from infra.local.pool.outputs import Collector, Ending, Outcome
from infra.local.pool.sandbox import ENVIRONMENT

_RESEND_SECONDS = 0.2
_INTERRUPT_SECONDS = 2.0
_TRAILING_SECONDS = 2.0
_PROGRAM = Path(__file__).with_name("session_python.py")


@dataclass(frozen=True, slots=True)
class JupyterKernels:
    """Starts kernels.

    Attributes:
        ground: where.
        python: the sessions' interpreter.
        context: shared by all sockets.
    """

    ground: Ground
    python: Path
    context: zmq.asyncio.Context

    async def start(self) -> "JupyterKernel":
        """Start a kernel and wait until it takes code.

        Raises:
            StartError: it ended, or said nothing for a minute.
        """
        place = self.ground.make_place()
        inside = self.ground.sandbox.run_folder(place)
        shutil.copy(_PROGRAM, place.run)
        key = secrets.token_hex(32)
        (place.run / "connection.json").write_text(json.dumps(_connection(inside, key)))
        # -P: the folder of the program is no place to import from.
        program = [str(self.python), "-P", f"{inside}/{_PROGRAM.name}", f"{inside}/connection.json"]
        process = await self.ground.start(place, program, environment=ENVIRONMENT)
        client = AsyncKernelClient(context=self.context)
        client.load_connection_info(_connection(place.run, key))
        client.start_channels(shell=True, iopub=True, stdin=False, hb=False, control=True)  # noqa: S604 -- a channel
        kernel = JupyterKernel(process, client)
        try:
            await kernel.become_ready()
        except BaseException:
            await kernel.close()
            shutil.rmtree(place.data, ignore_errors=True)
            raise
        return kernel


class JupyterKernel:
    """A running kernel; see `ground.Kernel`."""

    def __init__(self, process: Process, client: AsyncKernelClient) -> None:
        self._process = process
        self._client = client
        self._collector = Collector(0)
        self._message_id = ""
        self._idle = asyncio.Event()
        self._listener = asyncio.create_task(self._listen())

    @property
    def data(self) -> Path:
        """See `ground.Kernel`."""
        return self._process.place.data

    @property
    def alive(self) -> bool:
        """See `ground.Kernel`."""
        return self._process.alive

    async def become_ready(self) -> None:
        """Wait until code can be run, and run some, so that the first caller does not pay for late imports.

        Raises:
            StartError: the kernel ended, or said nothing for a minute.
        """
        ready = asyncio.create_task(self._greet())
        await asyncio.wait({ready, self._process.death}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if _succeeded(ready):
            await self.execute("None", seconds=START_SECONDS, stream_bytes=0, counted=False)
        else:
            ready.cancel()
            self._process.kill()
        if not self.alive:
            raise StartError(f"a kernel did not start: {self._process.last_words()}")

    async def _greet(self) -> None:
        """Ask for the kernel's information until both channels answer: a message sent before they connect is lost."""
        while True:
            self._idle.clear()
            self._message_id = self._client.kernel_info()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RESEND_SECONDS):
                    await self._finish(self._message_id)
                    return

    async def execute(self, code: str, *, seconds: float, stream_bytes: int, counted: bool = True) -> Outcome:
        """Run Python, as a notebook cell would have it; see `ground.Kernel`.

        Without `counted` it does not enter the session's numbered history.
        """
        begun = time.monotonic()
        self._collector = collector = Collector(stream_bytes)
        self._idle.clear()
        self._message_id = self._client.execute(code, store_history=counted, allow_stdin=False, stop_on_error=False)
        finished = asyncio.create_task(self._finish(self._message_id))
        try:
            await asyncio.wait({finished, self._process.death}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            milliseconds = round((time.monotonic() - begun) * 1000)
            if _succeeded(finished):
                return collector.outcome(None, milliseconds=milliseconds)
            if finished.done() or not self.alive:
                self._process.kill()
                return collector.outcome(Ending.ABORTED, milliseconds=milliseconds)
            await self._interrupt(finished)
            return collector.outcome(Ending.TIMED_OUT, milliseconds=milliseconds)
        finally:
            finished.cancel()
            self._message_id = ""

    async def _finish(self, message_id: str) -> None:
        """Wait for the reply, and then, for a bounded time, for the output that belongs before it."""
        while (await self._client.get_shell_msg())["parent_header"].get("msg_id") != message_id:
            pass
        async with asyncio.timeout(_TRAILING_SECONDS):
            await self._idle.wait()

    async def _interrupt(self, finished: asyncio.Task[None]) -> None:
        self._client.control_channel.send(self._client.session.msg("interrupt_request", {}))
        await asyncio.wait(
            {finished, self._process.death}, timeout=_INTERRUPT_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        if not finished.done():
            self._process.kill()

    async def _listen(self) -> None:
        """Take everything the kernel puts out; what belongs to no running execution is dropped."""
        try:
            while True:
                message = await self._client.get_iopub_msg()
                if message["parent_header"].get("msg_id") == self._message_id:
                    self._take(message["header"]["msg_type"], message["content"])
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            self._process.kill()  # code inside has been writing to the kernel's own sockets

    def _take(self, kind: str, content: Mapping[str, Any]) -> None:
        if kind == "status" and content["execution_state"] == "idle":
            self._idle.set()
        else:
            self._collector.add(kind, content)

    async def close(self) -> None:
        """See `ground.Kernel`."""
        await self._process.end()
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)
        self._client.stop_channels()


def _succeeded(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _connection(run: Path, key: str) -> KernelConnectionInfo:
    """Describe a kernel's sockets, which are `s-1` to `s-5` in its run folder."""
    return {
        "transport": "ipc",
        "ip": str(run / "s"),
        "shell_port": 1,
        "iopub_port": 2,
        "stdin_port": 3,
        "hb_port": 4,
        "control_port": 5,
        "key": key,
        "signature_scheme": "hmac-sha256",
    }
