"""A storage in trouble: passes every byte between clients and Azurite on, except what its trouble does to it.

Rules of this file: it knows HTTP/1.1 messages and nothing of tables; what is passed on is not changed, for signatures
cover it. Each request takes a connection of its own to Azurite, which closes idle ones when it likes.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum

SLOW_SECONDS = 1.0
LATE_SECONDS = 6.0  # clients have given up by then
RETRY_AFTER_SECONDS = 1

_THROTTLED = (
    b"HTTP/1.1 503 Server Busy\r\nretry-after: %d\r\nx-ms-error-code: ServerBusy\r\ncontent-length: 0\r\n\r\n"
) % RETRY_AFTER_SECONDS
_TIMED_OUT = b"HTTP/1.1 500 Timed Out\r\nx-ms-error-code: OperationTimedOut\r\ncontent-length: 0\r\n\r\n"


class Trouble(Enum):
    """What happens to a request."""

    NONE = "none"
    THROTTLED = "throttled"  # answered with 503 and Retry-After, unseen by the storage
    CUT = "cut"  # its connection is closed before the storage has heard of it
    SLOW = "slow"  # every answer takes a second longer
    ANSWER_LOST = "answer lost"  # done; the connection is closed instead of an answer
    ANSWER_WITHHELD = "answer withheld"  # done; no answer ever comes
    ANSWER_DOUBTED = "answer doubted"  # done; answered with 500, as a timeout inside the storage is
    DOUBLED = "doubled"  # done; it arrives a second time, and that one's answer comes
    LATE = "late"  # done, and not before its client has given up

    @property
    def strikes_commits_only(self) -> bool:
        """Whether reads go through: a client that cannot read would never get as far as to commit."""
        return self not in {Trouble.NONE, Trouble.THROTTLED, Trouble.CUT, Trouble.SLOW}


_DELAYS = {Trouble.SLOW: SLOW_SECONDS, Trouble.LATE: LATE_SECONDS}


@dataclass
class TroubledStorage:
    """Listens on a port of its own.

    Attributes:
        trouble: what happens to requests that arrive from now on.
        struck: how many requests it has happened to.
        in_hand: how many requests are on their way.
    """

    storage_port: int
    port: int = 0
    trouble: Trouble = Trouble.NONE
    struck: int = 0
    in_hand: int = 0
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client's connection, a request at a time."""
        task = asyncio.current_task()
        assert task is not None, "the server runs it in a task"
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                request = await _read_message(reader)
                self.in_hand += 1
                try:
                    answer = await self._answer(request)
                finally:
                    self.in_hand -= 1
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()

    async def _answer(self, request: bytes) -> bytes | None:
        """Do to a request what is due; None closes the connection."""
        trouble = self.trouble
        if trouble is Trouble.NONE or (trouble.strikes_commits_only and not request.startswith(b"POST ")):
            return await self._pass_on(request)
        self.struck += 1
        if trouble is Trouble.THROTTLED:
            return _THROTTLED
        if trouble is Trouble.CUT:
            return None
        await asyncio.sleep(_DELAYS.get(trouble, 0))
        answer = await self._pass_on(request)
        if trouble is Trouble.DOUBLED:
            return await self._pass_on(request)
        instead = {Trouble.ANSWER_LOST: None, Trouble.ANSWER_WITHHELD: b"", Trouble.ANSWER_DOUBTED: _TIMED_OUT}
        return instead.get(trouble, answer)

    async def _pass_on(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.storage_port)
        with contextlib.closing(writer):
            writer.write(request)
            return await _read_message(reader)


@contextlib.asynccontextmanager
async def troubled(storage_port: int) -> AsyncIterator[TroubledStorage]:
    """Stand between clients and the Azurite on a port."""
    storage = TroubledStorage(storage_port)
    async with await asyncio.start_server(storage.serve, "127.0.0.1", 0) as server:
        storage.port = server.sockets[0].getsockname()[1]
        yield storage
        server.close()
        for task in tuple(storage.serving):
            task.cancel()
        await asyncio.gather(*storage.serving, return_exceptions=True)


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    """Read one request or answer. Raises IncompleteReadError where there is none any more."""
    head = await reader.readuntil(b"\r\n\r\n")
    headers = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if line)
    if headers.get(b"transfer-encoding", b"").strip() != b"chunked":
        return head + await reader.readexactly(int(headers.get(b"content-length", 0)))
    chunks = [head]
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line, 16)
        chunks += [line, await reader.readexactly(size + 2)]
        if not size:
            return b"".join(chunks)
