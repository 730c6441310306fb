"""Where the pool keeps things while it runs: sockets in a short temporary folder, files where it is told to.

Everything is removed at the end. What a killed pool has left behind is removed by the next one: a folder whose lock
can be had belongs to nobody.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.local.pool.errors import StartError

_PREFIX = "tollgate-pool-"
_LONGEST = 50  # a socket's path may have 107 bytes, and this package adds about 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The pool's folders; `incoming` and `data` are on one file system, so that files move without copying."""

    run: Path
    data: Path
    incoming: Path


@contextlib.contextmanager
def own_folders(data_dir: Path | None) -> Iterator[Folders]:
    """Make the folders, and remove them at the end.

    Args:
        data_dir: where sessions' files are to be; None for the temporary folder.

    Raises:
        StartError: the folder cannot be used, or another pool is using it.
    """
    with contextlib.ExitStack() as stack:
        temporary = Path(tempfile.gettempdir())
        if len(str(temporary)) > _LONGEST:
            temporary = Path("/tmp")  # noqa: S108 -- mkdtemp makes the folder itself safely
        _remove_abandoned(temporary)
        try:
            # It gets its name once it is claimed: a pool that starts meanwhile would take it for abandoned.
            unclaimed = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=temporary))
            stack.callback(shutil.rmtree, unclaimed, ignore_errors=True)
            stack.enter_context(_claimed(unclaimed))
            run = unclaimed.rename(temporary / unclaimed.name.removeprefix("."))
            stack.callback(shutil.rmtree, run, ignore_errors=True)
            base = stack.enter_context(_claimed(data_dir.absolute())) if data_dir else run
            folders = Folders(run=run / "run", data=base / "sessions", incoming=base / "incoming")
            for folder in (folders.run, folders.data, folders.incoming):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(mode=0o700)
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
        except OSError as failure:
            raise StartError(f"the folder {data_dir or temporary} cannot be used: {failure.strerror}") from failure
        yield folders


def _remove_abandoned(temporary: Path) -> None:
    for folder in temporary.glob(f"{_PREFIX}*"):
        with contextlib.suppress(StartError, OSError):
            state = folder.lstat()
            if stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid():
                with _claimed(folder):
                    shutil.rmtree(folder)


@contextlib.contextmanager
def _claimed(base: Path) -> Iterator[Path]:
    base.mkdir(parents=True, exist_ok=True)
    with (base / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"the data folder {base} is in use by another pool") from None
        yield base
