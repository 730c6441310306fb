"""Everything that goes through to a container: any method, any path, bytes as they come and go.

The query goes on as it came, `identifier` included. The caller's token does not: it is the pool's business. Headers
about one connection stay on it. An answer is passed on as it arrives, so that streams of events are what they are.
"""

import asyncio
import contextlib

import httpcore

from infra.local.pool.containers import Container
from infra.local.pool.errors import PoolError, Problem
from infra.local.pool.sessions import Sessions
from infra.local.pool.web import ContainerCall, RawHeaders, Send, pass_on

_ABOUT_THE_CONNECTION = {
    *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    *(b"expect", b"host"),
}
_NOT_FORWARDED = _ABOUT_THE_CONNECTION | {b"authorization"}
_NOT_RETURNED = _ABOUT_THE_CONNECTION | {b"date"}  # the server writes its own
_FAILURES = (httpcore.NetworkError, httpcore.ProtocolError)


def container_client() -> httpcore.AsyncConnectionPool:
    """Open what requests go on with; nothing is ever sent twice.

    Each has a connection of its own: one that is kept could lead to another session's container, on the same port.
    """
    return httpcore.AsyncConnectionPool(max_connections=None, max_keepalive_connections=0)


class ContainerOperations:
    """Passes calls on to containers."""

    def __init__(self, sessions: Sessions[Container], client: httpcore.AsyncConnectionPool) -> None:
        self._sessions = sessions
        self._client = client

    async def forward(self, call: ContainerCall, send: Send) -> None:
        """Pass a call on and its answer back; give up when the caller does.

        Raises:
            PoolError: `POOL_FULL`, `NO_KERNEL`, `CONTAINER_FAILED`; nothing has been sent then.
        """
        work = asyncio.create_task(self._forward(call, send))
        gone = asyncio.create_task(call.body.wait_until_gone())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not work.done():
                work.cancel()
            await asyncio.wait({work, gone})
        if not work.cancelled():
            work.result()

    async def _forward(self, call: ContainerCall, send: Send) -> None:
        with self._sessions.visit(call.identifier) as visit:
            container = visit.session.inside
            port = await container.port()
            async with contextlib.AsyncExitStack() as stack:
                try:
                    answer = await stack.enter_async_context(self._request(call, port))
                except _FAILURES as failure:
                    await container.settle()
                    message = f"The container gave no answer: {str(failure) or type(failure).__name__}"
                    raise PoolError(Problem.CONTAINER_FAILED, message) from failure
                headers = _without(_NOT_RETURNED, answer.headers)
                with contextlib.suppress(*_FAILURES):  # an answer that breaks off does so for the caller too
                    await pass_on(answer.status, headers, answer.aiter_stream(), send)

    def _request(self, call: ContainerCall, port: int) -> contextlib.AbstractAsyncContextManager[httpcore.Response]:
        chunked = [header for header in call.headers if header == (b"transfer-encoding", b"chunked")]
        target = call.path + (b"?" + call.query if call.query else b"")
        return self._client.stream(
            call.method.encode("ascii"),
            httpcore.URL(scheme=b"http", host=b"127.0.0.1", port=port, target=target),
            headers=[
                (b"host", f"127.0.0.1:{port}".encode()),
                (b"connection", b"close"),
                *_without(_NOT_FORWARDED, call.headers),
                *chunked,
            ],
            content=call.body.pieces(),
        )


def _without(left_out: set[bytes], headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.lower() not in left_out]
