"""Servers that a test runs beside itself: in a thread with a loop of their own, so that the test may wait and block."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Iterator
from contextlib import AbstractAsyncContextManager


@contextlib.contextmanager
def running_aside[Server](server: AbstractAsyncContextManager[Server]) -> Iterator[Server]:
    """Open a server in a thread, and close it there at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def finish[Result](work: Awaitable[Result]) -> Result:
        return await work

    try:
        opened = asyncio.run_coroutine_threadsafe(finish(server.__aenter__()), loop).result()
        try:
            yield opened
        finally:
            asyncio.run_coroutine_threadsafe(finish(server.__aexit__(None, None, None)), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
