"""One kernel: a confined process, its sockets, and executions on it, one at a time.

A kernel that dies, or whose messages make no sense, is never repaired: it is over, and its owner takes another. What
code inside can reach of this process is the parser of its own messages and nothing else.
"""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo

from infra.local.pool.errors import StartError
from infra.local.pool.outputs import Collector, Ending, Outcome
from infra.local.pool.sandbox import ENVIRONMENT, Place, Sandbox

_START_SECONDS = 60
_RESEND_SECONDS = 0.2
_INTERRUPT_SECONDS = 2.0
_TRAILING_SECONDS = 2.0
_PROGRAM = Path(__file__).with_name("session_kernel.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFactory:
    """Starts kernels.

    Attributes:
        python: the sessions' interpreter.
        sandbox: what confines them.
        run_root: folder of sockets; its path is short, because a socket's may have 107 bytes at most.
        data_root: folder of the kernels' data folders.
        context: shared by all sockets.
    """

    python: Path
    sandbox: Sandbox
    run_root: Path
    data_root: Path
    context: zmq.asyncio.Context

    def make_data_folder(self) -> Path:
        """Make an empty folder for files."""
        folder = self.data_root / secrets.token_hex(6)
        folder.mkdir(mode=0o700)
        return folder

    async def start(self) -> "Kernel":
        """Start a kernel and wait until it takes code.

        Raises:
            StartError: it ended, or said nothing for a minute.
        """
        data = self.make_data_folder()
        place = Place(run=self.run_root / data.name, data=data, hostname=f"session-{data.name}")
        place.run.mkdir(mode=0o700)
        inside = self.sandbox.run_folder(place)
        shutil.copy(_PROGRAM, place.run)
        key = secrets.token_hex(32)
        (place.run / "connection.json").write_text(json.dumps(_connection(inside, key)))
        # -P: the folder of the program is no place to import from.
        program = [str(self.python), "-P", f"{inside}/{_PROGRAM.name}", f"{inside}/connection.json"]
        with (place.run / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *self.sandbox.command(place, program),
                env=ENVIRONMENT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        client = AsyncKernelClient(context=self.context)
        client.load_connection_info(_connection(place.run, key))
        client.start_channels(shell=True, iopub=True, stdin=False, hb=False, control=True)  # noqa: S604 -- a channel
        kernel = Kernel(place, process, client)
        try:
            await kernel.become_ready()
        except BaseException:
            await kernel.close()
            shutil.rmtree(place.data, ignore_errors=True)
            raise
        return kernel


class Kernel:
    """A running kernel and the folders it was started in."""

    def __init__(self, place: Place, process: asyncio.subprocess.Process, client: AsyncKernelClient) -> None:
        self._place = place
        self._process = process
        self._client = client
        self._collector = Collector(0)
        self._message_id = ""
        self._idle = asyncio.Event()
        self._condemned = False
        self._death = asyncio.create_task(process.wait())
        self._listener = asyncio.create_task(self._listen())

    @property
    def data(self) -> Path:
        """The host's folder that code inside knows as `/mnt/data`; it outlives the kernel."""
        return self._place.data

    @property
    def alive(self) -> bool:
        """Whether it can still take code."""
        return not (self._condemned or self._death.done())

    async def become_ready(self) -> None:
        """Wait until code can be run, and run some, so that the first caller does not pay for late imports.

        Raises:
            StartError: the kernel ended, or said nothing for a minute.
        """
        ready = asyncio.create_task(self._greet())
        await asyncio.wait({ready, self._death}, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if _succeeded(ready):
            await self.execute("None", seconds=_START_SECONDS, stream_bytes=0, counted=False)
        else:
            ready.cancel()
            self.kill()
        if not self.alive:
            lines = (self._place.run / "log").read_text(errors="replace").split("\n")
            last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
            raise StartError(f"a kernel did not start: {last.strip()}")

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
        """Run code to its end, or for so many seconds.

        After a timeout the code is interrupted, and the kernel ended if it does not yield. Not for concurrent use: the
        owner keeps executions in line.

        Args:
            code: Python, as a notebook cell would have it.
            seconds: how long it may run.
            stream_bytes: how much of each output stream is kept.
            counted: whether it enters the session's numbered history.
        """
        begun = time.monotonic()
        self._collector = collector = Collector(stream_bytes)
        self._idle.clear()
        self._message_id = self._client.execute(code, store_history=counted, allow_stdin=False, stop_on_error=False)
        finished = asyncio.create_task(self._finish(self._message_id))
        try:
            await asyncio.wait({finished, self._death}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            milliseconds = round((time.monotonic() - begun) * 1000)
            if _succeeded(finished):
                return collector.outcome(None, milliseconds=milliseconds)
            if finished.done() or not self.alive:
                self.kill()
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
        await asyncio.wait({finished, self._death}, timeout=_INTERRUPT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not finished.done():
            self.kill()

    async def _listen(self) -> None:
        """Take everything the kernel puts out; what belongs to no running execution is dropped."""
        try:
            while True:
                message = await self._client.get_iopub_msg()
                if message["parent_header"].get("msg_id") == self._message_id:
                    self._take(message["header"]["msg_type"], message["content"])
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            self.kill()  # code inside has been writing to the kernel's own sockets

    def _take(self, kind: str, content: Mapping[str, Any]) -> None:
        if kind == "status" and content["execution_state"] == "idle":
            self._idle.set()
        else:
            self._collector.add(kind, content)

    def kill(self) -> None:
        """End the process and what it started."""
        self._condemned = True
        if not self._death.done():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """End the kernel for good and remove its run folder; its data folder is the owner's."""
        self.kill()
        await self._death
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)
        self._client.stop_channels()
        shutil.rmtree(self._place.run, ignore_errors=True)


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
