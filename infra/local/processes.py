"""Child processes that never outlive their parent, and the files by which a part says that it is ready.

Each child leads its own process group: a Ctrl-C in the terminal reaches only the parent, which then stops its children
in the right order, and what a child leaves behind goes with its group.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent.parent

_PR_SET_PDEATHSIG = 1  # prctl(2)
_POLL_SECONDS = 0.02
_ECHO_SECONDS = 0.5  # a program between the terminal and this one may pass on a signal that came here already


class LocalError(Exception):
    """Something the person at the terminal has to know; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running child process; `log` holds its output, which is the terminal's where it is None."""

    name: str
    process: asyncio.subprocess.Process
    stop_signal: signal.Signals
    log: Path | None

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        keep_open: Sequence[int] = (),
    ) -> Self:
        """Start a program in the project's folder, with `keep_open` as file descriptors that it inherits.

        Concurrency: only from the main thread, before the process has others.
        """
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(log.open("wb")) if log else None
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                process_group=0,
                pass_fds=keep_open,
                preexec_fn=_stopped_with_parent(stop_signal),
            )
        return cls(name, process, stop_signal, log)

    @property
    def running(self) -> bool:
        """Whether the process has not ended, as far as the event loop has heard."""
        return self.process.returncode is None

    async def stop(self, seconds: float) -> None:
        """Ask the process to end, wait, and kill what is left of its group after so many seconds."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(self.stop_signal)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), seconds)
        self.kill()
        await self.process.wait()

    def kill(self) -> None:
        """Kill the process and whatever else is in its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def failure(self) -> str:
        """Say that the process ended by itself, and the end of what it wrote."""
        text = f"the {self.name} ended with status {self.process.returncode}"
        if self.log is None:
            return text
        tail = self.log.read_text(errors="replace").splitlines()[-15:]
        return "\n".join([f"{text}. The end of {self.log}:", *(f"  {line}" for line in tail)])


def _stopped_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    """Make the hook that lets Linux send a child its stop signal when the parent is gone, be it killed."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def hook() -> None:
        prctl(_PR_SET_PDEATHSIG, int(stop_signal))
        if os.getppid() != parent:  # it went between the fork and the line above
            os._exit(1)

    return hook


async def until_ready(child: Child, ready_file: Path, seconds: float) -> dict[str, Any]:
    """Wait for what a child writes to its ready file.

    Raises:
        LocalError: The child ended first, or took longer than so many seconds.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        content = _read(ready_file)
        if content is not None:
            return content
        if not child.running:
            raise LocalError(child.failure())
        await asyncio.sleep(_POLL_SECONDS)
    raise LocalError(f"the {child.name} was not ready after {seconds:.0f} s; see {child.log}")


def _read(ready_file: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(ready_file.read_text())
    except (OSError, ValueError):  # not there, or half of it
        return None
    return content


def write_privately(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON that only the owner may read, in one piece: a reader sees all of it or the state before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
    Path(name).replace(path)


class Stopping:
    """SIGINT and SIGTERM as an event; a second Ctrl-C runs `at_once` instead of waiting any longer."""

    def __init__(self, at_once: Callable[[], None]) -> None:
        self._asked = asyncio.Event()
        self._asked_at = 0.0
        self._at_once = at_once
        self.impatient = False
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._ask, number)

    def _ask(self, number: signal.Signals) -> None:
        if not self._asked.is_set():
            self._asked.set()
            self._asked_at = time.monotonic()
        elif number is signal.SIGINT and time.monotonic() - self._asked_at > _ECHO_SECONDS:
            self.impatient = True
            self._at_once()

    async def unless_asked[Result](self, work: asyncio.Future[Result]) -> Result | None:
        """Wait for the work, or only until a signal asks to stop: None then, and the work is cancelled."""
        asked = asyncio.ensure_future(self._asked.wait())
        await asyncio.wait((work, asked), return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if work.done():
            return work.result()
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        return None
