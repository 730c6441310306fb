"""The MCP server: `POST /mcp` for the tenant's first pool, and `POST /pools/{pool}/mcp`.

Offers a tenant's sessions to agents by the Model Context Protocol's Streamable HTTP transport, in all of its revisions
(specification 2025-03-26 to 2026-07-28, read 2026-11). Every answer is one JSON document, and nothing is kept between
two requests: an `Mcp-Session-Id` is no more than a name for a session in the tenant's own namespace, so any instance
can serve any request, and there is nothing in it to steal.

The specification has servers check `Origin`, against web pages that reach a local server by DNS rebinding. Such pages
act with what a browser or a place in the network lends them. Here it lends nothing: each request needs the key in a
header, which a page can set only if it has the key, and then needs no detour.

A refusal by HTTP has the protocol's form of an error, the HTTP status for its number and Tollgate's code in `data`:
clients show nothing of other bodies.

This module is the rim, known at every start. What speaks the protocol is loaded at the first message.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from proxy import calls
from proxy.answering import Handler
from proxy.errors import ErrorCode, GatewayError
from proxy.gateway import Authenticator
from proxy.mcp.calls import Exchange, PoolCaller, client_session, session_of
from proxy.messages import GatewayRequest, GatewayResponse, json_response
from proxy.pools import Pool, PoolKind
from proxy.tenants import Scope, credential_from

KEY_HEADER = "x-ms-apikey"  # as on the MCP servers of Azure's own pools

# Both have been seen for a session that the pool does not hold.
_NO_SESSION = frozenset({"SessionWithIdentifierNotFound", "SessionNotFound"})

type Speaker = Callable[[Exchange], Awaitable[GatewayResponse]]


class McpServer:
    """Serves agents; safe to use from any number of tasks.

    `gateway` carries the tools' calls, each with the key of the agent that asked for it.
    """

    def __init__(
        self,
        *,
        gateway: Handler,
        authenticator: Authenticator,
        pools: Sequence[Pool],
        mint: Callable[[], str] = lambda: secrets.token_urlsafe(24),
    ) -> None:
        self._gateway = gateway
        self._authenticator = authenticator
        self._pools: Mapping[str, Pool] = {pool.name: pool for pool in pools}
        self._mint = mint
        self._speaker: Speaker | None = None

    async def handle(self, request: GatewayRequest) -> GatewayResponse:
        """Answer one HTTP request; what is refused is told as the protocol's clients expect it to be."""
        try:
            return await self._handle(request)
        except GatewayError as refusal:
            return _in_json_rpc(refusal)

    async def _handle(self, request: GatewayRequest) -> GatewayResponse:
        key = credential_from(request.headers, header=KEY_HEADER)
        principal = await self._authenticator.authenticate(key)
        tenant = principal.calling_tenant()
        principal.require(Scope.FILES if Scope.FILES in principal.scopes else Scope.EXECUTE)
        route = calls.choose_pool(tenant, self._pools, request.path)
        if route.path.strip("/") != "mcp":
            raise GatewayError(ErrorCode.OPERATION_NOT_FOUND)
        assert key is not None, "it was proven"
        if route.pool.kind is PoolKind.CUSTOM:  # every path there is the container's, which may well speak MCP itself
            return await self._gateway(replace(request, headers={**request.headers, "authorization": f"Bearer {key}"}))
        exchange = Exchange(
            request=request,
            principal=principal,
            pool=route.pool,
            caller=PoolCaller(gateway=self._gateway, request=request, key=key, pool=route.pool.name),
            mint=self._mint,
        )
        ends_sessions = Scope.EXECUTE in principal.scopes
        match request.method:
            case "POST":
                return await self._speak(exchange)
            case "DELETE" if ends_sessions:
                return await _end(exchange)
            case _:  # a GET asks for a stream of the server's own messages, and is told so that there is none
                allowed = "POST, DELETE" if ends_sessions else "POST"
                raise GatewayError(ErrorCode.METHOD_NOT_ALLOWED, headers={"Allow": allowed})

    async def _speak(self, exchange: Exchange) -> GatewayResponse:
        if self._speaker is None:
            self._speaker = await asyncio.to_thread(_load_speaker)
        return await self._speaker(exchange)


async def _end(exchange: Exchange) -> GatewayResponse:
    """End the session of a client that leaves; whether it ever used it makes no difference to the client."""
    if client_session(exchange.request) is None:
        raise GatewayError(ErrorCode.VALIDATION_FAILED, "The header 'Mcp-Session-Id' is missing.", target="session")
    response = await exchange.caller.send("DELETE", "/session", session=session_of(exchange.request))
    if response.status >= 400 and response.headers.get("x-ms-error-code") not in _NO_SESSION:
        return response
    kept = {name: value for name, value in response.headers.items() if name.startswith(("Tollgate-", "RateLimit"))}
    return GatewayResponse(status=204, headers=kept)


def _in_json_rpc(refusal: GatewayError) -> GatewayResponse:
    """Tell a refusal by HTTP in the one form of which clients show the message."""
    response = refusal.response()
    error = {"code": response.status, "message": refusal.message, "data": {"code": refusal.code.value}}
    document = {"jsonrpc": "2.0", "id": None, "error": error}
    return json_response(document, status=response.status, headers=response.headers)


def _load_speaker() -> Speaker:
    """Load the protocol's types, which takes a while: nobody else's first call should wait for that."""
    from proxy.mcp.methods import answer  # noqa: PLC0415 -- see above

    return answer
