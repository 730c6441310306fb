"""The pool client: which of the four outcomes a call has, over real sockets and over a transport of the tests' own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import httpx
import pytest

from proxy import pool
from proxy.calls import PoolCall
from proxy.operations import Effect
from proxy.pool import (
    Answered,
    NoAnswer,
    NotSent,
    PoolOutcome,
    Refused,
    SessionPoolClient,
    TokenUnavailable,
    open_transport,
)
from proxy.tokens import NoTokens

ANSWER_MAX = 1_000_000

type Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def call(
    endpoint: str = "https://pool.example/p", *, effect: Effect = Effect.EXECUTES, body: bytes = b"{}"
) -> PoolCall:
    return PoolCall(
        endpoint=endpoint,
        method="POST",
        path="/code/execute",
        query="identifier=x-1&api-version=v",
        headers={"content-type": "application/json", "accept-encoding": "identity"},
        body=body,
        effect=effect,
    )


class Tokens:
    def __init__(self, token: str | None = "t1") -> None:
        self.current = token
        self.forgotten = 0

    async def token(self) -> str | None:
        if self.current is None:
            raise TokenUnavailable("CredentialUnavailableError")
        return self.current

    def forget(self) -> None:
        self.forgotten += 1


async def send(
    answer: httpx.Response | Exception, *, effect: Effect = Effect.EXECUTES, tokens: Tokens | None = None
) -> PoolOutcome:
    def respond(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = SessionPoolClient(
        tokens=tokens or NoTokens(),
        timeout_seconds=5,
        answer_bytes_max=ANSWER_MAX,
        transport=httpx.MockTransport(respond),
    )
    return await client.send(call(effect=effect))


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(closing, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def send_over_sockets(endpoint: str, *, timeout_seconds: float = 5, body: bytes = b"{}") -> PoolOutcome:
    transport = open_transport()
    client = SessionPoolClient(
        tokens=NoTokens(), timeout_seconds=timeout_seconds, answer_bytes_max=ANSWER_MAX, transport=transport
    )
    try:
        return await client.send(call(endpoint, body=body))
    finally:
        await client.aclose()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


# ---- real sockets --------------------------------------------------------------------------------------------------


async def test_a_refused_connection_is_a_call_that_was_never_sent() -> None:
    async with serving(lambda _r, _w: asyncio.sleep(0)) as endpoint:
        pass  # its port is free again

    assert isinstance(await send_over_sockets(endpoint), NotSent)


async def test_a_name_that_does_not_resolve_is_a_call_that_was_never_sent() -> None:
    assert isinstance(await send_over_sockets("http://nowhere.invalid"), NotSent)


async def test_a_connection_that_ends_after_the_call_was_read_gave_no_answer() -> None:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async with serving(serve) as endpoint:
        assert isinstance(await send_over_sockets(endpoint), NoAnswer)


async def test_a_connection_that_is_reset_while_the_call_is_written_gave_no_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with serving(serve) as endpoint:
        assert isinstance(await send_over_sockets(endpoint, body=b" " * 8_000_000), NoAnswer)


async def test_an_answer_cut_short_is_no_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()

    async with serving(serve) as endpoint:
        assert isinstance(await send_over_sockets(endpoint), NoAnswer)


async def test_garbage_is_no_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"SSH-2.0-nothing\r\n\r\n")
        await writer.drain()

    async with serving(serve) as endpoint:
        assert isinstance(await send_over_sockets(endpoint), NoAnswer)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"])
async def test_a_pool_that_stalls_is_given_up_in_time(said: bytes) -> None:
    released = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(said)
        await released.wait()

    async with serving(serve) as endpoint:
        assert isinstance(await send_over_sockets(endpoint, timeout_seconds=0.2), NoAnswer)
        released.set()


@pytest.mark.parametrize("size", [0, 100, 40_000])
async def test_a_call_arrives_as_it_was_given_and_the_answer_comes_back_untouched(size: int) -> None:
    seen: list[bytes] = []
    body = bytes(range(256)) * size

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Encoding: gzip\r\nSet-Cookie: a=b\r\n")
        writer.write(b"Content-Length: 3\r\n\r\nraw")
        await writer.drain()

    async with serving(serve) as endpoint:
        outcome = await send_over_sockets(endpoint, body=body)

    head, _, arrived = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /code/execute?identifier=x-1&api-version=v HTTP/1.1")
    assert b"authorization" not in head.lower()
    assert b"transfer-encoding" not in head.lower()
    assert arrived == body
    assert isinstance(outcome, Answered)  # not followed, not decompressed
    assert (outcome.answer.status, outcome.answer.body) == (302, b"raw")


async def test_a_cookie_of_the_pool_goes_along_with_no_later_call() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            heads.append(await read_request(reader))
            writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: tenant=acme; Path=/\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()

    async with serving(serve) as endpoint:
        by_name = endpoint.replace("127.0.0.1", "localhost")  # cookie jars keep none of a bare address
        client = SessionPoolClient(
            tokens=NoTokens(), timeout_seconds=5, answer_bytes_max=ANSWER_MAX, transport=open_transport()
        )
        for _ in range(2):
            assert isinstance(await client.send(call(by_name)), Answered)
        await client.aclose()

    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


# ---- outcomes ------------------------------------------------------------------------------------------------------


def test_every_error_of_the_transport_is_either_not_sent_or_no_answer() -> None:
    never_sent = {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"}
    errors = [
        value
        for value in vars(httpx).values()
        if isinstance(value, type) and issubclass(value, httpx.HTTPError) and value is not httpx.HTTPStatusError
    ]

    for error in errors:
        assert pool.was_never_sent(error("x")) == (error.__name__ in never_sent)
    assert never_sent <= {error.__name__ for error in errors}


def test_what_aiohttp_says_outweighs_how_the_transport_files_it() -> None:
    def filed(cause: Exception) -> httpx.HTTPError:
        error = httpx.ConnectTimeout("x")
        error.__cause__ = cause
        return error

    assert not pool.was_never_sent(filed(aiohttp.ServerDisconnectedError()))
    assert not pool.was_never_sent(filed(aiohttp.ClientOSError()))
    assert not pool.was_never_sent(filed(aiohttp.SocketTimeoutError()))
    assert pool.was_never_sent(filed(aiohttp.ConnectionTimeoutError()))


@pytest.mark.parametrize("status", [401, 403, 429])
@pytest.mark.parametrize("effect", [effect for effect in Effect if effect is not Effect.PASSES])
async def test_a_pool_that_turns_a_call_away_has_taken_no_session(status: int, effect: Effect) -> None:
    outcome = await send(httpx.Response(status), effect=effect)

    assert isinstance(outcome, Refused)
    assert outcome.busy == (status == 429)


@pytest.mark.parametrize("effect", [Effect.EXECUTES, Effect.ALLOCATES])
async def test_a_404_that_says_no_more_sessions_is_a_pool_that_is_full(effect: Effect) -> None:
    outcome = await send(httpx.Response(404, text="There are No more sessions available"), effect=effect)

    assert isinstance(outcome, Refused)
    assert outcome.busy


@pytest.mark.parametrize("status", [400, 404, 409, 413])
async def test_a_4xx_on_an_execution_has_taken_no_session_unless_it_shows_one(status: int) -> None:
    assert isinstance(await send(httpx.Response(status)), Refused)
    shown = httpx.Response(status, headers={"X-Ms-New-Allocation": "true"})
    assert isinstance(await send(shown), Answered)


@pytest.mark.parametrize("status", [400, 404, 413])
async def test_a_4xx_on_a_file_may_have_taken_a_session(status: int) -> None:
    assert isinstance(await send(httpx.Response(status), effect=Effect.ALLOCATES), Answered)


@pytest.mark.parametrize("status", [200, 202, 204, 500, 502, 503])
async def test_everything_else_is_an_answer(status: int) -> None:
    assert isinstance(await send(httpx.Response(status)), Answered)


async def test_an_answer_larger_than_memory_allows_is_given_up() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * (16 * 1024 * 1024)

    assert isinstance(await send(httpx.Response(200, content=endless())), NoAnswer)


async def test_an_answer_that_is_too_large_is_told_apart_from_none() -> None:
    assert await send(httpx.Response(200, content=b"x" * ANSWER_MAX)) != NoAnswer(
        "the answer is too large", too_large=True
    )
    assert await send(httpx.Response(200, content=b"x" * (ANSWER_MAX + 1))) == NoAnswer(
        "the answer is too large", too_large=True
    )


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500])
async def test_whatever_a_container_answers_is_an_answer(status: int) -> None:
    tokens = Tokens()

    assert isinstance(await send(httpx.Response(status), effect=Effect.PASSES, tokens=tokens), Answered)
    assert tokens.forgotten == 0


async def test_the_token_goes_to_the_pool_and_is_forgotten_once_refused() -> None:
    tokens, seen = Tokens(), []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(401 if len(seen) == 1 else 200)

    client = SessionPoolClient(
        tokens=tokens, timeout_seconds=5, answer_bytes_max=ANSWER_MAX, transport=httpx.MockTransport(respond)
    )

    assert isinstance(await client.send(call()), Refused)
    assert isinstance(await client.send(call()), Answered)
    assert seen == ["Bearer t1", "Bearer t1"]
    assert tokens.forgotten == 1


async def test_without_a_token_nothing_is_sent() -> None:
    outcome = await send(httpx.Response(200), tokens=Tokens(None))

    assert isinstance(outcome, NotSent)
