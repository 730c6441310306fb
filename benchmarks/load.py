"""A worker that calls over HTTP, on connections of its own, so that no event loop is shared with what is measured."""

import asyncio
from urllib.parse import urlsplit

from benchmarks import wire
from benchmarks.figures import Sample
from benchmarks.workers import CallFailed, Order, closed_loop, follow_orders


class Connection(asyncio.Protocol):
    """One connection, with one call in flight at most."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._messages = wire.Messages()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what calls go out on."""
        assert isinstance(transport, asyncio.Transport), "a TCP connection"
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand over the answer once it is complete."""
        for head in self._messages.feed(data):
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the call in flight."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(CallFailed(f"the connection was closed ({exc or 'by the other side'})"))

    async def call(self) -> None:
        """Make the call and wait for the whole answer.

        Raises:
            CallFailed: the status is not 200, or the connection broke.
        """
        assert self._transport is not None, "connections are made before they are used"
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(self._request)
        status_line = (await self._answer).partition(b"\r\n")[0]
        if status_line.split(b" ")[1] != b"200":
            raise CallFailed(status_line.decode("latin-1"))

    def close(self) -> None:
        """Close the connection."""
        assert self._transport is not None, "connections are made before they are closed"
        self._transport.close()


async def load(order: Order) -> Sample:
    """Carry out an order on connections that are open before the clock starts."""
    loop = asyncio.get_running_loop()
    host, _, port = urlsplit(order.url).netloc.partition(":")
    request = wire.request(order.session, order.key)
    connections = [
        (await loop.create_connection(lambda: Connection(request), host, int(port)))[1]
        for _ in range(order.connections)
    ]
    try:
        return await closed_loop([connection.call for connection in connections], order.seconds)
    finally:
        for connection in connections:
            connection.close()


if __name__ == "__main__":
    asyncio.run(follow_orders(load))
