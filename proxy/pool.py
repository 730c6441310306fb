"""The session pool as the gateway sees it, and its HTTP client.

What can come of a call is four things, and the money depends on which: `NotSent` (certainly never reached the pool;
the only one that would be safe to repeat), `Refused` (the pool took no session for it), `Answered`, and `NoAnswer`
(it may have run).
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from proxy.answers import PoolAnswer
from proxy.calls import PoolCall
from proxy.operations import Effect

CONNECT_SECONDS = 5.0
CONNECTIONS_MAX = 1_000
KEEPALIVE_SECONDS = 15.0  # shorter than the idle timeouts of front ends, so that a kept connection is rarely a dead one
URLS_MAX = 10_000
PIECE_BYTES = 256 * 1024  # larger bodies go out in pieces, so that other calls get their turn in between


@dataclass(frozen=True, slots=True)
class NotSent:
    """The call never reached the pool; `reason` is for the log."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The pool answered, and has certainly taken no session for the call; `busy`: because none was free."""

    answer: PoolAnswer
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The pool answered; it holds the session."""

    answer: PoolAnswer


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The call was sent, wholly or partly, and what became of it is unknown; `reason` is for the log.

    Attributes:
        too_large: there was an answer, larger than the gateway takes.
    """

    reason: str
    too_large: bool = False


type PoolOutcome = NotSent | Refused | Answered | NoAnswer


class SessionPool(Protocol):
    """Carries calls to the pool; safe to use from any number of tasks."""

    async def send(self, call: PoolCall) -> PoolOutcome:
        """Send one call, once. Raises nothing that the network or the pool could cause."""
        ...


class TokenSource(Protocol):
    """Gives the bearer token for the pool."""

    async def token(self) -> str | None:
        """Return a token that is valid now; None if the pool wants none. Raises TokenUnavailable."""
        ...

    def forget(self) -> None:
        """Give this token no more: the pool has refused it."""
        ...


class TokenUnavailable(Exception):  # noqa: N818
    """No token can be had now."""


class SessionPoolClient:
    """A `SessionPool` over HTTP.

    The transport is called directly: httpx's client layer costs more than the call itself. Nothing is followed,
    retried, decompressed or remembered between calls.
    """

    def __init__(
        self,
        *,
        tokens: TokenSource,
        timeout_seconds: float,
        answer_bytes_max: int,
        transport: httpx.AsyncBaseTransport,
    ) -> None:
        self._tokens = tokens
        self._answer_bytes_max = answer_bytes_max
        self._timeout_seconds = timeout_seconds
        self._transport = transport
        self._extensions = {
            "timeout": {
                "connect": CONNECT_SECONDS,
                "pool": CONNECT_SECONDS,
                "read": timeout_seconds,
                "write": timeout_seconds,
            }
        }

    async def send(self, call: PoolCall) -> PoolOutcome:
        """See `SessionPool.send`; bounded in time as a whole, and in the size of the answer."""
        try:
            token = await self._tokens.token()
        except TokenUnavailable as error:
            return NotSent(f"no token for the pool: {error}")
        authorization = {} if token is None else {"authorization": f"Bearer {token}"}
        length = {"content-length": str(len(call.body))} if call.body else {}
        try:
            request = httpx.Request(
                call.method,
                _url(f"{call.endpoint}{call.path}?{call.query}" if call.query else f"{call.endpoint}{call.path}"),
                headers={**call.headers, **authorization, **length},
                content=call.body if len(call.body) <= PIECE_BYTES else _pieces(call.body),
                extensions=self._extensions,
            )
        except (httpx.InvalidURL, UnicodeError) as error:  # what was let through cannot be sent after all
            return NotSent(type(error).__name__)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._transport.handle_async_request(request)
                try:
                    body = await _read(response, self._answer_bytes_max)
                finally:
                    await response.aclose()
        except AnswerTooLarge:
            return NoAnswer("the answer is too large", too_large=True)
        except TimeoutError:
            return NoAnswer(f"no answer within {self._timeout_seconds:g} s")
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:  # the transport lets some of aiohttp's through
            reason = type(error.__cause__ or error).__name__
            return NotSent(reason) if was_never_sent(error) else NoAnswer(reason)
        answer = _without(token, response, body)
        if answer.status == 401 and call.effect is not Effect.PASSES:
            self._tokens.forget()
        return outcome_of(answer, call.effect)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


