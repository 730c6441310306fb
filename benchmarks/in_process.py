"""A worker that is the gateway itself, without a host: requests go in as values, and on to the upstream over HTTP.

An order with an address is for the gateway's HTTP client alone: what it takes is not the gateway's own.
"""

import asyncio
import os
import uuid

from benchmarks import wire
from benchmarks.figures import Sample
from benchmarks.telemetry import TELEMETRY, start_telemetry
from benchmarks.workers import CallFailed, Order, closed_loop, follow_orders
from proxy import headers
from proxy.answering import answer
from proxy.bootstrap import Parts, build
from proxy.calls import PoolCall
from proxy.messages import GatewayRequest
from proxy.operations import Effect
from proxy.pool import Answered, SessionPoolClient, open_transport
from proxy.settings import Settings, read_settings
from proxy.tokens import NoTokens

IDENTIFIER_HASH_LENGTH = 64  # of what the gateway puts in place of a session's name


def request(order: Order) -> GatewayRequest:
    """Make the call as the triggers hand it over."""
    return GatewayRequest(
        id=uuid.uuid4().hex,
        method="POST",
        origin="http://127.0.0.1",
        path=wire.PATH,
        query=wire.query(order.session),
        headers=wire.headers(order.key),
        body=wire.BODY,
    )


async def carry_out(parts: Parts, client: SessionPoolClient, order: Order) -> Sample:
    """Carry out an order with so many tasks as it asks for connections."""

    async def call_client() -> None:
        outcome = await client.send(_pool_call(order))
        if not isinstance(outcome, Answered) or outcome.answer.status != 200:
            raise CallFailed(str(outcome))

    async def call_gateway() -> None:
        response = await answer(parts.gateway.handle, request(order))
        if response.status != 200:
            raise CallFailed(f"{response.status} {response.body.decode(errors='replace')}")

    return await closed_loop([call_client if order.url else call_gateway] * order.connections, order.seconds)


def _pool_call(order: Order) -> PoolCall:
    identifier = f"{order.session}-{'0' * IDENTIFIER_HASH_LENGTH}"
    return PoolCall(
        endpoint=order.url,
        method="POST",
        path=wire.PATH,
        query=wire.query(identifier),
        headers=headers.to_pool(wire.headers(order.key)),
        body=wire.BODY,
        effect=Effect.EXECUTES,
    )


async def main() -> None:
    """Build the gateway from the environment and follow orders."""
    settings = read_settings(Settings)
    if os.environ.get(TELEMETRY):
        start_telemetry()
    parts = build(settings)
    client = SessionPoolClient(
        tokens=NoTokens(),
        timeout_seconds=settings.pool_timeout_seconds,
        answer_bytes_max=settings.max_answer_bytes,
        transport=open_transport(),
    )
    await follow_orders(lambda order: carry_out(parts, client, order))


if __name__ == "__main__":
    asyncio.run(main())
