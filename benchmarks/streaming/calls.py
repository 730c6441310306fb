"""Calls, as the host makes them of its workers: invocations over gRPC, requests over HTTP, or both at the same time."""

import asyncio
import http.client
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from benchmarks import load, wire
from benchmarks.streaming import messages
from benchmarks.streaming.host import Link
from benchmarks.workers import CallFailed

_QUERY = wire.query("session")
_TARGET = f"{wire.PATH}?{_QUERY}"
_ROUTE = {"rest": wire.PATH[1:]}

# What clients and the platform's front end add to a request, roughly.
_CUSTOMARY = {
    "user-agent": "python-httpx/0.28.1",
    "accept": "*/*",
    "accept-encoding": "gzip, deflate",
    "max-forwards": "10",
    "x-arr-log-id": str(uuid.UUID(int=1)),
    "x-client-ip": "192.0.2.1:50000",
    "x-forwarded-for": "192.0.2.1:50000",
    "x-forwarded-proto": "https",
    "x-original-url": _TARGET,
    "x-waws-unencoded-url": _TARGET,
}
_INVOCATION_ID = "x-ms-invocation-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where calls go.

    Attributes:
        link: to the worker; None for the floor.
        url: of the web server; empty for a worker that has none.
        function_id: as the library calls the function.
        trigger: the name of the function's parameter.
    """

    link: Link | None
    url: str
    function_id: str
    trigger: str

    async def invoke_with(self, body: bytes) -> None:
        """Have the function invoked with the whole request."""
        invocation_id = str(uuid.uuid4())
        request = messages.CLASSES["RpcHttp"](
            method="POST",
            url=f"https://tollgate.example{_TARGET}",
            headers=_headers(body),
            params=_ROUTE,
            query=dict(pair.split("=") for pair in _QUERY.split("&")),
            body={"bytes": body},
        )
        response = await self._invoke(invocation_id, request)
        status = response.return_value.http.status_code
        if status != "200":
            raise CallFailed(status)

    async def invoke_beside(self, invocation_id: str) -> None:
        """Have the function invoked for a request that comes over HTTP; it says no more than what the route took."""
        await self._invoke(invocation_id, messages.CLASSES["RpcHttp"](params=_ROUTE))

    async def _invoke(self, invocation_id: str, request: Any) -> Any:
        assert self.link is not None, "the floor is not invoked"
        return await self.link.invoke(
            messages.CLASSES["InvocationRequest"](
                invocation_id=invocation_id,
                function_id=self.function_id,
                input_data=[{"name": self.trigger, "data": {"http": request}}],
                trace_context={"trace_parent": f"00-{invocation_id.replace('-', '')}-{'1' * 16}-00"},
            )
        )


class Caller(load.Connection):
    """One client: makes a call when the last one is answered, over a connection of its own where there is a server."""

    def __init__(self, target: Target, body: bytes) -> None:
        super().__init__(b"")
        self._target = target
        self._body = body

    @classmethod
    async def open(cls, target: Target, body: bytes) -> Self:
        """Make a client, connected if need be."""
        caller = cls(target, body)
        if target.url:
            host, _, port = urlsplit(target.url).netloc.partition(":")
            await asyncio.get_running_loop().create_connection(lambda: caller, host, int(port))
        return caller

    async def call(self) -> None:
        """Make a call, and wait for everything that belongs to its answer.

        Raises:
            CallFailed: it was not answered with 200, or not at all.
        """
        if not self._target.url:
            await self._target.invoke_with(self._body)
        elif self._target.link is None:
            self._request = _request(self._body, {})
            await super().call()
        else:
            invocation_id = str(uuid.uuid4())
            self._request = _request(self._body, {_INVOCATION_ID: invocation_id})
            await asyncio.gather(self._target.invoke_beside(invocation_id), super().call())

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._target.url:
            super().close()


async def upload(target: Target, body: bytes | Iterable[bytes]) -> Mapping[str, str]:
    """Send a body over HTTP, in chunks and without a length if it comes in pieces; return the answer's headers.

    Raises:
        CallFailed: it was not answered with 200.
    """
    if target.link is None:
        return await asyncio.to_thread(_post, target.url, body, {})
    invocation_id = str(uuid.uuid4())
    posting = asyncio.to_thread(_post, target.url, body, {_INVOCATION_ID: invocation_id})
    _, headers = await asyncio.gather(target.invoke_beside(invocation_id), posting)
    return headers


def _post(url: str, body: bytes | Iterable[bytes], headers: Mapping[str, str]) -> Mapping[str, str]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request("POST", _TARGET, body, dict(headers))
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise CallFailed(str(response.status))
        return {name.lower(): value for name, value in response.getheaders()}
    finally:
        connection.close()


def _headers(body: bytes) -> dict[str, str]:
    return {**wire.headers("tg_key"), **_CUSTOMARY, "content-length": str(len(body))}


def _request(body: bytes, more_headers: Mapping[str, str]) -> bytes:
    headers = {**_headers(body), **more_headers}
    lines = [f"POST {_TARGET} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
