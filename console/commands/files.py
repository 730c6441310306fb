"""Files that commands write: whole or not at all; `-` is standard output.

Rules of this file: what cannot be written is refused before anything is asked for. A file is written beside its place
and takes it at the end, so that whoever reads the place never meets a half. What is no regular file, such as a pipe or
a device, is written as it stands: it must not be replaced.
"""

import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from console.backends import WRONG_USAGE, CommandError

STDOUT = "-"


@contextmanager
def writing(target: str) -> Iterator[BinaryIO]:
    """Open a file, or standard output, and keep what was written only if nothing goes wrong.

    Raises:
        CommandError: if it cannot be written.
    """
    if target == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with _opened(Path(os.path.realpath(target))) as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        words = error.strerror or type(error).__name__
        raise CommandError(f"{target} cannot be written: {words}", exit_status=WRONG_USAGE) from None


def is_same(one: str, other: str) -> bool:
    """Whether two targets are the same place."""
    return one == other or (STDOUT not in {one, other} and os.path.realpath(one) == os.path.realpath(other))


@contextmanager
def _opened(place: Path) -> Iterator[BinaryIO]:
    mode = place.stat().st_mode if place.exists() else None
    if mode is not None and not stat.S_ISREG(mode):
        with place.open("wb") as file:
            yield file
        return
    part = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
    file = part.open("xb")
    try:
        with file:
            if mode is not None:
                part.chmod(stat.S_IMODE(mode))
            yield file
        part.replace(place)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
