"""What a process of the local stack claims for itself on this machine: ports and folders."""

import argparse
import contextlib
import errno
import fcntl
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from infra.local.processes import LocalError

_POLL_SECONDS = 0.02
_QUIET_PORTS = range(20000, 32000)


@contextlib.contextmanager
def locked(folder: Path, *, patience_seconds: float, holder: str) -> Iterator[int]:
    """Hold a folder, made if need be, against other processes; yields the lock's file descriptor.

    A child that inherits the descriptor holds the folder as long as it runs.

    Raises:
        LocalError: It is still held by another `holder` after so many seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise LocalError(
                        f"{holder} already runs on {folder}; stop it or choose another --data-dir"
                    ) from None
                time.sleep(_POLL_SECONDS)
        yield lock.fileno()


def port_number(text: str) -> int:
    """Read a port from the command line; 0 stands for a free one.

    Raises:
        argparse.ArgumentTypeError: It is no port.
    """
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port; take one from 0 to 65535")
    return int(text)


def require_free(port: int) -> None:
    """Check that a port of the loopback interface can be had.

    Raises:
        LocalError: It is taken, or not for ordinary users.
    """
    try:
        _try(port)
    except OSError as error:
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise LocalError(f"port {port} {reason}; choose another with --port, or --port 0 for a free one") from None


def free_port() -> int:
    """Find a free port of the loopback interface, to be told to a program that starts; see `free_ports`."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Find free ports of the loopback interface, no two the same, to be told to programs that start.

    They lie below the ranges from which systems take ports for outgoing connections (32768 upward on Linux), so no
    connection takes one before its program has started.

    Raises:
        LocalError: There are not so many.
    """
    found: list[int] = []
    for port in secrets.SystemRandom().sample(_QUIET_PORTS, k=min(100 * count, len(_QUIET_PORTS))):
        with contextlib.suppress(OSError):
            _try(port)
            found.append(port)
        if len(found) == count:
            return found
    raise LocalError("no free port was found; stop what listens on so many of them")


def _try(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