def _without(token: str | None, response: httpx.Response, body: bytes) -> PoolAnswer:
    """Take the token out of the answer: whether the pool shows it to containers is not known, and some tell it back."""
    headers = tuple(response.headers.multi_items())
    if token is not None:
        headers = tuple((name, value.replace(token, "")) for name, value in headers)
        body = body.replace(token.encode(), b"")
    return PoolAnswer(status=response.status_code, headers=headers, body=body)


class AnswerTooLarge(Exception):  # noqa: N818
    """The pool's answer is larger than the gateway holds in memory."""


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]


async def _read(response: httpx.Response, bytes_max: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    assert isinstance(response.stream, httpx.AsyncByteStream), "an asynchronous transport answers so"
    async for chunk in response.stream:  # as the bytes came: neither decompressed nor decoded
        chunks.append(chunk)
        size += len(chunk)
        if size > bytes_max:
            raise AnswerTooLarge
    return b"".join(chunks)


def open_transport() -> AiohttpTransport:
    """Make the transport for the pool's traffic: one for the process, opened in the event loop that uses it.

    It keeps no cookies: one that the pool set for one tenant's call would go along with the next tenant's.
    """

    def open_session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS_MAX, keepalive_timeout=KEEPALIVE_SECONDS)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return AiohttpTransport(client=open_session)


@lru_cache(maxsize=URLS_MAX)
def _url(text: str) -> httpx.URL:
    """Parse a URL: a fifth of the client's work, and warm sessions repeat theirs."""
    return httpx.URL(text)


def was_never_sent(error: Exception) -> bool:
    """Say whether a transport error shows that not one byte of the call reached the pool.

    The aiohttp transport files every broken connection, even one that broke while the answer was awaited, under
    `ConnectTimeout` (httpx-aiohttp 0.2.0, `AIOHTTP_EXC_MAP`); what happened is told by the cause alone.
    """
    cause = error.__cause__ if isinstance(error, httpx.HTTPError) else error
    if isinstance(cause, aiohttp.ClientError | OSError):
        return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL)
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol)


_ALLOCATION_SIGNS = frozenset({"x-ms-new-allocation", "x-ms-session-guid", "x-ms-allocation-time"})


def outcome_of(answer: PoolAnswer, effect: Effect) -> Refused | Answered:
    """Tell a refusal from an answer; in what a custom container's path answers, it may always be the container."""
    if effect is not Effect.PASSES:
        if is_busy(answer):
            return Refused(answer, busy=True)
        if took_no_session(answer, effect):
            return Refused(answer)
    return Answered(answer)


def is_busy(answer: PoolAnswer) -> bool:
    """Say whether the pool had no session free.

    Observed as 429; older texts speak of a 404 that says so (Container Apps documentation, "Session pools",
    04/07/2025).
    """
    return answer.status == 429 or (answer.status == 404 and b"no more sessions" in answer.body[:4096].lower())


def took_no_session(answer: PoolAnswer, effect: Effect) -> bool:
    """Say whether the pool certainly took no session for a call that it answered so.

    401 and 403 stop at its door. Any other 4xx shows it for executions only, and only without a sign of allocation: a
    file call takes a session even for its 404.
    """
    if answer.status in {401, 403}:
        return True
    if effect is not Effect.EXECUTES or not 400 <= answer.status < 500:
        return False
    return not any(name.lower() in _ALLOCATION_SIGNS for name, _ in answer.headers)
