"""Where processes of sessions are started, and what is left of one once it is running: its folders and its end."""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from infra.local.pool.outputs import Outcome
from infra.local.pool.sandbox import Place, Sandbox

START_SECONDS = 60


class Kernel(Protocol):
    """What executions run on. One that dies, or makes no sense, is never repaired: its owner takes another."""

    @property
    def data(self) -> Path:
        """The host's folder that code inside knows as `/mnt/data`; it outlives the kernel."""
        ...

    @property
    def alive(self) -> bool:
        """Whether it can still take code."""
        ...

    async def execute(self, code: str, *, seconds: float, stream_bytes: int) -> Outcome:
        """Run code to its end, or for so many seconds.

        After a timeout the code is interrupted, and the kernel ended if it does not yield. Not for concurrent use: the
        owner keeps executions in line.

        Args:
            code: what to run.
            seconds: how long it may run.
            stream_bytes: how much of each output stream is kept.
        """
        ...

    async def close(self) -> None:
        """End the kernel for good and remove its run folder; its data folder is the owner's."""
        ...


class Process:
    """A running process that leads a group and a session of its own, and the folders it was started in."""

    def __init__(self, place: Place, process: asyncio.subprocess.Process) -> None:
        self.place = place
        self.death = asyncio.create_task(process.wait())
        self._process = process
        self._condemned = False
        # What it has started goes with it, at once: later its number may be another's.
        self.death.add_done_callback(lambda _: self._kill_group())

    @property
    def alive(self) -> bool:
        """Whether it has neither ended nor been told to."""
        return not (self._condemned or self.death.done())

    def kill(self) -> None:
        """End the process and what it started."""
        self._condemned = True
        if not self.death.done():
            self._kill_group()

    async def end(self) -> None:
        """Kill it, wait until it is gone, and remove its run folder."""
        self.kill()
        await self.death
        shutil.rmtree(self.place.run, ignore_errors=True)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def last_words(self) -> str:
        """Return the last line of its log."""
        lines = (self.place.run / "log").read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Folders for processes, and what confines them.

    Attributes:
        sandbox: what confines them.
        run_root: folder of programs, sockets and logs; its path is short, because a socket's may have 107 bytes.
        data_root: folder of the data folders.
    """

    sandbox: Sandbox
    run_root: Path
    data_root: Path

    def make_data_folder(self) -> Path:
        """Make an empty folder for files."""
        folder = self.data_root / secrets.token_hex(6)
        folder.mkdir(mode=0o700)
        return folder

    def make_place(self) -> Place:
        """Make the folders of one process."""
        data = self.make_data_folder()
        place = Place(run=self.run_root / data.name, data=data, hostname=f"session-{data.name}")
        place.run.mkdir(mode=0o700)
        return place

    async def start(
        self,
        place: Place,
        program: Sequence[str],
        *,
        environment: Mapping[str, str],
        outputs: tuple[int, int] | None = None,
        pass_fds: Iterable[int] = (),
    ) -> Process:
        """Start a program in a place.

        Args:
            place: its folders.
            program: its command line, as it is inside.
            environment: its environment.
            outputs: descriptors for its standard output and error; None keeps both in its log.
            pass_fds: further descriptors that it inherits.
        """
        with (place.run / "log").open("wb") as log:
            output, error = outputs or (log.fileno(), log.fileno())
            process = await asyncio.create_subprocess_exec(
                *self.sandbox.command(place, program),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=error,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
            )
        return Process(place, process)
