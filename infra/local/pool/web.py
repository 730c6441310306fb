"""Calls and replies: the little of HTTP that the pool needs, over ASGI."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from infra.local.pool.errors import PoolError, Problem
from infra.local.pool.versions import ApiVersion

type Receive = Callable[[], Awaitable[Mapping[str, Any]]]
type Send = Callable[[Mapping[str, Any]], Awaitable[None]]
type RawHeaders = Sequence[tuple[bytes, bytes]]

_PIECE_BYTES = 256 * 1024
_MOST_JSON_BYTES = 16 * 1024**2


class ClientGoneError(Exception):
    """The client closed its connection before its body was complete."""


class Body:
    """A request's body, read once, as it arrives."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._complete = False
        self._read_whole = asyncio.Event()

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield what has not been read yet.

        Raises:
            ClientGoneError: the rest will not come.
        """
        while not self._complete:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            self._complete = not message.get("more_body", False)
            if self._complete:
                self._read_whole.set()
            yield message.get("body", b"")

    async def read(self) -> bytes:
        """Return a whole body that is to be JSON.

        Raises:
            PoolError: `TOO_LARGE`.
        """
        whole = bytearray()
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                whole += piece
                if len(whole) > _MOST_JSON_BYTES:
                    raise PoolError(Problem.TOO_LARGE, f"The body may have {_MOST_JSON_BYTES} bytes at most.")
        return bytes(whole)

    async def wait_until_gone(self) -> None:
        """Wait until the client, whose body has been read, closes its connection."""
        await self._read_whole.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def drain(self, most_bytes: int) -> None:
        """Read the rest, within bounds, so that a client still sending gets to see the refusal."""
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                most_bytes -= len(piece)
                if most_bytes < 0:
                    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that has been let in.

    Attributes:
        names: what the path holds in its variable places, decoded.
        query: parameters by name in lower case, as the service takes them in any.
        identifier: the session's; empty for calls on the pool.
    """

    names: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    version: ApiVersion
    identifier: str
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerCall:
    """A request that has been let in and goes on to a container.

    Attributes:
        path: as it came, percent-encoded.
        query: as it came.
        headers: all of them, names in lower case.
    """

    method: str
    path: bytes
    query: bytes
    headers: RawHeaders
    identifier: str
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: a JSON document, a text, an open file (which sending closes), or nothing."""

    status: int = 200
    document: Any = None
    text: str | None = None
    file: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def read_query(query: bytes) -> dict[str, list[str]]:
    """Return the values of each parameter.

    Raises:
        PoolError: `VALIDATION`, if it is not UTF-8.
    """
    values: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict"):
            values.setdefault(name.lower(), []).append(value)
    except ValueError as failure:
        raise PoolError(Problem.VALIDATION, "The query is not UTF-8.", target="query") from failure
    return values


def refusal(error: PoolError) -> Reply:
    """Return the reply to a call that is refused."""
    headers = {"x-ms-error-code": error.problem.code}
    if error.problem is Problem.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return Reply(status=error.problem.status, document=error.body(), headers=headers)


async def send_reply(reply: Reply, send: Send) -> None:
    """Send a reply."""
    content, headers = b"", dict(reply.headers)
    if reply.document is not None:
        content, headers["content-type"] = json.dumps(reply.document).encode(), "application/json"
    if reply.text is not None:
        content, headers["content-type"] = reply.text.encode(), "text/plain"
    if reply.file is not None:
        headers["content-type"] = "application/octet-stream"
    length = len(content) if reply.file is None else os.fstat(reply.file).st_size
    if reply.status != 204:
        headers["content-length"] = str(length)
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    try:
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        while reply.file is not None and length > 0:
            # Exactly as much as announced, even if the code inside is changing the file: what is missing is zeros.
            piece = os.read(reply.file, min(_PIECE_BYTES, length)) or bytes(min(_PIECE_BYTES, length))
            length -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": content})
    finally:
        if reply.file is not None:
            os.close(reply.file)


async def pass_on(status: int, headers: RawHeaders, pieces: AsyncIterable[bytes], send: Send) -> None:
    """Send an answer of somebody else's, as it arrives."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    async for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
