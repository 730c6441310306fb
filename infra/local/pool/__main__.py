"""Starts the pool: `python -m infra.local.pool --port N [--data-dir DIR] [--ready-file FILE]`.

Listens on 127.0.0.1 only. Ends with status 0 on SIGINT or SIGTERM, with nothing left behind; with status 1 and one
line if it cannot start. Sessions do not survive a restart.
"""

import argparse
import asyncio
import json
import logging
import os
import resource
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.local.pool.errors import StartError
from infra.local.pool.folders import Folders, own_folders
from infra.local.pool.kinds import Parts
from infra.local.pool.runtimes import ContainerProgram, Runtime, find_runtime
from infra.local.pool.sandbox import Limits, Place, Sandbox, Unconfined, choose_sandbox, look_at_host
from infra.local.pool.server import serve
from infra.local.pool.settings import PoolSettings, load_settings
from metering.clock import utc_now

_BACKLOG = 2048
_V8_RESERVES_BYTES = 2 * 1024**3  # of address space, for each engine in a process, before any code runs
_WARNING = (
    "WARNING: code in sessions runs WITHOUT a sandbox: it can read your files and use the network. "
    "Install bubblewrap to confine it.\n"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pool until it is told to end, and return the exit status."""
    options = _options(arguments)
    logging.basicConfig(format="pool: %(message)s", level=logging.WARNING)
    try:
        _run(options.port, options.data_dir, options.ready_file)
    except StartError as failure:
        sys.stderr.write(f"The session pool cannot start: {failure}\n")
        return 1
    except KeyboardInterrupt:  # before the server took the signal over
        return 0
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.pool", description="A session pool on this machine.")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--data-dir", type=Path, help="where the files of sessions are kept while they live")
    parser.add_argument("--ready-file", type=Path, help="written when connections are accepted")
    return parser.parse_args(arguments)


def _run(port: int, data_dir: Path | None, ready_file: Path | None) -> None:
    settings = load_settings()
    runtime = find_runtime(settings)
    _allow_many_files()
    with _listener(port) as listener, own_folders(data_dir) as folders:
        sandbox = _sandbox(settings, runtime, folders)
        parts = Parts(settings=settings, runtime=runtime, sandbox=sandbox, folders=folders, clock=utc_now)
        asyncio.run(serve(parts, listener, _announcer(listener, sandbox.name, ready_file)))


def _sandbox(settings: PoolSettings, runtime: Runtime | ContainerProgram, folders: Folders) -> Sandbox:
    reserved = _V8_RESERVES_BYTES if settings.kind == "node" else 0
    limits = Limits(
        memory_bytes=settings.memory_bytes + reserved,
        file_bytes=settings.file_bytes,
        processes=settings.processes,
    )
    if isinstance(runtime, ContainerProgram):
        return Unconfined(limits)
    trial = Place(run=folders.run, data=folders.data, hostname="trial")
    sandbox = choose_sandbox(settings.sandbox, host=look_at_host(runtime.folders), limits=limits, trial=trial)
    if sandbox.name == "none":
        sys.stderr.write(_WARNING)
    return sandbox


def _listener(port: int) -> socket.socket:
    # The protocol is named because asyncio turns off Nagle's delay, 40 ms a call, only on sockets that name it.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as failure:
        listener.close()
        raise StartError(f"port {port} cannot be used: {failure}") from failure
    return listener


def _announcer(listener: socket.socket, sandbox: str, ready_file: Path | None) -> Callable[[], None]:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def announce() -> None:
        sys.stdout.write(f"Session pool on {url}, sandbox: {sandbox}\n")
        sys.stdout.flush()
        if ready_file is not None:
            unfinished = ready_file.with_name(f"{ready_file.name}.{os.getpid()}")
            unfinished.write_text(json.dumps({"url": url, "pid": os.getpid(), "sandbox": sandbox}))
            unfinished.replace(ready_file)

    return announce


def _allow_many_files() -> None:
    """Raise the limit on open files: each kernel takes about a dozen."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    sys.exit(main())
