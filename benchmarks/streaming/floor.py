"""The floor: the app without a functions host, on the web server that the streaming extension brings.

`python -m benchmarks.streaming.floor --ready-file FILE` takes a free port of the loopback interface and runs until
SIGTERM.
"""

import argparse
import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

from benchmarks import wire
from infra.local.processes import write_privately

type Message = dict[str, Any]


async def serve(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Read the whole body, answer like a session pool, and say how much was read (ASGI)."""
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})
        return
    received, more = 0, True
    while more:
        message = await receive()
        received += len(message.get("body", b""))
        more = message.get("more_body", False)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(wire.ANSWER)),
        (b"received", b"%d" % received),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": wire.ANSWER})


async def _run(ready_file: Path) -> None:
    # With the protocol left at 0, asyncio would leave Nagle's algorithm on: 40 ms for every answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    write_privately(ready_file, {"url": url, "pid": os.getpid()})
    await uvicorn.Server(uvicorn.Config(serve, access_log=False, log_level="warning")).serve([listener])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming.floor", description="The app by itself.")
    parser.add_argument("--ready-file", type=Path, required=True, help="gets url and pid as JSON")
    asyncio.run(_run(parser.parse_args().ready_file))
