"""A receiver of webhooks on a loopback port: notes what it hears, and answers as it was told to."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook


@dataclass(frozen=True, slots=True)
class Heard:
    """One message."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """What tells that a message was heard before."""
        return self.headers["webhook-id"]

    def proven_by(self, secret: str) -> Any:
        """Verify with the package that receivers use; the clock is the real one. Returns the event."""
        return Webhook(secret).verify(self.body, dict(self.headers))


@dataclass
class WebhookReceiver:
    """Answers 204 unless the script says otherwise.

    Attributes:
        script: statuses of the next answers.
        hanging: how many of the next messages get no answer before `released` is set.
        heard: all messages, in the order in which they came.
    """

    origin: str = ""
    script: deque[int] = field(default_factory=deque)
    hanging: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    heard: list[Heard] = field(default_factory=list)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    def url(self, path: str = "/hook") -> str:
        """Name a URL that leads here."""
        return self.origin + path

    def ids(self, path: str = "/hook") -> list[str]:
        """Name the messages that came to a path, in their order."""
        return [message.id for message in self.heard if message.path == path]

    async def wait_for(self, messages: int) -> None:
        """Wait until so many have come."""
        async with asyncio.timeout(30), self.came:
            await self.came.wait_for(lambda: len(self.heard) >= messages)

    async def serve(self, request: web.Request) -> web.Response:
        """Hear one message."""
        message = Heard(request.path, dict(request.headers), await request.read())
        lowered = {name.lower(): value for name, value in message.headers.items()}
        self.heard.append(Heard(message.path, lowered, message.body))
        async with self.came:
            self.came.notify_all()
        if self.hanging:
            self.hanging -= 1
            await self.released.wait()
        status = self.script.popleft() if self.script else 204
        return web.Response(status=status, headers={"location": self.url("/elsewhere")} if status < 400 else {})


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[WebhookReceiver]:
    """Listen while the block runs."""
    receiver = WebhookReceiver()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", receiver.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    [address] = runner.addresses
    receiver.origin = f"http://127.0.0.1:{address[1]}"
    try:
        yield receiver
    finally:
        receiver.released.set()
        await runner.cleanup()
