"""The host's end of the workers' streams of messages.

It stands for the platform's host in the same process that makes the calls, so that nothing but workers is measured.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, Self

import grpc.aio  # type: ignore[import-untyped]

from benchmarks.streaming import messages
from benchmarks.workers import CallFailed


class Link:
    """The host's end of one worker's stream."""

    def __init__(self) -> None:
        self._outgoing: asyncio.Queue[Any] = asyncio.Queue()
        self._waiting: dict[str, asyncio.Future[Any]] = {}

    async def carry(self, incoming: AsyncIterator[Any], context: Any) -> None:
        """Pass messages both ways for as long as the worker is there."""
        writing = asyncio.create_task(self._write(context))
        try:
            async for message in incoming:
                self._waiting.pop(message.request_id).set_result(message.invocation_response)
        finally:
            writing.cancel()
            for waiting in self._waiting.values():
                waiting.set_exception(CallFailed("a worker ended"))

    async def invoke(self, invocation: Any) -> Any:
        """Have a function invoked; one that is asked for before the worker has come waits for it.

        Raises:
            CallFailed: the function failed, or the worker ended.
        """
        waiting = self._waiting[invocation.invocation_id] = asyncio.get_running_loop().create_future()
        self._outgoing.put_nowait(invocation)
        response = await waiting
        if response.result.status != messages.CLASSES["StatusResult"].Success:
            raise CallFailed(response.result.exception.message)
        return response

    async def _write(self, context: Any) -> None:
        message = messages.CLASSES["StreamingMessage"]
        while True:
            invocation = await self._outgoing.get()
            await context.write(message(request_id=invocation.invocation_id, invocation_request=invocation))


class Host:
    """Takes the workers' streams inside `async with`; the process must not fork from then on.

    Attributes:
        address: where workers connect to.
        links: the ends of their streams by their names.
    """

    def __init__(self, address: str, names: Iterable[str]) -> None:
        self.address = address
        self.links = {name: Link() for name in names}

    async def __aenter__(self) -> Self:
        """Listen."""
        message = messages.CLASSES["StreamingMessage"]
        handler = grpc.stream_stream_rpc_method_handler(
            self._serve, request_deserializer=message.FromString, response_serializer=message.SerializeToString
        )
        self._server = grpc.aio.server(options=messages.OPTIONS)
        handlers = grpc.method_handlers_generic_handler(messages.SERVICE, {messages.METHOD: handler})
        self._server.add_generic_rpc_handlers((handlers,))
        self._server.add_insecure_port(self.address)
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the streams, and with them the workers."""
        await self._server.stop(grace=None)

    async def _serve(self, incoming: AsyncIterator[Any], context: Any) -> None:
        first = await anext(incoming)
        await self.links[first.start_stream.worker_id].carry(incoming, context)
