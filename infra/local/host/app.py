"""One HTTP request, straight down: limits, path, route, headers, key, length, body, invocation, answer.

The order of the checks, their statuses and the empty bodies of what the host itself answers are the real host's.
Request bodies are buffered, and exist only where a `Content-Length` announces them: a chunked body arrives empty.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from infra.local.host import convert, worker
from infra.local.host.configuration import HostConfiguration
from infra.local.host.convert import Refused, Reply, Unsendable
from infra.local.host.keys import Keys
from infra.local.host.protos import RpcHttp, TypedData
from infra.local.host.routes import RouteTable
from infra.local.host.timers import timer_value
from infra.local.host.worker import Function, FunctionFailed

type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]

_logger = logging.getLogger(__name__)

# Azure's front end gives up on a request after this time, whatever functionTimeout says.
ANSWER_SECONDS_MAX = 230

# The service's documented limits of a URL, and the web server's of the headers.
_URL_LENGTH_MAX = 8192
_QUERY_LENGTH_MAX = 4096
_HEADER_COUNT_MAX = 100

_HOMEPAGE = b"<!DOCTYPE html><title>Functions host</title><p>Your functions host is up and running.</p>\n"
_STATUS = json.dumps({"id": "local", "state": "Running", "version": "4.1037.0"}).encode()


class FunctionsApp:
    """The ASGI application that serves an app's HTTP functions and the host's own endpoints."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        routes: RouteTable,
        configuration: HostConfiguration,
        *,
        keys: Keys,
        body_limit_bytes: int,
        homepage: bool,
    ) -> None:
        self._functions = functions
        self._timers = {
            name.lower(): item for name, item in functions.items() if item.trigger["type"] == "timerTrigger"
        }
        self._routes = routes
        self._configuration = configuration
        self._keys = keys
        self._body_limit_bytes = body_limit_bytes
        self._homepage = Reply(200, [(b"content-type", b"text/html")], _HOMEPAGE) if homepage else Reply(204)
        self._answer_seconds = min(configuration.function_timeout_seconds or ANSWER_SECONDS_MAX, ANSWER_SECONDS_MAX)
        self._outstanding = 0
        limit = configuration.concurrent_requests_max
        self._slots = asyncio.Semaphore(limit) if limit else None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        try:
            reply = await self._within_limits(scope, receive)
        except Refused as refused:
            reply = Reply(refused.status)
        except asyncio.CancelledError:
            # A shutdown whose grace is over; or the function let a cancellation of its own escape.
            _logger.warning("%s %s was cancelled", scope["method"], scope["path"])
            reply = Reply(503)
        headers = reply.headers
        if not reply.body and reply.status not in (204, 304) and scope["method"] != "HEAD":
            headers = [*headers, (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    async def _within_limits(self, scope: dict[str, Any], receive: Receive) -> Reply:
        outstanding_max = self._configuration.outstanding_requests_max
        if outstanding_max is not None and self._outstanding >= outstanding_max:
            return Reply(429, [(b"x-function-scaleout", b"1")])
        self._outstanding += 1
        try:
            if self._slots is None:
                return await self._answer(scope, receive)
            async with self._slots:
                return await self._answer(scope, receive)
        finally:
            self._outstanding -= 1

    async def _answer(self, scope: dict[str, Any], receive: Receive) -> Reply:
        _check_size(scope)
        method, path = scope["method"], convert.decode_path(scope["raw_path"])
        query_text = scope["query_string"].decode("latin-1")
        query = convert.query_values(query_text) if query_text else {}
        if path.lower().startswith(("/admin", "/runtime")) and path.split("/")[1].lower() in ("admin", "runtime"):
            return await self._administer(method, path, convert.header_values(scope["headers"]), query)

        found = self._routes.find(method, path)
        if found is None and path == "/":
            return self._homepage
        if found is None:
            raise Refused(404)
        route, parameters = found
        function = self._functions[route.function]
        headers = convert.header_values(scope["headers"])
        if not self._keys.admit(function.trigger["authLevel"].lower(), headers, query):
            raise Refused(401)
        body = await self._body(headers, receive)
        address = f"{scope['scheme']}://{headers.get('host', '')}{convert.encode_path(path)}"
        request = RpcHttp(
            method=method,
            url=f"{address}?{query_text}" if query_text else address,
            headers=headers,
            body=TypedData(bytes=body),
            params=parameters,
            query=query,
        )
        return await self._invoke(function, request)

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes | None:
        """Read the body that a `Content-Length` announces; any other arrives empty."""
        length = 0 if "transfer-encoding" in headers else int(headers.get("content-length", 0))
        if length > self._body_limit_bytes:
            raise Refused(413)
        if length == 0:
            return None
        parts: list[bytes] = []
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refused(400)  # nobody will see it; but half a body must not reach the function
            parts.append(message["body"])
            more = message["more_body"]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _invoke(self, function: Function, request: RpcHttp) -> Reply:
        try:
            value = await worker.invoke(
                function,
                TypedData(http=request),
                timeout_seconds=self._answer_seconds,
                trace_parent=request.headers.get("traceparent", ""),
                trace_state=request.headers.get("tracestate", ""),
            )
            return convert.to_reply(value, self._configuration.custom_headers, head=request.method == "HEAD")
        except FunctionFailed:
            return Reply(500)
        except Unsendable as error:
            _logger.error("Function %s: the answer cannot be sent: %s", function.name, error)  # noqa: TRY400
            return Reply(500)

    async def _administer(self, method: str, path: str, headers: Mapping[str, str], query: Mapping[str, str]) -> Reply:
        """Answer the host's own endpoints, which no route can hide."""
        if not self._keys.admit("admin", headers, query):
            raise Refused(401)
        match method, path.lower().strip("/").split("/"):
            case "GET", ["admin", "host", "ping"]:
                return Reply(200)
            case "GET", ["admin", "host", "status"]:
                return Reply(200, [(b"content-type", b"application/json")], _STATUS)
            case "POST", ["admin", "functions", name] if name in self._timers:
                return await self._fire(self._timers[name])
            case _:
                raise Refused(404)

    async def _fire(self, function: Function) -> Reply:
        """Run a timer's function now, and answer when it has ended."""
        try:
            timeout = self._configuration.function_timeout_seconds
            await worker.invoke(function, timer_value(), timeout_seconds=timeout)
        except FunctionFailed as error:
            return Reply(500, [(b"content-type", b"text/plain; charset=utf-8")], str(error).encode())
        return Reply(202)


def _check_size(scope: dict[str, Any]) -> None:
    query_length = len(scope["query_string"])
    if query_length > _QUERY_LENGTH_MAX or len(scope["raw_path"]) + query_length > _URL_LENGTH_MAX:
        raise Refused(414)
    if len(scope["headers"]) > _HEADER_COUNT_MAX:
        raise Refused(431)
