"""A kernel that speaks lines of JSON on a socket of its own: JavaScript and shell sessions.

The streams of what runs inside are pipes, so that child processes are heard as well. What code inside can reach of
this process is the reader of those lines and nothing else.
"""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from infra.local.pool.errors import StartError
from infra.local.pool.ground import START_SECONDS, Ground, Process
from infra.local.pool.outputs import Collector, Ending, Outcome
from infra.local.pool.pipes import Pipe

_INTERRUPT_SECONDS = 2.0
_MOST_REPLY_BYTES = 16 * 1024**2
_MOST_WORDS_BYTES = 64 * 1024
_ENDINGS = {"succeeded": Ending.SUCCEEDED, "raised": Ending.RAISED, "timed_out": Ending.TIMED_OUT}


@dataclass(frozen=True, slots=True, kw_only=True)
class PipedKernels:
    """Starts kernels.

    Attributes:
        ground: where.
        command: what runs the program, without it.
        program: a file of this package; it is told the descriptor of its socket.
        environment: of the kernels and what they start.
        warm_up: code that is run once, so that the first caller does not pay for what is made late.
    """

    ground: Ground
    command: Sequence[str]
    program: Path
    environment: Mapping[str, str]
    warm_up: str

    async def start(self) -> "PipedKernel":
        """Start a kernel and wait until it takes code.

        Raises:
            StartError: it ended, or said nothing for a minute.
        """
        place = self.ground.make_place()
        shutil.copy(self.program, place.run)
        program = str(self.ground.sandbox.run_folder(place) / self.program.name)
        here, there = socket.socketpair()
        pipes = {"stdout": Pipe(), "stderr": Pipe()}
        with contextlib.ExitStack() as undone:
            undone.callback(here.close)
            with there, contextlib.ExitStack() as entrances:
                for pipe in pipes.values():
                    undone.callback(pipe.close)
                    entrances.callback(os.close, pipe.entrance)
                process = await self.ground.start(
                    place,
                    [*self.command, program, str(there.fileno())],
                    environment=self.environment,
                    outputs=(pipes["stdout"].entrance, pipes["stderr"].entrance),
                    pass_fds=(there.fileno(),),
                )
            undone.pop_all()
        reader, writer = await asyncio.open_connection(sock=here, limit=_MOST_REPLY_BYTES)
        kernel = PipedKernel(process, reader, writer, pipes)
        try:
            await kernel.become_ready(self.warm_up)
        except BaseException:
            await kernel.close()
            shutil.rmtree(place.data, ignore_errors=True)
            raise
        return kernel


class PipedKernel:
    """A running kernel; see `ground.Kernel`."""

    def __init__(
        self,
        process: Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pipes: Mapping[str, Pipe],
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._pipes = pipes
        self._number = 0

    @property
    def data(self) -> Path:
        """See `ground.Kernel`."""
        return self._process.place.data

    @property
    def alive(self) -> bool:
        """See `ground.Kernel`."""
        return self._process.alive

    async def become_ready(self, warm_up: str) -> None:
        """Wait until code can be run, and run some.

        Raises:
            StartError: the kernel ended, or said nothing for a minute.
        """
        said = Collector(_MOST_WORDS_BYTES)
        self._listen(said)
        greeting = asyncio.create_task(self._reply())
        await asyncio.wait({greeting, self._process.death}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if _result(greeting) is not None:
            await self.execute(warm_up, seconds=START_SECONDS, stream_bytes=0)
        else:
            greeting.cancel()
            self._process.kill()
            await self._process.death
            self._pipes["stderr"].catch_up()
        if not self.alive:
            words = said.outcome(Ending.RAISED, milliseconds=0).stderr.strip().rpartition("\n")[2]
            raise StartError(f"a kernel did not start: {words or 'it said nothing'}")

    async def execute(self, code: str, *, seconds: float, stream_bytes: int) -> Outcome:
        """See `ground.Kernel`; the program inside keeps the time, and is ended if it does not."""
        begun = time.monotonic()
        collector = Collector(stream_bytes)
        self._listen(collector)
        self._number += 1
        request = {"id": self._number, "code": code, "seconds": seconds}
        self._writer.write(json.dumps(request).encode() + b"\n")
        reply = asyncio.create_task(self._reply())
        try:
            await asyncio.wait(
                {reply, self._process.death},
                timeout=seconds + _INTERRUPT_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            milliseconds = round((time.monotonic() - begun) * 1000)
            for pipe in self._pipes.values():
                pipe.catch_up()  # what was written before the reply
            return self._outcome(reply, collector, milliseconds)
        finally:
            reply.cancel()
            for pipe in self._pipes.values():
                pipe.forget()

    def _outcome(self, reply: asyncio.Task[Any], collector: Collector, milliseconds: int) -> Outcome:
        message = _result(reply)
        if message is None:
            late = not reply.done() and self._process.alive
            self._process.kill()
            return collector.outcome(Ending.TIMED_OUT if late else Ending.ABORTED, milliseconds=milliseconds)
        try:
            ending, exit_code = _ENDINGS[message["ending"]], message.get("exit_code")
            if ending is Ending.RAISED:
                collector.fail(message["error"])
            collector.give(message.get("result", ""))
        except (LookupError, TypeError, AttributeError):
            self._process.kill()  # code inside has been writing to the kernel's own socket
            return collector.outcome(Ending.ABORTED, milliseconds=milliseconds)
        return collector.outcome(ending, milliseconds=milliseconds, exit_code=exit_code)

    async def _reply(self) -> Any:
        """Read lines until one answers the latest request.

        Raises:
            ValueError: a line is too long, or no JSON.
            LookupError: it lacks a number.
        """
        while True:
            line = await self._reader.readuntil(b"\n")
            message = json.loads(line)
            if message["id"] == self._number:
                return message

    def _listen(self, collector: Collector) -> None:
        for name, pipe in self._pipes.items():
            pipe.take = partial(collector.write, name)

    async def close(self) -> None:
        """See `ground.Kernel`."""
        await self._process.end()
        for pipe in self._pipes.values():
            pipe.close()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


def _result(task: asyncio.Task[Any]) -> Any:
    return task.result() if task.done() and not task.cancelled() and task.exception() is None else None
