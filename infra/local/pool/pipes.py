"""The standard streams of a process, as pipes that are read as they fill, so that nobody inside ever waits."""

import asyncio
import os
from collections.abc import Callable

_PIECE_BYTES = 64 * 1024
_MOST_PIECES = 32  # a process left running may go on writing for ever


class Pipe:
    """One stream; what is read goes to nobody until somebody listens.

    Attributes:
        entrance: the descriptor that the process writes to; its starter closes it.
        take: who is listening.
    """

    def __init__(self) -> None:
        self._exit, self.entrance = os.pipe()
        self.take: Callable[[bytes], object] = _forget
        self._closed = False
        os.set_blocking(self._exit, False)
        asyncio.get_running_loop().add_reader(self._exit, self._read)

    def catch_up(self) -> None:
        """Read what has been written until now, within bounds."""
        for _ in range(_MOST_PIECES):
            if not self._read():
                return

    def forget(self) -> None:
        """Listen no longer."""
        self.take = _forget

    def close(self) -> None:
        """Stop reading; whoever catches up later finds nothing."""
        self._closed = True
        asyncio.get_running_loop().remove_reader(self._exit)
        os.close(self._exit)

    def _read(self) -> bool:
        """Take a piece; say whether there may be more."""
        if self._closed:
            return False
        try:
            piece = os.read(self._exit, _PIECE_BYTES)
        except BlockingIOError:
            return False
        if not piece:
            asyncio.get_running_loop().remove_reader(self._exit)
            return False
        self.take(piece)
        return True


def _forget(_: bytes) -> None:
    pass
