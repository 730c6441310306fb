"""The processes that are measured: the floor, a worker for each way, and the local host for what hosts do to chunks."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Any, Self

from benchmarks.streaming.apps import APPS, Way, write_app
from benchmarks.streaming.calls import Target
from benchmarks.streaming.host import Host
from infra.local.claims import free_port
from infra.local.processes import Child, until_ready

START_SECONDS = 60
STOP_SECONDS = 5


class Deployment:
    """All of it, running inside `async with`.

    Attributes:
        targets: where the calls of each way go.
        local_host: the classic app behind the local functions host, with what the platform's does to requests.
    """

    local_host: Target

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []
        self._pids: dict[Way, int] = {}
        self._running = contextlib.AsyncExitStack()
        self.targets: dict[Way, Target] = {}

    async def __aenter__(self) -> Self:
        """Start everything.

        Raises:
            LocalError: a part did not come up.
        """
        try:
            await self._start()
        except BaseException:
            await self._running.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything."""
        await self._running.aclose()

    def kill(self) -> None:
        """End all processes at once; nothing of theirs is worth keeping."""
        for child in self._children:
            child.kill()

    def cpu_seconds(self, way: Way) -> float:
        """Read the processor time that a way's process has taken so far."""
        after_name = Path(f"/proc/{self._pids[way]}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, after_name[11:13])) / os.sysconf("SC_CLK_TCK")  # user and system: 14th and 15th of proc(5)

    def resident_bytes(self, way: Way) -> int:
        """Read the memory that a way's process has in use."""
        return int(Path(f"/proc/{self._pids[way]}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    async def _start(self) -> None:
        host = Host(f"127.0.0.1:{free_port()}", APPS)
        # All processes before the host: one that has begun with gRPC must not fork.
        floor = await self._child(Way.FLOOR, "benchmarks.streaming.floor")
        workers = {}
        for way in APPS:
            options = ["--app", str(write_app(way, self._folder)), "--host", host.address, "--name", way]
            workers[way] = await self._child(way, "benchmarks.streaming.worker", *options)
        options = ["--app", str(self._folder / Way.CLASSIC), "--port", "0"]
        local_host = await self._child("local-host", "infra.local.host", *options)
        await self._running.enter_async_context(host)
        for way, child in {Way.FLOOR: floor, **workers}.items():
            ready = await self._ready(child)
            self._pids[way] = ready.pop("pid")
            self.targets[way] = Target(link=host.links.get(way), **{"function_id": "", "trigger": ""} | ready)
        url = (await self._ready(local_host))["url"]
        self.local_host = Target(link=None, url=url, function_id="", trigger="")

    async def _child(self, name: str, module: str, *options: str) -> Child:
        command = [sys.executable, "-m", module, "--ready-file", str(self._ready_file(name)), *options]
        child = await Child.start(name, command, log=self._folder / f"{name}.log")
        self._children.append(child)
        self._running.push_async_callback(child.stop, STOP_SECONDS)
        return child

    async def _ready(self, child: Child) -> dict[str, Any]:
        return await until_ready(child, self._ready_file(child.name), START_SECONDS)

    def _ready_file(self, name: str) -> Path:
        return self._folder / f"{name}.ready"
