"""A session's `/mnt/data`, as its callers reach it.

The code inside owns this folder and can put links, pipes and anything else there. So every path is walked folder by
folder without following links, and only plain files are read: what a caller names cannot lead anywhere else.
"""

import contextlib
import errno
import mimetypes
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infra.local.pool.errors import PoolError, Problem

_MOUNT = "/mnt/data"
# What the service documents: letters and digits of any script, and these. Applies to what callers name anew.
_ALLOWED = re.compile(r"[\w\-. @$&=;,#%^()]+")
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Opening a pipe without O_NONBLOCK would wait for its writer.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG, errno.EACCES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file or folder of a session; `directory` is relative to `/mnt/data`, empty at its top."""

    name: str
    directory: str
    is_folder: bool
    size: int
    modified_at: datetime

    @property
    def content_type(self) -> str:
        """The media type that the name suggests."""
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Location:
    """A place below `/mnt/data`: the names that lead there; none for the folder itself."""

    parts: tuple[str, ...]


def locate(*paths: str) -> Location:
    """Read paths, each relative to the one before, as a place below `/mnt/data`.

    `/mnt/data` itself may stand at the beginning of each; `/` is another name for it.

    Raises:
        PoolError: `VALIDATION`, for a path that climbs or cannot be a path.
    """
    parts: list[str] = []
    for path in paths:
        inside = path.removeprefix(_MOUNT) if path == _MOUNT or path.startswith(_MOUNT + "/") else path
        parts += [part for part in inside.split("/") if part]
    if any(part in (".", "..") or "\0" in part for part in parts):
        raise PoolError(Problem.VALIDATION, "A path must stay below /mnt/data.", target="path")
    return Location(tuple(parts))


def locate_new(folder: str, name: str) -> Location:
    """Read where an upload is to go, by the rules for new names.

    Raises:
        PoolError: `VALIDATION`, for a name the service does not take, or a folder with a dot in its path.
    """
    location = locate(folder, name)
    if not location.parts or not all(_ALLOWED.fullmatch(part) for part in location.parts):
        raise PoolError(Problem.VALIDATION, f"The file name {name!r} is not allowed.", target="file")
    if any("." in part for part in location.parts[:-1]):
        raise PoolError(Problem.VALIDATION, "A path must not contain a dot.", target="path")
    return location


def list_folder(root: Path, location: Location, *, recursive: bool) -> list[Entry]:
    """List plain files and folders, by name; those of folders below as well if `recursive`.

    Raises:
        PoolError: `FILE_UNKNOWN`, if there is no such folder.
    """
    with _unknown_if_absent(location), _folder(root, location.parts) as folder:
        return list(_entries(folder, location.parts, recursive=recursive))


def look_at(root: Path, location: Location) -> Entry:
    """Describe one file or folder.

    Raises:
        PoolError: `FILE_UNKNOWN`.
    """
    with _unknown_if_absent(location), _folder(root, location.parts[:-1]) as folder:
        entry = _entry(folder, location.parts[-1] if location.parts else ".", location.parts[:-1])
        if entry is None:
            raise FileNotFoundError(errno.ENOENT, "neither file nor folder")
        return entry


def open_file(root: Path, location: Location) -> int:
    """Open a plain file for reading; the caller closes the descriptor.

    Raises:
        PoolError: `FILE_UNKNOWN`.
    """
    with _unknown_if_absent(location), _folder(root, location.parts[:-1]) as folder:
        descriptor = os.open(location.parts[-1] if location.parts else ".", _FILE_FLAGS, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileNotFoundError(errno.ENOENT, "not a plain file")
        return descriptor


def place_file(root: Path, location: Location, source: Path) -> Entry:
    """Move a finished upload to its place, over what is there, making the folders that lead to it.

    Raises:
        PoolError: `VALIDATION`, if a folder or something that is none stands in the way.
    """
    *folders, name = location.parts
    try:
        for depth in range(1, len(folders) + 1):
            with _folder(root, tuple(folders[: depth - 1])) as parent, contextlib.suppress(FileExistsError):
                os.mkdir(folders[depth - 1], dir_fd=parent)
        with _folder(root, tuple(folders)) as folder:
            os.rename(source, name, dst_dir_fd=folder)
            entry = _entry(folder, name, tuple(folders))
    except OSError as failure:
        message = f"{'/'.join(location.parts)!r} cannot be written: {failure.strerror}"
        raise PoolError(Problem.VALIDATION, message, target="file") from failure
    assert entry is not None
    return entry


def delete(root: Path, location: Location) -> None:
    """Delete a file, or a folder with all in it.

    Raises:
        PoolError: `FILE_UNKNOWN`; `VALIDATION` for `/mnt/data` itself.
    """
    if not location.parts:
        raise PoolError(Problem.VALIDATION, "The data folder itself cannot be deleted.", target="name")
    with _unknown_if_absent(location), _folder(root, location.parts[:-1]) as folder:
        _delete(folder, location.parts[-1])


def move_all(source: Path, destination: Path) -> None:
    """Move everything in one folder to another of the same file system, and remove the first."""
    for child in source.iterdir():
        child.rename(destination / child.name)
    source.rmdir()


@contextlib.contextmanager
def _unknown_if_absent(location: Location) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        if failure.errno not in _NOT_THERE:
            raise
        message = f"There is no {'/'.join(location.parts)!r} in this session."
        raise PoolError(Problem.FILE_UNKNOWN, message) from failure


@contextlib.contextmanager
def _folder(root: Path, parts: tuple[str, ...]) -> Iterator[int]:
    descriptor = os.open(root, _FOLDER_FLAGS)
    try:
        for part in parts:
            below = os.open(part, _FOLDER_FLAGS, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _entry(folder: int, name: str, parts: tuple[str, ...]) -> Entry | None:
    state = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)):
        return None
    return Entry(
        name=name,
        directory="/".join(parts),
        is_folder=stat.S_ISDIR(state.st_mode),
        size=state.st_size,
        modified_at=datetime.fromtimestamp(state.st_mtime, UTC),
    )


def _entries(folder: int, parts: tuple[str, ...], *, recursive: bool) -> Iterator[Entry]:
    for name in sorted(os.listdir(folder)):
        entry = None
        with contextlib.suppress(FileNotFoundError):  # deleted by the code inside in the meantime
            entry = _entry(folder, name, parts)
        if entry is None:
            continue
        yield entry
        if recursive and entry.is_folder:
            below = os.open(name, _FOLDER_FLAGS, dir_fd=folder)
            try:
                yield from _entries(below, (*parts, name), recursive=True)
            finally:
                os.close(below)


def _delete(folder: int, name: str) -> None:
    if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=folder)
        return
    below = os.open(name, _FOLDER_FLAGS, dir_fd=folder)
    try:
        for child in os.listdir(below):  # noqa: PTH208 -- a descriptor, not a path
            _delete(below, child)
    finally:
        os.close(below)
    os.rmdir(name, dir_fd=folder)
