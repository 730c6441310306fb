"""A pool that does nothing: answers every request with the same execution, as fast as Python can.

`python -m benchmarks.upstream --ready-file FILE` takes a free port of the loopback interface and runs until SIGTERM.
"""

import argparse
import asyncio
import os
import signal
from pathlib import Path

from benchmarks import wire
from infra.local.processes import write_privately


class Upstream(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self) -> None:
        self._messages = wire.Messages()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers go out on."""
        assert isinstance(transport, asyncio.Transport), "a TCP connection"
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        assert self._transport is not None, "data comes after the connection is made"
        for _ in self._messages.feed(data):
            self._transport.write(_RESPONSE)


_RESPONSE = wire.response()


async def serve(ready_file: Path) -> None:
    """Answer until SIGTERM."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    server = await loop.create_server(Upstream, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    write_privately(ready_file, {"url": f"http://127.0.0.1:{port}", "pid": os.getpid()})
    await stopping.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upstream", description="A pool that does nothing.")
    parser.add_argument("--ready-file", type=Path, required=True, help="gets url and pid as JSON")
    asyncio.run(serve(parser.parse_args().ready_file))
