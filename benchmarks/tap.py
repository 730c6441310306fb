"""A tap on the way to the storage: passes every byte on and notes each request, as it stands on the wire."""

import asyncio
import contextlib
import re
from typing import Self

from benchmarks.figures import Operation
from benchmarks.wire import Messages

_PIECE_BYTES = 65_536
_TARGET = re.compile(rb"(\w+) /[^/]+/(\$?\w+)")  # method, account, table


class StorageTap:
    """Listens on a port of its own for one instance; `operations` grows with every request, oldest first."""

    def __init__(self, storage_port: int) -> None:
        self.operations: list[Operation] = []
        self._storage_port = storage_port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where the instance finds its storage."""
        assert self._server is not None, "used while it is open"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cut all connections."""
        assert self._server is not None, "closed once, after it was opened"
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None, "the server runs it in a task"
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        # Either side may close, or break, a kept connection at any time; the other one then hears of it.
        with contextlib.suppress(OSError, asyncio.CancelledError):
            storage_reader, storage_writer = await asyncio.open_connection("127.0.0.1", self._storage_port)
            with contextlib.closing(writer), contextlib.closing(storage_writer):
                answers = asyncio.create_task(_pass_on(storage_reader, writer))
                try:
                    await self._note(reader, storage_writer)
                finally:
                    answers.cancel()

    async def _note(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        messages = Messages()
        while data := await reader.read(_PIECE_BYTES):
            for head in messages.feed(data):
                target = _TARGET.match(head)
                assert target is not None, "the SDK addresses an account's table"
                self.operations.append(Operation(target[2].decode(), writes=target[1] != b"GET"))
            writer.write(data)
            await writer.drain()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_PIECE_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()
