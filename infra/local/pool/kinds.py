"""The pool put together for the kind that it is, and taken apart again."""

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import zmq.asyncio

from infra.local.pool.app import PoolApplication, code_routes, container_routes
from infra.local.pool.containers import Container, ContainerStart
from infra.local.pool.executions import Workbench
from infra.local.pool.folders import Folders
from infra.local.pool.ground import Ground, Kernel
from infra.local.pool.jupyter import JupyterKernels
from infra.local.pool.piped import PipedKernels
from infra.local.pool.runtimes import ContainerProgram, Runtime
from infra.local.pool.sandbox import ENVIRONMENT, Sandbox
from infra.local.pool.serve_containers import ContainerOperations, container_client
from infra.local.pool.serve_executions import ExecutionOperations
from infra.local.pool.serve_files import FileOperations
from infra.local.pool.serve_sessions import PoolDescription, SessionOperations
from infra.local.pool.sessions import Clock, Content, Sessions
from infra.local.pool.settings import PoolSettings, container_environment
from infra.local.pool.warm import WarmKernels

_SOCKETS_PER_KERNEL = 3
_MOST_MESSAGE_BYTES = 64 * 1024**2  # a kernel that sends more in one message is cut off
_MEBIBYTE = 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the pool is made of, all found and checked."""

    settings: PoolSettings
    runtime: Runtime | ContainerProgram
    sandbox: Sandbox
    folders: Folders
    clock: Clock

    @property
    def ground(self) -> Ground:
        """Where processes of sessions are started."""
        return Ground(sandbox=self.sandbox, run_root=self.folders.run, data_root=self.folders.data)

    def sessions[Inside: Content](self, make_inside: Callable[[], Inside]) -> Sessions[Inside]:
        """Return the sessions, of which there are none yet."""
        return Sessions(
            clock=self.clock,
            cooldown=timedelta(seconds=self.settings.cooldown_seconds),
            most=self.settings.max_sessions,
            make_inside=make_inside,
        )


type Assembled = tuple[PoolApplication, Sessions[Any]]


def assembled(parts: Parts) -> contextlib.AbstractAsyncContextManager[Assembled]:
    """Put the pool together; at the end, end all that it has started.

    Raises:
        StartError: no kernel starts here.
    """
    if isinstance(parts.runtime, ContainerProgram):
        return _container_pool(parts, parts.runtime)
    return _code_pool(parts, parts.runtime)


@contextlib.asynccontextmanager
async def _code_pool(parts: Parts, runtime: Runtime) -> AsyncIterator[Assembled]:
    settings, ground = parts.settings, parts.ground
    with _kernels(parts, runtime) as start:
        warm = WarmKernels(start, keep=settings.warm_sessions, at_once=os.process_cpu_count() or 1)
        sessions = parts.sessions(lambda: Workbench(ground.make_data_folder(), warm.take))
        routes = code_routes(
            ExecutionOperations(sessions, settings),
            FileOperations(sessions, settings, incoming=parts.folders.incoming),
            SessionOperations(sessions, name=settings.name),
            PoolDescription(runtime, started_at=parts.clock()),
            shell=settings.kind == "shell",
        )
        try:
            await warm.open()
            yield PoolApplication(routes, token=settings.token, drain_bytes=2 * settings.upload_bytes), sessions
        finally:
            await sessions.close()
            await warm.close()


@contextlib.asynccontextmanager
async def _container_pool(parts: Parts, program: ContainerProgram) -> AsyncIterator[Assembled]:
    settings = parts.settings
    how = ContainerStart(ground=parts.ground, command=program.command, environment=container_environment())
    sessions: Sessions[Container] = parts.sessions(how.start)
    async with container_client() as client:
        try:
            yield (
                PoolApplication(
                    container_routes(SessionOperations(sessions, name=settings.name)),
                    token=settings.token,
                    drain_bytes=2 * settings.upload_bytes,
                    containers=ContainerOperations(sessions, client),
                ),
                sessions,
            )
        finally:
            await sessions.close()


@contextlib.contextmanager
def _kernels(parts: Parts, runtime: Runtime) -> Iterator[Callable[[], Awaitable[Kernel]]]:
    """Give what starts a kernel of this kind."""
    match parts.settings.kind:
        case "node":
            heap = parts.settings.memory_bytes // _MEBIBYTE
            # The check would end a process whose timer callback has been terminated.
            options = ["--no-force-async-hooks-checks", f"--max-old-space-size={heap}"]
            command = [str(runtime.program), *options]
            yield _piped(parts, command, "session_node.js", ENVIRONMENT, warm_up="1 + 1").start
        case "shell":
            path = f"{runtime.program.parent}:{ENVIRONMENT['PATH']}"
            command = [str(runtime.program), "-I"]
            yield _piped(parts, command, "session_shell.py", ENVIRONMENT | {"PATH": path}, warm_up=":").start
        case _:
            settings = parts.settings
            context = zmq.asyncio.Context()
            context.maxmsgsize = _MOST_MESSAGE_BYTES
            context.max_sockets = 64 + _SOCKETS_PER_KERNEL * 2 * (settings.max_sessions + settings.warm_sessions)
            try:
                yield JupyterKernels(parts.ground, runtime.program, context).start
            finally:
                context.destroy(linger=0)


def _piped(
    parts: Parts, command: list[str], program: str, environment: dict[str, str], *, warm_up: str
) -> PipedKernels:
    return PipedKernels(
        ground=parts.ground,
        command=command,
        program=Path(__file__).with_name(program),
        environment=environment,
        warm_up=warm_up,
    )
