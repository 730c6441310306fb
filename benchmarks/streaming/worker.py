"""A worker of the platform: Azure's library behind a stream of messages from the functions host.

As in Azure, a thread reads the stream, the event loop runs the app, and answers go out through a queue. Loading the app
is done without the host, since it is not measured. `python -m benchmarks.streaming.worker` runs until SIGTERM.
"""

import argparse
import asyncio
import json
import os
import queue
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import azure_functions_runtime as runtime  # type: ignore[import-untyped]
import grpc  # type: ignore[import-untyped]

from benchmarks.streaming import messages
from infra.local.host import protos
from infra.local.processes import write_privately

CONNECT_SECONDS = 30

# What an invocation is made of are the messages themselves; what comes once, at the start, need not be.
_PROPERTIES = {"protos": SimpleNamespace(**{**vars(protos), **messages.CLASSES}), "host": "127.0.0.1"}


class Stream:
    """The worker's end of the stream of messages."""

    def __init__(self, address: str, name: str) -> None:
        self._channel = grpc.insecure_channel(address, options=messages.OPTIONS)
        self._loop = asyncio.get_running_loop()
        self._outgoing: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._outgoing.put(messages.CLASSES["StreamingMessage"](start_stream={"worker_id": name}))

    def connect(self) -> None:
        """Reach the host, or raise an error of gRPC's."""
        grpc.channel_ready_future(self._channel).result(CONNECT_SECONDS)

    def read(self) -> None:
        """Hand every message to the event loop, until the host ends the stream: then the process ends, too."""
        message = messages.CLASSES["StreamingMessage"]
        stream = self._channel.stream_stream(
            f"/{messages.SERVICE}/{messages.METHOD}",
            request_serializer=message.SerializeToString,
            response_deserializer=message.FromString,
        )
        try:
            for incoming in stream(self._answers()):
                self._loop.call_soon_threadsafe(self._loop.create_task, self._invoke(incoming))
        finally:
            os._exit(0)

    def _answers(self) -> Iterator[Any]:
        while True:
            yield self._outgoing.get()

    async def _invoke(self, incoming: Any) -> None:
        response = await runtime.invocation_request(SimpleNamespace(request=incoming, properties=_PROPERTIES))
        answer = messages.CLASSES["StreamingMessage"](request_id=incoming.request_id, invocation_response=response)
        self._outgoing.put(answer)


async def run(app_directory: Path, address: str, name: str, ready_file: Path) -> None:
    """Load the app, connect to the host, say so, and follow the host."""
    sys.path.insert(0, str(app_directory))
    os.chdir(app_directory)
    runtime.start_threadpool_executor()
    initialised = await _load("worker_init_request", capabilities={}, function_app_directory=str(app_directory))
    if initialised.result.status != messages.CLASSES["StatusResult"].Success:
        sys.exit(f"{initialised.result.exception.message}\n{initialised.result.exception.stack_trace}")
    [function] = (await _load("functions_metadata_request")).function_metadata_results
    await _load("function_load_request", function_id=function.function_id)
    triggers = [binding for binding in map(json.loads, function.raw_bindings) if binding["type"] == "httpTrigger"]
    url = initialised.capabilities.get("HttpUri", "")
    if url:
        await _until_served(url)
    stream = Stream(address, name)
    await asyncio.to_thread(stream.connect)
    threading.Thread(target=stream.read, daemon=True).start()
    ready = {"url": url, "pid": os.getpid(), "function_id": function.function_id, "trigger": triggers[0]["name"]}
    write_privately(ready_file, ready)
    await asyncio.Event().wait()


async def _load(name: str, **fields: object) -> Any:
    request = SimpleNamespace(**{name: SimpleNamespace(**fields)})
    return await getattr(runtime, name)(SimpleNamespace(request=request, properties=_PROPERTIES))


async def _until_served(url: str) -> None:
    """Wait for the library's web server, which was started and not awaited."""
    while True:
        try:
            _, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming.worker", description="A functions worker.")
    parser.add_argument("--app", type=Path, required=True, help="folder with function_app.py")
    parser.add_argument("--host", required=True, metavar="ADDRESS", help="of the functions host's stream")
    parser.add_argument("--name", required=True, help="by which the host knows it")
    parser.add_argument("--ready-file", type=Path, required=True, help="gets url, pid, function and trigger as JSON")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.app, arguments.host, arguments.name, arguments.ready_file))
